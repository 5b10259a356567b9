# SQLAlchemy over psycopg2 with the document's models: what the ORM sends as two tenants (test/clients/orm.py), and many
# requests of two tenants at once, directly and through PgBouncer (test/clients/load.py). CLIENT_SECONDS: how long each.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use RealClients;
use Test::More;

my $why = missing('sqlalchemy');
plan skip_all => $why if $why;

my $node = new_cluster('orm');
my @settings = ('{"timezone": "Asia/Riyadh", "order_number_format": "{TENANT}-{SEQ:4}"}', '{}');

# A store with two tenants; returns its name and what the scripts want to know.
sub new_store {
    my ($name) = @_;
    my $store = create_store($node, $name);
    my @ids = map { add_tenant($node, $store, slug => qw(reem cedar)[$_], settings => $settings[$_]) } 0, 1;
    return ($store, TENANTS => "$ids[0]=reem $ids[1]=cedar");
}

run_checks('orm.py', $node, new_store('mapped'));

my @load = (SECONDS => $ENV{CLIENT_SECONDS} // 5, SEED => $ENV{CLIENT_SEED} // 0);
subtest 'eight threads, two tenants, directly' => sub { run_checks('load.py', $node, new_store('direct'), @load) };

SKIP: {
    my $no_pooler = missing('pgbouncer');
    skip $no_pooler, 2 if $no_pooler;
    my $pooler = start_pgbouncer($node, pool_size => 2);
    subtest 'eight threads, two tenants, through PgBouncer over two connections' =>
        sub { run_checks('load.py', $node, new_store('pooled'), @load, pooler => $pooler) };
    unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/PANIC|server process .* was terminated/, 'no server process ended badly');
}
done_testing();
