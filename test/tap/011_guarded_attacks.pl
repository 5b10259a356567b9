# The attacks of 010_attacks.pl where more is in place than the wall: the guard, harden_database(), both, and
# required tokens. Each part is told by the attacks that it stops and that nothing else stops.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use StoreAttacks;
use AttackedStore;
use TenantTokens;
use Test::More;

my %keys = (11 => 'k' x 32, 12 => join('', map { chr } 0 .. 63));
my $node = new_cluster('guarded', start => 0, conf => "shared_preload_libraries = 'brainsait'\nbrainsait.token_key_file = 'token_keys'\n");
key_file($node->data_dir . '/token_keys', map { $_ => $keys{$_} } sort keys %keys);
$node->start;

my @attacks = attacks();
my %name = (guard => 'the guard', harden => 'harden_database()', both => 'the guard and harden_database()');
for my $mode (qw(guard harden both)) {
    my $store = create_store($node, "with_$mode");
    $node->safe_psql('postgres', "ALTER DATABASE $store SET brainsait.guard = off") if $mode eq 'harden';
    fill_attacked_store($node, $store);
    unless ($mode eq 'guard') {
        my $statements = $node->safe_psql($store, <<'SQL');
SELECT count(*) > 0 AS there FROM pg_available_extensions WHERE name = 'pg_stat_statements' \gset
\if :there
CREATE EXTENSION pg_stat_statements;
\endif
SELECT harden_database();
SQL
        like($statements, qr/^REVOKE EXECUTE ON FUNCTION \S*pg_stat_statements\(/m, 'pg_stat_statements is among it')
            if $node->safe_psql($store, q{SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'});
    }
    my $other = open_session($node, $store, 'app_login');
    $other->query("BEGIN; SELECT set_tenant('" . bazaar . "'); COMMIT; SELECT 'bzr says'");
    my $superuser = $node->background_psql('postgres');
    my $before = checksums($node, $store);
    my (@stopped, @through);
    # Both together can stop no more than each for itself, so they meet what one of them has to stop.
    my @concerned = grep { $mode ne 'both' || $_->{stopped} || $_->{residue} } @attacks;
    subtest "attacks with $name{$mode}" => sub {
        for my $attack (@concerned) {
            my ($met, $leaked, $what, $denied) = run_attack($node, $store, $attack);
            my %stops = map { $_ => 1 } @{ $attack->{stopped} // [] };
            my $due = $mode eq 'both' ? $stops{guard} || $stops{harden} : $stops{$mode};
            # Denied is as good as stopped otherwise, but a part in place has to stop what it is there for.
            ok(($due ? $denied && ($mode eq 'both' || $denied eq $mode) : $met || $denied) && !$leaked, "$attack->{group}: $attack->{name}")
                or diag "due to be stopped: ", $due ? 'yes' : 'no', "; denied by: $denied\n", $what;
            push @stopped, "$attack->{group}: $attack->{name}" if $due && $denied;
            push @through, "$attack->{group}: $attack->{name} ($attack->{residue})" if $attack->{residue} && !$denied;
        }
    };
    cmp_ok(scalar @stopped, '>', 10, scalar(@stopped) . ' attacks get through the wall alone and not past ' . $name{$mode});
    note "  $_" for @stopped;
    note scalar(@through), " known residues stay:";
    note "  $_" for @through;
    is(checksums($node, $store), $before, 'every row of Bazaar\'s is what it was');
    $_->quit for $other, $superuser;
}

# A dump carries what harden_database() did to functions, and it can still be taken back; the privileges of the
# database itself are no part of a dump.
my $privileges = <<'SQL';
SELECT p.oid::regprocedure, g.grantee::regrole, g.privilege_type FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS g
WHERE p.pronamespace = 'pg_catalog'::regnamespace ORDER BY 1, 2, 3
SQL
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_dump', '-Fc', '-f', $node->basedir . '/hardened.dump', '-d', $node->connstr('with_harden') ], 'a hardened database is dumped');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('restored'), $node->basedir . '/hardened.dump' ], 'and restored');
is($node->safe_psql('restored', $privileges), $node->safe_psql('with_harden', $privileges), 'with the same privileges');
is((run_as($node, 'restored', 'app_login', 'SELECT count(query) FROM pg_stat_activity'))[2], '42501', 'which deny the application');
like($node->safe_psql('restored', 'SELECT harden_database()'), qr/\AREVOKE TEMPORARY ON DATABASE restored FROM PUBLIC\nGRANT[^\n]*\z/, 'what is left to harden is the database');
$node->safe_psql('restored', 'SELECT unharden_database()');
is($node->safe_psql('restored', $privileges), $node->safe_psql('with_guard', $privileges), 'it is taken back there');

# Administrators, operators and migrations go on, also as the application.
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE migrations LOGIN IN ROLE brainsait_owner;
CREATE ROLE support LOGIN IN ROLE brainsait_operator;
CREATE ROLE migrating_app LOGIN IN ROLE brainsait_app, brainsait_owner;
CREATE ROLE stranger LOGIN;
SQL
$node->safe_psql('with_guard', <<'SQL');
CREATE FUNCTION by_owner() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ BEGIN CREATE TEMP TABLE of_owner (n int) ON COMMIT DROP; EXECUTE 'EXPLAIN SELECT FROM orders'; END $$;
ALTER FUNCTION by_owner() OWNER TO brainsait_owner;
SQL
my $everything = <<'SQL';
BEGIN; EXPLAIN SELECT FROM orders; LOCK TABLE orders IN ROW EXCLUSIVE MODE; SET LOCAL row_security = on; LISTEN x; NOTIFY x;
DECLARE c CURSOR WITH HOLD FOR SELECT 1; CREATE TEMP TABLE mine (n int); CREATE TEMP VIEW seen AS SELECT 1; ROLLBACK
SQL
for my $role (qw(postgres migrations support migrating_app)) {
    my $statements = $role eq 'postgres' ? "SET ROLE app_login; $everything" : $everything;
    my ($out, $error, $state) = run_as($node, 'with_guard', $role, $statements);
    is($state, '', "$role is not hindered") or diag $error;
}
is((run_as($node, 'with_guard', 'stranger', 'CREATE TEMP TABLE mine (n int); EXPLAIN SELECT 1'))[2], '', 'nor is a role that has nothing to do with the store');
is((run_as($node, 'with_guard', 'postgres', 'SET SESSION AUTHORIZATION app_login; EXPLAIN SELECT 1'))[2], '42501', 'whoever becomes the application is');
is((run_as($node, 'with_guard', 'app_login', 'SELECT by_owner()'))[2], '', 'a definer function of the owner does what its owner may');
is((run_as($node, 'with_guard', 'app_login', 'SHOW brainsait.guard'))[0], 'on', 'the parameter tells');
my ($out, $error, $state) = run_as($node, 'with_guard', 'app_login', 'EXPLAIN SELECT 1');
like($error, qr/42501: EXPLAIN: denied to members of brainsait_app.*DETAIL:  brainsait\.guard is on.*HINT:  Its row estimates/s, 'a denial says what, why and what else');

# From session_preload_libraries it is in force, from a statement that loads the library it is not, and says so.
my $plain = new_cluster('plain');
create_store($plain, 'plain');
is((run_as($plain, 'plain', 'app_login', 'SELECT current_tenant(); SHOW brainsait.guard'))[0], "\noff", 'not preloaded: off, and it says so');
$plain->safe_psql('postgres', "ALTER DATABASE plain SET session_preload_libraries = 'brainsait'");
is((run_as($plain, 'plain', 'app_login', 'SHOW brainsait.guard'))[0], 'on', 'preloaded by the session: on');
is((run_as($plain, 'plain', 'app_login', 'EXPLAIN SELECT 1'))[2], '42501', 'and in force');
is((run_as($plain, 'plain', 'postgres', 'EXPLAIN SELECT 1'))[2], '', 'for the application');
$plain->safe_psql('postgres', 'ALTER DATABASE plain SET brainsait.guard = off');
is((run_as($plain, 'plain', 'app_login', 'EXPLAIN SELECT 1'))[2], '', 'an administrator turns it off');
$plain->stop;

# Required tokens.
my $store = create_store($node, 'with_tokens');
create_store($node, 'other');
fill_attacked_store($node, $store);
$node->safe_psql('postgres', "ALTER DATABASE $store SET brainsait.require_token = on");
my %database = map { $_ => pack('H*', $node->safe_psql($_, q{SELECT encode(token_database(), 'hex')})) } $store, 'other';
my $before = checksums($node, $store);
my @token_attacks = token_attacks(database => $database{$store}, other => $database{other}, keys => \%keys);
cmp_ok(scalar @token_attacks, '>=', 50, scalar(@token_attacks) . ' attacks on tokens');
subtest 'tokens' => sub {
    for my $attack (@token_attacks) {
        my ($met, $leaked, $what) = run_attack($node, $store, $attack);
        ok($met && !$leaked, $attack->{name} . ($attack->{residue} ? " (residue: $attack->{residue})" : '')) or diag $what;
    }
};
subtest 'what required tokens stop' => sub {
    for my $attack (grep { grep { $_ eq 'token' } @{ $_->{stopped} // [] } } @attacks) {
        my ($met, $leaked, $what, $denied) = run_attack($node, $store, $attack);
        is($denied, 'token', $attack->{name}) or diag $what;
    }
};
is(checksums($node, $store), $before, 'every row of Bazaar\'s is what it was');

done_testing();
