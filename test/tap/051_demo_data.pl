# The demo runs and what it claims holds; then every report over both of its shops, asked by their application, against plain
# SQL over the rows themselves.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'there is no python3, which receives the demo\'s webhook' unless IPC::Run::run([ 'python3', '-c', 'import http.server' ], '>', \my $out, '2>', \my $err);

my $node = new_cluster('demo', conf => "work_mem = 32MB\n");
$node->safe_psql('postgres', 'CREATE DATABASE store');
{
    local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGUSER => $node->safe_psql('postgres', 'SELECT current_user'),
        PGDATABASE => 'store', ORDERS => 1000, NO_COLOR => 1, COLUMNS => 120);
    my ($said, $error);
    ok(IPC::Run::run([ 'demo/run' ], '>', \$said, '2>', \$error), 'make demo: everything that it claims holds') or diag $said, $error;
    like($said, qr/$_/, "make demo: $_") for 'signed and delivered', 'What one shop sees of the other', 'Do all figures agree';
}

# A shop's rows: days and times of its own zone, who bought, what was paid.
my $ROWS = <<'SQL';
WITH shop AS (SELECT id, settings ->> 'timezone' AS zone FROM tenants WHERE slug = 'SLUG'),
basket AS (
    SELECT o.id, o.currency, o.status, o.created_at AS at, (o.created_at AT TIME ZONE zone)::date AS day, o.total,
           coalesce(o.user_id::text, lower(o.customer_email), o.id::text) AS who,
           o.status <> 'cancelled' AND (o.payment_status IN ('paid', 'partially_refunded', 'refunded') OR o.status IN ('completed', 'refunded')) AS paid,
           coalesce((SELECT sum(refunded_amount) FROM payments p WHERE p.order_id = o.id), 0) AS refunded
    FROM orders o JOIN shop ON o.tenant_id = shop.id
), newest AS (
    SELECT who, min(day) AS first_day, (min(at) FILTER (WHERE paid)) AS first_paid FROM basket GROUP BY who
), item AS (
    SELECT b.currency, b.day, b.at, b.id AS order_id, i.product_id, p.category, i.quantity, i.total
    FROM basket b JOIN order_items i ON i.order_id = b.id JOIN products p ON p.id = i.product_id WHERE b.status = 'completed'
), event AS (
    SELECT coalesce(user_id::text, session_id) AS who, "timestamp" AS at, event_type AS type
    FROM analytics_events e JOIN shop ON e.tenant_id = shop.id WHERE ("timestamp" AT TIME ZONE zone)::date BETWEEN 'FIRST' AND 'LAST'
)
SQL

