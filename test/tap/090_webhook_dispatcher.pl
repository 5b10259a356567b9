# The dispatcher of webhooks against real receivers: what is sent, what answers of every kind lead to, what is refused.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use WebhookEndpoints;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = new_cluster('dispatcher', start => 0, conf => <<'CONF');
fsync = off
shared_preload_libraries = 'brainsait_dispatcher'
brainsait_dispatcher.allow_local = on
brainsait_dispatcher.requests_per_second = 0
brainsait_dispatcher.timeout = 3s
brainsait_dispatcher.naptime = 500ms
CONF
$node->start;
my $store = create_store($node, 'shop');
my $tenant = add_tenant($node, $store, slug => 'riyadh');
my $receiver = start_receiver('plain');

sub set_and_reload {
    my ($line) = @_;
    $node->append_conf('postgresql.conf', "$line\n");
    $node->reload;
    # The dispatcher has read it when a session that began later has.
    sleep 0.5;
    return;
}

# Endpoints of their own for one event each, sent at the same time; what became of each: status, response_status, failures,
# error, separated by |. The event of the last one is test.url$events.
my $events = 0;
sub try_urls {
    my (@urls) = @_;
    my $values = join ', ', map { "('$tenant', '$urls[$_]', ARRAY['test.url" . ($events + 1 + $_) . "'], '$WebhookEndpoints::secret')" } 0 .. $#urls;
    $node->safe_psql($store, "INSERT INTO webhooks (tenant_id, url, events, secret) VALUES $values");
    my ($first, $last) = ($events + 1, $events + @urls);
    $events = $last;
    my (undef, $err, $state) = run_in_tenant($node, $store, $tenant,
        "SELECT sum(emit_event('test.url' || n, jsonb_build_object('id', gen_random_uuid(), 'number', n, 'name', 'قهوة'))) FROM generate_series($first, $last) AS n");
    is($state, '', "events for @urls") or diag $err;
    settle($node, $store, 'they have an outcome');
    return split /\n/, $node->safe_psql($store, <<"SQL");
SELECT concat_ws('|', status, coalesce(response_status::text, ''), failures, coalesce(error, '')) FROM webhook_deliveries
JOIN generate_series($first, $last) AS n ON event_type = 'test.url' || n ORDER BY n
SQL
}
sub try_url { return (try_urls(@_))[0] }

# Each of the endpoints comes to what its pattern says: [url, pattern, name], ...
sub come_to {
    my (@expected) = @_;
    my @found = try_urls(map { $_->[0] } @expected);
    like($found[$_], qr/^(?:$expected[$_][1])$/, $expected[$_][2]) for 0 .. $#expected;
    return;
}

is($node->safe_psql($store, 'SELECT start_webhook_dispatcher(), start_webhook_dispatcher()'), 't|f', 'started by hand, once');

# 1. What is sent.
is(try_url("$receiver->{url}/ok"), 'delivered|200|0|', '200: delivered');
my ($request, @more) = requests($receiver, '/ok');
is(scalar(@more), 0, 'once');
ok($request->{valid}, 'both signatures are those that Python computes of the bytes it got');
like($request->{body}, qr/\x{642}\x{647}\x{648}\x{629}/, 'the object is in the body');
is($request->{type}, 'application/json', 'which is JSON');
is($node->safe_psql($store, q{SELECT response_body, attempt_count, response_time >= 0, delivered_at IS NOT NULL FROM webhook_deliveries WHERE event_type = 'test.url1'}),
    'thanks|1|t|t', 'the answer is recorded');

