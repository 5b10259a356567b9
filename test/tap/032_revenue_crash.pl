# The server dies in the middle of load, several times: by an immediate stop, and by a backend that is killed. After every
# recovery the live view is what orders and payments say, with transactions still prepared, and folding goes on.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use RevenueLoad;
use RevenueScripts;
use RevenueTruth;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $seed = $ENV{REVENUE_SEED} // (time % 1_000_000);
note "seed $seed";
my $node = new_cluster('crash', conf => "fsync = off\nrestart_after_crash = on\nbrainsait.rollup_naptime = 20ms\n");
my $store = create_store($node, 'store');
create_truth($node, $store);
my $shops = open_shops($node, $store);
my $folder = PostgreSQL::Test::Utils::tempdir();

# Writers, some of which do not wait for the disk, and an operator, each with more to do than there is time for.
sub start_load {
    my ($round) = @_;
    my @children;
    for my $session (1 .. 6) {
        srand($seed * 100 + $round * 10 + $session);
        my $file = "$folder/$round.$session.sql";
        PostgreSQL::Test::Utils::append_to_file($file, join '', "SET synchronous_commit = " . one_of('on', 'off') . ";\n", map {
            $session == 6 ? maintenance($shops, session => "$round$session", number => $_)
              : transaction($shops, session => "$round$session", number => $_, as_application => $session % 3 == 0, may_truncate => $session == 1)
        } 1 .. 2000);
        push @children, start_psql($node, $store, $file, $session % 3 == 0 && $session < 6 ? 'app_login' : 'postgres', 'writer');
    }
    return @children;
}

my ($pending_seen, $prepared_seen) = (0, 0);
for my $round (1 .. 6) {
    # One that has appended its deltas, then one that has written to the row; folds and others wait for this one.
    $node->safe_psql($store, "BEGIN ISOLATION LEVEL " . ($round % 2 ? 'REPEATABLE READ' : 'READ COMMITTED') . ";\n"
          . "INSERT INTO orders (tenant_id, total, created_at, status) VALUES ('$shops->{tenants}[0]', 1000, '2026-03-08 12:00+00', 'completed');\n"
          . "PREPARE TRANSACTION 'held_$round';");
    my @children = start_load($round);
    sleep(1 + rand 1.5);
    if ($round % 3) {
        $node->stop('immediate');
        waitpid $_->{pid}, 0 for @children;
        $node->start;
    } else {
        # The postmaster ends all others and recovers by itself.
        my $victim = $node->safe_psql($store, "SELECT pid FROM pg_stat_activity WHERE application_name = 'writer' AND state = 'active' LIMIT 1")
          || $node->safe_psql($store, "SELECT min(pid) FROM pg_stat_activity WHERE application_name = 'writer'");
        kill 'KILL', $victim;
        waitpid $_->{pid}, 0 for @children;
        $node->poll_query_until($store, 'SELECT true') or die 'the server did not come back';
    }
    my $name = $round % 3 ? "round $round, immediate stop" : "round $round, backend killed";
    is(live_differences($node, $store), '', "$name: the live view is exact");
    is(live_differences_in_tenant($node, $store, $_), '', "$name: for the application, too") for @{ $shops->{tenants} };
    is($node->safe_psql($store, 'SELECT * FROM check_revenue_metrics()'), '', "$name: check_revenue_metrics() finds nothing");
    my $pending = pending_deltas($node, $store);
    $pending_seen += $pending;

    # Locks of prepared transactions are there again: who folds waits for them, readers do not.
    my @prepared = split /\n/, $node->safe_psql($store, 'SELECT gid FROM pg_prepared_xacts ORDER BY gid');
    $prepared_seen += @prepared;
    for my $i (0 .. $#prepared) {
        $node->safe_psql($store, ($i % 2 ? 'ROLLBACK' : 'COMMIT') . " PREPARED '$prepared[$i]'");
        is(live_differences($node, $store), '', "$name: exact after a prepared transaction ended");
    }
    note "$name: $pending deltas pending, " . @prepared . ' transactions prepared';
    next if $round == 2;    # what is pending now outlives two crashes
    $node->safe_psql($store, 'SELECT fold_revenue_deltas()');
    is($node->safe_psql($store, 'SELECT count(*) FROM revenue_deltas'), '0', "$name: all is folded");
    is(stored_differences($node, $store), '', "$name: the table is exact");
    is($node->safe_psql($store, 'SELECT sum(rebuild_revenue_metrics(id)) FROM tenants'), '0', "$name: a rebuild changes nothing");
}
cmp_ok($pending_seen, '>', 0, 'there were pending deltas after a crash');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP/, 'nothing but what was done on purpose went wrong');

done_testing();
