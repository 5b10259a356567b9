# Continuous archiving with the documented commands, and recovery to a moment between two orders, told by time, by the
# name of a restore point and by transaction: the first is there, the second is not, and the store is as it was.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use StoreRows;
use StoreWhole;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir();
my $archive = "$folder/archive";
mkdir $archive or die "$archive: $!";
# Nothing is folded but where the test says so, so that rows can be compared.
my $primary = new_cluster('primary', streaming => 1, conf => <<"CONF");
fsync = off
brainsait.rollup_naptime = 0
archive_mode = on
archive_command = 'cp %p $archive/%f'
wal_level = replica
CONF
my $store = create_store($primary, 'store');
fill_store($primary, $store, 'public');

# So that the backup's own checkpoint, which takes its time, finds little to write.
$primary->safe_psql($store, 'CHECKPOINT');
my ($out, $err) = run_command([ 'pg_basebackup', '-D', "$folder/base", '-Ft', '-z', '-P', '-d', $primary->connstr ]);
like($err, qr/100%/, 'pg_basebackup -Ft -z -P');
ok(-s "$folder/base/base.tar.gz", 'made an archive');

sub place_order {
    my ($tenant, $total) = @_;
    # Its changes of the rollup stay pending.
    my ($number, $error, $state) = run_as($primary, $store, 'app_login', "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT set_tenant('$tenant') \\g /dev/null
        INSERT INTO orders (total, customer_email) VALUES ($total, 'who\@example.com') RETURNING number, pg_current_xact_id(); COMMIT");
    is($state, '', "an order of $total") or diag $error;
    return split /\|/, $number;
}
# A life between backup and target, with folds.
place_order($_, 11) for $tenant_a, $tenant_b;
$primary->safe_psql($store, 'SELECT fold_revenue_deltas()');
my ($first, $xid) = place_order($tenant_a, 22);
my $rows = table_rows($primary, $store, 'public');
isnt($rows->{revenue_deltas}, '', 'deltas are pending');
$primary->safe_psql($store, 'SELECT pg_sleep(0.05)');
my $moment = $primary->safe_psql($store, 'SELECT clock_timestamp()');
$primary->safe_psql($store, "SELECT pg_create_restore_point('between'), pg_sleep(0.05)");
my ($second) = place_order($tenant_a, 33);
isnt($second, $first, 'two orders');
my $wal = $primary->safe_psql($store, 'SELECT pg_walfile_name(pg_switch_wal())');
$primary->poll_query_until($store, "SELECT last_archived_wal >= '$wal' FROM pg_stat_archiver") or die 'nothing is archived';
$primary->stop('immediate');

for my $target ([ time => $moment ], [ name => 'between' ], [ xid => $xid ]) {
    my ($kind, $value) = @$target;
    my $node = PostgreSQL::Test::Cluster->new("by_$kind");
    mkdir $node->data_dir, 0700 or die $node->data_dir . ": $!";
    PostgreSQL::Test::Utils::system_or_bail('tar', '-xzf', "$folder/base/base.tar.gz", '-C', $node->data_dir);
    PostgreSQL::Test::Utils::system_or_bail('tar', '-xzf', "$folder/base/pg_wal.tar.gz", '-C', $node->data_dir . '/pg_wal');
    $node->append_conf('postgresql.conf', sprintf <<'CONF', $node->port, $node->host, $archive, $kind, $value);
port = %s
unix_socket_directories = '%s'
archive_mode = off
restore_command = 'cp %s/%%f %%p'
recovery_target_%s = '%s'
recovery_target_action = 'promote'
CONF
    append_to_file($node->data_dir . '/recovery.signal', '');
    $node->start;
    $node->poll_query_until($store, 'SELECT NOT pg_is_in_recovery()') or die 'recovery does not end';
    is($node->safe_psql($store, "SELECT number FROM orders WHERE number IN ('$first', '$second')"), $first, "by $kind: the first order, not the second");
    same_rows(table_rows($node, $store, 'public'), $rows, "by $kind: every row as it was between them", except => [ grep { /_seq/ } keys %$rows ]);
    store_is_whole($node, $store, 'public', "by $kind");
    is($node->safe_psql($store, 'SELECT fold_revenue_deltas() > 0'), 't', "by $kind: what was pending is folded");
    is(rollup_differences($node, $store, 'public'), '', "by $kind: and right");
    numbers_go_on($node, $store, 'public', "by $kind");
    $node->stop;
}

done_testing();
