package WebhookEndpoints;

# Endpoints for tests of the webhook dispatcher: processes of test/clients/webhook_receiver.py on loopback, the webhooks
# that lead to them, and what became of deliveries.
#
#   my $receiver = start_receiver('name', tls => [certificate, key], port => 0);
#   my $hook = add_webhook($node, $db, $tenant, $url, 'test.ok');     # id of a webhook with the receivers' secret
#   emit($node, $db, $tenant, 'test.ok', 3);                          # three events
#   settle($node, $db, 'every delivery is delivered or dead');
#   my @requests = requests($receiver, '/ok');
#
# A test is skipped as a whole where there is no python3, or where the dispatcher's library is not installed.

use strict;
use warnings;

use Exporter 'import';
use FindBin;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use StoreCluster;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(start_receiver stop_receiver requests connections add_webhook emit settle outcome answers_within dispatchers);

IPC::Run::run([ $ENV{PG_CONFIG} // 'pg_config', '--pkglibdir' ], '>', \my $folder) or die 'pg_config does not run';
chomp $folder;
plan skip_all => 'brainsait_dispatcher is not installed' unless -e "$folder/brainsait_dispatcher.so";
plan skip_all => 'there is no python3' unless IPC::Run::run([ 'python3', '-c', 'import ssl, http.server' ], '>', \my $out, '2>', \my $err);

# What every endpoint here is given.
our $secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

# Whatever becomes of a test, none of its receivers outlives it.
my @started;

END {
    my $status = $?;
    stop_receiver($_) for @started;
    $? = $status;
}

# start_receiver(name, [port => number], [tls => [certificate, key]]): a receiver that listens.
sub start_receiver {
    my ($name, %options) = @_;
    my $log = "${PostgreSQL::Test::Utils::tmp_check}/$name.jsonl";
    my $receiver = { log => $log, out => '', name => $name, scheme => $options{tls} ? 'https' : 'http' };
    $receiver->{process} = IPC::Run::start(
        [ 'python3', "$FindBin::RealBin/../clients/webhook_receiver.py", $log, $secret, $options{port} // 0, @{ $options{tls} // [] } ],
        '>', \$receiver->{out}, IPC::Run::timer(300));
    push @started, $receiver;
    my $start = time;
    IPC::Run::pump($receiver->{process}) until $receiver->{out} =~ /^(\d+)\n/ || time - $start > 60;
    $receiver->{out} =~ /^(\d+)\n/ or die "the receiver $name does not listen";
    $receiver->{port} = $1;
    $receiver->{url} = "$receiver->{scheme}://localhost:$1";
    return $receiver;
}

# stop_receiver(receiver): at once, in the middle of whatever it does.
sub stop_receiver {
    my ($receiver) = @_;
    IPC::Run::kill_kill($receiver->{process}, grace => 0) if $receiver->{process};
    delete $receiver->{process};
    return;
}

sub entries {
    my ($receiver, $kind) = @_;
    return () unless -e $receiver->{log};
    return grep { $_->{kind} eq $kind } map { decode_json($_) } split /\n/, slurp_file($receiver->{log});
}

# requests(receiver, [path]): those that have been answered, or given up.
sub requests {
    my ($receiver, $path) = @_;
    return grep { !defined $path || $_->{path} eq $path } entries($receiver, 'request');
}

sub connections {
    my ($receiver) = @_;
    return scalar(entries($receiver, 'connection'));
}

# add_webhook(node, database, tenant, url, event...): the id of an endpoint that wants these events.
sub add_webhook {
    my ($node, $store, $tenant, $url, @events) = @_;
    my $events = join ', ', map { "'$_'" } @events;
    return $node->safe_psql($store,
        "INSERT INTO webhooks (tenant_id, url, events, secret) VALUES ('$tenant', '$url', ARRAY[$events], '$secret') RETURNING id");
}

# emit(node, database, tenant, event, [times]): events of the application's own.
sub emit {
    my ($node, $store, $tenant, $event, $times) = @_;
    my ($out, $err, $state) = run_in_tenant($node, $store, $tenant,
        "SELECT sum(emit_event('$event', jsonb_build_object('id', gen_random_uuid(), 'number', n, 'name', 'قهوة'))) FROM generate_series(1, "
          . ($times // 1) . ') AS n');
    is($state, '', "events $event") or diag $err;
    return;
}

# answers_within(node, seconds, database, query, name, [answer]): the query gives the answer, before so many seconds are over.
sub answers_within {
    my ($node, $seconds, $database, $query, $name, $answer) = @_;
    $answer //= 't';
    my $start = time;
    my $found = '';
    while (time - $start < $seconds) {
        $found = $node->safe_psql($database, $query);
        last if $found eq $answer;
        sleep 0.1;
    }
    is($found, $answer, $name)
      or diag $node->safe_psql('postgres', 'SELECT pid, datname, backend_type, state, wait_event, query FROM pg_stat_activity');
    return;
}

# settle(node, database, name): no delivery is due or under way any more; those that wait for a later attempt may stay.
sub settle {
    my ($node, $store, $name) = @_;
    answers_within($node, 60, $store,
        "SELECT NOT EXISTS (SELECT FROM webhook_deliveries WHERE status = 'leased' OR status = 'pending' AND next_attempt_at <= clock_timestamp())", $name);
    return;
}

# outcome(node, database, webhook): of its only delivery: status, response_status, failures, error, separated by |.
sub outcome {
    my ($node, $store, $hook) = @_;
    return $node->safe_psql($store, "SELECT status, response_status, failures, error FROM webhook_deliveries WHERE webhook_id = '$hook'");
}

# dispatchers(database): a query for how many it has.
sub dispatchers {
    my ($store) = @_;
    return "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'brainsait webhook dispatcher' AND datname = '$store'";
}

1;
