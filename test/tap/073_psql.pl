# psql as people use it by hand and in scripts: variables, \gset, \copy, pipes of statements, savepoints by itself, a
# session that dies. The server's side of it is in 010_attacks.pl.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('by_hand');
my $store = create_store($node, 'shop');
my %tenant = map { $_ => add_tenant($node, $store, slug => $_) } qw(reem cedar);
my $folder = PostgreSQL::Test::Utils::tempdir();

# session(sql, option...): one psql of the application's; it goes on after an error unless told otherwise.
sub session {
    my ($sql, @options) = @_;
    my ($out, $error) = ('', '');
    IPC::Run::run([ 'psql', '-XAtq', '-U', 'app_login', '-h', $node->host, '-p', $node->port, '-d', $store, '-v', 'VERBOSITY=sqlstate',
        (map { ('-v', "$_=$tenant{$_}") } sort keys %tenant), @options ], '<', \$sql, '>', \$out, '2>', \$error);
    return ($out =~ s/\n\z//r, $error =~ s/\n\z//r);
}

# A tenant by its slug, \gset, RETURNING, and what \d shows an application.
my ($out, $error) = session(<<'SQL');
SELECT resolve_tenant('reem') AS tenant \gset
BEGIN;
SELECT set_tenant(:'tenant') \g /dev/null
INSERT INTO orders (total, customer_name) VALUES (10, 'one') RETURNING id, number \gset placed_
INSERT INTO order_items (order_id, product_name, price, total) VALUES (:'placed_id', 'Dates', 10, 10);
COMMIT;
SELECT count(*) FROM orders;
BEGIN;
SELECT set_tenant(:'reem') \g /dev/null
SELECT number = :'placed_number', (SELECT count(*) FROM order_items) FROM orders;
COMMIT;
SQL
is("$out$error", "0\nt|1", 'a tenant by slug, values through \gset, nothing after COMMIT');
($out, $error) = session("\\d orders\n\\d+ revenue_metrics\n\\dp orders\n\\df+ set_tenant\n\\sf current_tenant\n\\dt\n");
is($error, '', 'psql describes the store to an application');
like($out, qr/tenant_wall.*set_tenant/s, 'with its policies and comments');

# \copy out, and in by way of a temporary table: PostgreSQL takes no COPY into a table with row security.
append_to_file("$folder/in.csv", join '', map { "$_.50,SAR,guest$_\@example.com\n" } 1 .. 50);
append_to_file("$folder/forged.csv", "$tenant{cedar},1\n");
($out, $error) = session(<<"SQL");
\\copy orders (total, currency, customer_email) FROM '$folder/in.csv' (FORMAT csv)
BEGIN;
SELECT set_tenant(:'cedar') \\g /dev/null
CREATE TEMP TABLE brought (total numeric, currency text, customer_email text) ON COMMIT DROP;
\\copy brought FROM '$folder/in.csv' (FORMAT csv)
INSERT INTO orders (total, currency, customer_email) SELECT * FROM brought;
\\copy (SELECT tenant_id, total FROM orders) TO '$folder/out.csv' (FORMAT csv)
\\copy orders TO '$folder/all'
COMMIT;
\\copy (TABLE orders) TO '$folder/nobody'
BEGIN;
SELECT set_tenant(:'reem') \\g /dev/null
\\copy order_items TO '$folder/items'
CREATE TEMP TABLE brought (tenant_id uuid, total numeric) ON COMMIT DROP;
\\copy brought FROM '$folder/forged.csv' (FORMAT csv)
INSERT INTO orders (tenant_id, total) SELECT * FROM brought;
COMMIT;
SQL
is($error, "ERROR:  0A000\nERROR:  42501", 'COPY into orders is refused, rows of another tenant are, too');
is((() = slurp_file("$folder/out.csv") =~ /^$tenant{cedar},/mg), 50, '\copy of a query takes one tenant\'s rows');
is((() = slurp_file("$folder/all") =~ /\n/g), 50, '\copy of a table takes as many');
is(slurp_file("$folder/nobody"), '', 'and none without a tenant');
is((() = slurp_file("$folder/items") =~ /\t$tenant{reem}$/mg), 1, 'each tenant its own');

# ON_ERROR_ROLLBACK sets a savepoint before each statement; the tenant is set in one that is released.
($out, $error) = session(<<'SQL', '-v', 'ON_ERROR_ROLLBACK=on');
BEGIN;
SELECT set_tenant(:'reem') \g /dev/null
SELECT 1 / 0;
SELECT set_tenant(:'cedar');
INSERT INTO orders (total) VALUES (-1);
INSERT INTO orders (total) VALUES (20);
SELECT count(*), current_tenant() = :'reem' FROM orders;
COMMIT;
SQL
is($out, '2|t', 'with ON_ERROR_ROLLBACK a mistake undoes itself alone');
is($error, "ERROR:  22012\nERROR:  42501\nERROR:  23514", 'and another tenant stays refused');

# AUTOCOMMIT off, COMMIT AND CHAIN, statements in one message, a cursor by FETCH_COUNT.
($out, $error) = session(<<'SQL', '-v', 'AUTOCOMMIT=off', '-v', 'FETCH_COUNT=7');
SELECT set_tenant(:'cedar') \g /dev/null
SELECT count(*) FROM orders;
SELECT id FROM orders \g /dev/null
COMMIT AND CHAIN;
SELECT count(*), current_tenant() IS NULL FROM orders;
SELECT set_tenant(:'reem') \g /dev/null
SELECT count(*) FROM orders;
ROLLBACK AND CHAIN;
SELECT count(*) FROM orders;
ROLLBACK;
SET application_name = 'x'\; SELECT set_tenant(:'reem') \g /dev/null
SELECT count(*) FROM orders;
SQL
is("$out$error", "50\n0|t\n2\n0\n2", 'without autocommit a transaction begins by itself, chained ones with no tenant');
($out, $error) = session("SELECT set_tenant(:'reem')\\; SELECT count(*) FROM orders;\nSELECT count(*) FROM orders;");
is($out =~ s/^\n//r . $error, "2\n0", 'statements in one message are one transaction');

# A script that stops at its first error commits nothing, and a session that dies leaves nothing.
append_to_file("$folder/script.sql", "BEGIN;\nSELECT set_tenant('$tenant{reem}');\nINSERT INTO orders (total) VALUES (30);\nSELECT 1 / 0;\nCOMMIT;\n");
($out, $error) = session('', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/script.sql");
like($error, qr/22012/, 'a script with an error stops');
my $dying = open_session($node, $store, 'app_login');
$dying->query("BEGIN; SELECT set_tenant('$tenant{reem}'); INSERT INTO orders (total) VALUES (40)");
$dying->{run}->kill_kill;
ok($node->poll_query_until($store, q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'app_login')}), 'the server hears of a psql that was killed');
is($node->safe_psql($store, 'SELECT tenants.slug, count(*), sum(total) FROM orders JOIN tenants ON tenants.id = tenant_id GROUP BY 1 ORDER BY 1'),
    "cedar|50|1300.00\nreem|2|30.00", 'orders are those that were committed');
is($node->safe_psql($store, 'SELECT count(*) FROM check_revenue_metrics()'), '0', 'the revenue is right');
done_testing();
