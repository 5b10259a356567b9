# A standby answers what its primary answers, the application within its tenant and an operator across tenants; it refuses
# what would write, by name; and promoted it goes on writing, with the worker that waited for it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use StoreRows;
use StoreWhole;
use TenantTokens;
use Test::More;

my $primary = new_cluster('primary', streaming => 1, start => 0, conf => <<'CONF');
fsync = off
shared_preload_libraries = 'brainsait'
brainsait.rollup_naptime = 0
brainsait.rollup_databases = 'store'
brainsait.token_key_file = 'token_keys'
CONF
key_file($primary->data_dir . '/token_keys', 1 => 'k' x 32);
$primary->start;
my $store = create_store($primary, 'store');
fill_store($primary, $store, 'public');
$primary->safe_psql($store, <<"SQL");
CREATE ROLE store_operator LOGIN IN ROLE brainsait_operator;
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO orders (tenant_id, total, customer_email) SELECT '$tenant_a', n, 'p' || n FROM generate_series(1, 9) AS n;
COMMIT;
SQL
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
key_file($standby->data_dir . '/token_keys', 1 => 'k' x 32);
# Here a worker may fold, as soon as it can.
$standby->append_conf('postgresql.conf', 'brainsait.rollup_naptime = 10ms');
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

# Every report, with what it needs; none is left out.
my %reports = (
    order_analytics => '', daily_trend => '', revenue_growth => '', top_products => '', category_performance => '', payment_analytics => '',
    top_customers => '', customer_summary => '', cohort_report => '', lifetime_value => '', session_report => '',
    conversion_funnel => q(ARRAY['page_view', 'long_ago']), search_products => q('running'), product_page => '',
    filter_products => '', find_orders => q('{}'));
is($primary->safe_psql($store, <<'SQL'), join("\n", sort keys %reports), 'every report that the application may call is among them');
SELECT p.proname FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.proretset AND has_function_privilege('brainsait_app', p.oid, 'EXECUTE')
  AND EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
  AND p.proname NOT IN ('check_revenue_metrics', 'isolation_report') AND obj_description(p.oid, 'pg_proc') NOT LIKE 'Internal%' ORDER BY p.proname COLLATE "C"
SQL
my $reading = join ";\n", 'SELECT current_tenant()', (map { "SELECT '$_', r FROM $_($reports{$_}) AS r" } sort keys %reports),
  (map { "SELECT '$_', count(*) FROM $_" } qw(tenants users products orders order_items payments analytics_events webhook_deliveries)),
  'SELECT * FROM revenue_metrics ORDER BY id', 'SELECT * FROM revenue_metrics_live ORDER BY date, currency',
  'SELECT approx_count_distinct(session_id), window_funnel(interval \'1 day\', "timestamp", event_type = \'page_view\') FROM analytics_events';
for my $tenant ($tenant_a, $tenant_b) {
    my ($here, $error, $state) = run_in_tenant($primary, $store, $tenant, $reading);
    is($state, '', 'primary: every report') or diag $error;
    like($here, qr/order_analytics\|.*top_products\|/s, 'primary: with answers');
    my ($there, $err, $there_state) = run_in_tenant($standby, $store, $tenant, $reading);
    is($there_state, '', 'standby: every report works') or diag $err;
    is($there, $here, 'standby: and answers what the primary answers');
}

# The tenant is set in read-only transactions, on either server, by name or by token.
for my $node ($primary, $standby) {
    my $token = $primary->safe_psql($store, "SELECT make_tenant_token('$tenant_b')");
    for my $set ("set_tenant('$tenant_b')", "set_tenant_token('$token')") {
        my ($out, $err, $state) = run_as($node, $store, 'app_login', "BEGIN READ ONLY; SELECT $set \\g /dev/null\nSELECT slug FROM tenants; COMMIT");
        is($out, 'cairo', $node->name . ': in a read-only transaction, ' . ($set =~ s/\(.*//r)) or diag $err;
    }
}

# An operator reads, too.
for my $asked ('SELECT count(*) > 100 FROM orders', 'SELECT count(*) = 0 FROM isolation_report()', 'SELECT count(*) = 0 FROM check_revenue_metrics()',
    'SELECT count(*) > 10 FROM table_statistics', 'SELECT count(*) >= 1 FROM connection_activity', 'SELECT count(*) >= 0 FROM long_running_queries',
    'SELECT count(*) >= 0 FROM slow_queries', 'SELECT count(*) >= 0 FROM maintenance_runs', q{SELECT bool_or(check_name = 'revenue rollup' AND status = 'ok') FROM health_check()}) {
    my ($out, $err, $state) = run_as($standby, $store, 'store_operator', $asked);
    is($out, 't', "standby, operator: $asked") or diag $err;
}
is($standby->safe_psql($store, q{SELECT status || ', ' || detail FROM health_check(false) WHERE check_name = 'rollup worker'}), 'ok, a standby has none',
    'standby: no worker, and none is missed');
is($standby->safe_psql($store, "SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ 'rollup'"), '0', 'standby: none runs');

# What writes is refused by the server's own error, and changes nothing.
for my $writing ('SELECT fold_revenue_deltas()', "SELECT rebuild_revenue_metrics('$tenant_a')", 'CALL run_maintenance()', "CALL archive_orders('1 day')",
    "CALL purge_analytics_events('1 day')", "CALL purge_webhook_deliveries('1 day')", 'CALL drain_default_partitions()', 'SELECT ensure_partitions(9)',
    'SELECT harden_database()', 'SELECT create_store()', 'DELETE FROM orders', "SELECT isolate_table('orders')") {
    my ($out, $err, $state) = run_as($standby, $store, 'postgres', $writing);
    is($state, '25006', "standby: $writing is refused") or diag $err;
}
for my $writing ('INSERT INTO orders (total) VALUES (1)', 'SELECT next_order_number()', "UPDATE products SET price = 1", "DELETE FROM payments") {
    my ($out, $err, $state) = run_in_tenant($standby, $store, $tenant_a, $writing);
    is($state, '25006', "standby, application: $writing is refused") or diag $err;
}

# Promoted, after orders that came at the last moment.
run_in_tenant($primary, $store, $_, 'INSERT INTO orders (total) VALUES (5), (6)') for $tenant_a, $tenant_b;
my $rows = table_rows($primary, $store, 'public');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
$primary->stop('immediate');
same_rows(table_rows($standby, $store, 'public'), $rows, 'standby: every row', except => [ grep { /_seq/ } keys %$rows ]);
store_is_whole($standby, $store, 'public', 'standby');
$standby->promote;
ok($standby->poll_query_until($store, "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'brainsait rollup worker'"), 'promoted: the worker starts');
numbers_go_on($standby, $store, 'public', 'promoted');
ok($standby->poll_query_until($store, 'SELECT NOT EXISTS (SELECT FROM revenue_deltas)'), 'promoted: what is pending is folded');
store_is_whole($standby, $store, 'public', 'promoted');
is((run_as($standby, $store, 'store_operator', 'CALL run_maintenance()'))[2], '', 'promoted: maintenance runs');
is((run_as($standby, $store, 'app_login', "BEGIN; SELECT set_tenant_token('" . $standby->safe_psql($store, "SELECT make_tenant_token('$tenant_b')") . "') \\g /dev/null
    INSERT INTO orders (total) VALUES (7); COMMIT"))[2], '', 'promoted: so do tokens');

done_testing();
