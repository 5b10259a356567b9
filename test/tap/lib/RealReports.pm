package RealReports;

# Every report over real purchases, asked by the application of one shop, against plain SQL over the raw lines.
#
#   compare_reports($node, $db, $store, $tenant, 'after the load');

use strict;
use warnings;

use Exporter 'import';
use StoreCluster;
use Test::More;

our @EXPORT = qw(compare_reports);

my ($FIRST, $LAST) = ('2017-02-01', '2017-04-30');

# What the raw lines say of the shop: its baskets and the lines that are items.
my $RAW = <<'SQL';
WITH basket AS (
    SELECT bought_at::date AS day, bought_at, basket_id, household_id, sum(sales_value) AS total,
           raw.fate(basket_id) AS fate, raw.fate(basket_id) = 'completed' AS paid, coalesce(max(amount), 0) AS refunded
    FROM raw.line LEFT JOIN raw.refunded USING (basket_id)
    WHERE store_id = STORE AND basket_id NOT IN (SELECT basket_id FROM raw.deleted)
    GROUP BY bought_at, basket_id, household_id
), item AS (
    SELECT * FROM raw.line JOIN raw.product USING (product_id)
    WHERE store_id = STORE AND quantity > 0 AND raw.fate(basket_id) = 'completed' AND basket_id NOT IN (SELECT basket_id FROM raw.deleted)
), event AS (
    SELECT household_id, bought_at, department FROM raw.line JOIN raw.product USING (product_id) WHERE store_id = STORE AND bought_at::date BETWEEN 'FIRST' AND 'LAST'
), newest AS (
    SELECT household_id, min(day) AS first_day, min(day) FILTER (WHERE paid) AS first_paid FROM basket GROUP BY 1
), session AS (
    SELECT household_id, number, count(*) AS events, max(bought_at) - min(bought_at) AS lasted
    FROM (SELECT *, sum(begins) OVER (PARTITION BY household_id ORDER BY bought_at, begins DESC) AS number
          FROM (SELECT *, CASE WHEN bought_at - lag(bought_at) OVER (PARTITION BY household_id ORDER BY bought_at) <= '3 days' THEN 0 ELSE 1 END AS begins FROM event) AS e) AS n
    GROUP BY 1, 2
)
SQL

