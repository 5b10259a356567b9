package StoreWhole;

# Whether a store that came from elsewhere, by dump, backup or replication, is whole and works. For stores that
# fill_store() of StoreRows filled, or that have the same two tenants.
#
#   same_rows(table_rows($node, $db, 'public'), $rows, 'restored');     # tells which tables differ
#   store_is_whole($node, $db, 'public', 'restored');                   # changes nothing
#   numbers_go_on($node, $db, 'public', 'restored');                    # writes orders
#   quiet([ 'pg_restore', ... ], 'restored');                           # succeeds, and says nothing

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;
use StoreCluster;
use StoreRows;
use Test::More;

our @EXPORT = qw(same_rows store_is_whole numbers_go_on quiet unexpected_words);

# same_rows(got, expected, name, [except => [table...]]): what table_rows() returned twice.
sub same_rows {
    my ($got, $expected, $name, %options) = @_;
    my %except = map { ($_ => 1) } @{ $options{except} // [] };
    my %tables = map { ($_ => 1) } grep { !$except{$_} } keys %$got, keys %$expected;
    my @differing = grep { ($got->{$_} // 'no table') ne ($expected->{$_} // 'no table') } sort keys %tables;
    is("@differing", '', $name);
    for my $table (@differing) {
        my ($is, $was) = map { [ split /\n/, $_->{$table} // '' ] } $got, $expected;
        diag sprintf '%s: %d rows, expected %d', $table, scalar @$is, scalar @$was;
    }
    return;
}

# store_is_whole(node, database, schema, name): rollup as recomputed, wall without a hole, every part the store's.
sub store_is_whole {
    my ($node, $database, $schema, $name) = @_;
    is(rollup_differences($node, $database, $schema), '', "$name: nothing counted twice or not at all");
    is($node->safe_psql($database, qq{SELECT * FROM "$schema".isolation_report()}), '', "$name: no hole in the wall");
    is($node->safe_psql($database, qq{SELECT * FROM "$schema".store_strangers()}), '', "$name: all of it the store");
    return;
}

# numbers_go_on(node, database, schema, name): the next order of the tenant with {SEQ} has the next number, 200 codes of the
# other one meet no number that there is, and the rollup counts all of them. Makes app_login where it is missing.
sub numbers_go_on {
    my ($node, $database, $schema, $name) = @_;
    $node->safe_psql('postgres', <<"SQL");
SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_login') AS missing \\gset
\\if :missing
CREATE ROLE app_login LOGIN IN ROLE brainsait_app;
\\endif
ALTER ROLE app_login IN DATABASE "$database" SET search_path = "$schema";
SQL
    my $last = $node->safe_psql($database,
        qq{SELECT max(number) FROM "$schema".orders WHERE number LIKE 'RIYADH-' || to_char(now() AT TIME ZONE 'Asia/Riyadh', 'YYYY') || '-%'});
    my ($out, $err, $state) = run_in_tenant($node, $database, $tenant_a, 'INSERT INTO orders (total) VALUES (1) RETURNING number');
    is($out, $last =~ s/(\d+)$/sprintf '%05d', $1 + 1/er, "$name: the tenant's counter goes on") or diag $err;
    my $before = $node->safe_psql($database, qq{SELECT count(*) FROM "$schema".orders});
    ($out, $err, $state) = run_in_tenant($node, $database, $tenant_b, 'INSERT INTO orders (total) SELECT 1 FROM generate_series(1, 200)');
    is($state, '', "$name: codes go on") or diag $err;
    is($node->safe_psql($database, qq{SELECT count(*) - $before, count(*) - count(DISTINCT number) FROM "$schema".orders}),
        '200|0', "$name: without a collision");
    is(rollup_differences($node, $database, $schema), '', "$name: the rollup goes on");
    return;
}

# quiet(command, name, [says => pattern]): runs a command that succeeds and says nothing on stderr but what a restore may
# say, or else what matches; returns what it printed.
sub quiet {
    my ($command, $name, %options) = @_;
    my ($out, $err);
    my $succeeded = IPC::Run::run($command, '>', \$out, '2>', \$err);
    ok($succeeded, $name) or diag "@$command: $err";
    if (defined $options{says}) { like($err, $options{says}, "$name: what is said") }
    else { is(unexpected_words($err), '', "$name: no error and no warning") }
    return $out;
}

# What is said beyond what a restore may say, once: that CREATE EXTENSION leaves the tables to the dump.
sub unexpected_words {
    my ($said) = @_;
    my $notices = $said =~ s/^\S*:? ?NOTICE:  brainsait: row_security is off, as in a restore, so the tables were left out\nHINT:  [^\n]*create_store\(\)[^\n]*\n?//mg;
    # psql shows it, pg_restore does not.
    return ($notices || 0) <= 1 ? $said : "$notices notices\n$said";
}

1;
