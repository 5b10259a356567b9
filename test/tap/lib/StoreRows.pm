package StoreRows;

# A store full of rows for TAP tests, and what must stay the same about it.
#
#   fill_store($node, $db, 'public');                  # rows of two tenants in every table
#   my $rows = table_rows($node, $db, 'public');       # { table => its rows as COPY prints them, sorted }
#   my $ddl  = schema_text($node, $db);                # pg_dump --schema-only, without what is random in it
#   same_text(schema_text($node, $other), $ddl, 'the same catalogs');
#   is(rollup_differences($node, $db, 'public'), '', 'nothing counted twice');

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(fill_store store_tables table_rows schema_text same_text rollup_differences $tenant_a $tenant_b);

our $tenant_a = 'aaaaaaaa-0000-4000-8000-000000000000';
our $tenant_b = 'bbbbbbbb-0000-4000-8000-000000000000';

# fill_store(node, database, schema): two tenants, one with {SEQ} numbers and a time zone, one with the
# default {CODE} numbers; their rows in every table; events and deliveries in several months and, from
# long ago, in the default partition; the rollup's queue is folded, and so empty. The same rows at any time but for what is relative to now.
sub fill_store {
    my ($node, $database, $schema) = @_;
    $node->safe_psql($database, <<"SQL");
SET search_path = "$schema";
INSERT INTO tenants (id, name, slug, domain, settings) VALUES
    ('$tenant_a', 'متجر الرياض', 'riyadh', 'riyadh.example', '{"timezone": "Asia/Riyadh",
        "order_number_format": "{TENANT}-{YYYY}-{SEQ:5}", "order_number_reset": "year"}'),
    ('$tenant_b', 'Cairo Games', 'cairo', NULL, '{}');
INSERT INTO users (tenant_id, email, name)
SELECT t.id, format('user%s\@%s.example', n, slug), CASE n % 3 WHEN 0 THEN NULL ELSE E'tab\\there, "quoted"\\nline ' || n END
FROM tenants t, generate_series(1, 12) AS n;
INSERT INTO products (tenant_id, name, description, price, tags, images)
SELECT id, jsonb_build_object('en', 'Product ' || n, 'ar', 'منتج ' || n), '{"en": "Running shoes"}', n * 3.25, ARRAY['t' || n, 'a,b'], '{}'
FROM tenants, generate_series(1, 10) AS n;
INSERT INTO orders (tenant_id, user_id, status, total, currency, customer_email, payment_status, created_at)
SELECT t.id, CASE WHEN n % 4 > 0 THEN (SELECT id FROM users WHERE email = format('user%s\@%s.example', 1 + n % 12, slug)) END,
       (ARRAY['pending', 'completed', 'cancelled', 'shipped', 'archived', 'refunded'])[1 + n % 6], n * 1.37,
       (ARRAY['SAR', 'USD', NULL])[1 + n % 3], CASE WHEN n % 8 = 0 THEN format('Guest%s\@Example.com', n % 5) END,
       (ARRAY['paid', 'pending', 'partially_refunded'])[1 + n % 3],
       CASE WHEN n % 50 = 0 THEN NULL ELSE now() - (n * 7 || ' hours')::interval END
FROM tenants t, generate_series(1, 120) AS n;
INSERT INTO order_items (order_id, product_id, product_name, quantity, price, total)
SELECT o.id, (SELECT p.id FROM products p WHERE p.tenant_id = o.tenant_id ORDER BY p.price OFFSET n LIMIT 1), 'Product ' || n, n, 2, n * 2
FROM orders o, generate_series(1, 3) AS n;
INSERT INTO payments (tenant_id, order_id, payment_intent_id, amount, currency, status, provider, refunded_amount)
SELECT tenant_id, id, 'pi_' || id, total, currency, 'completed', 'stripe',
       CASE payment_status WHEN 'partially_refunded' THEN round(total / 3, 2) ELSE 0 END
FROM orders WHERE payment_status <> 'pending';
INSERT INTO analytics_events (tenant_id, event_type, user_id, properties, "timestamp")
SELECT u.tenant_id, 'page_view', u.id, jsonb_build_object('n', n), now() + ((n - 4) * 12 || ' days')::interval
FROM users u, generate_series(1, 8) AS n;
INSERT INTO analytics_events (tenant_id, event_type, "timestamp") SELECT id, 'long_ago', '2011-11-11 11:11+00' FROM tenants;
INSERT INTO integrations (tenant_id, name, type, credentials) SELECT id, 'Cards', 'stripe', '{}' FROM tenants;
INSERT INTO webhooks (tenant_id, url, events, secret)
SELECT id, 'https://' || slug || '.example/hook', '{order.*,payment.completed}', 'secret of ' || slug FROM tenants;
INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload, created_at)
SELECT id, gen_random_uuid(), 'order.created', '{"n": 1}', at
FROM webhooks, unnest(ARRAY[now(), now() + interval '33 days', '2011-11-11 11:11+00']) AS at;
-- A life, so that counters and rollups are more than a first write.
UPDATE orders SET status = 'completed', payment_status = 'paid' WHERE status = 'shipped';
UPDATE payments SET refunded_amount = amount WHERE order_id IN (SELECT id FROM orders WHERE status = 'refunded');
DELETE FROM orders WHERE total BETWEEN 60 AND 64;
SELECT fold_revenue_deltas();
SELECT to_regproc('archive_orders') IS NOT NULL AS archives \\gset
\\if :archives
CALL archive_orders('100 years');
\\endif
SQL
    return;
}

