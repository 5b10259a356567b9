package TenantTokens;

# Tenant tokens made the way the README describes them, without the extension, and what an application may try
# with wrong ones.

use strict;
use warnings;
use Digest::SHA qw(hmac_sha256);
use Exporter 'import';
use StoreAttacks;
use Time::HiRes ();

our @EXPORT = qw(make_token literal key_file token_attacks);

# make_token(database => 12 bytes, tenant => uuid, key => bytes, [key_id => 1], [life => seconds], [version => 1])
# The token's 73 bytes.
sub make_token {
    my (%token) = @_;
    my $expires = int((Time::HiRes::time() + ($token{life} // 30)) * 1_000_000);
    my $body = pack('C N a12 H32 q>', $token{version} // 1, $token{key_id} // 1, $token{database}, $token{tenant} =~ tr/-//dr, $expires);
    return $body . hmac_sha256($body, $token{key});
}

# Bytes as an SQL literal.
sub literal { my ($bytes) = @_; return q{'\x} . unpack('H*', $bytes) . q{'} }

# key_file(path, id => key, ...): writes a key file that the server trusts, in that order.
sub key_file {
    my ($path, @keys) = @_;
    open my $out, '>', $path or die "$path: $!";
    chmod 0600, $path;
    while (my ($id, $key) = splice @keys, 0, 2) { print $out "$id ", unpack('H*', $key), "\n" }
    close $out or die "$path: $!";
}

# token_attacks(database => this database's 12 bytes, other => another's, keys => { id => key })
# Rows as in StoreAttacks.
sub token_attacks {
    my (%at) = @_;
    my ($A, $B) = (acme, bazaar);
    my ($id) = sort keys %{ $at{keys} };
    my @good = (database => $at{database}, tenant => $B, key => $at{keys}{$id}, key_id => $id, life => 50);
    my $token = make_token(@good);
    my $count = 'SELECT count(*) FROM orders';
    my $try = sub { my ($bytes) = @_; return "BEGIN; SELECT set_tenant_token(" . literal($bytes) . ") \\g /dev/null\n$count" };
    my %refused = (
        'no byte' => '', 'one byte' => "\1", 'a byte too few' => substr($token, 0, -1), 'a byte too many' => $token . "\0",
        'a body alone' => substr($token, 0, 41), 'two tokens' => $token x 2, 'zeros' => "\0" x 73, 'a megabyte' => "\1" x 1_000_000,
        'no signature' => substr($token, 0, 41) . "\0" x 32,
        'the signature of another tenant\'s' => substr(make_token(@good, tenant => $A), 0, 41) . substr($token, 41),
        'Acme\'s token for Bazaar' => do { my $t = make_token(@good, tenant => $A); substr($t, 17, 16) = pack 'H*', $B =~ tr/-//dr; $t },
        'an expiry put off' => do { my $t = make_token(@good, life => -1); substr($t, 33, 8) = substr($token, 33, 8); $t },
        'an expired one' => make_token(@good, life => -0.001), 'one of long ago' => make_token(@good, life => -1e9),
        'one that never expires' => make_token(@good, life => 9e12), 'one of more than the lifetime' => make_token(@good, life => 3600),
        'one for another database' => make_token(@good, database => $at{other}),
        'one for another cluster' => make_token(@good, database => pack('q> N', 1, 2)),
        'one of another key' => make_token(@good, key => 'x' x 32), 'one of the empty key' => make_token(@good, key => ''),
        'the key of one id under another\'s' => make_token(@good, key_id => (sort keys %{ $at{keys} })[1]),
        'one of an unknown key id' => make_token(@good, key_id => 99), 'one of key id 0' => make_token(@good, key_id => 0),
        'one of version 0' => make_token(@good, version => 0), 'one of version 2' => make_token(@good, version => 2));
    my @rows = map { { name => "a token: $_", sql => $try->($refused{$_}), expect => '28000' } } sort keys %refused;
    my $of_acme = literal(make_token(@good, tenant => $A));
    my $lit = literal($token);
    return map { { group => 'tokens', bare => 1, %$_ } } @rows, (
        # Every bit of a good token turned, one after the other; all refused in the same words.
        { name => 'bits turned', expect => '= 584 28000 the tenant token is not valid', sql => <<"SQL" },
BEGIN;
DO \$\$
DECLARE token bytea := $lit; said text; told text[] := '{}'; refused int := 0;
BEGIN
    FOR bit IN 0 .. 8 * length(token) - 1 LOOP
        BEGIN
            PERFORM set_tenant_token(set_bit(token, bit, 1 - get_bit(token, bit)));
        EXCEPTION WHEN OTHERS THEN
            refused := refused + 1;
            told := told || (SQLSTATE || ' ' || SQLERRM);
        END;
    END LOOP;
    SELECT refused || ' ' || string_agg(DISTINCT t, ', ') INTO said FROM unnest(told) t;
    PERFORM set_config('mine.said', said, true);
END \$\$;
SELECT current_setting('mine.said')
SQL
        { name => 'a good token', sql => $try->($token), expect => '= 3', residue => 'whoever has a token may use it until it expires' },
        { name => 'a good token outside a transaction', sql => "SELECT set_tenant_token($lit)", expect => '25P01' },
        { name => 'the null token', sql => 'BEGIN; SELECT set_tenant_token(NULL)', expect => '22004' },
        { name => 'another tenant\'s token in the same transaction', sql => "BEGIN; SELECT set_tenant_token($of_acme); SELECT set_tenant_token($lit)", expect => '42501' },
        { name => 'another tenant\'s token in a savepoint', expect => '42501',
            sql => "BEGIN; SAVEPOINT s; SELECT set_tenant_token($of_acme); ROLLBACK TO s; SELECT set_tenant_token($lit)" },
        { name => 'the same tenant\'s token again', expect => '= 2',
            sql => "BEGIN; SELECT set_tenant_token($of_acme), set_tenant_token($of_acme) \\g /dev/null\n$count" },
        { name => 'a tenant set in a savepoint that is gone', expect => '= 0',
            sql => "BEGIN; SAVEPOINT s; SELECT set_tenant_token($lit) \\g /dev/null\nROLLBACK TO s; $count" },
        { name => 'rows after COMMIT', expect => '= 0', sql => "BEGIN; SELECT set_tenant_token($lit) \\g /dev/null\nCOMMIT; $count" },
        { name => 'a good token after a wrong one', expect => '= 3', residue => 'a refusal seals nothing',
            sql => "BEGIN; SAVEPOINT s; \\set ON_ERROR_STOP 0\nSELECT set_tenant_token('\\x00');\n\\set ON_ERROR_STOP 1\nROLLBACK TO s; SELECT set_tenant_token($lit) \\g /dev/null\n$count" },
        { name => 'in parallel workers', expect => '= 3', residue => 'whoever has a token may use it until it expires',
            sql => "BEGIN; SELECT set_tenant_token($lit) \\g /dev/null\nSET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0;"
                . ' SET LOCAL min_parallel_table_scan_size = 0; SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SELECT count(*) FROM users' },
        { name => 'a token in a parallel worker', expect => '42501|25000', sql => <<"SQL" },
BEGIN; SELECT set_tenant_token($of_acme) \\g /dev/null
SELECT count(set_tenant_token(CASE WHEN n > 0 THEN $lit\::bytea END)) FROM generate_series(1, 3) n
SQL
        { name => 'a suspended tenant\'s token', sql => $try->(make_token(@good, tenant => 'cccccccc-0000-4000-8000-000000000000')), expect => '28000' },
        { name => 'an unknown tenant\'s token', sql => $try->(make_token(@good, tenant => '12345678-0000-4000-8000-000000000001')), expect => '28000' },
        { name => 'a tenant without a token', sql => "BEGIN; SELECT set_tenant('$B')", expect => '28000' },
        { name => 'one\'s own tenant without a token', sql => "BEGIN; SELECT set_tenant('$A')", expect => '28000' },
        { name => 'a tenant after its token', sql => "BEGIN; SELECT set_tenant_token($of_acme); SELECT set_tenant('$B')", expect => '28000' },
        { name => 'a token made here', sql => "SELECT make_tenant_token('$B')", expect => '42501' },
        (map { { name => $_, sql => $_, expect => '42501' } }
            'SET brainsait.require_token = off', 'SET LOCAL brainsait.require_token = off', 'RESET brainsait.require_token',
            'SELECT set_config(\'brainsait.require_token\', \'off\', false)', 'ALTER ROLE app_login SET brainsait.require_token = off',
            'SET brainsait.guard = off', 'SET brainsait.token_lifetime = 86400', 'SHOW brainsait.token_key_file',
            'SELECT current_setting(\'brainsait.token_key_file\')',
            'CREATE FUNCTION pg_temp.f(uuid) RETURNS void LANGUAGE sql SET brainsait.require_token = off AS \'SELECT public.set_tenant($1)\''),
        { name => 'another key file', sql => "SET brainsait.token_key_file = '/tmp/mine'", expect => '55P02' },
        { name => 'the key file among the settings', expect => '= ', sql => "SELECT setting FROM pg_settings WHERE name = 'brainsait.token_key_file'" },
        { name => 'RESET ALL and DISCARD ALL', sql => "RESET ALL; DISCARD ALL; BEGIN; SELECT set_tenant('$B')", expect => '28000' },
        { name => 'PGOPTIONS', options => '-c brainsait.require_token=off', sql => "BEGIN; SELECT set_tenant('$B')", expect => '42501|08000' },
    );
}

1;
