# Workers of webhooks that are not the dispatcher: the README's own, many at once of which one is killed, and fairness.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use RealClients;
use TenantTokens;
use WebhookEndpoints;
use JSON::PP;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => missing('psycopg2') if missing('psycopg2');
plan skip_all => 'there is no openssl' unless IPC::Run::run([ 'openssl', 'version' ], '>', \my $openssl, '2>', \my $no_openssl);

my $python = python('psycopg2');
my $folder = $PostgreSQL::Test::Utils::tmp_check;
my $secret = $WebhookEndpoints::secret;
my $node = new_cluster('workers', start => 0, conf => <<'CONF');
fsync = off
brainsait.credential_key_file = 'credential_keys'
CONF
key_file($node->data_dir . '/credential_keys', 1 => 'k' x 32);
$node->start;
my $store = create_store($node, 'shop');
$node->safe_psql($store, 'CREATE ROLE worker LOGIN IN ROLE brainsait_operator');
my $tenant = add_tenant($node, $store, slug => 'riyadh');

# What a command prints, its last line's end aside.
sub output_of {
    my ($command, $input) = @_;
    my ($out, $error);
    IPC::Run::run($command, '<', \($input // ''), '>', \$out, '2>', \$error, IPC::Run::timeout(60)) or diag $error;
    chomp $out;
    return $out;
}

# A process that may be killed; stopped at the end of the test, whatever becomes of it.
my @started;
sub start_process {
    my ($command, %environment) = @_;
    local %ENV = (%ENV, %environment);
    my $process = { out => '', error => '' };
    $process->{run} = IPC::Run::start($command, '<', \undef, '>', \$process->{out}, '2>', \$process->{error}, IPC::Run::timeout(300));
    push @started, $process;
    return $process;
}

sub kill_process {
    my ($process) = @_;
    my $run = delete $process->{run} or return;
    $run->signal('KILL');
    eval { $run->finish };
    return;
}

END {
    my $status = $?;
    kill_process($_) for @started;
    $? = $status;
}

# 1. The README's examples, as they stand there.
my $readme = slurp_file("$FindBin::RealBin/../../README.md");
my ($verify, $shell, $worker) =
  $readme =~ /^<!-- test\/tap\/092_webhook_workers\.pl runs these three\. -->\n```python\n(.*?)^```\n```sh\n(.*?)^```\n.*?^```python\n(.*?)^```\n/ms;
ok(defined $worker, 'the README has its three examples') or BAIL_OUT('the README has no examples of webhooks');

my $receiver = start_receiver('readme');
my $hook = add_webhook($node, $store, $tenant, "$receiver->{url}/ok", 'order.example');
emit($node, $store, $tenant, 'order.example');
my $example = start_process([ $python, '-c', $worker ], STORE => join ' ', 'host=' . $node->host, 'port=' . $node->port, "dbname=$store", 'user=worker');
settle($node, $store, 'the README\'s worker sends it');
emit($node, $store, $tenant, 'order.example', 2);
settle($node, $store, 'and goes on');
kill_process($example);
is($example->{error}, '', 'without an error');
is($node->safe_psql($store, 'SELECT status, attempt_count, response_status, count(*) FROM webhook_deliveries GROUP BY 1, 2, 3'), 'delivered|1|200|3', 'all are delivered');
# The receiver writes down what it has answered already.
for (1 .. 100) { last if requests($receiver, '/ok') >= 3; sleep 0.1 }
my ($request, @more) = requests($receiver, '/ok');
is(scalar(@more), 2, 'each was sent once');
ok($request->{valid}, 'the receiver finds both signatures right');

# is_genuine() of the request that came, and of such that differ in one thing.
my $ask = <<'PYTHON';
import email.message, json, sys
asked = json.load(sys.stdin)
def ask(name, secret=asked["secret"], body=asked["body"].encode(), **changed):
    headers = email.message.Message()
    for key, value in asked["headers"].items():
        headers[key] = changed.get(key.lower().replace("-", "_"), value)
    print(name, is_genuine(secret, headers, body))
ask("as it came")
ask("body", body=asked["body"].encode() + b" ")
ask("secret", secret="whsec_" + base64.b64encode(b"another").decode())
ask("secret-as-it-is", secret=asked["secret"].removeprefix("whsec_"))
ask("webhook-signature", webhook_signature="v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
ask("no_signature", webhook_signature="")
ask("X-BrainSAIT-Signature", x_brainsait_signature="0" * 64)
ask("webhook-id", webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek")
ask("webhook-timestamp", webhook_timestamp="1614265330")
PYTHON
is(output_of([ $python, '-c', "$verify\n$ask" ], encode_json({ secret => $secret, %$request{qw(headers body)} })), <<'ANSWERS' =~ s/\n\z//r,
as it came True
body False
secret False
secret-as-it-is False
webhook-signature False
no_signature False
X-BrainSAIT-Signature False
webhook-id False
webhook-timestamp False
ANSWERS
    'is_genuine() tells the request from all that differ');

my %headers = map { lc($_) => $request->{headers}{$_} } keys %{ $request->{headers} };
my $body_folder = PostgreSQL::Test::Utils::tempdir();
my $body = $request->{body};
utf8::encode($body);
append_to_file("$body_folder/body.json", $body);
{
    local $ENV{secret} = $secret;
    is(output_of([ 'sh', '-c', "cd '$body_folder' && $shell" ]), $headers{'x-brainsait-signature'}, 'the shell\'s line computes X-BrainSAIT-Signature');
}

# The example vector of Standard Webhooks, and the request's own signature, by openssl.
sub standard_signature {
    my ($message, $timestamp, $bytes) = @_;
    my $key = unpack 'H*', decode_base64($secret =~ s/^whsec_//r);
    return 'v1,' . encode_base64(pack('H*', (split ' ', output_of([ qw(openssl dgst -sha256 -mac HMAC -macopt), "hexkey:$key", '-r' ], "$message.$timestamp.$bytes"))[0]), '');
}
my @vector = ('msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}');
my $published = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
is(standard_signature(@vector), $published, 'openssl computes the published signature');
is($node->safe_psql($store, "SELECT webhook_signature('$secret', '$vector[0]', $vector[1], '$vector[2]')"), $published, 'so does webhook_signature()');
is($headers{'webhook-signature'}, standard_signature(@headers{qw(webhook-id webhook-timestamp)}, $body), 'and the request has what openssl computes');
stop_receiver($receiver);

# 2. A lease that ran out, one step after the other.
emit($node, $store, $tenant, 'order.example');
my @lapsed = split /\|/, $node->safe_psql($store, q{SELECT delivery_id, attempt FROM claim_webhook_deliveries(10, '1 microsecond')});
my @held = split /\|/, $node->safe_psql($store, q{SELECT delivery_id, attempt FROM claim_webhook_deliveries(10, '1 hour')});
is("@held", "$lapsed[0] 2", 'a lease that ran out: the next attempt');
is($node->safe_psql($store, 'SELECT count(*) FROM claim_webhook_deliveries()'), 0, 'one that did not: nothing to claim');
is($node->safe_psql($store, "SELECT complete_webhook_delivery('$held[0]', 1, 200)"), 'stale', 'the first attempt is stale');
is($node->safe_psql($store, "SELECT status, attempt_count FROM webhook_deliveries WHERE id = '$held[0]'"), 'leased|2', 'and changed nothing');
is($node->safe_psql($store, "SELECT complete_webhook_delivery('$held[0]', 2, 200)"), 'delivered', 'the second is not');
is($node->safe_psql($store, "SELECT complete_webhook_delivery('$held[0]', 2, 200)"), 'stale', 'but once');

# 3. Eight workers, two writers; one worker is killed with what it holds.
my $lease = 5;
my @tenants = map { add_tenant($node, $store, slug => "load-$_") } 1 .. 5;
add_webhook($node, $store, $_, 'https://example.com/load', 'load.*') for @tenants;
my $transactions = '';
for my $round (1 .. 30) {
    for my $one (@tenants) {
        # Every sixth is rolled back: what it wrote is nobody's to claim.
        my $end = $round % 6 == 0 ? 'ROLLBACK' : 'COMMIT';
        $transactions .= "BEGIN; SELECT set_tenant('$one'); SELECT sum(emit_event('load.event', jsonb_build_object('n', n))) FROM generate_series(1, 12) AS n; $end;\n";
    }
}
my $expected = 2 * 25 * @tenants * 12;
append_to_file("$folder/writer.sql", $transactions);
my %where = client_environment($node, $store, user => 'worker');
my $enough = "$folder/enough";
my $log_of = sub { return "$folder/worker$_[0].jsonl" };
my @command = ($python, clients_folder() . '/webhook_worker.py');
my @writers = map { start_process([ qw(psql -X -q -o /dev/null -v ON_ERROR_STOP=1 -f), "$folder/writer.sql" ], %where, PGUSER => 'app_login') } 1 .. 2;
# The others start once this one holds some: they could be done before it has begun.
my $killed = start_process([ @command, $log_of->(8), $lease, $enough, 'hold' ], %where);
my $start = time;
while ($killed->{out} !~ /holding/ && time - $start < 120) { $killed->{run}->pump_nb; sleep 0.02 }
like($killed->{out}, qr/^holding$/m, 'a worker holds what it has claimed') or diag $killed->{error};
my @workers = map { start_process([ @command, $log_of->($_), $lease, $enough ], %where) } 1 .. 7;
kill_process($killed);
for my $writer (@writers) {
    ok($writer->{run}->finish, 'a writer has written') or diag $writer->{error};
    delete $writer->{run};
}
append_to_file($enough, 'enough');
for my $process (@workers) {
    ok($process->{run}->finish, 'a worker has found its end') or diag $process->{error};
    delete $process->{run};
}

# What the store says, and what the workers wrote down.
my @entries = map { my $number = $_; map { { %{ decode_json($_) }, worker => $number } } split /\n/, slurp_file($log_of->($number)) } 1 .. 8;
my (%claims, %completions, %claimed_by);
for my $entry (@entries) {
    push @{ $claims{ $entry->{claim} } }, $entry if $entry->{claim};
    push @{ $completions{ $entry->{completed} } }, $entry if $entry->{completed};
    $claimed_by{ $entry->{worker} }++ if $entry->{claim};
}
is($node->safe_psql($store, q{SELECT status, count(*) FROM webhook_deliveries WHERE event_type = 'load.event' GROUP BY 1}), "delivered|$expected", 'every delivery is delivered');
my %attempts = map { split /\|/ } split /\n/, $node->safe_psql($store, q{SELECT id, attempt_count FROM webhook_deliveries WHERE event_type = 'load.event'});
is(join(' ', sort keys %claims), join(' ', sort keys %attempts), 'the workers claimed these and no others');
my (@misnumbered, @too_early, @acknowledged);
for my $delivery (keys %claims) {
    my @in_order = sort { $a->{attempt} <=> $b->{attempt} } @{ $claims{$delivery} };
    push @misnumbered, $delivery if join(' ', map { $_->{attempt} } @in_order) ne join(' ', 1 .. ($attempts{$delivery} // 0));
    # A millisecond for clocks that are read in different ways.
    push @too_early, map { "$delivery $_" } grep { $in_order[$_]{after} < $in_order[ $_ - 1 ]{before} + $lease - 0.001 } 1 .. $#in_order;
    push @acknowledged, $delivery if 1 != grep { $_->{outcome} eq 'delivered' } @{ $completions{$delivery} };
}
is("@misnumbered", '', 'every attempt was given to one worker, and numbered');
is("@too_early", '', 'none was claimed again within its lease');
is("@acknowledged", '', 'each was completed once');
is(join(' ', grep { $_->{outcome} !~ /^(?:delivered|stale)$/ } map { @$_ } values %completions), '', 'or the attempt was stale');
cmp_ok(scalar(keys %claimed_by), '>', 2, 'several workers had something to do');

my %done_by_killed = map { $_->{completed} => 1 } grep { $_->{worker} == 8 && $_->{completed} } @entries;
my @lost = grep { $_->{worker} == 8 && $_->{claim} && !$done_by_killed{ $_->{claim} } } @entries;
cmp_ok(scalar(@lost), '>', 0, 'the killed worker held some');
is(join(' ', grep { my $one = $_; !grep { $_->{attempt} == $one->{attempt} + 1 && $_->{worker} != 8 } @{ $claims{ $one->{claim} } } } @lost), '',
    'others had each of them in the next attempt');
is($node->safe_psql($store, join(' UNION ', map { "SELECT complete_webhook_delivery('$_->{claim}', $_->{attempt}, 500)" } @lost)), 'stale',
    'what it would have said late is stale');
is($node->safe_psql($store, q{SELECT count(*) FROM webhook_deliveries WHERE event_type = 'load.event' AND status <> 'delivered'}), 0, 'and changes nothing');

# 4. Workers that wait hear of what is to be sent, at the commit, and of nothing else.
sub heard_of {
    my ($sql) = @_;
    my $listener = output_of([ 'psql', '-XqAt', '-h', $node->host, '-p', $node->port, '-c', 'LISTEN brainsait_webhooks', '-c', $sql, '-c', 'SELECT 1', $store ]);
    return scalar(() = $listener =~ /^Asynchronous notification "brainsait_webhooks" received/mg);
}
my $other = add_tenant($node, $store, slug => 'other');
add_webhook($node, $store, $tenant, 'https://example.com/heard', 'order.created');
my $order = 'INSERT INTO orders (tenant_id, total) VALUES (%s, 1)';
is(heard_of(sprintf($order, "'$tenant'") . '; ' . sprintf($order, "'$tenant'")), 1, 'orders that are sent: one notification for the transaction');
is(heard_of('BEGIN; ' . sprintf($order, "'$tenant'") . '; ROLLBACK'), 0, 'rolled back: none');
is(heard_of(sprintf($order, "'$other'")), 0, 'a tenant without an endpoint: none');
is(heard_of('SET brainsait.webhook_notify = off; ' . sprintf($order, "'$tenant'")), 0, 'turned off: none');
is(heard_of(qq{SELECT count(replay_webhook_deliveries(id, '-infinity', NULL, true)) FROM webhooks WHERE url LIKE '%/heard'}), 0, 'a replay of nothing: none');
$node->safe_psql($store, q{UPDATE webhook_deliveries SET status = 'dead', next_attempt_at = NULL WHERE webhook_id = (SELECT id FROM webhooks WHERE url LIKE '%/heard')});
is(heard_of(qq{SELECT replay_webhook_deliveries(id, '-infinity') FROM webhooks WHERE url LIKE '%/heard'}), 1, 'a replay: one');
$node->safe_psql($store, q{DELETE FROM webhooks WHERE url LIKE '%/heard'});

# 5. Fairness: what one tenant has delays no other's first.
my ($crowded, $lonely) = map { add_tenant($node, $store, slug => $_) } 'crowded', 'lonely';
add_webhook($node, $store, $_, 'https://example.com/fair', 'fair.*') for $crowded, $lonely;
emit($node, $store, $crowded, 'fair.first');
$node->safe_psql($store, <<'SQL');
INSERT INTO webhook_deliveries (webhook_id, tenant_id, event_id, event_type, payload, attempt_count, status, next_attempt_at, created_at)
SELECT webhook_id, tenant_id, gen_random_uuid(), event_type, payload, attempt_count, status, next_attempt_at, created_at
FROM webhook_deliveries, generate_series(2, 100000) WHERE event_type = 'fair.first'
SQL
emit($node, $store, $lonely, 'fair.last');
is($node->safe_psql($store, q{SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'}), 100001, '100,000 are due, then one more');
is($node->safe_psql($store, q{SELECT string_agg(t.slug, ' ' ORDER BY t.slug) FROM claim_webhook_deliveries(2) c JOIN tenants t ON t.id = c.tenant_id}), 'crowded lonely',
    'the next two are one of each tenant');
is($node->safe_psql($store, q{SELECT string_agg(DISTINCT t.slug, ' ') || count(*) FROM claim_webhook_deliveries(20) c JOIN tenants t ON t.id = c.tenant_id}), 'crowded20',
    'then all are of the one that has some');

$node->stop;
done_testing();