# store_tables(node, database, schema): the names of tables in a schema, partitions left out.
sub store_tables {
    my ($node, $database, $schema) = @_;
    return split /\n/, $node->safe_psql($database, <<"SQL");
SELECT relname FROM pg_class
WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = '$schema')
  AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname
SQL
}

# table_rows(node, database, schema): every table's rows and every sequence's state, as text.
sub table_rows {
    my ($node, $database, $schema) = @_;
    my @tables = store_tables($node, $database, $schema);
    my $sequences = $node->safe_psql($database,
        qq{SELECT sequencename FROM pg_sequences WHERE schemaname = '$schema' ORDER BY 1});
    # All in one session, each part behind its name.
    my $mark = '=== rows of ';
    my $text = $node->safe_psql($database, join '', (map { <<"SQL" } @tables), (map { <<"SQL" } split /\n/, $sequences));
\\echo $mark$_
COPY (SELECT * FROM "$schema"."$_" AS t ORDER BY t::text COLLATE "C") TO STDOUT;
SQL
\\echo $mark$_
SELECT last_value, is_called FROM "$schema"."$_";
SQL
    my %rows;
    for my $part (grep { length } split /^$mark/m, $text) {
        my ($name, $rows) = split /\n/, $part, 2;
        $rows{$name} = ($rows // '') =~ s/\n\z//r;
    }
    return \%rows;
}

# schema_text(node, database): what pg_dump --schema-only says, privileges and all.
sub schema_text {
    my ($node, $database) = @_;
    my ($out, $err) = run_command([ 'pg_dump', '--schema-only', '-d', $node->connstr($database) ]);
    is($err, '', "pg_dump --schema-only of $database");
    # The key of \restrict is random, and a policy's roles come in the order in which the cluster got them.
    $out =~ s/^\\(un)?restrict .*$//mg;
    $out =~ s{ TO (brainsait_\w+(?:, brainsait_\w+)+) }{' TO ' . join(', ', sort split /, /, $1) . ' '}ge;
    return $out;
}

# same_text(got, expected, name): is() for long texts, telling the lines that only one of them has.
sub same_text {
    my ($got, $expected, $name) = @_;
    return if ok($got eq $expected, $name);
    my %count;
    $count{$_}++ for split /\n/, $got;
    $count{$_}-- for split /\n/, $expected;
    diag(join "\n", map { ($count{$_} > 0 ? 'too much: ' : 'missing:  ') . $_ } grep { $count{$_} } sort keys %count);
    return;
}

# rollup_differences(node, database, schema): where revenue_metrics_live is not what the orders say, by the
# store's own check and by plain SQL over the orders and payments. '' where there is none.
sub rollup_differences {
    my ($node, $database, $schema) = @_;
    return $node->safe_psql($database, <<"SQL");
SET search_path = "$schema";
SELECT 'check_revenue_metrics', c::text FROM check_revenue_metrics() AS c;
WITH expected AS (
    SELECT o.tenant_id, (o.created_at AT TIME ZONE coalesce(t.settings ->> 'timezone', 'UTC'))::date AS date,
           coalesce(o.currency, 'XXX') AS currency, sum(o.total) AS total_revenue, count(*) AS order_count,
           round(sum(o.total) / count(*), 2) AS average_order_value,
           count(DISTINCT coalesce(o.user_id::text, lower(o.customer_email), o.id::text)) AS customer_count,
           coalesce(sum(o.total) FILTER (WHERE paid), 0) AS paid_revenue, count(*) FILTER (WHERE paid) AS paid_order_count,
           coalesce(sum(p.refunded), 0) AS refunded_amount
    FROM orders o JOIN tenants t ON t.id = o.tenant_id
    LEFT JOIN (SELECT order_id, sum(refunded_amount) AS refunded FROM payments GROUP BY order_id) p ON p.order_id = o.id
    CROSS JOIN LATERAL (SELECT (o.status IN ('cancelled', 'canceled')) IS NOT TRUE
        AND (o.payment_status IN ('paid', 'partially_refunded', 'refunded')
             OR o.status IN ('completed', 'archived', 'refunded')) IS TRUE AS paid) AS money
    WHERE o.created_at IS NOT NULL
    GROUP BY 1, 2, 3
), found AS (
    SELECT tenant_id, date, currency, total_revenue, order_count, average_order_value, customer_count,
           paid_revenue, paid_order_count, refunded_amount, net_revenue FROM revenue_metrics_live
), wanted AS (
    SELECT *, paid_revenue - refunded_amount FROM expected
)
SELECT 'missing or wrong', w::text FROM (SELECT * FROM wanted EXCEPT SELECT * FROM found) AS w
UNION ALL
SELECT 'not expected', f::text FROM (SELECT * FROM found EXCEPT SELECT * FROM wanted) AS f;
SQL
}

1;
