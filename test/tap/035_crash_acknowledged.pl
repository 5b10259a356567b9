# Ten immediate stops in the middle of load: an order whose COMMIT the client saw is there after recovery, with its number,
# its item and its revenue; one that it did not see is there whole or not at all.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use StoreRows;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $clients = 6;
my $rounds = 10;
my $node = new_cluster('acknowledged', conf => "fsync = off\nbrainsait.rollup_naptime = 20ms\n");
my $store = create_store($node, 'store');
my @tenants = (
    add_tenant($node, $store, slug => 'seq', settings => '{"order_number_format": "{TENANT}-{SEQ:6}", "timezone": "Asia/Riyadh"}'),
    add_tenant($node, $store, slug => 'code'));
my $folder = PostgreSQL::Test::Utils::tempdir();

# What a client does: an order of two statements, and once its COMMIT has returned, the order's id on a line of its own.
sub order {
    my ($tenant, $n) = @_;
    return <<"SQL";
BEGIN;
SELECT set_tenant('$tenant') \\g /dev/null
INSERT INTO orders (total, currency, payment_status, customer_email) VALUES ($n % 97 + 1, 'SAR', 'paid', 'c' || $n % 13 || '\@example.com') RETURNING id AS order_id \\gset
INSERT INTO order_items (order_id, product_name, price, total) VALUES (:'order_id', 'thing', $n % 97 + 1, $n % 97 + 1);
COMMIT;
\\echo :order_id
SQL
}

my $script = "$folder/client";
for my $client (1 .. $clients) {
    my $tenant = $tenants[ $client % 2 ];
    append_to_file("$script.$client", join '', map { order($tenant, $_ * $clients + $client) } 1 .. 3000);
}

my ($acknowledged, $cut_short) = (0, 0);
for my $round (1 .. $rounds) {
    my @loads;
    for my $client (1 .. $clients) {
        my ($out, $err) = ('', '');
        push @loads, { out => \$out, err => \$err,
            run => IPC::Run::start([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-U', 'app_login', '-d', $node->connstr($store), '-f', "$script.$client" ],
                '<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(120)) };
    }
    # Until all of them have orders, and then some.
    my $until = time + 60;
    while (time < $until) {
        $_->{run}->pump_nb for @loads;
        last unless grep { ${ $_->{out} } !~ /\n.*\n/s } @loads;
        sleep 0.05;
    }
    sleep(0.1 + rand 0.5);
    $node->stop('immediate');
    for my $load (@loads) {
        $load->{run}->finish;
        $cut_short++ if ${ $load->{err} } =~ /server closed the connection|terminating connection|connection to server/;
    }
    $node->start;

    my @seen = grep { /^[0-9a-f-]{36}$/ } map { split /\n/, ${ $_->{out} } } @loads;
    $acknowledged += @seen;
    my $list = join ',', map { "'$_'" } @seen;
    is($node->safe_psql($store, "SELECT count(*) FROM unnest(ARRAY[$list]::uuid[]) AS seen (id) LEFT JOIN orders o USING (id) WHERE o.number IS NULL"),
        '0', "round $round: each of " . @seen . ' acknowledged orders is there');
    is($node->safe_psql($store, 'SELECT count(*) FROM orders o WHERE (SELECT sum(i.total) FROM order_items i WHERE i.order_id = o.id) IS DISTINCT FROM o.total'),
        '0', "round $round: no order without its item");
    is($node->safe_psql($store, 'SELECT number FROM orders GROUP BY number HAVING count(*) > 1'), '', "round $round: no number twice");
    is($node->safe_psql($store, q{SELECT count(*) - max(substr(number, 5)::integer) FROM orders WHERE number LIKE 'SEQ-%'}), '0', "round $round: {SEQ} without a gap");
    is(rollup_differences($node, $store, 'public'), '', "round $round: none is half counted");
}
cmp_ok($acknowledged, '>', $rounds * $clients, "$acknowledged orders were acknowledged");
is($cut_short, $rounds * $clients, 'and every client was cut short');
is($node->safe_psql($store, 'SELECT fold_revenue_deltas() >= 0'), 't', 'what is pending is folded');
is(rollup_differences($node, $store, 'public'), '', 'to the same');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP/, 'nothing but the stops went wrong');
done_testing();
