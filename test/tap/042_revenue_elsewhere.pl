# Pending deltas go where the database goes: by dump and restore into clusters whose transaction ids are lower and higher
# than those that wrote the deltas, into another database of the same cluster, and by replication to a standby, which
# reads the live view while its primary folds, and folds when it is promoted.
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

my $seed = $ENV{REVENUE_SEED} // (time % 1_000_000);
note "seed $seed";
srand($seed);
my $folder = PostgreSQL::Test::Utils::tempdir();

# A cluster whose transaction ids have come round that many times.
sub cluster_of_epoch {
    my ($name, $epoch, %options) = @_;
    my $node = new_cluster($name, %options, start => 0, conf => "fsync = off\nbrainsait.rollup_naptime = 0\n");
    PostgreSQL::Test::Utils::system_or_bail('pg_resetwal', '-e', $epoch, '-D', $node->data_dir);
    $node->start;
    is($node->safe_psql('postgres', 'SELECT div(pg_current_xact_id()::text::numeric, 4294967296)'), $epoch, "$name: transaction ids of epoch $epoch");
    return $node;
}

# Random transactions, then some whose deltas stay: at REPEATABLE READ, with customers and rows that come and go.
sub write_orders {
    my ($node, $database, $shops, $session) = @_;
    my $file = "$folder/" . $node->name . ".$database.$session.sql";
    my $tenant = $shops->{tenants}[0];
    PostgreSQL::Test::Utils::append_to_file($file, join '',
        (map { transaction($shops, session => $session, number => $_) } 1 .. 40), map { "BEGIN ISOLATION LEVEL REPEATABLE READ;\n$_;\nCOMMIT;\n" }
        "INSERT INTO orders (tenant_id, number, total, created_at, customer_email) SELECT '$tenant', 'P$session-' || n, n, ('2026-03-0' || n % 3 + 7)::timestamptz, 'p' || n % 4 FROM generate_series(1, 12) AS n",
        "DELETE FROM orders WHERE number IN ('P$session-3', 'P$session-7', 'P$session-11')",
        "DELETE FROM orders WHERE id = (SELECT min(id::text)::uuid FROM orders)",
        "UPDATE orders SET created_at = '2026-04-01 12:00+00', status = 'completed' WHERE number = 'P$session-1'");
    wait_for_psql("$database of " . $node->name, start_psql($node, $database, $file, 'postgres', 'writer'));
    return;
}

sub check_live {
    my ($node, $database, $shops, $name) = @_;
    is(live_differences($node, $database), '', "$name: the live view is exact");
    is(live_differences_in_tenant($node, $database, $_), '', "$name: for the application, too") for @{ $shops->{tenants} };
    is($node->safe_psql($database, 'SELECT * FROM check_revenue_metrics()'), '', "$name: check_revenue_metrics() finds nothing");
    return;
}

sub check_fold {
    my ($node, $database, $shops, $name) = @_;
    $node->safe_psql($database, 'SELECT fold_revenue_deltas()');
    is($node->safe_psql($database, 'SELECT count(*) FROM revenue_deltas'), '0', "$name: all is folded");
    is(stored_differences($node, $database), '', "$name: the table is exact");
    check_live($node, $database, $shops, "$name, folded");
    return;
}

# Two are copies of one cluster that went their own ways: a promoted standby and its primary, whose transactions are not the same.
my $source = cluster_of_epoch('source', 2);
my $lower = new_cluster('lower', conf => "fsync = off\nbrainsait.rollup_naptime = 0\n");
my $higher = cluster_of_epoch('higher', 5, own_name => 1);
my ($name_of_source, $name_of_lower, $name_of_higher) = map { $_->safe_psql('postgres', 'SELECT system_identifier FROM pg_control_system()') } $source, $lower, $higher;
is($name_of_lower, $name_of_source, 'a cluster with the same name and fewer transactions');
isnt($name_of_higher, $name_of_source, 'a cluster with another name');
$_->safe_psql('postgres', 'CREATE ROLE app_login LOGIN') for $lower, $higher;

