# Alembic over the document's models (test/clients/models.py), as a login role that is a member of brainsait_owner: what
# autogenerate finds, and a migration of an application's own up and down again.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use RealClients;
use PostgreSQL::Test::Utils;
use Test::More;

my $why = missing('alembic');
plan skip_all => $why if $why;

my $node = new_cluster('migrated');
my $store = create_store($node, 'shop');
$node->safe_psql($store, 'CREATE ROLE migrations_login LOGIN IN ROLE brainsait_owner');
my $reem = add_tenant($node, $store, slug => 'reem');
my $cedar = add_tenant($node, $store, slug => 'cedar');
for my $tenant ($reem, $cedar) {
    run_in_tenant($node, $store, $tenant, 'INSERT INTO orders (total) SELECT generate_series(1, 20)');
}

# A folder of migrations to write into.
sub migrations {
    my ($name) = @_;
    my $folder = PostgreSQL::Test::Utils::tempdir() . "/$name";
    system_or_bail('cp', '-R', clients_folder() . '/migrations', $folder);
    return $folder;
}

# alembic(role, folder, argument...): (status, what it printed)
sub alembic {
    my ($role, $folder, @arguments) = @_;
    local %ENV = (%ENV, client_environment($node, $store, user => $role));
    my $said;
    my $python = python('psycopg2', 'sqlalchemy', 'alembic.config');
    IPC::Run::run([ $python, '-m', 'alembic.config', '-c', "$folder/alembic.ini", @arguments ], '>&', \$said);
    return ($? >> 8, $said);
}

# Every difference that autogenerate finds has a reason. always: where every version of Alembic finds it.
my @expected = (
    { operation => qr/^op\.drop_table_comment\( '\w+'/, always => 1, reason => 'the store comments its tables, the models do not' },
    { operation => qr/^op\.alter_column\('\w+', '\w+', existing_type=.* comment=None,(?!.* (?:type_|nullable|server_default)=)/, always => 1, reason => 'and its columns' },
    { operation => qr/^op\.alter_column\('integrations', 'credentials',.* server_default=None/, always => 1,
        reason => 'the model has no default, since SQLAlchemy would read it back, which the application may not' },
    { operation => qr/^op\.drop_index\((?:op\.f\()?'idx_products_name_gin'/,
        reason => 'an index over an expression: older versions do not see it, newer ones do not find it in the models' });

my $folder = migrations('differences');
unlink glob "$folder/versions/*.py";
my ($status, $said) = alembic('migrations_login', $folder, 'revision', '--autogenerate', '-m', 'Differences');
is($status, 0, 'alembic revision --autogenerate') or diag $said;
my ($file) = glob "$folder/versions/*.py";
my ($upgrade) = slurp_file($file) =~ /^def upgrade\(\).*?\n(.*?)^def /ms;
my @operations = map { s/\s+/ /gr } split /^    (?=op\.)/m, $upgrade =~ s/^ +#.*\n//mgr;
@operations = grep { /^op/ } @operations;
cmp_ok(scalar @operations, '>=', 3, scalar(@operations) . ' differences');
for my $expected (@expected) {
    my @found = grep { $_ =~ $expected->{operation} } @operations;
    @operations = grep { $_ !~ $expected->{operation} } @operations;
    ok(@found, "found as expected: $expected->{reason}") if $expected->{always};
    note scalar(@found) . " times: $expected->{reason}";
}
is(join("\n", @operations), '', 'and no difference without a reason');

# A migration of the application's own: a column, an index, a table behind the wall.
my $catalog = "SELECT string_agg(format('%s.%s %s', attrelid::regclass, attname, atttypid::regtype), chr(10) ORDER BY attrelid::regclass::text, attname)
    FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic%')";
my $checksum = 'SELECT md5(string_agg(id::text || number || total || updated_at, chr(10) ORDER BY id)) FROM orders';
my ($before, $rows) = map { $node->safe_psql($store, $_) } $catalog, $checksum;
$folder = migrations('application');

($status, $said) = alembic('app_login', $folder, 'upgrade', 'head');
isnt($status, 0, 'the application\'s own login may not migrate');
is($node->safe_psql($store, $catalog), $before, 'and has changed nothing');

($status, $said) = alembic('migrations_login', $folder, 'upgrade', 'head');
is($status, 0, 'alembic upgrade head') or diag $said;
like((alembic('migrations_login', $folder, 'current'))[1], qr/^0001 \(head\)/m, 'alembic current');
like((alembic('migrations_login', $folder, 'history'))[1], qr/<base> -> 0001 \(head\)/, 'alembic history');
is($node->safe_psql($store, "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'gift_note'"),
    'character varying(200)', 'the column is there');
is($node->safe_psql($store, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'idx_orders_gift_note'::regclass"), 't', 'and the index');
is($node->safe_psql($store, 'SELECT count(*) FROM isolation_report()'), '0', 'no hole in the wall');
for my $tenant ($reem, $cedar) {
    my ($out, $error) = run_in_tenant($node, $store, $tenant, <<"SQL");
UPDATE orders SET gift_note = '$tenant' WHERE total <= 5;
INSERT INTO gift_cards (balance) VALUES (50);
SELECT count(*), min(gift_note), count(DISTINCT gift_note), (SELECT count(*) FROM gift_cards) FROM orders WHERE gift_note IS NOT NULL;
SQL
    is($out, "5|$tenant|1|1", 'the application uses both, behind the wall') or diag $error;
}
is((run_as($node, $store, 'app_login', 'SELECT count(*) FROM gift_cards'))[0], '0', 'without a tenant the new table shows nothing');
is((run_in_tenant($node, $store, $reem, "INSERT INTO gift_cards (tenant_id, balance) VALUES ('$cedar', 1)"))[2], '42501', 'nor takes another\'s row');

($status, $said) = alembic('migrations_login', $folder, 'downgrade', '-1');
is($status, 0, 'alembic downgrade -1') or diag $said;
is($node->safe_psql($store, $catalog), $before, 'every table has the columns that it had');
is($node->safe_psql($store, q{SELECT count(*) FROM pg_class WHERE relname LIKE '%gift%'}), '0', 'index and table are gone');
isnt($node->safe_psql($store, $checksum), $rows, 'rows were updated in between');
is($node->safe_psql($store, 'SELECT count(*), sum(total) FROM orders'), '40|420.00', 'and none was lost');
is($node->safe_psql($store, 'SELECT count(*) FROM check_revenue_metrics()'), '0', 'the revenue is right');
is($node->safe_psql($store, 'SELECT count(*) FROM isolation_report()'), '0', 'the wall stands');
done_testing();
