# Real purchases: 75,000 lines of some 47,000 baskets in some 290 shops over a year. Shops become tenants, households
# customers, baskets orders, lines items. What the store then says is compared with plain SQL over the raw file, which lies
# in tables of its own that no code of the store touches. Its times are New York's, so its days are the tenants' days.
#
# Lines with quantity 0 (coupons that took no goods; they cost 0.00, up to a rounding error) cannot be items and are left out;
# a basket of nothing else becomes an order of 0.00 without items. Free goods (quantity > 0, value 0) stay.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use IO::Uncompress::Gunzip qw(gunzip $GunzipError);
use Test::More;

my $folder;

BEGIN {
    ($folder) = grep { length && -r "$_/complete_journey/transactions_sample.csv.gz" }
        ($ENV{BRAINSAIT_DATA} // '', "$FindBin::RealBin/../../../shared/data");
    plan skip_all => 'the real purchases are not here: neither BRAINSAIT_DATA nor ../shared/data holds complete_journey'
        unless defined $folder;
}
use RealReports;
use StoreCluster;

my $node = new_cluster('real');
my $db = create_store($node, 'real');

# The raw file, as it is.
for my $name (qw(transactions_sample products)) {
    gunzip("$folder/complete_journey/$name.csv.gz" => $node->basedir . "/$name.csv") or die "cannot unpack $name: $GunzipError";
}
my $here = $node->basedir;
$node->safe_psql($db, <<"SQL");
CREATE ROLE operator_login LOGIN IN ROLE brainsait_operator;
CREATE SCHEMA raw;
GRANT USAGE ON SCHEMA raw TO app_login, operator_login;
ALTER DEFAULT PRIVILEGES IN SCHEMA raw GRANT SELECT, INSERT ON TABLES TO app_login, operator_login;
CREATE TABLE raw.line (household_id bigint, store_id bigint, basket_id numeric, product_id numeric, quantity integer, sales_value numeric,
                       retail_disc numeric, coupon_disc numeric, coupon_match_disc numeric, week integer, bought_at timestamp);
CREATE TABLE raw.product (product_id numeric, manufacturer_id bigint, department text, brand text, product_category text,
                          product_type text, package_size text);
COPY raw.line FROM '$here/transactions_sample.csv' (FORMAT csv, HEADER);
COPY raw.product FROM '$here/products.csv' (FORMAT csv, HEADER);
-- Some round numbers are written as 4.0128e+10.
ALTER TABLE raw.line ALTER basket_id TYPE bigint, ALTER product_id TYPE bigint;
ALTER TABLE raw.product ALTER product_id TYPE bigint;
-- Hundredths are all that a shop charges.
UPDATE raw.line SET sales_value = round(sales_value, 2);
-- Some orders, by the basket's number, are not paid or are cancelled.
CREATE FUNCTION raw.fate(basket_id bigint) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN basket_id % 20 = 0 THEN 'pending' WHEN basket_id % 25 = 1 THEN 'cancelled' ELSE 'completed' END;
-- What becomes of baskets later in the test.
CREATE TABLE raw.deleted (basket_id bigint PRIMARY KEY);
CREATE TABLE raw.refunded (basket_id bigint PRIMARY KEY, amount numeric);
-- Where a document's query leaves its answer.
CREATE TABLE raw.answer (tenant_id uuid DEFAULT current_tenant(), name jsonb, revenue numeric, units_sold bigint);
CREATE TABLE raw.day (tenant_id uuid DEFAULT current_tenant(), date date, order_count bigint, total_revenue numeric, average_order_value numeric);
-- Identifiers for the load, nothing else.
CREATE TABLE raw.basket AS
SELECT *, gen_random_uuid() AS order_id FROM (SELECT DISTINCT basket_id, store_id, household_id, bought_at FROM raw.line) AS basket;
CREATE TABLE raw.shelf AS
SELECT store_id, product_id, gen_random_uuid() AS id, max(round(sales_value / quantity, 2)) AS price
FROM raw.line WHERE quantity > 0 GROUP BY 1, 2;
CREATE INDEX ON raw.basket (store_id);
CREATE INDEX ON raw.line (basket_id);
CREATE INDEX ON raw.shelf (store_id, product_id);
ANALYZE;
SQL

is($node->safe_psql($db, 'SELECT count(*) FROM raw.line'), 75_000, 'the raw file has its 75,000 lines');
is($node->safe_psql($db, <<'SQL'), '0', 'a basket has one shop, one household and one time');
SELECT count(*) FROM (SELECT basket_id FROM raw.basket GROUP BY basket_id HAVING count(*) > 1) AS several
SQL
is($node->safe_psql($db, <<'SQL'), '0|0', 'nothing costs less than nothing, and lines without quantity cost nothing');
SELECT count(*) FILTER (WHERE sales_value < 0 OR quantity < 0), count(*) FILTER (WHERE quantity = 0 AND sales_value <> 0) FROM raw.line
SQL

# The load, in a session whose own time zone is far away. $where chooses shops.
sub load_statements {
    my ($where) = @_;
    return <<"SQL";
SET timezone = 'Asia/Tokyo';
INSERT INTO products (id, tenant_id, name, category, price)
SELECT shelf.id, t.id, jsonb_build_object('en', concat_ws(' ', product_type, package_size, shelf.product_id)), department, price
FROM raw.shelf JOIN tenants t ON t.slug = 'shop-' || store_id LEFT JOIN raw.product USING (product_id) WHERE $where;
-- Households with even numbers have registered; the others are known by an e-mail address that they type in either case.
INSERT INTO users (tenant_id, email)
SELECT DISTINCT t.id, format('household-%s\@example.com', household_id)
FROM raw.basket JOIN tenants t ON t.slug = 'shop-' || store_id WHERE $where AND household_id % 2 = 0;
INSERT INTO orders (id, tenant_id, user_id, customer_email, total, status, payment_status, metadata, created_at)
SELECT b.order_id, t.id, u.id, CASE b.basket_id % 2 WHEN 0 THEN upper(address) ELSE address END, worth.total,
       raw.fate(b.basket_id), CASE raw.fate(b.basket_id) WHEN 'completed' THEN 'paid' WHEN 'cancelled' THEN 'failed' ELSE 'pending' END,
       jsonb_build_object('basket', b.basket_id), bought_at AT TIME ZONE 'America/New_York'
FROM raw.basket b
JOIN tenants t ON t.slug = 'shop-' || store_id
JOIN (SELECT basket_id, sum(sales_value) AS total FROM raw.line GROUP BY basket_id) AS worth USING (basket_id)
CROSS JOIN LATERAL format('household-%s\@example.com', household_id) AS address
LEFT JOIN users u ON u.tenant_id = t.id AND u.email = address
WHERE $where;
-- tenant_id is left out: the context's, or else the order's.
INSERT INTO order_items (order_id, product_id, product_name, quantity, price, total)
SELECT order_id, shelf.id, coalesce(product_type, product_id::text), quantity, round(sales_value / quantity, 2), sales_value
FROM raw.line JOIN raw.basket USING (basket_id, store_id) JOIN raw.shelf USING (store_id, product_id) LEFT JOIN raw.product USING (product_id)
WHERE quantity > 0 AND $where;
INSERT INTO payments (tenant_id, order_id, payment_intent_id, amount, status, provider, created_at)
SELECT tenant_id, id, 'pi_' || id, total, CASE payment_status WHEN 'paid' THEN 'completed' ELSE payment_status END, 'stripe', created_at
FROM orders JOIN raw.basket ON order_id = id WHERE $where;
SQL
}

# The busiest shop comes through the application, all others at once through an operator.
my $busiest = $node->safe_psql($db, 'SELECT store_id FROM raw.line GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1');
my ($out, $err, $state) = run_as($node, $db, 'operator_login', <<'SQL');
INSERT INTO tenants (name, slug, settings)
SELECT 'Shop ' || store_id, 'shop-' || store_id, '{"timezone": "America/New_York"}' FROM raw.basket GROUP BY store_id
SQL
is($state, '', 'an operator makes a tenant for each shop') or diag $err;
my %tenant = map { split /\|/ } split /\n/, $node->safe_psql($db, "SELECT substr(slug, 6), id FROM tenants");
cmp_ok(scalar keys %tenant, '>', 250, keys(%tenant) . ' shops');

($out, $err, $state) = run_as($node, $db, 'operator_login', "BEGIN;\n" . load_statements("store_id <> $busiest") . 'COMMIT');
is($state, '', 'an operator loads all shops but one in one transaction') or diag $err;
($out, $err, $state) = run_in_tenant($node, $db, $tenant{$busiest}, load_statements("store_id = $busiest") =~ s/;\s*\z//r);
is($state, '', "the application loads the busiest shop, $busiest") or diag $err;
$node->safe_psql($db, 'ANALYZE');

# Every day of every shop, from the raw lines that are left; each side without what the other has too.
my $DIFFERENCES = <<'SQL';
WITH basket AS (
    SELECT store_id, bought_at::date AS date, basket_id, household_id, sum(sales_value) AS total,
           raw.fate(basket_id) = 'completed' AS paid, coalesce(max(amount), 0) AS refunded
    FROM raw.line LEFT JOIN raw.refunded USING (basket_id)
    WHERE basket_id NOT IN (SELECT basket_id FROM raw.deleted)
    GROUP BY store_id, bought_at::date, basket_id, household_id
), expected AS (
    SELECT 'shop-' || store_id AS shop, date, 'USD' AS currency, sum(total) AS revenue, count(*) AS orders,
           count(DISTINCT household_id) AS customers, round(sum(total) / count(*), 2) AS average,
           coalesce(sum(total) FILTER (WHERE paid), 0) AS paid, count(*) FILTER (WHERE paid) AS paid_orders,
           sum(refunded) AS refunded, coalesce(sum(total) FILTER (WHERE paid), 0) - sum(refunded) AS net
    FROM basket GROUP BY store_id, date
), rolled_up AS (
    SELECT slug, date, currency, total_revenue, order_count, customer_count, average_order_value, paid_revenue, paid_order_count,
           refunded_amount, net_revenue
    FROM revenue_metrics_live m JOIN tenants t ON t.id = tenant_id
)
(SELECT 'expected' AS side, * FROM (TABLE expected EXCEPT ALL TABLE rolled_up) AS missing
 UNION ALL
 SELECT 'rolled up', * FROM (TABLE rolled_up EXCEPT ALL TABLE expected) AS wrong)
ORDER BY shop, date, side LIMIT 10
SQL

# What must hold at any time.
sub compare_everything {
    my ($when) = @_;
    is($node->safe_psql($db, $DIFFERENCES =~ s/FROM revenue_metrics m/FROM revenue_metrics_live m/r), '',
        "$when: each shop's days in the live view, as the raw lines say");
    $node->safe_psql($db, 'SELECT fold_revenue_deltas()');
    is($node->safe_psql($db, $DIFFERENCES), '', "$when: each shop's days, as the raw lines say");
    is($node->safe_psql($db, 'SELECT count(*) FROM check_revenue_metrics()'), '0', "$when: check_revenue_metrics() is empty");
    is($node->safe_psql($db, <<'SQL'), '0', "$when: each order's items, as the raw lines say, and its total is their sum");
WITH raw_basket AS (
    SELECT basket_id, sum(sales_value) AS total, count(*) FILTER (WHERE quantity > 0) AS lines,
           coalesce(sum(quantity) FILTER (WHERE quantity > 0), 0) AS units
    FROM raw.line WHERE basket_id NOT IN (SELECT basket_id FROM raw.deleted) GROUP BY basket_id
), stored AS (
    SELECT (metadata ->> 'basket')::bigint AS basket_id, o.total, coalesce(items.total, 0) AS of_items,
           coalesce(lines, 0) AS lines, coalesce(units, 0) AS units
    FROM orders o LEFT JOIN (SELECT tenant_id, order_id, sum(total) AS total, count(*) AS lines, sum(quantity) AS units
                             FROM order_items GROUP BY tenant_id, order_id) AS items
         ON order_id = o.id AND items.tenant_id = o.tenant_id
)
SELECT count(*) FROM raw_basket r FULL JOIN stored s USING (basket_id)
WHERE (r.total, r.total, r.lines, r.units) IS DISTINCT FROM (s.total, s.of_items, s.lines, s.units)
SQL
    compare_analytics($when);
    compare_top_products($when);
    compare_reports($node, $db, $busiest, $tenant{$busiest}, $when);
}

# The document's order analytics, as written, by the application of the busiest shop.
sub compare_analytics {
    my ($when) = @_;
    my (undef, $error, $sqlstate) = run_in_tenant($node, $db, $tenant{$busiest}, <<"SQL");
SET LOCAL timezone = 'America/New_York';
PREPARE order_analytics (uuid, timestamptz, timestamptz) AS INSERT INTO raw.day (date, order_count, total_revenue, average_order_value)
SELECT 
    DATE(created_at) as date,
    COUNT(*) as order_count,
    SUM(total) as total_revenue,
    AVG(total) as average_order_value
FROM orders 
WHERE tenant_id = \$1 
    AND created_at >= \$2 
    AND created_at <= \$3
GROUP BY DATE(created_at)
ORDER BY date;
EXECUTE order_analytics ('$tenant{$busiest}', '2017-03-01', '2017-06-01')
SQL
    is($sqlstate, '', "$when: the document's order analytics runs") or diag $error;
    is($node->safe_psql($db, <<"SQL"), '0|t', "$when: the document's order analytics equals the raw lines and the rollup");
WITH raw_day AS (
    SELECT bought_at::date AS date, count(DISTINCT basket_id) AS orders, sum(sales_value) AS revenue
    FROM raw.line
    WHERE store_id = $busiest AND bought_at BETWEEN '2017-03-01' AND '2017-06-01' AND basket_id NOT IN (SELECT basket_id FROM raw.deleted)
    GROUP BY 1
)
SELECT count(*) FILTER (WHERE (orders, revenue) IS DISTINCT FROM (order_count, total_revenue)), count(*) > 50
FROM raw_day FULL JOIN raw.day USING (date)
SQL
    $node->safe_psql($db, 'TRUNCATE raw.day');
}

# The document's top products, as written, by each shop's application; and over all shops by an operator. Products of equal
# revenue may come in any order, and the last place may go to any of them, so rows are compared one by one and
# revenues in order.
sub compare_top_products {
    my ($when) = @_;
    my $asked = join '', map { <<"SQL" } sort { $a <=> $b } keys %tenant;
BEGIN;
SELECT set_tenant('$tenant{$_}') \\g /dev/null
EXECUTE top_products ('$tenant{$_}', '2017-02-01 00:00 America/New_York');
COMMIT;
SQL
    my (undef, $error, $sqlstate) = run_as($node, $db, 'app_login', <<"SQL");
PREPARE top_products (uuid, timestamptz) AS INSERT INTO raw.answer (name, revenue, units_sold)
SELECT 
    p.name,
    SUM(oi.total) as revenue,
    SUM(oi.quantity) as units_sold
FROM products p
JOIN order_items oi ON p.id = oi.product_id
JOIN orders o ON oi.order_id = o.id
WHERE o.tenant_id = \$1 
    AND o.status = 'completed'
    AND o.created_at >= \$2
GROUP BY p.id, p.name
ORDER BY revenue DESC
LIMIT 10;
$asked
SQL
    is($sqlstate, '', "$when: the document's top products run for each shop") or diag $error;
    # substring: the product's number stands at the end of its name.
    is($node->safe_psql($db, <<'SQL'), '0|0|t', "$when: the document's top products of each shop, as the raw lines say");
WITH sold AS (
    SELECT store_id, product_id, sum(sales_value) AS revenue, sum(quantity) AS units,
           row_number() OVER (PARTITION BY store_id ORDER BY sum(sales_value) DESC) AS place
    FROM raw.line
    WHERE quantity > 0 AND bought_at >= '2017-02-01' AND raw.fate(basket_id) = 'completed'
      AND basket_id NOT IN (SELECT basket_id FROM raw.deleted)
    GROUP BY store_id, product_id
), answer AS (
    SELECT substr(slug, 6)::bigint AS store_id, substring(a.name ->> 'en' FROM '\d+$')::bigint AS product_id, revenue, units_sold,
           row_number() OVER (PARTITION BY tenant_id ORDER BY revenue DESC) AS place
    FROM raw.answer a JOIN tenants t ON t.id = tenant_id
)
SELECT (SELECT count(*) FROM answer LEFT JOIN sold USING (store_id, product_id)
        WHERE (answer.revenue, units_sold) IS DISTINCT FROM (sold.revenue, units)),
       (SELECT count(*) FROM answer FULL JOIN (SELECT * FROM sold WHERE place <= 10) AS best USING (store_id, place)
        WHERE answer.revenue IS DISTINCT FROM best.revenue),
       (SELECT count(DISTINCT store_id) > 200 FROM answer)
SQL
    $node->safe_psql($db, 'TRUNCATE raw.answer');

    my $over_all = <<'SQL';
SELECT array_agg((product_id, revenue, units)::text ORDER BY revenue DESC, product_id)
FROM (SELECT product_id, sum(sales_value) AS revenue, sum(quantity) AS units FROM raw.line
      WHERE quantity > 0 AND raw.fate(basket_id) = 'completed' AND basket_id NOT IN (SELECT basket_id FROM raw.deleted)
      GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 50) AS best
SQL
    my ($stored) = run_as($node, $db, 'operator_login', <<'SQL');
SELECT array_agg((product_id, revenue, units)::text ORDER BY revenue DESC, product_id)
FROM (SELECT substring(p.name ->> 'en' FROM '\d+$')::bigint AS product_id, sum(oi.total) AS revenue, sum(oi.quantity) AS units
      FROM products p JOIN order_items oi ON oi.product_id = p.id JOIN orders o ON o.id = oi.order_id
      WHERE o.status = 'completed' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 50) AS best
SQL
    is($stored, $node->safe_psql($db, $over_all), "$when: the 50 best products over all shops");
}

is($node->safe_psql($db, 'SELECT count(*), count(DISTINCT number) FROM orders'),
    $node->safe_psql($db, 'SELECT count(DISTINCT basket_id), count(DISTINCT basket_id) FROM raw.line'),
    'an order with a number of its own for each basket');
compare_everything('after the load');

# A random sample is deleted, another refunded, through an operator and, in the busiest shop, the application.
my $seed = $ENV{BRAINSAIT_SEED} // int rand 1_000_000;
note "BRAINSAIT_SEED=$seed";
$node->safe_psql($db, <<"SQL");
SELECT setseed($seed / 1000000.0);
INSERT INTO raw.deleted SELECT basket_id FROM (SELECT basket_id FROM raw.basket ORDER BY basket_id) AS b WHERE random() < 0.02;
INSERT INTO raw.refunded
SELECT basket_id, round(total * random()::numeric, 2)
FROM (SELECT basket_id, sum(sales_value) AS total FROM raw.line WHERE raw.fate(basket_id) = 'completed' GROUP BY 1 ORDER BY 1) AS b
WHERE random() < 0.02 AND basket_id NOT IN (SELECT basket_id FROM raw.deleted);
SQL
my $change = <<'SQL';
UPDATE payments p SET refunded_amount = amount.amount, status = 'refunded'
FROM raw.refunded AS amount JOIN raw.basket USING (basket_id) WHERE p.order_id = basket.order_id AND %1$s;
UPDATE orders o SET payment_status = CASE WHEN amount < total THEN 'partially_refunded' ELSE 'refunded' END
FROM raw.refunded JOIN raw.basket USING (basket_id) WHERE o.id = order_id AND %1$s;
DELETE FROM payments USING raw.deleted JOIN raw.basket USING (basket_id) WHERE payments.order_id = basket.order_id AND %1$s;
DELETE FROM orders USING raw.deleted JOIN raw.basket USING (basket_id) WHERE orders.id = order_id AND %1$s
SQL
($out, $err, $state) = run_as($node, $db, 'operator_login', sprintf("BEGIN;\n$change;\nCOMMIT", "store_id <> $busiest"));
is($state, '', 'an operator refunds some orders and deletes others') or diag $err;
($out, $err, $state) = run_in_tenant($node, $db, $tenant{$busiest}, sprintf($change, "store_id = $busiest"));
is($state, '', 'so does the application of the busiest shop') or diag $err;
cmp_ok($node->safe_psql($db, 'SELECT least((SELECT count(*) FROM raw.deleted), (SELECT count(*) FROM raw.refunded))'), '>', 500,
    'more than 500 of each');
compare_everything('after deletions and refunds');

$node->stop;
done_testing();
