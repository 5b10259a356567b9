# A file that cannot grow in the middle of a load. As an ordinary user has no file system to fill, the session's limit on the
# size of files stands for the full disk: PostgreSQL meets both where it extends a table. Segments of WAL are smaller here
# than the limit, since a server whose WAL cannot grow stops.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use StoreRows;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'there is no prlimit to limit a process with' if system('prlimit --version >/dev/null 2>&1') != 0;

my $node = PostgreSQL::Test::Cluster->new('disk');
$node->init(extra => [ '--locale=C.UTF-8', '--encoding=UTF8', '--wal-segsize=1' ]);
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nlc_messages = 'C'\nfsync = off\nmin_wal_size = 4MB\nmax_wal_size = 64MB\nbrainsait.rollup_naptime = 50ms\n");
$node->start;
my $store = create_store($node, 'store');
my $tenant = add_tenant($node, $store, slug => 'full', settings => '{"order_number_format": "{TENANT}-{SEQ:6}"}');

my $session = open_session($node, $store, 'app_login');
my $pid = ($session->query('SELECT pg_backend_pid()'))[0] =~ s/\D//gr;
my $limit = 2 * 1024 * 1024;
is(system('prlimit', "--pid=$pid", "--fsize=$limit:unlimited"), 0, 'a limit on the session');

# Orders of this session, 500 to a transaction, until one does not get through.
sub load {
    my ($transactions) = @_;
    my $done = 0;
    for (1 .. $transactions) {
        $session->query("BEGIN; SELECT set_tenant('$tenant') \\g /dev/null\n"
              . q{INSERT INTO orders (total, customer_email) SELECT 2, 'c' || n || '@example.com' FROM generate_series(1, 500) AS n; COMMIT});
        my $said = $session->{stderr} // '';
        $session->{stderr} = '';
        return ($done, $said) if $said =~ /ERROR/;
        $done++;
    }
    return ($done, '');
}

my ($done, $said) = load(60);
cmp_ok($done, '>', 0, "$done transactions, until");
like($said, qr/could not extend file/, 'the error says what there was no room for');
is($node->safe_psql($store, 'SELECT count(*) FROM orders'), $done * 500, 'what was committed is there, and nothing else');
is(rollup_differences($node, $store, 'public'), '', 'the rollup is right');
my ($again, $said_again) = load(1);
is($again, 0, 'and as long as there is no room');
like($said_again, qr/could not extend file/, 'the error stays the same');

# Others, who have room, go on at once; so does this session when there is room again.
my ($out, $err, $state) = run_in_tenant($node, $store, $tenant, 'INSERT INTO orders (total) SELECT 3 FROM generate_series(1, 500)');
is($state, '', 'a session with room goes on') or diag $err;
is(system('prlimit', "--pid=$pid", '--fsize=unlimited:unlimited'), 0, 'room again');
($again, $said_again) = load(3);
is("$again$said_again", '3', 'the session goes on');
is($node->safe_psql($store, 'SELECT count(*) FROM orders'), ($done + 4) * 500, 'every order');
is($node->safe_psql($store, q{SELECT count(DISTINCT number), max(substr(number, 6)::integer) FROM orders}), join('|', ($done + 4) * 500, ($done + 4) * 500), 'numbers without a gap');
is(rollup_differences($node, $store, 'public'), '', 'the rollup is right');

$session->quit;

# The worker that folds has no room for the customers of what is pending: it says so, tries again, and goes on when there is room.
sub naptime {
    my ($time) = @_;
    $node->append_conf('postgresql.conf', "brainsait.rollup_naptime = $time");
    return $node->reload;
}
# A change of it wakes the worker, which would rest for ten seconds after an error.
sub fails_when_woken {
    my ($time, $name) = @_;
    my $before = -s $node->logfile;
    naptime($time);
    return ok($node->wait_for_log(qr/ERROR:  could not extend file [^\n]*(?:File too large|No space left)/, $before), $name);
}
my $worker = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'brainsait rollup worker' AND datname = '$store'";
sub append_orders {
    my ($count, $start) = @_;
    return $node->safe_psql($store, "BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO orders (tenant_id, total, customer_email)
        SELECT '$tenant', 5, 'w' || n || '\@example.com' FROM generate_series($start, $start + $count - 1) AS n; COMMIT");
}
append_orders(1, 0);
ok($node->poll_query_until($store, "SELECT count(*) = 1 FROM ($worker) AS w"), 'a worker folds');
$pid = $node->safe_psql($store, $worker);
naptime('1min');
ok($node->poll_query_until($store, "SELECT count(*) = 0 AND current_setting('brainsait.rollup_naptime') = '1min' FROM revenue_deltas"), 'all that is pending');
# More than a segment of WAL, less than the customers take.
is(system('prlimit', "--pid=$pid", '--fsize=' . 5 * 256 * 1024 . ':unlimited'), 0, 'a limit on the worker');
append_orders(16000, 1);
my $orders = $node->safe_psql($store, 'SELECT count(*) FROM orders');
fails_when_woken('50ms', 'the worker reports that there is no room');
is($node->safe_psql($store, "SELECT count(*) >= 16000 FROM revenue_deltas WHERE written_by >= (SELECT revenue_deltas_from())"), 't', 'nothing of it is folded');
is(rollup_differences($node, $store, 'public'), '', 'the live rollup is right');
fails_when_woken('60ms', 'and tries again');
($out, $err, $state) = run_in_tenant($node, $store, $tenant, 'INSERT INTO orders (total) VALUES (4)');
is($state, '', 'writers go on meanwhile') or diag $err;
is($node->safe_psql($store, $worker), $pid, 'it is the same worker');
is(system('prlimit', "--pid=$pid", '--fsize=unlimited:unlimited'), 0, 'room again');
naptime('70ms');
ok($node->poll_query_until($store, 'SELECT count(*) = 0 FROM revenue_deltas'), 'everything is folded');
is($node->safe_psql($store, 'SELECT sum(order_count) FROM revenue_metrics'), $orders + 1, 'every order is counted');
is($node->safe_psql($store, 'SELECT * FROM check_revenue_metrics()') . rollup_differences($node, $store, 'public'), '', 'and the rollup is right');

unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'no process crashed');
done_testing();
