# The extension in two databases of one cluster and in a schema of its own, as an application's login role sees it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use Test::More;

my $node = new_cluster('stores');
my $public = create_store($node, 'store_public');
my $shop = create_store($node, 'store_shop', schema => 'shop');
$node->safe_psql('postgres', qq{ALTER ROLE app_login IN DATABASE "$shop" SET search_path = shop});
$node->safe_psql($shop, 'GRANT USAGE ON SCHEMA shop TO brainsait_app');

my %tenant = (
    $public => add_tenant($node, $public, slug => 'riyadh', settings => '{"timezone": "Asia/Riyadh"}'),
    $shop => add_tenant($node, $shop, slug => 'austin', schema => 'shop'));

for my $database ($public, $shop) {
    my ($rows, $error, $state) = run_as($node, $database, 'app_login', 'SELECT count(*) FROM tenants');
    is("$rows $state", '0 ', "$database: without a tenant the application sees nothing") or diag $error;

    ($rows, $error, $state) = run_in_tenant($node, $database, $tenant{$database}, 'SELECT slug FROM tenants');
    is($rows, $database eq $public ? 'riyadh' : 'austin', "$database: with a tenant it sees that one") or diag $error;

    my ($other) = grep { $_ ne $database } $public, $shop;
    ($rows, $error, $state) = run_in_tenant($node, $database, $tenant{$other}, 'SELECT 1');
    is($state, '28000', "$database: a tenant of the other database is refused") or diag $error;
}

my ($rows, $error, $state) = run_as($node, $public, 'app_login', "SELECT set_tenant('$tenant{$public}')");
is($state, '25P01', 'outside a transaction block set_tenant is refused') or diag $error;

my $session = open_session($node, $shop, 'app_login');
my ($seen, $failed) = $session->query("BEGIN; SELECT set_tenant('$tenant{$shop}') IS NULL; SELECT current_tenant()");
like($seen, qr/\Q$tenant{$shop}\E/, 'an open session keeps its tenant inside the transaction');
$session->query('COMMIT');
($seen, $failed) = $session->query('SELECT current_tenant() IS NULL');
is($seen, 't', 'and has none after it');
$session->quit;

done_testing();
