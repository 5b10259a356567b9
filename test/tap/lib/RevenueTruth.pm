package RevenueTruth;

# What the revenue rollup has to say, written a second time in plain SQL on nothing but the store's own tables, and
# how to ask where the rollup says anything else. Every view is one statement, so one snapshot, and runs as its
# reader (security_invoker): a superuser compares all tenants, the application its own.
#
#   create_truth($node, $db);
#   is(live_differences($node, $db), '', 'the live view is exact');             # revenue_metrics_live
#   is(live_differences_in_tenant($node, $db, $tenant), '', 'for the application too');
#   is(stored_differences($node, $db), '', 'nothing pending: so is the table');  # revenue_metrics
#   my $count = pending_deltas($node, $db);

use strict;
use warnings;

use Exporter 'import';
use StoreCluster;

our @EXPORT = qw(create_truth live_differences live_differences_in_tenant live_differences_held stored_differences
  pending_deltas columns_of);

# create_truth(node, database): the views expected_metrics, live_differences, stored_differences, in public.
sub create_truth {
    my ($node, $database) = @_;
    $node->safe_psql($database, <<'SQL');
CREATE VIEW expected_metrics WITH (security_invoker = true) AS
SELECT o.tenant_id, date(timezone(coalesce(t.settings ->> 'timezone', 'UTC'), o.created_at)) AS date,
       CASE WHEN o.currency IS NULL THEN 'XXX' ELSE o.currency END AS currency,
       sum(o.total) AS total_revenue, count(*)::int AS order_count,
       count(DISTINCT coalesce(o.user_id::text, lower(o.customer_email), o.id::text))::int AS customer_count,
       round(avg(o.total), 2) AS average_order_value,
       sum(CASE WHEN paid.counts THEN o.total ELSE 0 END) AS paid_revenue,
       sum(CASE WHEN paid.counts THEN 1 ELSE 0 END)::int AS paid_order_count,
       sum(refunds.amount) AS refunded_amount,
       sum(CASE WHEN paid.counts THEN o.total ELSE 0 END) - sum(refunds.amount) AS net_revenue
FROM orders o
JOIN tenants t ON t.id = o.tenant_id,
LATERAL (SELECT CASE WHEN o.status IN ('cancelled', 'canceled') THEN false
                     WHEN o.payment_status IN ('paid', 'partially_refunded', 'refunded') THEN true
                     WHEN o.status IN ('completed', 'archived', 'refunded') THEN true
                     ELSE false END) AS paid (counts),
LATERAL (SELECT coalesce(sum(p.refunded_amount), 0) FROM payments p WHERE p.order_id = o.id) AS refunds (amount)
WHERE o.created_at IS NOT NULL
GROUP BY 1, 2, 3;

DO $body$
DECLARE
    source text;
BEGIN
    FOREACH source IN ARRAY ARRAY['live', 'stored'] LOOP
        EXECUTE format($view$
            CREATE VIEW %I WITH (security_invoker = true) AS
            WITH found AS (
                SELECT tenant_id, date, currency::text, total_revenue, order_count, customer_count, average_order_value,
                       paid_revenue, paid_order_count, refunded_amount, net_revenue FROM %I
            ), wanted AS (TABLE expected_metrics)
            SELECT %L AS says, * FROM (TABLE found EXCEPT ALL TABLE wanted) f
            UNION ALL
            SELECT 'expected', * FROM (TABLE wanted EXCEPT ALL TABLE found) w
            $view$, source || '_differences', CASE source WHEN 'live' THEN 'revenue_metrics_live' ELSE 'revenue_metrics' END, source);
    END LOOP;
END $body$;
GRANT SELECT ON expected_metrics, live_differences, stored_differences TO brainsait_app, brainsait_operator;
SQL
    return;
}

# What the live view says that orders and payments do not, and the other way round, in one snapshot; '' for none.
# Settings are statements to be run before, in the same session.
sub live_differences {
    my ($node, $database, $settings) = @_;
    return $node->safe_psql($database, ($settings // '') . ' TABLE live_differences');
}

sub live_differences_in_tenant {
    my ($node, $database, $tenant) = @_;
    my ($out, $err, $state) = run_in_tenant($node, $database, $tenant, 'TABLE live_differences');
    return $state eq '' ? $out : "$state: $err";
}

# The same in one REPEATABLE READ snapshot that is read, kept for that many seconds while the world goes on, and read
# again. Its locks keep a TRUNCATE away, which no old snapshot survives.
sub live_differences_held {
    my ($node, $database, $seconds) = @_;
    return $node->safe_psql($database, <<"SQL");
BEGIN ISOLATION LEVEL REPEATABLE READ;
LOCK TABLE orders, payments IN ACCESS SHARE MODE;
SELECT 'at first', * FROM live_differences;
SELECT pg_sleep($seconds) \\g /dev/null
SELECT 'later', * FROM live_differences;
COMMIT;
SQL
}

sub stored_differences {
    my ($node, $database) = @_;
    return $node->safe_psql($database, 'TABLE stored_differences');
}

sub pending_deltas {
    my ($node, $database) = @_;
    return $node->safe_psql($database, 'SELECT count(*) FROM revenue_deltas WHERE written_by >= (SELECT revenue_deltas_from())');
}

# A relation's columns and their types, in order.
sub columns_of {
    my ($node, $database, $relation) = @_;
    return $node->safe_psql($database, <<"SQL");
SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
FROM pg_attribute WHERE attrelid = '$relation'::regclass AND attnum > 0 AND NOT attisdropped
SQL
}

1;