# 2. Answers. What is tried again is so at the times that complete_webhook_delivery() sets.
my $date = strftime_gmt(time + 3600);
come_to(
    [ "$receiver->{url}/status/500", qr/pending\|500\|1\|.*/, '500: again later' ],
    [ "$receiver->{url}/status/503/120", qr/pending\|503\|1\|.*/, '503 with Retry-After: again later' ],
    [ "$receiver->{url}/status/408", qr/pending\|408\|1\|.*/, '408: again later' ],
    [ "$receiver->{url}/status/404", qr/dead\|404\|.*/, '404: dead' ],
    [ "$receiver->{url}/status/410", qr/dead\|410\|.*/, '410: dead' ],
    [ "$receiver->{url}/status/204", qr/delivered\|204\|0\|/, '204: delivered' ],
    [ "$receiver->{url}/redirect", qr/(?:pending|dead)\|302\|.*/, 'a redirect is not followed' ],
    # In seconds and as a date, an hour from now: later than the 5 minutes that are usual.
    map { [ "$receiver->{url}/status/429/$_", qr/pending\|429\|1\|.*/, "429 with Retry-After: $_" ] } 3600, $date =~ s/ /_/gr);
is($node->safe_psql($store, "SELECT status FROM webhooks WHERE url LIKE '%/status/410'"), 'disabled', '410: the endpoint is disabled');
is(scalar(requests($receiver, '/ok')), 1, 'the redirect by nobody');
is($node->safe_psql($store, q{SELECT count(*) FROM webhook_deliveries WHERE response_status = 429 AND next_attempt_at BETWEEN now() + interval '55 minutes' AND now() + interval '70 minutes'}),
    2, 'Retry-After is waited for');