sub copy_database {
    my ($from_node, $from, $node, $to) = @_;
    $node->safe_psql('postgres', qq{CREATE DATABASE "$to" TEMPLATE template0});
    PostgreSQL::Test::Utils::run_command([ 'pg_dump', '-Fc', '-f', "$folder/$to.dump", '-d', $from_node->connstr($from) ]);
    my ($out, $err) = PostgreSQL::Test::Utils::run_command([ 'pg_restore', '--exit-on-error', '-d', $node->connstr($to), "$folder/$to.dump" ]);
    unlike($err, qr/error/i, "$to: restored");
    $node->safe_psql('postgres', 'GRANT brainsait_app TO app_login');
    return;
}

my $store = create_store($source, 'store');
create_truth($source, $store);
my $shops = open_shops($source, $store);
write_orders($source, $store, $shops, 1);
# What was folded here must not be taken for what was folded elsewhere.
check_fold($source, $store, $shops, 'source');
write_orders($source, $store, $shops, 2);
my $pending = pending_deltas($source, $store);
cmp_ok($pending, '>', 3, "source: $pending deltas are pending");
check_live($source, $store, $shops, 'source');

my $session = 3;
for my $case ([ $source, $store, $lower, 'fewer_transactions' ], [ $source, $store, $higher, 'more_transactions' ],
    [ $source, $store, $source, 'beside' ], [ $lower, 'fewer_transactions', $source, 'back' ], [ $higher, 'more_transactions', $lower, 'third' ]) {
    my ($from_node, $from, $node, $to) = @$case;
    copy_database($from_node, $from, $node, $to);
    is(pending_deltas($node, $to), pending_deltas($from_node, $from), "$to: as many deltas are pending");
    check_live($node, $to, $shops, $to);
    write_orders($node, $to, $shops, $session++);
    check_live($node, $to, $shops, "$to, written to");
    check_fold($node, $to, $shops, $to);
    write_orders($node, $to, $shops, $session++);
    cmp_ok(pending_deltas($node, $to), '>', 3, "$to: deltas are pending again");
    check_live($node, $to, $shops, "$to, written to again");
}
check_fold($lower, 'third', $shops, 'in the end');
$_->stop for $source, $lower, $higher;

# A standby reads while the primary folds many times a second.
my $primary = new_cluster('primary', streaming => 1, conf => "fsync = off\nbrainsait.rollup_naptime = 30ms\nhot_standby_feedback = on\nmax_standby_streaming_delay = -1\n");
$store = create_store($primary, 'store');
create_truth($primary, $store);
$shops = open_shops($primary, $store);
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

my @children;
for my $writer (1 .. 4) {
    my $file = "$folder/standby.$writer.sql";
    PostgreSQL::Test::Utils::append_to_file($file, join '', map {
        transaction($shops, session => $writer, number => $_) . ($writer == 1 && $_ % 4 == 0 ? "SELECT fold_revenue_deltas() \\g /dev/null\n" : '')
    } 1 .. 400);
    push @children, start_psql($primary, $store, $file, 'postgres', 'writer');
}
my ($compared, $differing, $seen) = (0, '', 0);
while (grep { !defined $_->{status} } @children) {
    for my $child (grep { !defined $_->{status} } @children) {
        $child->{status} = $? if waitpid($child->{pid}, POSIX::WNOHANG()) == $child->{pid};
    }
    my $turn = $compared++ % 3;
    $differing .= $turn == 0 ? live_differences_held($standby, $store, 0.1)
      : $turn == 1 ? live_differences_in_tenant($standby, $store, $shops->{tenants}[ $compared % 2 ])
      :              live_differences($standby, $store);
    ++$seen if pending_deltas($standby, $store) > 0;
}
wait_for_psql('primary', @children);
cmp_ok($compared, '>', 3, "standby: compared $compared times under load");
cmp_ok($seen, '>', 0, "standby: $seen times with pending deltas");
is($differing, '', 'standby: no difference at any moment');
is($standby->safe_psql($store, "SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ 'rollup'"), '0', 'standby: nobody folds');
is((run_as($standby, $store, 'postgres', 'SELECT fold_revenue_deltas()'))[2], '25006', 'standby: nor can anybody');

write_orders($primary, $store, $shops, 9);
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
$primary->stop('immediate');
check_live($standby, $store, $shops, 'standby');
$standby->promote;
check_live($standby, $store, $shops, 'promoted');
write_orders($standby, $store, $shops, 10);
check_live($standby, $store, $shops, 'promoted, written to');
check_fold($standby, $store, $shops, 'promoted');

done_testing();
