# Credentials at rest: what was written in clear is nowhere in the data directory, a crash in the middle included, nor in
# a dump, in what logical decoding tells, in pg_stat_activity, or in a server's log that logs all it can. And the key file:
# reload without a restart, files that are not trusted, a restored dump that opens with its key and not without.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use PostgreSQL::Test::Utils;
use Test::More;
use File::Find;

my $node = new_cluster('vault', start => 0, streaming => 1, conf => <<'CONF');
shared_preload_libraries = 'brainsait, auto_explain'
wal_level = logical
brainsait.guard = off
log_statement = 'all'
log_min_duration_statement = 0
log_min_error_statement = debug5
log_parameter_max_length = -1
log_parameter_max_length_on_error = -1
log_error_verbosity = verbose
log_destination = 'stderr,csvlog,jsonlog'
logging_collector = on
log_directory = 'logs'
debug_print_plan = on
debug_print_parse = on
auto_explain.log_min_duration = 0
auto_explain.log_verbose = on
auto_explain.log_nested_statements = on
CONF
my $keys = $node->data_dir . '/credential_keys';
my $hex = '0123456789abcdef' x 4;
$node->start;
my $store = create_store($node, 'shop');
my $tenant = add_tenant($node, $store, slug => 'a');
$node->safe_psql($store, 'GRANT EXECUTE ON FUNCTION integration_credentials(uuid), webhook_secret(uuid) TO app_login');
$node->safe_psql($store, q{SELECT pg_create_logical_replication_slot('told', 'test_decoding')}) if -e lib_dir() . '/test_decoding.so';
sub lib_dir { return scalar(`@{[ $ENV{PG_CONFIG} // 'pg_config' ]} --pkglibdir`) =~ s/\s//gr }

# Each way of writing has a marker of its own.
my @markers;
sub marker {
    my ($way) = @_;
    push @markers, 'mark' . unpack('H*', $way =~ s/\W//gr) . 'er';
    return $markers[-1];
}
my $integration = 'INSERT INTO integrations (name, type, credentials) VALUES';
my %statement = (
    literal => sub { my $m = marker('literal'); "$integration ('x', 'literal', '{\"key\": \"$m\"}')" },
    long => sub { my $m = marker('long'); "$integration ('x', 'long', jsonb_build_object('key', repeat('$m ', 5000)))" },
    update => sub { my $m = marker('update'); "UPDATE integrations SET credentials = '{\"key\": \"$m\"}' WHERE type = 'literal'" },
    prepared => sub { my $m = marker('prepared'); "PREPARE p AS $integration ('x', 'prepared', \$1); EXECUTE p ('{\"key\": \"$m\"}')" },
    block => sub { my $m = marker('block'); "DO \$\$ BEGIN $integration ('x', 'block', '{\"key\": \"$m\"}'); END \$\$" },
    'bad json' => sub { my $m = marker('bad json'); "$integration ('x', 'bad', '{\"key\": $m}')" },
    'bad json, quoted' => sub { my $m = marker('bad json, quoted'); "$integration ('x', 'bad', '{\"key\" \"$m\"}')" },
    'bad column' => sub { my $m = marker('bad column'); "INSERT INTO integrations (name, nothing, credentials) VALUES ('x', 'bad', '{\"key\": \"$m\"}')" },
    'syntax error' => sub { my $m = marker('syntax error'); "INSERT INTO integrations (credentials) VALUES ('{\"key\": \"$m\"}') FORM x" },
    'null name' => sub { my $m = marker('null name'); "$integration (NULL, 'bad', '{\"key\": \"$m\"}')" },
    duplicate => sub { my $m = marker('duplicate'); "$integration ('x', 'literal', '{\"key\": \"$m\"}')" },
    'long name' => sub { my $m = marker('long name'); "$integration (repeat('x', 101), 'bad', '{\"key\": \"$m\"}')" },
    'later error' => sub { my $m = marker('later error'); "$integration ('x', 'later', '{\"key\": \"$m\"}')\\; SELECT 1 / 0" },
    'another tenant' => sub { my $m = marker('another tenant'); "INSERT INTO integrations (tenant_id, name, type, credentials) VALUES (gen_random_uuid(), 'x', 'x', '{\"key\": \"$m\"}')" },
    copy => sub { my $m = marker('copy'); "COPY integrations (name, type, credentials) FROM STDIN;\nx\tcopy\t{\"key\": \"$m\"}\n\\.\nSELECT 1" },
    'bad copy' => sub { my $m = marker('bad copy'); "COPY integrations (name, type, credentials) FROM STDIN;\nx\tcopy\t{\"key\": $m}\n\\.\nSELECT 1" },
    secret => sub { my $m = marker('secret'); "INSERT INTO webhooks (url, events, secret) VALUES ('https://x', '{}', '$m')" },
    'long secret' => sub { my $m = marker('long secret'); "INSERT INTO webhooks (url, events, secret) VALUES ('https://x', '{}', repeat('$m', 9))" },
    'too long secret' => sub { my $m = marker('too long secret'); "INSERT INTO webhooks (url, events, secret) VALUES ('https://x', '{}', repeat('$m', 99))" },
);
my $watcher = open_session($node, $store, 'postgres');
my $seen = '';
for my $way (sort keys %statement) {
    my $sql = $statement{$way}->();
    if ($way =~ /copy/) {
        run_in_tenant($node, $store, $tenant, $sql);
        next;
    }
    my $session = open_session($node, $store, 'app_login');
    $session->query("BEGIN; SELECT set_tenant('$tenant')");
    $session->query($sql);
    $seen .= $watcher->query("SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'");
    $session->query('COMMIT');
    $session->quit;
}
is(scalar(grep { index($seen, $_) >= 0 } @markers), 0, 'no session\'s activity shows a literal') or diag $seen;
# By the protocol's own parameters.
my $folder = PostgreSQL::Test::Utils::tempdir;
for my $mode (qw(extended prepared)) {
    my $marker = marker($mode);
    append_to_file("$folder/$mode.sql", "BEGIN;\nSELECT set_tenant('$tenant');\nINSERT INTO webhooks (url, events, secret) VALUES ('https://$mode', '{}', :secret);\nCOMMIT;\n");
    $node->command_ok([ 'pgbench', '-n', '-U', 'app_login', '-M', $mode, '-t', 2, '-f', "$folder/$mode.sql", '-D', "secret=$marker", '-p', $node->port, '-h', $node->host, $store ],
        "$mode: the secret is a parameter");
}

my $count = $node->safe_psql($store, 'SELECT count(*) FROM integrations') . ' ' . $node->safe_psql($store, 'SELECT count(*) FROM webhooks');
cmp_ok((split / /, $count)[0], '>=', 4, "rows were written: $count");
my ($opened) = run_in_tenant($node, $store, $tenant, q{SELECT integration_credentials(id) ->> 'key' FROM integrations WHERE type = 'literal'});
ok((grep { $opened =~ /\Q$_\E/ } @markers) > 0, 'and open');
SKIP: {
    skip 'no test_decoding', 2 unless -e lib_dir() . '/test_decoding.so';
    my $told = $node->safe_psql($store, q{SELECT data FROM pg_logical_slot_get_changes('told', NULL, NULL)});
    like($told, qr/INSERT.*ciphertext/, 'logical decoding tells envelopes');
    is(scalar(grep { index($told, $_) >= 0 } @markers), 0, 'and nothing in clear');
}

# A crash while a transaction that wrote is open; then everything is on disk.
my $open = open_session($node, $store, 'app_login');
my $cut = marker('crash');
$open->query("BEGIN; SELECT set_tenant('$tenant'); $integration ('x', 'crash', '{\"key\": \"$cut\"}')");
$node->safe_psql($store, 'CHECKPOINT');
$node->stop('immediate');
eval { $open->quit };
eval { $watcher->quit };
$node->start;
$node->safe_psql($store, 'CHECKPOINT');
is($node->safe_psql($store, q{SELECT count(*) FROM integrations WHERE type = 'crash'}), '0', 'the crash undid what was not committed');
my %dump = (plain => '-Fp', custom => '-Fc');
for my $format (sort keys %dump) {
    $node->command_ok([ 'pg_dump', $dump{$format}, '-f', "$folder/$format.dump", '-p', $node->port, '-h', $node->host, $store ], "dump: $format");
}
$node->stop;

# What contains any marker: file => markers.
my (%found, $files, $bytes, $envelopes);
# What README says is not reached: a statement that names neither table. Of those here, EXECUTE, and nothing but its own
# text in the log.
my $executed = 0;
find({ no_chdir => 1, wanted => sub {
    return unless -f;
    my $text = slurp_file($_);
    $files++;
    $bytes += length $text;
    $envelopes++ if $text =~ /sealed:1:1:/;
    $executed += $text =~ s/EXECUTE p \([^()]*\)//g if m{/logs/};
    for my $marker (@markers) {
        my $at = index $text, $marker;
        next if $at < 0;
        push @{ $found{$_} }, $marker;
        diag "$_: ", substr($text, $at > 200 ? $at - 200 : 0, 300) =~ s/[^\x20-\x7e]/./gr if keys %found < 4;
    }
} }, $node->data_dir, $folder);
delete $found{$_} for grep { m{\.sql$} } keys %found;
is_deeply(\%found, {}, scalar(@markers) . " markers are in none of $files files, $bytes bytes: tables, WAL, logs, dumps");
cmp_ok($executed, '>', 0, 'but for the text of EXECUTE in the log, which names neither table');
cmp_ok($envelopes, '>=', 3, 'while envelopes are in tables, WAL and dump');
my $log = join '', map { slurp_file($_) } glob($node->data_dir . '/logs/*');
like($log, qr/statement: INSERT INTO integrations \(name, type, credentials\) VALUES \('\*', '\*+', '\*+'\)/, 'the log shows statements without their constants');
like($log, qr/auto_explain|Query Text: .*INSERT INTO integrations/, 'auto_explain was at work');

# The key file: read again at a reload; a wrong one opens nothing and changes nothing.
$node->start;
sub outcome {
    my ($sql) = @_;
    my ($out, undef, $state) = run_in_tenant($node, $store, $tenant, $sql);
    return $state || $out;
}
my $read = q{SELECT count(integration_credentials(id)) FROM integrations WHERE type = 'literal'};
is(outcome($read), '1', 'the key opens');
sub reload_with {
    my ($text, $mode) = @_;
    unlink $keys;
    append_to_file($keys, $text);
    chmod $mode // 0600, $keys;
    $node->reload;
    return $node->poll_query_until('postgres', "SELECT pg_conf_load_time() > now() - interval '1 minute' AND pg_sleep(0.3) IS NOT NULL");
}
my $before = $node->safe_psql($store, 'SELECT md5(string_agg(i::text, chr(10) ORDER BY id)) FROM integrations i');
my @bad = (
    [ 'another key of that id', "1 @{[ 'f' x 64 ]}\n", undef, 'XX001' ], [ 'another id', "2 $hex\n", undef, '55000' ],
    [ 'readable by the group', "1 $hex\n", 0640, '55000' ], [ 'a key of 31 bytes', '1 ' . substr($hex, 2) . "\n", undef, '55000' ], [ 'an empty file', '', undef, '55000' ]);
for my $bad (@bad) {
    my ($how, $text, $mode, $state) = @$bad;
    reload_with($text, $mode);
    is(outcome($read), $state, "$how: credentials do not open");
    next if $how =~ /another/;
    is(outcome(q{UPDATE integrations SET credentials = '{"key": "new"}' WHERE type = 'literal'}), '55000', "$how: nor are any written");
}
is($node->safe_psql($store, 'SELECT md5(string_agg(i::text, chr(10) ORDER BY id)) FROM integrations i'), $before, 'the rows are untouched');
reload_with("2 @{[ 'e' x 64 ]}\n1 $hex\n");
is(outcome($read), '1', 'the key is back, without a restart');
$node->safe_psql($store, 'CALL rotate_credential_keys(2)');
reload_with("2 @{[ 'e' x 64 ]}\n");
is(outcome($read), '1', 'rotated: the new key opens without the old one');
is($node->safe_psql($store, q{SELECT string_agg(status, ' ') FROM health_check(false) WHERE check_name LIKE 'credential%'}), 'ok ok', 'health_check() agrees');

# The dump, which is under the first key, in another database: it needs no key to be restored, and its key to open.
reload_with('');
$node->safe_psql('postgres', 'CREATE DATABASE again');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'again', '-p', $node->port, '-h', $node->host, "$folder/custom.dump" ], 'restored without a key');
my ($shut, undef, $shut_state) = run_in_tenant($node, 'again', $tenant, $read);
is($shut_state, '55000', 'shut without its key');
reload_with("1 $hex\n");
is((run_in_tenant($node, 'again', $tenant, $read))[0], '1', 'open with it');
$node->stop;
done_testing();
