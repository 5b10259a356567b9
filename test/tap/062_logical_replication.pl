# All tables of a store, published to a second store that is installed: the rollup comes with them and nothing is counted
# twice, at first, while it streams, and once the subscriber has taken over.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use StoreRows;
use StoreWhole;
use RevenueLoad;
use RevenueScripts;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{REVENUE_SEED} // (time % 1_000_000);
note "seed $seed";
my $publisher = new_cluster('publisher', streaming => 1, conf => "fsync = off\nwal_level = logical\nbrainsait.rollup_naptime = 20ms\n");
# A worker that would fold whatever is pending, if it were its to fold.
my $subscriber = new_cluster('subscriber', streaming => 1, conf => "fsync = off\nwal_level = logical\nshared_preload_libraries = 'brainsait'\n"
      . "brainsait.rollup_databases = 'store'\nbrainsait.rollup_naptime = 10ms\n");
my $store = create_store($publisher, 'store');
create_store($subscriber, 'store');
fill_store($publisher, $store, 'public');
my $folder = PostgreSQL::Test::Utils::tempdir();

# A login that reads past the wall, and no more.
$publisher->safe_psql($store, <<'SQL');
CREATE ROLE replicator LOGIN REPLICATION BYPASSRLS IN ROLE pg_read_all_data;
CREATE PUBLICATION store FOR ALL TABLES WITH (publish_via_partition_root = true);
SQL
# Since 16 rows are applied as each table's owner, whom the wall stops, unless told otherwise.
my $as_owner = $subscriber->pg_version >= 16 ? ' WITH (run_as_owner = true)' : '';
$subscriber->safe_psql($store, "CREATE SUBSCRIPTION store CONNECTION '" . $publisher->connstr . " dbname=store user=replicator' PUBLICATION store$as_owner");

sub catch_up {
    $publisher->wait_for_catchup('store', 'replay', $publisher->lsn('insert'));
    $subscriber->poll_query_until($store, "SELECT count(*) > 15 AND bool_and(srsubstate IN ('r', 's')) FROM pg_subscription_rel")
      or die 'the tables are not there: ' . slurp_file($subscriber->logfile);
    $publisher->wait_for_catchup('store', 'replay', $publisher->lsn('insert'));
    return;
}
sub fold {
    $publisher->safe_psql($store, 'SELECT fold_revenue_deltas()');
    catch_up();
    return;
}
# Sequences are not published.
sub check_same {
    my ($name) = @_;
    my $rows = table_rows($publisher, $store, 'public');
    same_rows(table_rows($subscriber, $store, 'public'), $rows, "$name: every row", except => [ grep { /_seq/ } keys %$rows ]);
    store_is_whole($subscriber, $store, 'public', $name);
    return $rows;
}
catch_up();
fold();
check_same('first copy');
is($subscriber->safe_psql($store, 'SELECT key FROM order_number_key'), $publisher->safe_psql($store, 'SELECT key FROM order_number_key'),
    'first copy: the publisher\'s key has taken the place of the new store\'s');

# A customer who comes again on one day, to sessions that do not know of the first time: a row that the publisher tries to
# insert beside the one there is, and takes back, must not arrive.
$publisher->safe_psql($store, "INSERT INTO orders (tenant_id, total, customer_email, created_at) VALUES ('$tenant_a', $_, 'again\@example.com', '2026-04-01 12:00+00')")
  for 1 .. 3;
catch_up();
is($subscriber->safe_psql($store, "SELECT order_count, customer_count FROM revenue_metrics_live WHERE tenant_id = '$tenant_a' AND date = '2026-04-01'"), '3|1',
    'streaming: a customer who comes again');

# Random changes of orders and payments, with refunds, moved days, deletes and TRUNCATE; and of the rest by hand.
my $shops = { tenants => [ $tenant_a, $tenant_b ], users => {
    map { ($_ => [ split /\n/, $publisher->safe_psql($store, "SELECT id FROM users WHERE tenant_id = '$_' LIMIT 3") ]) } $tenant_a, $tenant_b } };
