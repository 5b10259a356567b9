# PgBouncer in transaction mode: clients of two tenants over one connection of the server's (test/clients/pooler.py),
# then many over a few, with statements prepared by the protocol as far as this PgBouncer has them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use RealClients;
use PostgreSQL::Test::Utils;
use Test::More;

my $why = missing('pgbouncer', 'psycopg2');
plan skip_all => $why if $why;

my $node = new_cluster('pooled');
my $store = create_store($node, 'shop');
my $reem = add_tenant($node, $store, slug => 'reem', settings => '{"timezone": "Asia/Riyadh"}');
my $cedar = add_tenant($node, $store, slug => 'cedar', settings => '{"order_number_format": "{TENANT}-{SEQ:4}"}');

my $one = start_pgbouncer($node, pool_size => 1);
note "PgBouncer $one->{version}";
run_checks('pooler.py', $node, $store, pooler => $one, TENANTS => "$reem=reem $cedar=cedar",
    SERVER_HOST => $node->host, SERVER_PORT => $node->port);

# pgbench, eight clients over two connections. A row of the other tenant's divides by zero.
my $few = start_pgbouncer($node, pool_size => 2);
my $folder = PostgreSQL::Test::Utils::tempdir();
for my $tenant ($reem, $cedar) {
    append_to_file("$folder/$tenant.sql", <<"SCRIPT");
\\set total random(100, 9999)
\\startpipeline
BEGIN;
SELECT set_tenant('$tenant');
INSERT INTO orders (total, customer_name) VALUES (:total / 100.0, '$tenant');
SELECT 1 / (count(*) FILTER (WHERE tenant_id <> '$tenant' OR customer_name <> '$tenant') = 0)::int FROM orders;
SELECT 1 / (current_tenant() = '$tenant')::int;
COMMIT;
\\endpipeline
SELECT 1 / (count(*) = 0)::int FROM orders;
SCRIPT
}

sub orders { return $node->safe_psql($store, 'SELECT count(*) FROM orders') }

# pgbench_over(mode of the protocol): eight times 25 transactions; returns how many orders came of them, and what was said.
sub pgbench_over {
    my ($mode) = @_;
    my $before = orders();
    my ($out, $error);
    {
        local %ENV = (%ENV, client_environment($node, $store, pooler => $few));
        IPC::Run::run([ 'pgbench', '-n', '-M', $mode, '-c', 8, '-j', 2, '-t', 25, '-f', "$folder/$reem.sql", '-f', "$folder/$cedar.sql" ],
            '>', \$out, '2>', \$error);
    }
    return (orders() - $before, $error);
}

my ($written, $said) = pgbench_over('extended');
is($written, 200, 'parse, bind, execute, a transaction in one pipeline: every one wrote its order') or diag $said;
unlike($said, qr/error|abort/i, 'none failed, so none saw another tenant\'s row');
# Older ones send EXECUTE to a connection that never saw PREPARE, and then pgbench may wait for ever.
if ($few->{version} >= 1.21) {
    ($written, $said) = pgbench_over('prepared');
    is($written, 200, 'statements prepared by the protocol: every transaction wrote its order') or diag $said;
    unlike($said, qr/error|abort/i, 'none failed, so none saw another tenant\'s row');
}
else {
    note "PgBouncer $few->{version} cannot keep statements prepared by the protocol";
}
is($node->safe_psql($store, 'SELECT count(*) FROM orders WHERE customer_name::uuid <> tenant_id'), '0', 'every order is its client\'s tenant\'s');
is($node->safe_psql($store, "SELECT count(DISTINCT number), count(*) FILTER (WHERE number !~ '^CEDAR-[0-9]{4}\$') FROM orders WHERE tenant_id = '$cedar'"),
    $node->safe_psql($store, "SELECT count(*), 0 FROM orders WHERE tenant_id = '$cedar'"), 'numbers stay the tenant\'s own');
is($node->safe_psql($store, 'SELECT count(*) FROM check_revenue_metrics()'), '0', 'and the revenue is right');

# psql, each -c a transaction of its own, or all of them one.
{
    local %ENV = (%ENV, client_environment($node, $store, pooler => $one));
    my ($out, $error) = run_command([ 'psql', '-XAtq', '-1', '-c', "SELECT set_tenant('$reem')", '-c',
        'SELECT count(*) > 0, count(DISTINCT tenant_id) FROM orders' ]);
    is($out =~ s/^\n//r, 't|1', 'psql -1 -c ... -c ...: one transaction') or diag $error;
    ($out, $error) = run_command([ 'psql', '-XAtq', '-c', "SELECT set_tenant('$reem')", '-c', 'SELECT count(*) FROM orders' ]);
    is($out, '0', 'without -1 the second statement has no tenant');
    like($error, qr/transaction block/, 'and the first is refused');
}
done_testing();
