# Attacks by a login role of the application, as tenant Acme, on tenant Bazaar; then the same attacks on stores
# with a part of the wall torn down, to show that this test can fail. The attacks stand in lib/StoreAttacks.pm.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use StoreAttacks;
use AttackedStore;
use Test::More;

my $node = new_cluster('attacked');
my $store = create_store($node, 'attacked');
my ($acme, $bazaar) = (acme, bazaar);
my @attacks = attacks();

fill_attacked_store($node, $store);

# A session of the same login with Bazaar set, for what sessions may see of each other.
my $other = open_session($node, $store, 'app_login');
$other->query("BEGIN; SELECT set_tenant('$bazaar')");
$other->query('COMMIT');
$other->query("SELECT 'bzr says'");
my $superuser = $node->background_psql('postgres');

my $before = checksums($node, $store);
cmp_ok(scalar(() = $before =~ /\n/g), '>=', 16, 'checksums cover every table and partition');
unlike($before, qr/^(?:orders|users|revenue_metrics)\|0\|/m, 'and there are rows to lose');
cmp_ok(scalar @attacks, '>=', 90, scalar(@attacks) . ' attacks');
is($node->safe_psql($store, 'SELECT count(*) FROM isolation_report()'), '0', 'the report is empty');

my %group;
for my $attack (@attacks) { push @{ $group{ $attack->{group} } }, $attack }
for my $name (sort keys %group) {
    subtest $name => sub {
        for my $attack (@{ $group{$name} }) {
            my ($met, $leaked, $what) = run_attack($node, $store, $attack);
            my $title = $attack->{name} . ($attack->{residue} ? " (residue: $attack->{residue})" : '');
            ok($met && !$leaked, $title) or diag $what;
        }
    };
}
is(checksums($node, $store), $before, 'every row of Bazaar\'s is what it was');
is($node->safe_psql($store, 'SELECT count(*) FROM check_revenue_metrics()'), '0', 'and so is everybody\'s revenue');

