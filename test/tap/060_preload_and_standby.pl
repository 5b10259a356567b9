# The library preloaded by the server, a standby, two-phase commits that another session ends, and a crash.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use TenantTokens;
use Test::More;

my $primary = new_cluster('primary', streaming => 1, start => 0, conf => "shared_preload_libraries = 'brainsait'\nbrainsait.token_key_file = 'token_keys'\nbrainsait.order_number_format = 'W-{CODE:8}'\n");
key_file($primary->data_dir . '/token_keys', 1 => 'k' x 32);
$primary->start;
my $store = create_store($primary, 'shop');
my $a = add_tenant($primary, $store, slug => 'riyadh', settings => '{"order_number_format": "{TENANT}-{SEQ}"}');
my $b = add_tenant($primary, $store, slug => 'b');

my ($out, $err, $state) = run_in_tenant($primary, $store, $b, 'INSERT INTO orders (total) VALUES (1) RETURNING number');
like($out, qr/^W-[0-9A-Z]{8}$/, 'preloaded: the configured format is used') or diag $err;
$primary->append_conf('postgresql.conf', "brainsait.order_number_format = '{NOPE}'\n");
$primary->reload;
ok($primary->poll_query_until($store, "SELECT EXISTS (SELECT FROM pg_file_settings WHERE error IS NOT NULL AND name = 'brainsait.order_number_format')"),
    'a wrong format in postgresql.conf is reported');
is($primary->safe_psql($store, 'SHOW brainsait.order_number_format'), 'W-{CODE:8}', 'and not taken');
$primary->append_conf('postgresql.conf', "brainsait.order_number_format = 'W-{CODE:8}'\n");
$primary->reload;
my $no_store = $primary->safe_psql('postgres', 'SHOW brainsait.order_number_format');
is($no_store, 'W-{CODE:8}', 'preloaded: there in a database without the extension');

# A standby reads as one tenant and writes nothing.
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
key_file($standby->data_dir . '/token_keys', 1 => 'k' x 32);
$standby->start;
run_in_tenant($primary, $store, $a, 'INSERT INTO orders (total) VALUES (2), (3)');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
($out, $err, $state) = run_in_tenant($standby, $store, $a, 'SELECT number FROM orders ORDER BY 1; SELECT total_revenue FROM revenue_metrics');
is($out, "RIYADH-1\nRIYADH-2\n5.00", 'standby: a tenant reads its rows') or diag $err;
($out, $err, $state) = run_in_tenant($standby, $store, $a, q{SELECT order_number_is_valid('RIYADH-7'), resolve_tenant('b') = '} . $b . q{'});
is($out, 't|t', 'standby: functions that read work') or diag $err;
for my $writing ('SELECT next_order_number()', 'INSERT INTO orders (total) VALUES (1)') {
    is((run_in_tenant($standby, $store, $a, $writing))[2], '25006', "standby: $writing is refused");
}
is($standby->safe_psql($store, 'SELECT * FROM check_revenue_metrics()'), '', 'standby: the rollup is right');
is((run_as($standby, $store, 'postgres', "SELECT rebuild_revenue_metrics('$a')"))[2], '25006', 'standby: nothing is rebuilt');

# Tokens name the database by what a standby shares with its primary, given the same keys.
my $token = $primary->safe_psql($store, "SELECT make_tenant_token('$b')");
is((run_as($standby, $store, 'app_login', "BEGIN; SELECT set_tenant_token('$token') \\g /dev/null\nSELECT slug FROM tenants"))[0], 'b', 'standby: a token of the primary is taken');

# A session on the standby hears of a suspension that the primary replays.
my $session = open_session($standby, $store, 'app_login');
$session->query_safe("BEGIN; SELECT set_tenant('$b'); COMMIT");
$primary->safe_psql($store, "UPDATE tenants SET status = 'suspended' WHERE id = '$b'");
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
($out) = $session->query("BEGIN; SELECT set_tenant('$b')");
my $said = $session->{stderr};
like($said, qr/tenant $b is not active/, 'standby: a session that knew the tenant refuses it now');
$session->quit;
$primary->safe_psql($store, "UPDATE tenants SET status = 'active' WHERE id = '$b'");

# Prepared transactions that hold counters and rollup rows outlive their session and a crash, and are ended elsewhere.
for my $end ('COMMIT', 'ROLLBACK') {
    ($out, $err, $state) = run_as($primary, $store, 'app_login',
        "BEGIN; SELECT set_tenant('$a'); INSERT INTO orders (total) VALUES (10); PREPARE TRANSACTION 'shop_$end'");
    is($state, '', "prepared, to be ended by $end") or diag $err;
    ($out, $err, $state) = run_in_tenant($primary, $store, $a, "SET LOCAL lock_timeout = '100ms'; INSERT INTO orders (total) VALUES (10)");
    is($state, '55P03', 'the next order of the tenant waits for it');
    ($out, $err, $state) = run_in_tenant($primary, $store, $b, 'INSERT INTO orders (total) VALUES (10)');
    is($state, '', "another tenant's does not") or diag $err;
    $primary->stop('immediate');
    $primary->start;
    is((run_in_tenant($primary, $store, $a, "SET LOCAL lock_timeout = '100ms'; INSERT INTO orders (total) VALUES (10)"))[2],
        '55P03', 'after a crash it still waits');
    $primary->safe_psql($store, "$end PREPARED 'shop_$end'");
}
($out, $err, $state) = run_in_tenant($primary, $store, $a, 'INSERT INTO orders (total) VALUES (20) RETURNING number; SELECT count(*) FROM orders');
is($out, "RIYADH-4\n4", 'numbers went on without a gap') or diag $err;
is($primary->safe_psql($store, 'SELECT * FROM check_revenue_metrics()'), '', 'the rollup is right');

# The standby takes over.
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
$primary->stop('immediate');
$standby->promote;
($out, $err, $state) = run_in_tenant($standby, $store, $a, 'INSERT INTO orders (total) VALUES (30) RETURNING number');
is($out, 'RIYADH-5', 'promoted: numbers go on') or diag $err;
($out, $err, $state) = run_in_tenant($standby, $store, $b, 'INSERT INTO orders (total) VALUES (30) RETURNING number');
like($out, qr/^W-[0-9A-Z]{8}$/, 'promoted: so do codes') or diag $err;
is($standby->safe_psql($store, 'SELECT * FROM check_revenue_metrics()'), '', 'promoted: the rollup is right');
is($standby->safe_psql($store, 'SELECT number FROM orders GROUP BY number HAVING count(*) > 1'), '', 'no number twice');

done_testing();
