# Dumps other than a whole one into a fresh database: rows alone into a store that is installed, the schema alone, some
# tables alone, a whole cluster, over a store that is there, and in place of it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use StoreRows;
use StoreWhole;
use PostgreSQL::Test::Utils;
use Test::More;

# Nothing is folded behind the dump's back.
my $conf = "fsync = off\nbrainsait.rollup_naptime = 0\n";
my $source = new_cluster('source', conf => $conf);
my $elsewhere = new_cluster('elsewhere', conf => $conf);
my $folder = PostgreSQL::Test::Utils::tempdir();
my $store = create_store($source, 'store', schema => 'shop');
$source->safe_psql('postgres', "ALTER ROLE app_login IN DATABASE $store SET search_path = shop");
fill_store($source, $store, 'shop');
$source->safe_psql($store, <<"SQL");
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO shop.orders (tenant_id, total, customer_email) SELECT '$tenant_b', n, 'p' || n FROM generate_series(1, 9) AS n;
COMMIT;
SQL
my $rows = table_rows($source, $store, 'shop');
is(join(' ', grep { !length $rows->{$_} } sort keys %$rows), '', 'there are rows in every table, pending deltas too');
my $ddl = schema_text($source, $store);

sub dump_store {
    my ($file, @options) = @_;
    quiet([ 'pg_dump', @options, '-f', "$folder/$file", '-d', $source->connstr($store) ], "pg_dump @options");
    return "$folder/$file";
}

sub psql_file {
    my ($node, $database, $file, @options) = @_;
    my ($out, $err);
    my $succeeded = IPC::Run::run([ 'psql', '-Xq', @options, '-f', $file, '-d', $node->connstr($database) ], '>', \$out, '2>', \$err);
    return ($succeeded, $err);
}

# 1. Rows alone. As they come they are refused, before any was counted; with triggers kept still, they arrive as they were.
my $data = dump_store('data.sql', '--data-only', '--load-via-partition-root');
my $data_custom = dump_store('data.dump', '--data-only', '--load-via-partition-root', '-Fc');
my $refused = create_store($elsewhere, 'refused', schema => 'shop');
my ($succeeded, $said) = psql_file($elsewhere, $refused, $data);
like($said, qr/ERROR:  rows of a dump must not be loaded into a store whose triggers act on them\nDETAIL: .*second time\.\nHINT: .*PGOPTIONS='-c session_replication_role=replica'/,
    'data only, as it is: refused, with the way');
is($elsewhere->safe_psql($refused, 'SELECT count(*) FROM shop.tenants, shop.orders'), '0', 'and nothing was counted');
($succeeded, $said) = psql_file($elsewhere, $refused, dump_store('whole.sql'));
like($said, qr/ERROR:  rows of a dump must not be loaded/, 'so is a whole dump over an installed store');
is($elsewhere->safe_psql($refused, 'SELECT count(*) FROM shop.orders, shop.revenue_metrics'), '0', 'and nothing was counted');
($succeeded, $said) = psql_file($elsewhere, create_store($elsewhere, 'at_once', schema => 'shop'), $data, '-1', '-v', 'ON_ERROR_STOP=1');
ok(!$succeeded, 'nor in one transaction');

