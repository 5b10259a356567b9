# Tokens end to end: the README's examples, rotation of keys without a restart, key files that are not trusted, and
# where a token must never show: the activity view and the log.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use TenantTokens;
use PostgreSQL::Test::Utils;
use Test::More;

my %key = (1 => 'a' x 32, 2 => join('', map { chr(255 - $_) } 0 .. 63), 3 => 'c' x 40);
# The log of a server whose administrator logs all he can.
my $node = new_cluster('tokens', start => 0, conf => <<'CONF');
shared_preload_libraries = 'brainsait, auto_explain'
brainsait.token_key_file = 'token_keys'
log_statement = 'all'
log_min_duration_statement = 0
log_min_error_statement = debug5
log_min_messages = debug1
log_parameter_max_length = -1
log_parameter_max_length_on_error = -1
log_error_verbosity = verbose
log_destination = 'stderr,csvlog,jsonlog'
logging_collector = on
log_directory = 'logs'
debug_print_plan = on
debug_print_parse = on
auto_explain.log_min_duration = 0
auto_explain.log_analyze = on
auto_explain.log_verbose = on
auto_explain.log_nested_statements = on
CONF
my $key_path = $node->data_dir . '/token_keys';
key_file($key_path, 1 => $key{1});
$node->start;
my $store = create_store($node, 'shop');
my $a = add_tenant($node, $store, slug => 'a');
my $b = add_tenant($node, $store, slug => 'b');
# The guard would deny nothing here but debug_print_plan, which is on for the log's sake.
$node->safe_psql('postgres', "CREATE ROLE operator LOGIN IN ROLE brainsait_operator; ALTER DATABASE $store SET brainsait.guard = off");
my $database = pack('H*', $node->safe_psql($store, q{SELECT encode(token_database(), 'hex')}));
is(length $database, 12, 'a database is named by 12 bytes');
is($node->safe_psql($store, q{SELECT encode(token_database(), 'hex') = lpad(to_hex(system_identifier), 16, '0') || lpad(to_hex(oid::bigint), 8, '0')
    FROM pg_control_system(), pg_database WHERE datname = current_database()}), 't', 'system identifier and OID');

my @shown;    # every token that was ever used, to look for in the end

# What a token is good for: the slug of its tenant, or the SQLSTATE.
sub outcome {
    my ($token) = @_;
    push @shown, $token;
    my ($out, $error, $state) = run_as($node, $store, 'app_login', 'BEGIN; SELECT set_tenant_token(' . literal($token) . ") \\g /dev/null\nSELECT slug FROM tenants; COMMIT");
    return $state || $out;
}
sub good { return make_token(database => $database, tenant => $a, key => $key{1}, @_) }
sub reload {
    $node->reload;
    # The postmaster tells its children one after the other; a new session comes after it.
    return $node->poll_query_until('postgres', "SELECT pg_conf_load_time() > now() - interval '1 minute' AND pg_sleep(0.3) IS NOT NULL");
}