# The application may execute these functions of the extension and no other, but for those that only compute:
# aggregates, and what is immutable.
is($node->safe_psql($store, <<'SQL'), <<'LIST' =~ s/\n\z//r, 'functions that the application may execute');
SELECT p.proname FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass
JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'brainsait' AND d.deptype = 'e'
WHERE has_function_privilege('app_login', p.oid, 'EXECUTE') AND p.prokind <> 'a' AND p.provolatile <> 'i' ORDER BY 1;
SQL
category_performance
check_revenue_metrics
cohort_report
conversion_funnel
current_tenant
customer_summary
daily_trend
emit_event
filter_products
find_orders
isolation_report
lifetime_value
next_order_number
order_analytics
order_number_is_valid
orders_by_metadata
parse_product_cursor
payment_analytics
product_cursor
product_page
product_query
products_by_filters
products_by_text
report_period
require_report_limit
resolve_tenant
revenue_customer
revenue_deltas_from
revenue_growth
rotate_webhook_secret
search_products
session_report
set_tenant
set_tenant_token
token_database
top_customers
top_products
uuid_v7
LIST

$other->quit;

# The attacks that a broken part concerns, where it is broken. harmless: what the design makes of it.
my $open_orders = <<'SQL';
ALTER POLICY tenant_wall ON orders USING (true) WITH CHECK (true);
ALTER POLICY tenant_access ON orders USING (true) WITH CHECK (true);
SQL
my @sabotage = (
    { name => 'an open wall on orders', sql => $open_orders, on => qr/orders/, leaks => 1, writes => 1 },
    { name => 'row security off on orders', sql => 'ALTER TABLE orders DISABLE ROW LEVEL SECURITY', on => qr/orders/, leaks => 1, writes => 1 },
    { name => 'an open wall on events', sql => $open_orders =~ s/orders/analytics_events/gr, on => qr/analytics_events/, leaks => 1, writes => 1 },
    { name => 'no force on orders', sql => 'ALTER TABLE orders NO FORCE ROW LEVEL SECURITY', on => qr/of_owner|count\(\*\) FROM orders/, writes => 1,
        harmless => 'the application is not the owner: only what runs as the owner gets through' },
    { name => 'the wall dropped', sql => 'DROP POLICY tenant_wall ON orders', on => qr/^(?!DROP POLICY).*orders/s, writes => 1, closed => 1,
        harmless => 'for reading: the permissive policy asks the same there, and leaves new rows to the wall' },
    { name => 'grants on partitions', sql => 'GRANT SELECT, INSERT ON analytics_events_default TO brainsait_app', on => qr/events_default/,
        harmless => 'partitions have walls of their own: what gets through is one\'s own', kept => 1 },
    { name => 'an open partition with a grant', on => qr/events_default/, leaks => 1, writes => 1,
        sql => 'GRANT ALL ON analytics_events_default TO brainsait_app;' . $open_orders =~ s/orders/analytics_events_default/gr },
    { name => 'grants on rollups and secrets', on => qr/revenue_|webhooks|integrations/, kept => 1,
        sql => 'GRANT SELECT, INSERT, UPDATE, DELETE ON revenue_metrics, revenue_customers, webhooks, integrations TO brainsait_app',
        harmless => 'one\'s own rollup and secrets only' },
    { name => 'a grant of everything', sql => 'GRANT ALL ON ALL TABLES IN SCHEMA public TO brainsait_app', on => qr/TRUNCATE/, writes => 1 },
    { name => 'the application as operator', sql => 'GRANT brainsait_operator TO app_login', undo => 'REVOKE brainsait_operator FROM app_login',
        on => qr/SET ROLE|rebuild|FROM (?:orders|users)|UPDATE (?:orders|users)/, kept => 1,
        harmless => 'the restrictive wall holds a member of both: SET ROLE is needed' },
    { name => 'the application as owner', sql => 'GRANT brainsait_owner TO app_login', undo => 'REVOKE brainsait_owner FROM app_login',
        on => qr/orders|order_number/, writes => 1 },
    { name => 'a login that bypasses row security', sql => 'ALTER ROLE app_login BYPASSRLS', undo => 'ALTER ROLE app_login NOBYPASSRLS',
        on => qr/users|tenants/, leaks => 1, writes => 1 },
    { name => 'EXECUTE on every function', sql => 'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO brainsait_app', on => qr/fill_tenant|rebuild|ensure/ },
);
my @repeated = grep { !$_->{residue} && $_->{group} =~ /^(?:reading|writing|rollups|privileges|the extension)/ } @attacks;
my $number = 0;
for my $sabotage (@sabotage) {
    my $database = 'sabotaged_' . ++$number;
    $node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE $store; GRANT TEMPORARY ON DATABASE $database TO brainsait_app");
    $node->safe_psql($database, $sabotage->{sql});
    subtest $sabotage->{name} => sub {
        isnt($node->safe_psql($database, 'SELECT count(*) FROM isolation_report()'), '0', 'the report tells') unless $sabotage->{name} =~ /EXECUTE/;
        my $rows = checksums($node, $database);
        my (@through, @leaks);
        my @concerned = grep { $_->{sql} =~ $sabotage->{on} } @repeated;
        for my $attack (@concerned) {
            my ($met, $leaked) = run_attack($node, $database, $attack);
            push @through, $attack->{name} unless $met && !$leaked;
            push @leaks, $attack->{name} if $leaked;
        }
        note scalar(@through), " of ", scalar(@concerned), " attacks get through: ", join('; ', @through);
        note "harmless: $sabotage->{harmless}" if $sabotage->{harmless};
        cmp_ok(scalar @through, '>', 0, scalar(@through) . ' attacks get through');
        is(scalar @leaks, 0, 'none of them tells a value of Bazaar\'s') if $sabotage->{closed};
        cmp_ok(scalar @leaks, '>', 0, scalar(@leaks) . ' of them tell values of Bazaar\'s') if $sabotage->{leaks};
        isnt(checksums($node, $database), $rows, 'Bazaar\'s rows change') if $sabotage->{writes};
        is(checksums($node, $database), $rows, 'Bazaar\'s rows do not change') if $sabotage->{kept};
    };
    $node->safe_psql($database, $sabotage->{undo}) if $sabotage->{undo};
    $node->safe_psql('postgres', "DROP DATABASE $database");
}

$superuser->quit;
done_testing();