# name => [columns of the report, as the application asks, as the raw lines say]
my %REPORTS = (
    order_analytics => [
        q(SELECT date, currency, order_count, total_revenue, average_order_value, customer_count, paid_order_count, paid_revenue, refunded_amount, net_revenue FROM order_analytics('FIRST', 'LAST')),
        q(SELECT day, 'USD', count(*), sum(total), round(avg(total), 2), count(DISTINCT household_id), count(*) FILTER (WHERE paid),
                 coalesce(sum(total) FILTER (WHERE paid), 0), sum(refunded), coalesce(sum(total) FILTER (WHERE paid), 0) - sum(refunded)
          FROM basket WHERE day BETWEEN 'FIRST' AND 'LAST' GROUP BY day)
    ],
    daily_trend => [
        q(SELECT date, order_count, total_revenue, average_revenue_7_days FROM daily_trend('FIRST', 'LAST')),
        q(SELECT d::date, count(basket_id) FILTER (WHERE day = d), coalesce(sum(total) FILTER (WHERE day = d), 0), round(coalesce(sum(total), 0) / 7, 2)
          FROM generate_series(timestamp 'FIRST', 'LAST', '1 day') AS d LEFT JOIN basket ON day BETWEEN d - interval '6 days' AND d GROUP BY d)
    ],
    revenue_growth => [
        q(SELECT currency, total_revenue, previous_revenue, revenue_growth, order_count, previous_order_count FROM revenue_growth('FIRST', 'LAST')),
        q(SELECT 'USD', sum(total) FILTER (WHERE day >= 'FIRST'), sum(total) FILTER (WHERE day < 'FIRST'),
                 round((sum(total) FILTER (WHERE day >= 'FIRST') / sum(total) FILTER (WHERE day < 'FIRST') - 1) * 100, 2),
                 count(*) FILTER (WHERE day >= 'FIRST'), count(*) FILTER (WHERE day < 'FIRST')
          FROM basket WHERE day BETWEEN date 'FIRST' - 89 AND 'LAST' HAVING count(*) > 0)
    ],
    top_products => [
        q(SELECT place, revenue FROM top_products('FIRST 00:00 America/New_York', 40)),
        q(SELECT row_number() OVER (ORDER BY sum(sales_value) DESC), sum(sales_value) FROM item WHERE bought_at >= 'FIRST' GROUP BY product_id ORDER BY 1 LIMIT 40)
    ],
    category_performance => [
        q(SELECT category, revenue, units_sold, order_count, product_count FROM category_performance('FIRST', 'LAST')),
        q(SELECT department, sum(sales_value), sum(quantity), count(DISTINCT basket_id), count(DISTINCT product_id) FROM item
          WHERE bought_at::date BETWEEN 'FIRST' AND 'LAST' GROUP BY department)
    ],
    payment_analytics => [
        q(SELECT provider, payment_count, succeeded_count, failed_count, pending_count, amount, refunded_amount FROM payment_analytics('FIRST', 'LAST')),
        q(SELECT 'stripe', count(*), count(*) FILTER (WHERE paid), count(*) FILTER (WHERE fate = 'cancelled'), count(*) FILTER (WHERE fate = 'pending'),
                 sum(total) FILTER (WHERE paid), sum(refunded) FROM basket WHERE day BETWEEN 'FIRST' AND 'LAST')
    ],
    top_customers => [
        q(SELECT place, paid_revenue FROM top_customers('FIRST', 'LAST', 15)),
        q(SELECT row_number() OVER (ORDER BY sum(CASE WHEN paid THEN total ELSE 0 END) DESC), sum(CASE WHEN paid THEN total ELSE 0 END)
          FROM basket WHERE day BETWEEN 'FIRST' AND 'LAST' GROUP BY household_id ORDER BY 1 LIMIT 15)
    ],
    customer_summary => [
        q(SELECT customer_count, new_customers, returning_customers, order_count, total_revenue, new_revenue FROM customer_summary('FIRST', 'LAST')),
        q(SELECT count(DISTINCT household_id), count(DISTINCT household_id) FILTER (WHERE first_day >= 'FIRST'), count(DISTINCT household_id) FILTER (WHERE first_day < 'FIRST'),
                 count(*), sum(total), sum(CASE WHEN first_day >= 'FIRST' THEN total ELSE 0 END)
          FROM basket JOIN newest USING (household_id) WHERE day BETWEEN 'FIRST' AND 'LAST')
    ],
    cohort_report => [
        q(SELECT cohort, period_number, active FROM cohort_report('1 month', 1000) WHERE active > 0),
        q(SELECT date_trunc('month', first_day::timestamp)::date, ((extract(year FROM day) - extract(year FROM first_day)) * 12 + extract(month FROM day) - extract(month FROM first_day))::int,
                 count(DISTINCT household_id) FROM basket JOIN newest USING (household_id) GROUP BY 1, 2)
    ],
    lifetime_value => [
        q(SELECT customers, orders, paid_revenue, refunded_amount, lifetime_value FROM lifetime_value('FIRST', 'LAST')),
        q(SELECT count(DISTINCT household_id), count(*), sum(total), sum(refunded), round((sum(total) - sum(refunded)) / count(DISTINCT household_id), 2)
          FROM basket JOIN newest USING (household_id) WHERE paid AND first_paid BETWEEN 'FIRST' AND 'LAST')
    ],
    conversion_funnel => [
        q(SELECT step, event_type, visitors FROM conversion_funnel(ARRAY['GROCERY', 'PRODUCE'], '7 days', 'FIRST', 'LAST')),
        q(SELECT 1, 'GROCERY', count(DISTINCT household_id) FROM event WHERE department = 'GROCERY'
          UNION ALL SELECT 2, 'PRODUCE', count(DISTINCT g.household_id) FROM event g JOIN event p USING (household_id)
          WHERE g.department = 'GROCERY' AND p.department = 'PRODUCE' AND p.bought_at BETWEEN g.bought_at AND g.bought_at + interval '7 days')
    ],
    session_report => [
        q(SELECT visitors, sessions, bounces, events FROM session_report('FIRST', 'LAST', '3 days')),
        q(SELECT count(DISTINCT household_id), count(*), count(*) FILTER (WHERE events = 1), sum(events) FROM session)
    ],
    # All were made in one transaction, so a page's last row has its least id.
    product_page => [
        q(SELECT substring(name ->> 'en' FROM '\d+$')::bigint, 1 FROM (
            WITH one AS MATERIALIZED (SELECT * FROM product_page(k => 900)),
                 two AS MATERIALIZED (SELECT * FROM product_page(after => (SELECT min(next_after) FROM one), k => 900)),
                 three AS (SELECT * FROM product_page(after => (SELECT min(next_after) FROM two), k => 900))
            TABLE one UNION TABLE two UNION TABLE three) AS p),
        q(SELECT product_id, 1 FROM raw.shelf WHERE store_id = STORE)
    ],
    filter_products => [
        q(SELECT substring(product_name ->> 'en' FROM '\d+$')::bigint, price FROM filter_products(min_price => 6, max_price => 9.99, k => 1000)),
        q(SELECT product_id, price FROM raw.shelf WHERE store_id = STORE AND price BETWEEN 6 AND 9.99)
    ],
    search_products => [
        q(SELECT n, substring(name ->> 'en' FROM '\d+$')::bigint FROM raw.shelf AS s (store_id, n), LATERAL search_products(n::text, k => 5) WHERE s.store_id = STORE AND n % 20 = 0),
        q(SELECT product_id, product_id FROM raw.shelf WHERE store_id = STORE AND product_id % 20 = 0)
    ],
);