my @children;
for my $session (1 .. 3) {
    srand($seed * 100 + $session);
    append_to_file("$folder/$session.sql", join '', map { transaction($shops, session => $session, number => $_, may_truncate => $session == 1 && $_ < 20) } 1 .. 40);
    push @children, start_psql($publisher, $store, "$folder/$session.sql", 'postgres', 'writer');
}
my ($compared, $differing) = (0, '');
while (grep { !defined $_->{status} } @children) {
    for my $child (grep { !defined $_->{status} } @children) {
        $child->{status} = $? if waitpid($child->{pid}, POSIX::WNOHANG()) == $child->{pid};
    }
    $differing .= rollup_differences($subscriber, $store, 'public');
    ++$compared;
}
wait_for_psql('streaming', @children);
is($differing, '', "streaming: the rollup is right at any moment ($compared times)");
$publisher->safe_psql($store, <<"SQL");
UPDATE tenants SET settings = settings || '{"timezone": "America/New_York"}' WHERE id = '$tenant_b';
INSERT INTO tenants (id, name, slug) VALUES ('cccccccc-0000-4000-8000-000000000000', 'Passing', 'passing'), ('dddddddd-0000-4000-8000-000000000000', 'Staying', 'staying');
INSERT INTO orders (tenant_id, total) SELECT id, 9 FROM tenants;
DELETE FROM tenants WHERE slug = 'passing';
UPDATE analytics_events SET event_type = 'seen' WHERE "timestamp" < now();
DELETE FROM analytics_events WHERE "timestamp" < '2012-01-01';
UPDATE webhook_deliveries SET attempt_count = 3;
CALL archive_orders('100 years');
SQL
fold();
my $rows = check_same('streamed');
isnt($rows->{$_}, '', "streamed: there are rows of $_") for qw(orders payments revenue_metrics analytics_events);

# What is pending there is pending here, for as long as it is the publisher's to fold.
$publisher->append_conf('postgresql.conf', 'brainsait.rollup_naptime = 0');
$publisher->reload;
$publisher->poll_query_until($store, "SELECT current_setting('brainsait.rollup_naptime') = '0'") or die;
$publisher->safe_psql($store, "BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO orders (tenant_id, total) SELECT '$tenant_a', n FROM generate_series(1, 5) AS n; COMMIT");
catch_up();
ok($subscriber->poll_query_until($store, "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'brainsait rollup worker'"), 'pending: a worker is there');
$subscriber->safe_psql($store, 'SELECT pg_sleep(0.5)');
is($subscriber->safe_psql($store, 'SELECT count(*) FROM revenue_deltas'), '5', 'pending: and leaves it to the publisher');
check_same('pending');
for my $own ('fold_revenue_deltas()', "rebuild_revenue_metrics('$tenant_a')") {
    my ($out, $err, $state) = run_as($subscriber, $store, 'postgres', "SELECT $own");
    is($state, '55000', "pending: $own is refused");
    like($err, qr/a subscription brings the revenue rollup\nHINT: .*on the publisher/, 'and says where it is done');
}
my ($out) = run_in_tenant($subscriber, $store, $tenant_a, 'SELECT count(DISTINCT tenant_id) FROM orders; SELECT sum(order_count) - (SELECT count(*) FROM orders WHERE created_at IS NOT NULL) FROM revenue_metrics_live');
is($out, "1\n0", 'pending: a tenant reads its rows, and exact revenue');

# The subscriber takes over. Its sequences stand where they stood: copied from the publisher, as long as there is one.
quiet([ 'pg_dump', '--data-only', '-t', 'order_code_sequence', '-t', 'revenue_deltas_id_seq', '-f', "$folder/sequences.sql", '-d', $publisher->connstr($store) ],
    'taking over: the sequences are read');
$subscriber->safe_psql($store, 'DROP SUBSCRIPTION store');
$publisher->stop;
quiet([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', "$folder/sequences.sql", '-d', $subscriber->connstr($store) ], 'taking over: and set');
ok($subscriber->poll_query_until($store, 'SELECT NOT EXISTS (SELECT FROM revenue_deltas)'), 'taken over: the worker folds');
store_is_whole($subscriber, $store, 'public', 'taken over');
$subscriber->safe_psql($store, "INSERT INTO orders (tenant_id, total) VALUES ('$tenant_a', 1)");
numbers_go_on($subscriber, $store, 'public', 'taken over');
is($subscriber->safe_psql($store, "SELECT sum(rebuild_revenue_metrics(id)) FROM tenants"), '0', 'taken over: a rebuild changes nothing');

# Where there is no publisher to ask, a sequence beyond every code of so many characters makes longer ones, which meet none.
is($subscriber->safe_psql($store, "SELECT max(length(substring(number FROM '^ORD-\\d{8}-(\\w+)\$'))) FROM orders"), '6', 'lost: codes of six characters');
$subscriber->safe_psql($store, "SELECT setval('order_code_sequence', (32 ^ 6)::bigint)");
($out) = run_in_tenant($subscriber, $store, $tenant_b, 'INSERT INTO orders (total) SELECT n FROM generate_series(1, 50) AS n RETURNING number');
is(scalar(grep { /^ORD-\d{8}-\w{7}$/ } split /\n/, $out), 50, 'lost: then codes of seven');

done_testing();