my %loaded = (
    plain => [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-1', '-o', '/dev/null', '-f', $data ],
    custom => [ 'pg_restore', '--data-only', '--exit-on-error', $data_custom ],
    triggers => [ 'pg_restore', '--data-only', '-j2', '-L', "$folder/rows", $data_custom ],
);
# Rows first, sequences afterwards: parallel jobs would do them in any order.
append_to_file("$folder/rows", join '', map { "$_\n" } grep { /TABLE DATA/ } split /\n/, quiet([ 'pg_restore', '-l', $data_custom ], 'pg_restore -l'));
append_to_file("$folder/sequences", join '', map { "$_\n" } grep { /SEQUENCE SET/ } split /\n/, quiet([ 'pg_restore', '-l', $data_custom ], 'pg_restore -l'));
for my $how (sort keys %loaded) {
    my $name = "data only, $how";
    my $to = create_store($elsewhere, "data_$how", schema => 'shop');
    local $ENV{PGOPTIONS} = '-c session_replication_role=replica';
    quiet([ @{ $loaded{$how} }, '-d', $elsewhere->connstr($to) ], $name);
    quiet([ 'pg_restore', '--data-only', '-L', "$folder/sequences", '-d', $elsewhere->connstr($to), $data_custom ], "$name, sequences") if $how eq 'triggers';
    delete $ENV{PGOPTIONS};
    same_rows(table_rows($elsewhere, $to, 'shop'), $rows, "$name: every row, key and counter as it was");
    same_text(schema_text($elsewhere, $to), $ddl, "$name: the catalogs as before");
    store_is_whole($elsewhere, $to, 'shop', $name);
    numbers_go_on($elsewhere, $to, 'shop', $name);
}

# The key of a store that gave numbers is not replaced, unless it is taken away.
my $used = create_store($elsewhere, 'used', schema => 'shop');
my $tenant = add_tenant($elsewhere, $used, slug => 'used', schema => 'shop');
$elsewhere->safe_psql('postgres', "ALTER ROLE app_login IN DATABASE $used SET search_path = shop");
is((run_in_tenant($elsewhere, $used, $tenant, 'INSERT INTO orders (total) VALUES (1)'))[2], '', 'a store that gave a number');
my $key = $elsewhere->safe_psql($used, 'SELECT key FROM shop.order_number_key');
my $other_key = $source->safe_psql($store, 'SELECT key FROM shop.order_number_key');
my ($out, $err, $state) = run_as($elsewhere, $used, 'postgres', "INSERT INTO shop.order_number_key VALUES (1, '$other_key')");
is($state, '55000', 'keeps its key');
like($err, qr/has given order numbers with a key of its own\nHINT: .*TRUNCATE order_number_key/, 'and says how to have another');
is((run_as($elsewhere, $used, 'postgres', "INSERT INTO shop.order_number_key VALUES (1, '$key')"))[2], '', 'the same key again is left out');
is((run_as($elsewhere, $used, 'postgres', "TRUNCATE shop.order_number_key; INSERT INTO shop.order_number_key VALUES (1, '$other_key')"))[2], '', 'the way works');
is($elsewhere->safe_psql($used, 'SELECT key FROM shop.order_number_key'), $other_key, 'the other key is there');

# 2. The schema alone: a store without a row, to which create_store() gives a key.
my $empty = 'schema_only';
$elsewhere->safe_psql('postgres', "CREATE DATABASE $empty");
quiet([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', dump_store('schema.sql', '--schema-only'), '-d', $elsewhere->connstr($empty) ], 'schema only');
same_text(schema_text($elsewhere, $empty), $ddl, 'schema only: the same catalogs');
is($elsewhere->safe_psql($empty, 'SELECT shop.create_store()'), '', 'schema only: create_store()');
same_text(schema_text($elsewhere, $empty), $ddl, 'schema only: the same catalogs afterwards');
is($elsewhere->safe_psql($empty, 'SELECT count(*) FROM shop.order_number_key WHERE key <> ' . "'$other_key'"), '1', 'schema only: a key of its own');
fill_store($elsewhere, $empty, 'shop');
store_is_whole($elsewhere, $empty, 'shop', 'schema only, filled');
numbers_go_on($elsewhere, $empty, 'shop', 'schema only, filled');

# 3. Some tables alone, whose rows were lost: here the triggers shall count.
my $whole = dump_store('whole.dump', '-Fc');
my $lost = 'lost';
quiet([ 'createdb', '-h', $source->host, '-p', $source->port, '-T', $store, $lost ], 'a copy by CREATE DATABASE');
$source->safe_psql('postgres', "ALTER ROLE app_login IN DATABASE $lost SET search_path = shop");
same_rows(table_rows($source, $lost, 'shop'), $rows, 'CREATE DATABASE ... TEMPLATE: every row');
$source->safe_psql($lost, 'TRUNCATE shop.orders, shop.order_items, shop.payments');
is($source->safe_psql($lost, 'SELECT count(*) FROM shop.revenue_metrics_live'), '0', 'orders are lost, and their revenue');
# pg_restore knows of no references among rows: parents first.
quiet([ 'pg_restore', '--data-only', '--exit-on-error', '-t', $_, '-d', $source->connstr($lost), $whole ], "$_ alone")
  for 'orders', 'order_items', 'payments';
my $again = table_rows($source, $lost, 'shop');
# What the rollup's rows are called, and what of them was pending, is new; endpoints are told of what came.
same_rows($again, $rows, 'three tables alone: every row', except => [ grep { /^revenue_|^webhook_deliveries$/ } keys %$rows ]);
store_is_whole($source, $lost, 'shop', 'three tables alone');
numbers_go_on($source, $lost, 'shop', 'three tables alone');

# 4. A whole cluster, with its roles and what was granted to them.
my $third = new_cluster('third', conf => $conf);
quiet([ 'pg_dumpall', '-f', "$folder/cluster.sql", '-d', $source->connstr('postgres') ], 'pg_dumpall');
($succeeded, $said) = psql_file($third, 'postgres', "$folder/cluster.sql", '-o', '/dev/null');
# The superuser that restores is there already.
is(unexpected_words($said =~ s/^\S* ERROR:  role "postgres" already exists\n//mr =~ s/^\S*:? ?(NOTICE:  brainsait: row_security is off.*\nHINT: .*\n)//mr), '',
    'the whole cluster: no error and no warning');
same_rows(table_rows($third, $store, 'shop'), $rows, 'the whole cluster: every row');
same_text(schema_text($third, $store), $ddl, 'the whole cluster: the same catalogs');
is((run_in_tenant($third, $store, $tenant_a, 'SELECT count(*) > 50 FROM orders'))[0], 't', 'the whole cluster: the login, its role and its search_path');
store_is_whole($third, $store, 'shop', 'the whole cluster');
numbers_go_on($third, $store, 'shop', 'the whole cluster');

# 5. Over a store that is there: pg_restore --clean says what PostgreSQL's own partitions make it say, and no more.
($out, $err) = run_command([ 'pg_restore', '--clean', '--if-exists', '-d', $third->connstr($store), $whole ]);
$err =~ s/^pg_restore: error: could not execute query: ERROR:  cannot drop inherited constraint .*\nCommand was: ALTER TABLE .* DROP CONSTRAINT .*\n+//mg;
is($err =~ s/^pg_restore: warning: errors ignored on restore: \d+\n?//r, '', '--clean: no error but of inherited constraints');
same_rows(table_rows($third, $store, 'shop'), $rows, '--clean: every row');
same_text(schema_text($third, $store), $ddl, '--clean: the same catalogs');
store_is_whole($third, $store, 'shop', '--clean');
# In place of it, there is nothing to say.
quiet([ 'pg_restore', '--clean', '--create', '--exit-on-error', '-d', $third->connstr('postgres'), $whole ], '--clean --create');
same_rows(table_rows($third, $store, 'shop'), $rows, '--clean --create: every row');
store_is_whole($third, $store, 'shop', '--clean --create');
numbers_go_on($third, $store, 'shop', '--clean --create');

done_testing();