sub filled {
    my ($sql, $store) = @_;
    return $sql =~ s/\bSTORE\b/$store/gr =~ s/\bFIRST\b/$FIRST/gr =~ s/\bLAST\b/$LAST/gr;
}

# Amounts in one way, whatever their scale.
sub plain { return $_[0] =~ s/\.\d*?\K0+(?=[,)])//gr =~ s/\.(?=[,)])//gr }

sub compare_reports {
    my ($node, $db, $store, $tenant, $when) = @_;
    # What a visitor looked at: the department of each line, watched without registering.
    if ($node->safe_psql($db, 'SELECT count(*) FROM analytics_events') == 0) {
        my (undef, $error, $sqlstate) = run_in_tenant($node, $db, $tenant, filled(<<'SQL', $store));
INSERT INTO analytics_events (event_type, session_id, "timestamp")
SELECT department, 'household ' || household_id, bought_at AT TIME ZONE 'America/New_York' FROM raw.line JOIN raw.product USING (product_id)
WHERE store_id = STORE AND department <> ''
SQL
        is($sqlstate, '', 'the application records events') or diag $error;
    }
    for my $report (sort keys %REPORTS) {
        my ($asked, $expected) = map { filled($_, $store) } @{ $REPORTS{$report} };
        my ($answer, $error, $sqlstate) =
            run_in_tenant($node, $db, $tenant, "SELECT string_agg(r::text, E'\\n' ORDER BY r::text COLLATE \"C\") FROM ($asked) AS r");
        my $truth = $node->safe_psql($db, filled($RAW, $store) . "SELECT string_agg(r::text, E'\\n' ORDER BY r::text COLLATE \"C\") FROM ($expected) AS r");
        is($sqlstate, '', "$when: $report() answers") or diag $error;
        isnt($truth, '', "$when: $report() has something to say");
        is(plain($answer), plain($truth), "$when: $report() says what the raw lines say");
    }
}

1;
