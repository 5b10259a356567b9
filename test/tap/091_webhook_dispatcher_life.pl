# The dispatcher's life: who starts and ends it, what it survives, that nobody waits for it, and that nothing which was
# acknowledged is sent again, whatever is killed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use WebhookEndpoints;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = new_cluster('life', streaming => 1, start => 0, conf => <<'CONF');
fsync = off
shared_preload_libraries = 'brainsait_dispatcher'
brainsait_dispatcher.databases = 'shop, "Second Shop", shop'
brainsait_dispatcher.allow_local = on
brainsait_dispatcher.requests_per_second = 0
brainsait_dispatcher.naptime = 500ms
CONF
$node->start;
my $receiver = start_receiver('life');

# A statement as a superuser: it succeeds, and before the dispatcher's requests, which take 6 s, end.
sub succeeds_at_once {
    my ($sql, $name) = @_;
    my $start = time;
    my ($status, $out, $err) = $node->psql('postgres', $sql);
    is($status, 0, $name) or diag $err;
    note sprintf '%.2f s', time - $start;
    return;
}

# Every event was acknowledged, and none of them sent again, but for as many as could be under way when the server or the
# receiver, which writes an answer down before it sends it, ended. At a server's end that is none where answers come within
# the moment that is waited for; a machine that is busy may take longer.
sub is_each_once {
    my ($path, $count, $name, $under_way) = @_;
    my %acknowledged;
    $acknowledged{ $_->{id} }++ for grep { $_->{status} == 200 } requests($receiver, $path);
    is(scalar(keys %acknowledged), $count, "$name: every event was acknowledged");
    cmp_ok(scalar(grep { $_ > 1 } values %acknowledged), '<=', $under_way // 0, 'and none was sent after that');
    return;
}

# 1. A dispatcher that is configured waits for its database and for the extension in it.
my $shop = create_store($node, 'shop');
answers_within($node, 40, 'postgres', dispatchers('shop'), 'a database that comes later gets its dispatcher', 1);
is($node->safe_psql('postgres', q{SELECT current_setting('brainsait_dispatcher.databases')}), 'shop, "Second Shop", shop', 'named twice, it has one');
my $tenant = add_tenant($node, $shop, slug => 'riyadh');
add_webhook($node, $shop, $tenant, "$receiver->{url}/ok", 'test.ok');
emit($node, $shop, $tenant, 'test.ok', 5);
settle($node, $shop, 'it sends what is emitted');
is_each_once('/ok', 5, 'at first');

# 2. Stopped and started by hand, by an operator alone.
$node->safe_psql($shop, 'CREATE ROLE helper LOGIN IN ROLE brainsait_operator');
is((run_as($node, $shop, 'app_login', 'SELECT stop_webhook_dispatcher()'))[2], '42501', 'the application cannot stop it');
is((run_as($node, $shop, 'app_login', 'SELECT start_webhook_dispatcher()'))[2], '42501', 'nor start it');
is((run_as($node, $shop, 'helper', 'SELECT stop_webhook_dispatcher()'))[0], 't', 'an operator stops it');
is($node->safe_psql('postgres', dispatchers($shop)), 0, 'it has gone');
is((run_as($node, $shop, 'helper', 'SELECT stop_webhook_dispatcher()'))[0], 'f', 'there is none to stop');
emit($node, $shop, $tenant, 'test.ok', 5);
is($node->safe_psql($shop, q{SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'}), 5, 'nothing is sent');
is((run_as($node, $shop, 'helper', 'BEGIN; SELECT start_webhook_dispatcher(); SELECT stop_webhook_dispatcher(); SELECT start_webhook_dispatcher(); COMMIT'))[0],
    "t\nt\nt", 'started, stopped and started in one transaction');
settle($node, $shop, 'what waited is sent');
is_each_once('/ok', 10, 'after that');

# 3. Killed, it comes back; requests that were under way are sent again when their lease is over.
add_webhook($node, $shop, $tenant, "$receiver->{url}/hold/6", 'test.hold');
emit($node, $shop, $tenant, 'test.hold', 1);
answers_within($node, 30, $shop, q{SELECT count(*) FROM webhook_deliveries WHERE status = 'leased'}, 'a request is under way', 1);
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'brainsait webhook dispatcher' AND datname = 'shop'});
answers_within($node, 10, 'postgres', dispatchers($shop), 'terminated, it leaves', 0);
answers_within($node, 40, 'postgres', dispatchers($shop), 'and comes back', 1);
is($node->safe_psql($shop, q{SELECT count(*) FROM webhook_deliveries WHERE status = 'leased'}), 1, 'the lease goes on');
$node->safe_psql($shop, q{UPDATE webhook_deliveries SET next_attempt_at = now() WHERE status = 'leased'});
answers_within($node, 60, $shop, q{SELECT status, attempt_count FROM webhook_deliveries WHERE event_type = 'test.hold'}, 'and when it is over, another attempt succeeds', 'delivered|2');

# 4. Under load everything is killed at some time: the receiver, the dispatcher, the server. 200 events.
add_webhook($node, $shop, $tenant, "$receiver->{url}/hold/0.05", 'test.load');
my $again = q{UPDATE webhook_deliveries SET next_attempt_at = now(), failures = 0 WHERE status IN ('pending', 'leased')};
emit($node, $shop, $tenant, 'test.load', 100);
my $start = time;
sleep 0.02 until requests($receiver, '/hold/0.05') >= 20 || time - $start > 30;
stop_receiver($receiver);
answers_within($node, 60, $shop, q{SELECT count(*) > 0 FROM webhook_deliveries WHERE status = 'pending' AND error LIKE 'no connection%'}, 'the receiver is killed: deliveries fail');
$receiver = start_receiver('life', port => $receiver->{port});
$node->safe_psql($shop, $again);
settle($node, $shop, 'started again, it gets the rest');
is($node->safe_psql($shop, q{SELECT count(*) FROM webhook_deliveries WHERE event_type = 'test.load' AND status = 'delivered'}), 100, 'all of it');
is_each_once('/hold/0.05', 100, 'a receiver killed', 4);
emit($node, $shop, $tenant, 'test.load', 100);
$start = time;
sleep 0.02 until requests($receiver, '/hold/0.05') >= 120 || time - $start > 30;
$node->stop('fast');
# A worker that is in the middle of a statement ends with PostgreSQL's own words.
my $log = slurp_file($node->logfile);
is(join("\n", grep { /(?:FATAL|PANIC): / && !/database "(?:shop|Second Shop)" does not exist|due to administrator command/ } split /\n/, $log), '', 'the server ends while it sends: quietly');
$node->start;
answers_within($node, 40, 'postgres', dispatchers($shop), 'it starts with the server', 1);
$node->safe_psql($shop, $again);
settle($node, $shop, 'and goes on');
is($node->safe_psql($shop, q{SELECT count(*) FROM webhook_deliveries WHERE event_type = 'test.load' AND status = 'delivered'}), 200, 'to the end');
is_each_once('/hold/0.05', 200, 'a server stopped', 8);

# 5. An error in the database is reported and tried again.
$node->safe_psql($shop, 'ALTER FUNCTION claim_webhook_deliveries RENAME TO hidden');
emit($node, $shop, $tenant, 'test.ok', 1);
sleep 1;
is($node->safe_psql('postgres', dispatchers($shop)), 1, 'a store without the function to claim by: it waits');
$node->safe_psql($shop, 'ALTER FUNCTION hidden RENAME TO claim_webhook_deliveries; REVOKE EXECUTE ON FUNCTION claim_webhook_deliveries FROM brainsait_operator');
$start = time;
sleep 0.1 until slurp_file($node->logfile) =~ /permission denied for function claim_webhook_deliveries/ || time - $start > 40;
like(slurp_file($node->logfile), qr/ERROR:  permission denied for function claim_webhook_deliveries/, 'an error is in the log');
is($node->safe_psql('postgres', dispatchers($shop)), 1, 'and does not end it');
$node->safe_psql($shop, 'GRANT EXECUTE ON FUNCTION claim_webhook_deliveries TO brainsait_operator');
settle($node, $shop, 'repaired, it goes on by itself');

# 6. Nobody waits for it to leave a database, not even while a request is under way.
emit($node, $shop, $tenant, 'test.hold', 1);
answers_within($node, 30, $shop, q{SELECT count(*) FROM webhook_deliveries WHERE status = 'leased'}, 'a request is under way', 1);
succeeds_at_once('CREATE DATABASE copy TEMPLATE shop', 'CREATE DATABASE ... TEMPLATE');
is($node->safe_psql('postgres', dispatchers('copy')), 0, 'the copy sends nothing unasked');
is($node->safe_psql('copy', 'SELECT start_webhook_dispatcher()'), 't', 'asked, it has a dispatcher');
answers_within($node, 40, 'postgres', dispatchers($shop), 'the template has its own again', 1);
succeeds_at_once('DROP DATABASE copy', 'DROP DATABASE');
$node->safe_psql($shop, 'DROP EXTENSION brainsait CASCADE');
sleep 1.5;
is($node->safe_psql('postgres', dispatchers($shop)), 1, 'the extension dropped: one that is configured waits');
$node->safe_psql('postgres', 'CREATE DATABASE third');
$node->safe_psql('third', 'CREATE EXTENSION brainsait');
is($node->safe_psql('third', 'SELECT start_webhook_dispatcher()'), 't', 'one that was started by hand');
$node->safe_psql('third', 'DROP EXTENSION brainsait CASCADE');
answers_within($node, 20, 'postgres', dispatchers('third'), 'leaves', 0);
succeeds_at_once('DROP DATABASE shop', 'DROP DATABASE of one that is configured');

# 7. A standby sends nothing; promoted, it does.
my $primary_store = create_store($node, 'Second Shop');
$tenant = add_tenant($node, $primary_store, slug => 'riyadh');
add_webhook($node, $primary_store, $tenant, "$receiver->{url}/ok", 'test.ok');
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
# The copy of a backup is open to others, and keys that are so are not used.
chmod 0600, $standby->data_dir . '/credential_keys' or die $!;
$standby->start;
is($standby->safe_psql('postgres', dispatchers($primary_store)), 0, 'a standby has no dispatcher');
is((run_as($standby, $primary_store, $standby->safe_psql('postgres', 'SELECT current_user'), 'SELECT start_webhook_dispatcher()'))[2], '25006', 'nor may it be started');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
$node->stop('immediate');
$standby->promote;
answers_within($standby, 40, 'postgres', dispatchers($primary_store), 'promoted, it has one', 1);
emit($standby, $primary_store, $tenant, 'test.ok', 3);
settle($standby, $primary_store, 'which sends');
is($standby->safe_psql($primary_store, q{SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'}), 3, 'everything');
# The server's end does not wait for a request that is under way.
add_webhook($standby, $primary_store, $tenant, "$receiver->{url}/hold/14", 'test.long');
emit($standby, $primary_store, $tenant, 'test.long');
answers_within($standby, 30, $primary_store, q{SELECT count(*) FROM webhook_deliveries WHERE status = 'leased'}, 'a request is under way', 1);
my $stopping = time;
$standby->stop('fast');
note sprintf 'the server stopped in %.2f s', time - $stopping;
is(scalar(requests($receiver, '/hold/14')), 0, 'the server has stopped before its answer');
stop_receiver($receiver);

done_testing();
