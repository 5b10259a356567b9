# pg_upgrade of a cluster with stores: its dump in binary-upgrade mode, its files copied or linked. From this version to
# this version, which is as far as one installation goes; the way is the same to the next one.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use StoreRows;
use StoreWhole;
use PostgreSQL::Test::Utils;
use Test::More;

my ($bindir) = run_command([ $ENV{PG_CONFIG} // 'pg_config', '--bindir' ]);
plan skip_all => "no pg_upgrade in $bindir" unless -x "$bindir/pg_upgrade";

# The upgraded servers start with the library preloaded and a worker for the store, which must keep still in between.
my $conf = "fsync = off\nshared_preload_libraries = 'brainsait'\n";
my $old = new_cluster('old', conf => "${conf}brainsait.rollup_naptime = 0\n");
my $store = create_store($old, 'store', schema => 'shop');
create_store($old, 'empty');
fill_store($old, $store, 'shop');
# What an application added, what it dropped, and what is still to be folded.
$old->safe_psql($store, <<"SQL");
SET search_path = shop;
SET ROLE brainsait_owner;
ALTER TABLE orders ADD COLUMN gift boolean NOT NULL DEFAULT false, ADD COLUMN gone integer;
ALTER TABLE orders DROP COLUMN gone;
CREATE TABLE notes (tenant_id uuid NOT NULL DEFAULT current_tenant(), funnel window_funnel_state, visitors distinct_sketch);
SELECT isolate_table('notes');
RESET ROLE;
INSERT INTO notes SELECT '$tenant_a', NULL, distinct_sketch(n) FROM generate_series(1, 2000) AS n;
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO orders (tenant_id, total, customer_email) SELECT '$tenant_b', n, 'p' || n FROM generate_series(1, 9) AS n;
COMMIT;
SQL
my $rows = table_rows($old, $store, 'shop');
isnt($rows->{revenue_deltas}, '', 'deltas are pending');
my $ddl = schema_text($old, $store);
my $empty_ddl = schema_text($old, 'empty');
$old->stop;

for my $mode ('copy', 'link') {
    my $new = new_cluster("new_$mode", start => 0, conf => "${conf}brainsait.rollup_naptime = 10ms\nbrainsait.rollup_databases = 'store'\n");
    # pg_upgrade writes its files where it stands.
    my $folder = PostgreSQL::Test::Utils::tempdir();
    my ($out, $err);
    my $succeeded = IPC::Run::run(
        [ "$bindir/pg_upgrade", ($mode eq 'link' ? '--link' : ()), '-b', $bindir, '-B', $bindir, '-d', $old->data_dir, '-D', $new->data_dir,
            '-s', $new->host, '-p', $old->port, '-P', $new->port ],
        '>', \$out, '2>&1', init => sub { chdir $folder or die "$folder: $!" });
    ok($succeeded, "pg_upgrade, $mode") or diag $out;
    # Checked without a worker, then with one.
    $new->append_conf('postgresql.conf', 'brainsait.rollup_naptime = 0');
    $new->start;
    same_rows(table_rows($new, $store, 'shop'), $rows, "$mode: every row");
    same_text(schema_text($new, $store), $ddl, "$mode: the same catalogs");
    same_text(schema_text($new, 'empty'), $empty_ddl, "$mode: those of an empty store, too");
    is($new->safe_psql($store, "SELECT count(*) FROM pg_depend d JOIN pg_class c ON c.oid = d.objid WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e'
        AND c.relkind IN ('r', 'p', 'S', 'v')"), '0', "$mode: no table is a member");
    is($new->safe_psql($store, 'SELECT shop.distinct_count(visitors) BETWEEN 1850 AND 2150 FROM shop.notes'), 't', "$mode: stored sketches are read");
    store_is_whole($new, $store, 'shop', $mode);
    $new->append_conf('postgresql.conf', 'brainsait.rollup_naptime = 10ms');
    $new->reload;
    ok($new->poll_query_until($store, 'SELECT NOT EXISTS (SELECT FROM shop.revenue_deltas)'), "$mode: the worker folds what was pending");
    numbers_go_on($new, $store, 'shop', $mode);
    is($new->safe_psql($store, 'SELECT shop.create_store()'), '', "$mode: create_store() finds nothing to do");
    same_text(schema_text($new, $store), $ddl, "$mode: and changes nothing");
    $new->stop;
}

done_testing();