# 3. Endpoints that misbehave.
my $silent = start_receiver('gone');
stop_receiver($silent);
come_to(
    [ "$receiver->{url}/hold/30", qr/pending\|\|1\|no answer in time/, 'slow: no answer in time' ],
    [ "$receiver->{url}/close", qr/pending\|\|1\|the connection was closed before an answer/, 'closed' ],
    [ "$receiver->{url}/garbage", qr/pending\|\|1\|the answer is not one of HTTP/, 'garbage' ],
    [ "$receiver->{url}/cut", qr/delivered\|200\|0\|/, 'acknowledged, then cut off: delivered' ],
    [ "$receiver->{url}/huge", qr/delivered\|200\|0\|/, 'a body without end' ],
    [ "$silent->{url}/ok", qr/pending\|\|1\|no connection to the host/, 'nobody listens' ],
    [ 'https://no-such-host.invalid/', qr/pending\|\|1\|the host's name cannot be resolved/, 'no such host' ],
    [ "$receiver->{url}/bytes", qr/delivered\|200\|0\|/, 'a body of any bytes' ]);
is($node->safe_psql($store, "SELECT response_body FROM webhook_deliveries WHERE event_type = 'test.url$events'"),
    "\x{EF}\x{BF}\x{BD}" x 2 . " caf\x{C3}\x{A9}" . "\x{EF}\x{BF}\x{BD}" . ' ' . "\x{EF}\x{BF}\x{BD}", 'is recorded as text');
is((requests($receiver, '/huge'))[0]{status}, 200, 'a body without end is not read to its end');
is($node->safe_psql($store, "SELECT octet_length(d.response_body) BETWEEN 1 AND 4096 FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id WHERE w.url LIKE '%/huge'"),
    't', 'nor kept');

# 4. Every attempt until none is left.
my $hook = add_webhook($node, $store, $tenant, "$receiver->{url}/flaky/3", 'test.flaky');
my $never = add_webhook($node, $store, $tenant, "$receiver->{url}/status/500", 'test.flaky');
emit($node, $store, $tenant, 'test.flaky');
for my $attempt (1 .. 7) {
    settle($node, $store, "attempt $attempt");
    $node->safe_psql($store, "UPDATE webhook_deliveries SET next_attempt_at = now() WHERE event_type = 'test.flaky' AND status = 'pending'");
}
like(outcome($node, $store, $hook), qr/^delivered\|200\|/, 'acknowledged at the fourth attempt');
is(join(' ', map { $_->{status} } requests($receiver, '/flaky/3')), '500 500 500 200', 'and not sent again');
like(outcome($node, $store, $never), qr/^dead\|500\|6\|/, 'never acknowledged: dead after six attempts');

# 5. Certificates.
my $keys = "${PostgreSQL::Test::Utils::tmp_check}/tls";
mkdir $keys;
SKIP: {
    skip 'there is no openssl', 11 unless IPC::Run::run([ 'openssl', 'version' ], '>', \my $version);
    for my $name ('ca', 'other') {
        system_or_bail('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', 2, '-subj', "/CN=$name", '-keyout', "$keys/$name.key", '-out', "$keys/$name.pem");
    }
    append_to_file("$keys/names", 'subjectAltName = DNS:localhost');
    system_or_bail('openssl', 'req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-keyout', "$keys/server.key", '-out', "$keys/server.csr");
    system_or_bail('openssl', 'x509', '-req', '-in', "$keys/server.csr", '-CA', "$keys/ca.pem", '-CAkey', "$keys/ca.key", '-CAcreateserial', '-days', 2, '-extfile', "$keys/names", '-out', "$keys/server.pem");
    my $secure = start_receiver('secure', tls => [ "$keys/server.pem", "$keys/server.key" ]);
    my $refusal = qr/^pending\|\|1\|no secure connection: /;
    like(try_url("$secure->{url}/ok"), $refusal, 'a certificate that the system does not know');
    set_and_reload("brainsait_dispatcher.ca_file = '$keys/ca.pem'");
    is(try_url("$secure->{url}/ok"), 'delivered|200|0|', 'one that ca_file knows');
    ok((requests($secure, '/ok'))[0]{valid}, 'signed over TLS as well');
    like(try_url("$secure->{url}/ok" =~ s/localhost/127.0.0.1/r), $refusal, 'one of another name');
    set_and_reload("brainsait_dispatcher.ca_file = '$keys/other.pem'");
    like(try_url("$secure->{url}/ok"), $refusal, 'one of another authority');
    is(scalar(requests($secure)), 1, 'nothing was sent to any of those');
    set_and_reload("brainsait_dispatcher.ca_file = '$keys/ca.pem'");

    # 6. Addresses, as they are where nothing is allowed. Every spelling leads here, and is stopped here.
    set_and_reload('brainsait_dispatcher.allow_local = off');
    my $connections = connections($secure);
    come_to(map { [ "https://$_:$secure->{port}/ok", qr/pending\|\|1\|the host's address is not allowed/, "$_ is refused" ] }
          qw(127.0.0.1 localhost 2130706433 0x7f000001 0177.0.0.1 127.1 [::1] [::ffff:127.0.0.1] [::ffff:7f00:1] 0.0.0.0 [::]));
    is(connections($secure), $connections, 'no connection came to any of them');
}
set_and_reload('brainsait_dispatcher.allow_local = off');
come_to(
    (map { [ "https://$_/", qr/pending\|\|1\|(?:the host's address is not allowed|no connection to the host)/, "$_ is refused" ] }
          qw(10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 224.0.0.1 [fd00::1] [fe80::1] [64:ff9b::a00:1] [2002:7f00:1::])),
    [ "$receiver->{url}/ok", qr/pending\|\|1\|the URL is not one of https/, 'http is refused' ],
    [ 'https://name:word@localhost/', qr/pending\|\|1\|the URL has a name or a password in it/, 'a password in the URL is' ],
    [ 'https://localhost:25/', qr/pending\|\|1\|the URL's port is not one for webhooks/, 'a mail server is' ],
    [ 'file:///etc/passwd', qr/pending\|\|1\|the URL is not one of https/, 'a file is' ]);
set_and_reload('brainsait_dispatcher.allow_local = on');

# 7. A slow host takes its share of connections and no more, and delays nobody else.
set_and_reload("brainsait_dispatcher.connections = 4\nbrainsait_dispatcher.connections_per_host = 2");
my $other = start_receiver('other');
my $second = add_tenant($node, $store, slug => 'jeddah');
add_webhook($node, $store, $tenant, "$receiver->{url}/hold/1", 'test.load');
add_webhook($node, $store, $second, "$other->{url}/ok", 'test.load');
emit($node, $store, $tenant, 'test.load', 12);
emit($node, $store, $second, 'test.load', 30);
answers_within($node, 60, $store, "SELECT count(*) FROM webhook_deliveries WHERE tenant_id = '$second' AND status = 'delivered'", 'the fast one has all', 30);
cmp_ok($node->safe_psql($store, "SELECT count(*) FROM webhook_deliveries WHERE event_type = 'test.load' AND tenant_id = '$tenant' AND status = 'delivered'"), '<', 12,
    'before the slow one');
settle($node, $store, 'then the slow one has all');
is(scalar(requests($other, '/ok')), 30, 'each was sent once');
is(scalar(requests($receiver, '/hold/1')), 12, 'to both');
is((sort { $b <=> $a } map { $_->{at_once} } requests($receiver, '/hold/1'))[0], 2, 'at most two at once');

# 8. Fifty endpoints of one tenant that never answer take the tenant's share of connections and of what is held, and delay
# nobody else.
set_and_reload("brainsait_dispatcher.connections = 8\nbrainsait_dispatcher.connections_per_host = 8\nbrainsait_dispatcher.connections_per_tenant = 3\nbrainsait_dispatcher.timeout = 60s");
my $third = add_tenant($node, $store, slug => 'dammam');
$node->safe_psql($store, <<"SQL");
INSERT INTO webhooks (tenant_id, url, events, secret)
SELECT '$third', '$receiver->{url}/hold/30/' || n, '{test.silent}', '$WebhookEndpoints::secret' FROM generate_series(1, 50) AS n
SQL
emit($node, $store, $third, 'test.silent');
my $activity = q{SELECT query FROM pg_stat_activity WHERE backend_type = 'brainsait webhook dispatcher'};
answers_within($node, 60, $store, $activity, 'three are under way, and as many wait', 'sending webhooks: 3 under way, 3 waiting');
emit($node, $store, $second, 'test.load', 30);
answers_within($node, 60, $store, "SELECT count(*) FROM webhook_deliveries WHERE tenant_id = '$second' AND status = 'delivered'", 'another tenant has all of its', 60);
is($node->safe_psql($store, "SELECT status, count(*) FROM webhook_deliveries WHERE tenant_id = '$third' GROUP BY 1 ORDER BY 1"), "leased|6\npending|44", 'while the first three are waited for');
answers_within($node, 60, $store, $activity, 'and hold what they held', 'sending webhooks: 3 under way, 3 waiting');
set_and_reload('brainsait_dispatcher.connections_per_tenant = 4');
answers_within($node, 60, $store, $activity, 'a share may grow', 'sending webhooks: 4 under way, 2 waiting');

# 9. The log and the activity show no secret, no body and no URL.
my $log = slurp_file($node->logfile);
unlike($log, qr/\Q$WebhookEndpoints::secret\E|قهوة/, 'the log has no secret and no body');
unlike(join("\n", grep { !/STATEMENT|statement:/ } split /\n/, $log), qr{localhost:\d+/}, 'and no URL');
is(join("\n", grep { /(?:ERROR|FATAL|PANIC): / } split /\n/, $log), '', 'and no error');
my $parameters = $node->safe_psql('postgres', q{SELECT string_agg(name, ' ') FROM pg_settings WHERE name LIKE 'brainsait_dispatcher.%'});
my $readme = slurp_file("$FindBin::RealBin/../../README.md");
is(join(' ', grep { index($readme, "| `$_` |") < 0 } split / /, $parameters), '', 'the README lists every parameter');

stop_receiver($_) for $receiver, $other;
$node->stop;
done_testing();

# A moment in the form of HTTP's dates.
sub strftime_gmt {
    my ($time) = @_;
    my @days = qw(Sun Mon Tue Wed Thu Fri Sat);
    my @months = qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec);
    my ($second, $minute, $hour, $day, $month, $year, $weekday) = gmtime $time;
    return sprintf '%s, %02d %s %d %02d:%02d:%02d GMT', $days[$weekday], $day, $months[$month], $year + 1900, $hour, $minute, $second;
}