# The README's examples, taken from it.
my $readme = slurp_file("$FindBin::RealBin/../../README.md");
my ($python) = $readme =~ /```python\n(import hashlib.*?)```/s;
my ($shell) = $readme =~ /```sh\n(tenant_token\(\).*?)```/s;
ok($python && $shell, 'the README has examples');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $key_hex = unpack 'H*', $key{1};
my $database_hex = unpack 'H*', $database;
SKIP: {
    skip 'no python3', 2 if system('python3 -c pass >/dev/null 2>&1') != 0;
    append_to_file("$folder/token.py", "$python\nprint(tenant_token(1, bytes.fromhex('$key_hex'), bytes.fromhex('$database_hex'), '$b').hex())\n");
    my $hex = `python3 $folder/token.py`;
    like($hex, qr/^[0-9a-f]{146}$/, 'Python: 73 bytes');
    is(outcome(pack 'H*', $hex =~ s/\s//gr), 'b', 'Python: the tenant is in');
}
SKIP: {
    skip 'no openssl', 3 if system('openssl version >/dev/null 2>&1') != 0;
    for my $interpreter ('bash', 'sh') {
        append_to_file("$folder/token.$interpreter", "$shell\ntenant_token 1 $key_hex $database_hex $b\n");
    }
    my $hex = `bash $folder/token.bash`;
    like($hex, qr/^[0-9a-f]{146}$/, 'shell: 73 bytes');
    is(outcome(pack 'H*', $hex =~ s/\s//gr), 'b', 'shell: the tenant is in');
    is(outcome(pack 'H*', `sh $folder/token.sh` =~ s/\s//gr), 'b', 'and in plain sh');
}

# The extension's own tokens are the same bytes, but for the expiry.
my $made = pack 'H*', $node->safe_psql($store, "SELECT encode(make_tenant_token('$a', '20 s'), 'hex')");
my $expires = unpack 'q>', substr($made, 33, 8);
my $again = do { my $body = substr($made, 0, 41); $body . Digest::SHA::hmac_sha256($body, $key{1}) };
is(unpack('H*', $made), unpack('H*', $again), 'make_tenant_token() signs as Digest::SHA does');
cmp_ok(abs($expires / 1e6 - time - 20), '<', 5, 'and the token expires when it should');
is(outcome($made), 'a', 'and is taken');
is((run_as($node, $store, 'operator', "SELECT length(make_tenant_token('$a'))"))[0], '73', 'operators make them');
is((run_as($node, $store, 'operator', "SELECT make_tenant_token('$a', '$_')"))[2], '22023', "not for $_") for '61 s', '0', '-1 s', '1 year';
is((run_as($node, $store, 'operator', "SELECT make_tenant_token('$a', '10 s', 7)"))[2], '22023', 'not with a key that is not live');
is((run_as($node, $store, 'operator', "SELECT make_tenant_token($_)"))[2], '22004', "not for $_") for 'NULL', "'$a', NULL";

# Replay: good until it expires, and not a moment longer.
my $short = good(life => 1.5);
is(outcome($short), 'a', 'a token is taken');
is(outcome($short), 'a', 'and taken again');
Time::HiRes::sleep(1.6);
is(outcome($short), '28000', 'but not after its expiry');

# Rotation. A session that is open all the while sees each reload.
my $session = open_session($node, $store, 'app_login');
sub in_session {
    my ($token) = @_;
    push @shown, $token;
    my $out = $session->query("BEGIN; SELECT set_tenant_token(" . literal($token) . ") \\g /dev/null\nSELECT slug FROM tenants; ROLLBACK");
    return $out =~ s/\s//gr;
}
my $with_two = good(key => $key{2}, key_id => 2);
is(in_session(good()), 'a', 'rotation: the old key');
is(in_session($with_two), '', 'rotation: not yet the new one');
key_file($key_path, 1 => $key{1}, 2 => $key{2});
is(in_session($with_two), '', 'rotation: nor before the reload');
reload();
is(in_session(good()), 'a', 'rotation: both are live, the old one');
is(in_session($with_two), 'a', 'and the new one');
my $of_two = pack 'H*', $node->safe_psql($store, "SELECT encode(make_tenant_token('$a', key_id => 2), 'hex')");
is(unpack('N', substr $of_two, 1, 4), 2, 'rotation: signed by the key that was asked for');
is(in_session($of_two), 'a', 'and taken');
key_file($key_path, 2 => $key{2}, 3 => $key{3});
reload();
is(in_session(good()), '', 'rotation: the old key is gone');
is(in_session($with_two), 'a', 'the new one stays');
is(in_session(good(key => $key{3}, key_id => 3)), 'a', 'and the next is there');
key_file($key_path, 1 => $key{1});
reload();

# Key files that are not trusted: then no key is live.
my $log = sub { return join '', map { slurp_file($_) } glob($node->data_dir . '/logs/*.log') };
my @bad = (
    [ 'readable by the group', sub { chmod 0640, $key_path }, qr/others have access/ ],
    [ 'readable by all', sub { chmod 0604, $key_path }, qr/others have access/ ],
    [ 'empty', sub { key_file($key_path) }, qr/there is no key/ ],
    [ 'with three keys', sub { key_file($key_path, map { $_ => $key{$_} } 1 .. 3) }, qr/line 3: there are more than 2 keys/ ],
    [ 'with a short key', sub { key_file($key_path, 1 => 'short') }, qr/line 1: a key has 64 to 128/ ],
    [ 'too large', sub { append_to_file($key_path, '#' x 20_000) }, qr/it is too large/ ],
    [ 'a folder', sub { unlink $key_path; mkdir $key_path }, qr/not a regular file/ ],
    [ 'a pipe', sub { rmdir $key_path; system('mkfifo', '-m', '600', $key_path) }, qr/not a regular file/ ],
    [ 'missing', sub { unlink $key_path }, qr/No such file/ ]);
for my $bad (@bad) {
    my ($how, $spoil, $reason) = @$bad;
    $spoil->();
    reload();
    my $from = length $log->();
    is(in_session(good()), '', "a key file $how: nobody is let in");
    like(substr($log->(), $from), qr/token key file "token_keys" is not used: [^\n]*$reason/, 'the log says why');
    unlink $key_path unless -d $key_path || -p $key_path;
    key_file($key_path, 1 => $key{1}) unless -e $key_path;
}
is((run_as($node, $store, 'operator', "SELECT make_tenant_token('$a')"))[2], '', 'a good file again: it is read by the next session');
key_file($key_path, 1 => $key{1});
reload();
is(in_session(good()), 'a', 'and by the old one after a reload');

# What the client is told, and what the log.
my ($out, $error, $state) = run_as($node, $store, 'app_login', 'SET client_min_messages = debug5; BEGIN; SELECT set_tenant_token(' . literal(good(life => -1)) . ')');
is($state, '28000', 'expired');
unlike($error, qr/expire|refused/, 'the client is not told why, however much it wants to hear');
my $from = length $log->();
my %reason = (
    expired => good(life => -1), 'wrong signature' => good(key => 'x' x 32), 'another database' => good(database => 'x' x 12),
    'no live key' => good(key_id => 9), 'size of a token' => 'x', 'version' => good(version => 7), 'later than brainsait.token_lifetime' => good(life => 100));
for my $reason (sort keys %reason) {
    my ($out, $error, $state) = run_as($node, $store, 'app_login', 'BEGIN; SELECT set_tenant_token(' . literal($reason{$reason}) . ')');
    push @shown, $reason{$reason} if length $reason{$reason} > 12;
    like($error, qr/ERROR:  28000: the tenant token is not valid\nLOCATION/, "the same words: $reason");
    like(substr($log->(), $from), $reason eq 'wrong signature' ? qr/tenant token refused: its signature is wrong/ : qr/tenant token refused: [^\n]*$reason/, 'the log tells');
}

# Where tokens stood in statements: the ways in which clients send them.
sub token { my $token = good(@_); push @shown, $token; return $token }
my $watcher = open_session($node, $store, 'app_login');
my $activity = sub { return $watcher->query('SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = \'client backend\'') };
sub base64 { my $text = pack('u', $_[0]); require MIME::Base64; return MIME::Base64::encode_base64($_[0], '') }
my %statement = (
    'a literal' => sub { 'BEGIN; SELECT set_tenant_token(' . literal(token()) . ')' },
    'one message with what follows' => sub { 'BEGIN\; SELECT set_tenant_token(' . literal(token()) . ')\; SELECT count(*) FROM orders\; SELECT 1 / 0' },
    'a wrong literal' => sub { 'BEGIN; SELECT set_tenant_token(' . literal(token(life => -5)) . ')' },
    'outside a transaction' => sub { 'SELECT set_tenant_token(' . literal(token()) . ')' },
    'a DO block' => sub { 'BEGIN; DO $$ BEGIN PERFORM set_tenant_token(' . literal(token()) . '); END $$' },
    'a DO block that fails' => sub { 'BEGIN; DO $$ BEGIN PERFORM set_tenant_token(' . literal(token(key_id => 5)) . '); END $$' },
    'a statement of plpgsql that fails later' => sub { 'BEGIN; DO $$ BEGIN PERFORM set_tenant_token(' . literal(token()) . '), 1 / (random() * 0)::int; END $$' },
    'EXECUTE of plpgsql' => sub { 'BEGIN; DO $$ BEGIN EXECUTE \'SELECT set_tenant_token($1)\' USING ' . literal(token()) . '::bytea; END $$' },
    'base64' => sub { q{BEGIN; SELECT set_tenant_token(decode('} . base64(token()) . q{', 'base64'))} },
    'EXECUTE' => sub { 'PREPARE p AS SELECT set_tenant_token($1); BEGIN; EXECUTE p (' . literal(token()) . ')' },
    'EXECUTE that fails' => sub { 'PREPARE p AS SELECT set_tenant_token($1); BEGIN; EXECUTE p (' . literal(token(life => -5)) . ')' },
    'a function of the application\'s' => sub { 'BEGIN; SELECT pg_temp.enter(' . literal(token()) . ')' },
    'the same in base64' => sub { q{BEGIN; SELECT pg_temp.enter(decode('} . base64(token()) . q{', 'base64')) \; SELECT 1 / 0} },
    'the same that does not exist' => sub { 'SELECT no_such_function(' . literal(token()) . ')' },
    'a typing error' => sub { 'SELECT set_tenant_token(' . literal(token()) . ') FORM tenants' },
    'a cursor' => sub { 'BEGIN; DECLARE c CURSOR FOR SELECT set_tenant_token(' . literal(token()) . '); FETCH c' },
    'a raised message' => sub { 'DO $$ BEGIN RAISE LOG ' . q{'got %', } . literal(token()) . '::bytea; END $$' },
);
for my $way (sort keys %statement) {
    my $sender = open_session($node, $store, 'app_login');
    $sender->query('CREATE FUNCTION pg_temp.enter(token bytea) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM set_tenant_token(token); END $$') if $way =~ /application's|same in/;
    $sender->query($statement{$way}->());
    my $seen = $activity->();
    my $found = grep { my $hex = unpack 'H*', $_; index($seen, substr($hex, 82)) >= 0 || index($seen, substr(base64($_), 60)) >= 0 } @shown;
    is($found, 0, "activity: $way");
    $sender->quit;
}
# As parameters, in the protocol's own way: libpq by pgbench.
my @by_parameter = map { token() } 1 .. 3;
for my $mode (qw(extended prepared)) {
    my $file = "$folder/$mode.sql";
    append_to_file($file, "BEGIN;\nSELECT set_tenant_token(decode(:token, 'hex'));\nSELECT count(*) FROM orders;\nCOMMIT;\n");
    my $hex = unpack 'H*', shift @by_parameter;
    $node->command_ok([ 'pgbench', '-n', '-U', 'app_login', '-M', $mode, '-t', 2, '-f', $file, '-D', "token=$hex", '-p', $node->port, '-h', $node->host, $store ],
        "$mode: the token is a parameter");
}

# All that the server wrote, in three formats: no signature of any token, as hexadecimal digits, base64 or bytes.
my @files = grep { -f } glob($node->data_dir . '/logs/*'), $node->logfile;
my $written = join "\n", map { slurp_file($_) } @files;
like($written, qr/set_tenant_token/, 'the log tells of tokens') or diag "files: @files";
cmp_ok(scalar(grep { /csv|json/ } @files), '>=', 2, 'in three formats');
cmp_ok(scalar @shown, '>=', 40, scalar(@shown) . ' tokens were used');
my %seen;
for my $token (@shown) {
    my $signature = substr $token, 41;
    # Base64 puts three bytes into four characters: from byte 42 on it is the signature's.
    for my $form ([ hexadecimal => unpack 'H*', $signature ], [ 'half of it' => unpack 'H*', substr $signature, 0, 16 ], [ base64 => substr base64($token), 56, 40 ]) {
        my $at = index $written, $form->[1];
        next if $at < 0;
        $seen{ $form->[0] }++;
        diag "$form->[0]: ...", substr($written, $at > 300 ? $at - 300 : 0, 400) if $seen{ $form->[0] } <= 3;
    }
}
is_deeply(\%seen, {}, 'and shows none of them');
like($written, qr/Query Text: SELECT set_tenant_token|Query Text: BEGIN/i, 'auto_explain was at work') or note 'no plan in the log';
like($written, qr/parameters: \$1 = '?\*+|\$1 = \*+/, 'parameters were logged, and starred');
like($written, qr/tables? orders|FROM orders/, 'other statements are in the log as they were');

$_->quit for $session, $watcher;
$node->stop;

# Not preloaded: the session's first call loads the library, and from then on its log is clean.
my $late = new_cluster('late', start => 0, conf => "log_min_duration_statement = 0\nlog_min_error_statement = debug5\nbrainsait.token_key_file = 'token_keys'\n");
key_file($late->data_dir . '/token_keys', 1 => $key{1});
$late->start;
create_store($late, 'late');
my $c = add_tenant($late, 'late', slug => 'c');
my $late_database = pack 'H*', $late->safe_psql('late', q{SELECT encode(token_database(), 'hex')});
my @late = map { make_token(database => $late_database, tenant => $c, key => $_) } $key{1}, $key{2};
is((run_as($late, 'late', 'app_login', 'BEGIN; SELECT set_tenant_token(' . literal($late[0]) . ") \\g /dev/null\nSELECT slug FROM tenants"))[0], 'c', 'not preloaded: a token is taken');
is((run_as($late, 'late', 'app_login', 'BEGIN; SELECT set_tenant_token(' . literal($late[1]) . ')'))[2], '28000', 'not preloaded: and a wrong one is not');
my $late_log = slurp_file($late->logfile);
like($late_log, qr/statement: SELECT \*{40}/, 'not preloaded: the statement is in the log');
is(scalar(grep { index($late_log, unpack 'H*', substr $_, 41) >= 0 } @late), 0, 'not preloaded: the tokens are not');

# Nor does a session get around what an administrator requires before the library is there to say no.
$late->safe_psql('postgres', 'ALTER DATABASE late SET brainsait.require_token = on');
my $enter = "BEGIN; SELECT set_tenant('$c') \\g /dev/null\nSELECT slug FROM tenants";
is((run_as($late, 'late', 'app_login', $enter))[2], '28000', 'not preloaded: a token is required');
is((run_as($late, 'late', 'app_login', "SET brainsait.require_token = off; $enter"))[2], '28000', 'not preloaded: also of who set the parameter first');
for my $options ('-c brainsait.require_token=off', '--brainsait.require-token=off', '-c work_mem=1MB -cBRAINSAIT.require_token=0', '-c brain\\sait.require_token=off') {
    local $ENV{PGOPTIONS} = $options;
    is((run_as($late, 'late', 'app_login', $enter))[2], '42501', "not preloaded: nor by $options");
}
$ENV{PGOPTIONS} = '-c brainsait.rollup_wait=on';
is((run_as($late, 'late', 'app_login', 'SELECT current_tenant() IS NULL; SHOW brainsait.rollup_wait'))[0], "t\non", 'not preloaded: what anybody may set is taken');
$ENV{PGOPTIONS} = '-c brainsait.require_token=off';
is((run_as($late, 'late', 'postgres', $enter))[0], 'c', 'not preloaded: a superuser may');
delete $ENV{PGOPTIONS};
done_testing();
