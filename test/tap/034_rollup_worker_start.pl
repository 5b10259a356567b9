# Workers that start with the server, on a standby that is promoted, and where the server has no room for one.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $worker = "backend_type = 'brainsait rollup worker'";

sub append {
    my ($node, $store, $tenant) = @_;
    my ($out, $err, $state) = run_as($node, $store, 'app_login',
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT set_tenant('$tenant') \\g /dev/null\nINSERT INTO orders (total) VALUES (10); COMMIT");
    is($state, '', 'an order is placed') or diag $err;
    return;
}

sub becomes {
    my ($node, $database, $query, $answer, $name) = @_;
    ok($node->poll_query_until($database, $query, $answer), $name);
    return;
}

sub is_exact {
    my ($node, $store) = @_;
    is($node->safe_psql($store, 'SELECT * FROM check_revenue_metrics()'), '', 'the rollup is right');
    is($node->safe_psql($store, 'SELECT sum(order_count) FROM revenue_metrics'), $node->safe_psql($store, 'SELECT count(*) FROM orders'),
        'in its table itself');
    return;
}

sub warnings_of {
    my ($node) = @_;
    return scalar(grep { /WARNING:  no background worker could be started/ } split /\n/, slurp_file($node->logfile));
}

# 1. Preloaded, with a worker for each named database, which never leaves for good.
my $primary = new_cluster('primary', streaming => 1, conf => <<'CONF');
shared_preload_libraries = 'brainsait'
brainsait.rollup_databases = 'shop, "Second Shop", shop'
brainsait.rollup_naptime = 100ms
brainsait.rollup_idle_exit = 0
CONF
is($primary->safe_psql('postgres', 'SHOW brainsait.rollup_databases'), 'shop, "Second Shop", shop', 'the list of databases');
my $shop = create_store($primary, 'shop');
$primary->safe_psql('postgres', 'CREATE DATABASE "Second Shop"');
my $tenant = add_tenant($primary, $shop, slug => 'riyadh');
my $workers = "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_stat_activity WHERE $worker";
becomes($primary, 'postgres', $workers, 'Second Shop shop', 'databases made after the start get their workers, one each');
append($primary, $shop, $tenant);
becomes($primary, $shop, 'SELECT count(*) FROM revenue_deltas', '0', 'a delta is folded');
is_exact($primary, $shop);
sleep 1;
is($primary->safe_psql('postgres', $workers), 'Second Shop shop', 'idle, they stay, with a store or without');

# While it is away, an append brings another, which leaves when idle; then the first one's successor takes over.
my $first = $primary->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $worker AND datname = 'shop'");
$primary->safe_psql('postgres', "SELECT pg_terminate_backend($first)");
becomes($primary, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $first", '0', 'killed');
append($primary, $shop, $tenant);
becomes($primary, $shop, 'SELECT count(*) FROM revenue_deltas', '0', 'a delta is folded meanwhile');
sleep 11;
is($primary->safe_psql('postgres', $workers), 'Second Shop shop', 'and one worker is there in the end');
append($primary, $shop, $tenant);
becomes($primary, $shop, 'SELECT count(*) FROM revenue_deltas', '0', 'which folds');
my ($start, $status) = (time, 0);
$primary->safe_psql('postgres', 'DROP DATABASE "Second Shop"');
cmp_ok(time - $start, '<', 5, 'it lets its database go');

# 2. A standby has none before it is promoted.
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "brainsait.rollup_databases = 'shop'\n");
$standby->start;
$primary->append_conf('postgresql.conf', "brainsait.rollup_naptime = 1h\n");
$primary->reload;
sleep 0.5;
append($primary, $shop, $tenant);
append($primary, $shop, $tenant);
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
my $pending = $standby->safe_psql($shop, 'SELECT count(*) FROM revenue_deltas');
cmp_ok($pending, '>=', 1, 'standby: deltas are pending');
is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE $worker"), '0', 'standby: no worker');
is($standby->safe_psql($shop, 'SELECT order_count - (SELECT count(*) FROM orders) FROM revenue_metrics_live'), '0', 'standby: the live view is right');
$primary->stop('immediate');
$standby->promote;
becomes($standby, $shop, 'SELECT count(*) FROM revenue_deltas', '0', 'promoted: its worker folds them, though nobody writes');
is_exact($standby, $shop);
$start = time;
$standby->stop('fast');
cmp_ok(time - $start, '<', 5, 'a fast shutdown');

# 3. No room for a worker: the only place is taken by the launcher of logical replication.
my $full = new_cluster('full', conf => "fsync = off\nmax_worker_processes = 1\nbrainsait.rollup_naptime = 100ms\n");
my $store = create_store($full, 'shop');
$tenant = add_tenant($full, $store, slug => 'riyadh');
my %script = (append => 'ISOLATION LEVEL REPEATABLE READ', direct => '');
for my $name (keys %script) {
    append_to_file($full->basedir . "/$name.sql",
        "BEGIN $script{$name};\nSELECT set_tenant('$tenant');\nINSERT INTO orders (total) VALUES (10);\nCOMMIT;\n");
}
my $scripts = $full->basedir;
$full->command_ok([ 'pgbench', '-n', '-U', 'app_login', '-c', 8, '-j', 2, '-T', 12, '-R', 100, '-f', "$scripts/append.sql", '-f', "$scripts/direct.sql", $store ],
    'load where no worker can be started');
$full->command_ok([ 'pgbench', '-n', '-C', '-U', 'app_login', '-c', 2, '-t', 10, '-f', "$scripts/append.sql", $store ], 'and sessions that come and go');
is(warnings_of($full), 1, 'are worth one warning in the log, in all');
is($full->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE $worker"), '0', 'there is none');
cmp_ok($full->safe_psql($store, 'SELECT count(*) FROM revenue_deltas'), '<', 220, 'whoever writes the row folds what is pending');
is($full->safe_psql($store, 'SELECT order_count - (SELECT count(*) FROM orders) FROM revenue_metrics_live'), '0', 'the live view is right');
append($full, $store, $tenant);
cmp_ok($full->safe_psql($store, 'SELECT fold_revenue_deltas()'), '>=', 1, 'so does fold_revenue_deltas()');
is($full->safe_psql($store, 'SELECT count(*) FROM revenue_deltas'), '0', 'everything');
is_exact($full, $store);

# A session that has failed once folds for its neighbours, until there is room.
my $session = open_session($full, $store, 'app_login');
my $transaction = "SELECT set_tenant('$tenant') \\g /dev/null\nINSERT INTO orders (total) VALUES (10); COMMIT";
$session->query("BEGIN ISOLATION LEVEL REPEATABLE READ; $transaction");
is($full->safe_psql($store, 'SELECT count(*) FROM revenue_deltas'), '1', 'its delta waits');
$session->query_safe("BEGIN; $transaction");
is($full->safe_psql($store, 'SELECT count(*) FROM revenue_deltas'), '0', 'until it writes the row');
is_exact($full, $store);
$session->quit;
append($full, $store, $tenant);
$full->append_conf('postgresql.conf', "max_worker_processes = 4\n");
$full->restart;
my ($out, $err, $state) = run_in_tenant($full, $store, $tenant, "INSERT INTO orders (total, created_at) VALUES (10, now() - interval '3 days')");
is($state, '', 'room for a worker; a day without pending deltas is written') or diag $err;
becomes($full, $store, 'SELECT count(*) FROM revenue_deltas', '0', 'which brings a worker for those that are left from before');
is_exact($full, $store);
$full->stop;

done_testing();
