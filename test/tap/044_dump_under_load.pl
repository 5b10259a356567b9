# Dumps that are taken while writers and folds go on: each one, restored by parallel jobs, is a store at one moment.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use StoreWhole;
use RevenueLoad;
use RevenueScripts;
use RevenueTruth;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{REVENUE_SEED} // (time % 1_000_000);
note "seed $seed";
my $node = new_cluster('busy', conf => "fsync = off\nbrainsait.rollup_naptime = 0\n");
my $store = create_store($node, 'store');
create_truth($node, $store);
my $shops = open_shops($node, $store);
my $folder = PostgreSQL::Test::Utils::tempdir();

# Writers, and one that folds what they leave pending, have more to do than there is time for.
my @children;
for my $session (1 .. 4) {
    srand($seed * 100 + $session);
    my $file = "$folder/$session.sql";
    append_to_file($file, join '', map {
        $session == 4 ? "SELECT fold_revenue_deltas() \\g /dev/null\nSELECT pg_sleep(0.2) \\g /dev/null\n"
          : transaction($shops, session => $session, number => $_, as_application => $session == 3)
    } 1 .. 5000);
    push @children, start_psql($node, $store, $file, $session == 3 ? 'app_login' : 'postgres', 'writer', 'while');
}

my ($dumps, $pending) = (3, 0);
for my $number (1 .. $dumps) {
    $node->poll_query_until($store, 'SELECT count(*) >= ' . $number * 25 . ' FROM orders') or die 'no orders are written';
    quiet([ 'pg_dump', '-Fd', '-j2', '-f', "$folder/dump_$number", '-d', $node->connstr($store) ], "dump $number");
}
my $at_work = $node->safe_psql($store, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'writer'");
is($at_work, '4', 'all were at work until the last dump was done');
unlink "$_->{file}.go" for @children;
$node->safe_psql($store, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'writer'");
waitpid $_->{pid}, 0 for @children;

my %orders;
for my $number (1 .. $dumps) {
    my $to = "restored_$number";
    $node->safe_psql('postgres', "CREATE DATABASE $to TEMPLATE template0");
    quiet([ 'pg_restore', '-j3', '--exit-on-error', '-d', $node->connstr($to), "$folder/dump_$number" ], $to);
    is(live_differences($node, $to), '', "$to: rollup and pending deltas are what the orders give");
    is($node->safe_psql($to, 'SELECT * FROM check_revenue_metrics()'), '', "$to: check_revenue_metrics() finds nothing");
    is($node->safe_psql($to, 'SELECT * FROM isolation_report()'), '', "$to: no hole in the wall");
    $pending += pending_deltas($node, $to);
    ++$orders{ $node->safe_psql($to, 'SELECT md5(string_agg(o::text, chr(10) ORDER BY o.id)) FROM orders o') };
    for my $tenant (@{ $shops->{tenants} }) {
        my ($out, $err, $state) = run_in_tenant($node, $to, $tenant, 'INSERT INTO orders (total) SELECT n FROM generate_series(1, 100) AS n');
        is($state, '', "$to: numbers go on without a collision") or diag $err;
    }
    $node->safe_psql($to, 'SELECT fold_revenue_deltas()');
    is(stored_differences($node, $to), '', "$to: and the rollup, folded");
}
is(scalar(keys %orders), $dumps, 'each dump was of another moment');
cmp_ok($pending, '>', 0, "$pending deltas were pending in them");

done_testing();