# name => [as the application asks, as the rows say]
my %reports = (
    order_analytics => [
        q(SELECT * FROM order_analytics('FIRST', 'LAST')),
        q(SELECT day, currency, count(*), sum(total), round(avg(total), 2), count(DISTINCT who), count(*) FILTER (WHERE paid), coalesce(sum(total) FILTER (WHERE paid), 0),
                 sum(refunded), coalesce(sum(total) FILTER (WHERE paid), 0) - sum(refunded) FROM basket WHERE day BETWEEN 'FIRST' AND 'LAST' GROUP BY day, currency)
    ],
    daily_trend => [
        q(SELECT date, currency, order_count, total_revenue, average_revenue_7_days FROM daily_trend('FIRST', 'LAST')),
        q(SELECT d::date, (SELECT min(currency) FROM basket), count(id) FILTER (WHERE day = d), coalesce(sum(total) FILTER (WHERE day = d), 0), round(coalesce(sum(total), 0) / 7, 2)
          FROM generate_series(timestamp 'FIRST', 'LAST', '1 day') AS d LEFT JOIN basket ON day BETWEEN d - interval '6 days' AND d GROUP BY d)
    ],
    revenue_growth => [
        q(SELECT currency, total_revenue, previous_revenue, revenue_growth, order_count, previous_order_count FROM revenue_growth('FIRST', 'LAST')),
        q(SELECT min(currency), sum(total) FILTER (WHERE later), sum(total) FILTER (WHERE NOT later), round((sum(total) FILTER (WHERE later) / sum(total) FILTER (WHERE NOT later) - 1) * 100, 2),
                 count(*) FILTER (WHERE later), count(*) FILTER (WHERE NOT later)
          FROM (SELECT *, day >= 'FIRST' AS later FROM basket WHERE day BETWEEN date 'FIRST' - (date 'LAST' - date 'FIRST' + 1) AND 'LAST') AS b)
    ],
    top_products => [
        q(SELECT place, revenue FROM top_products('FIRST 00:00 HERE', 12)),
        q(SELECT row_number() OVER (ORDER BY sum(total) DESC), sum(total) FROM item WHERE day >= 'FIRST' GROUP BY product_id ORDER BY 1 LIMIT 12)
    ],
    category_performance => [
        q(SELECT * FROM category_performance('FIRST', 'LAST')),
        q(SELECT currency, category, sum(total), sum(quantity), count(DISTINCT order_id), count(DISTINCT product_id), round(100 * sum(total) / (SELECT sum(total) FROM item WHERE day BETWEEN 'FIRST' AND 'LAST'), 2)
          FROM item WHERE day BETWEEN 'FIRST' AND 'LAST' GROUP BY currency, category)
    ],
    payment_analytics => [
        q(SELECT payment_method, provider, payment_count, succeeded_count, failed_count, pending_count, success_rate, amount, refunded_amount, provider_fees FROM payment_analytics('FIRST', 'LAST')),
        q(SELECT payment_method, provider, count(*), count(*) FILTER (WHERE good), count(*) FILTER (WHERE NOT good), 0, round(100.0 * count(*) FILTER (WHERE good) / count(*), 2), sum(amount) FILTER (WHERE good),
                 sum(refunded_amount), sum(provider_fee) FILTER (WHERE good)
          FROM (SELECT p.*, p.status <> 'failed' AS good FROM payments p JOIN shop ON p.tenant_id = shop.id WHERE (p.created_at AT TIME ZONE zone)::date BETWEEN 'FIRST' AND 'LAST') AS p GROUP BY 1, 2)
    ],
    top_customers => [
        q(SELECT place, paid_revenue FROM top_customers('FIRST', 'LAST', 15)),
        q(SELECT row_number() OVER (ORDER BY spent DESC), spent FROM (SELECT sum(CASE WHEN paid THEN total ELSE 0 END) AS spent FROM basket WHERE day BETWEEN 'FIRST' AND 'LAST' GROUP BY who) AS c ORDER BY 1 LIMIT 15)
    ],
    customer_summary => [
        q(SELECT currency, customer_count, new_customers, returning_customers, repeat_customers, order_count, total_revenue, new_revenue FROM customer_summary('FIRST', 'LAST')),
        q(SELECT min(currency), count(*), count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE NOT fresh), count(*) FILTER (WHERE orders > 1), sum(orders), sum(total), sum(CASE WHEN fresh THEN total ELSE 0 END)
          FROM (SELECT currency, who, first_day >= 'FIRST' AS fresh, count(*) AS orders, sum(total) AS total FROM basket JOIN newest USING (who) WHERE day BETWEEN 'FIRST' AND 'LAST' GROUP BY 1, 2, 3) AS c)
    ],
    cohort_report => [
        q(SELECT cohort, period_number, active FROM cohort_report('1 week', 1000) WHERE active > 0),
        q(SELECT date_trunc('week', first_day::timestamp)::date, (date_trunc('week', day::timestamp)::date - date_trunc('week', first_day::timestamp)::date) / 7, count(DISTINCT who)
          FROM basket JOIN newest USING (who) GROUP BY 1, 2)
    ],
    lifetime_value => [
        q(SELECT currency, customers, orders, paid_revenue, refunded_amount, lifetime_value FROM lifetime_value('FIRST', 'LAST')),
        q(SELECT currency, count(DISTINCT who), count(*), sum(total), sum(refunded), round((sum(total) - sum(refunded)) / count(DISTINCT who), 2)
          FROM basket JOIN newest USING (who) CROSS JOIN shop WHERE paid AND (first_paid AT TIME ZONE zone)::date BETWEEN 'FIRST' AND 'LAST' GROUP BY currency)
    ],
    conversion_funnel => [
        q(SELECT step, event_type, visitors FROM conversion_funnel(win => '1 day', from_date => 'FIRST', to_date => 'LAST')),
        join(' UNION ALL ', map { my $k = $_;
            my @types = qw(page_view product_view add_to_cart checkout purchase);
            "SELECT $k, '$types[$k - 1]', count(DISTINCT e1.who) FROM event e1" . join('', map { my $before = $_ - 1;
                " JOIN event e$_ ON e$_.who = e1.who AND e$_.type = '$types[$_ - 1]' AND e$_.at BETWEEN e$before.at AND e1.at + interval '1 day'" } 2 .. $k)
              . " WHERE e1.type = 'page_view'" } 1 .. 5)
    ],
    session_report => [
        q(SELECT visitors, sessions, bounces, bounce_rate, events, events_per_session FROM session_report('FIRST', 'LAST')),
        q(SELECT count(DISTINCT who), count(*), count(*) FILTER (WHERE events = 1), round(100.0 * count(*) FILTER (WHERE events = 1) / count(*), 2), sum(events), round(sum(events) / count(*), 2)
          FROM (SELECT who, number, count(*) AS events FROM (
                SELECT who, count(*) FILTER (WHERE begins) OVER (PARTITION BY who ORDER BY at, begins DESC ROWS UNBOUNDED PRECEDING) AS number
                FROM (SELECT *, coalesce(at - lag(at) OVER (PARTITION BY who ORDER BY at) > '30 minutes', true) AS begins FROM event) AS e) AS n GROUP BY who, number) AS s)
    ],
);

# Numbers in one way, whatever their scale.
sub plain { return $_[0] =~ s/\.\d*?\K0+(?=[,)])//gr =~ s/\.(?=[,)])//gr }

for my $slug ('reem', 'cedar') {
    my ($tenant, $zone, $first, $last) = split /\|/, $node->safe_psql('store', <<"SQL");
SELECT t.id, zone, min(day) + 20, max(day) - 4 FROM tenants t, LATERAL (SELECT settings ->> 'timezone' AS zone) AS s,
    LATERAL (SELECT (created_at AT TIME ZONE zone)::date AS day FROM orders o WHERE o.tenant_id = t.id) AS o WHERE slug = '$slug' GROUP BY 1, 2
SQL
    for my $name (sort keys %reports) {
        my ($asked, $rows) = map { s/\bSLUG\b/$slug/gr =~ s/\bFIRST\b/$first/gr =~ s/\bLAST\b/$last/gr =~ s/\bHERE\b/$zone/gr } $reports{$name}[0], $ROWS . $reports{$name}[1];
        my $listed = q{SELECT string_agg(r::text, E'\n' ORDER BY r::text COLLATE "C") FROM};
        my ($answer, $error, $state) = run_in_tenant($node, 'store', $tenant, "$listed ($asked) AS r", 'shop_app');
        is($state, '', "$slug: $name() answers") or diag $error;
        my $truth = $node->safe_psql('store', "$listed ($rows) AS r");
        isnt($truth, '', "$slug: $name() has something to say");
        is(plain($answer), plain($truth), "$slug: $name() says what the rows say");
    }
}

done_testing();
