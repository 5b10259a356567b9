# 100,000 stored states and sketches with bits flipped, cut short or drawn out, through each type's receive function: refused
# with 22P03, or taken, sent back byte for byte and read. BRAINSAIT_FLIPS=2000000 tries as many; with BRAINSAIT_SERVER="folder port"
# of a server that runs elsewhere, under valgrind for instance, they are sent there.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use BinaryParameters;
use Test::More;

my $flips = $ENV{BRAINSAIT_FLIPS} // 100_000;
my ($folder, $port, $node) = split ' ', $ENV{BRAINSAIT_SERVER} // '';
if (!$folder) {
    $node = new_cluster('received');
    ($folder, $port) = ($node->host, $node->port);
}
my $connect = sub { BinaryParameters->new($folder, $port, 'postgres', $_[0]) };
$connect->('postgres')->row('CREATE DATABASE received') if !$node;
$node->safe_psql('postgres', 'CREATE DATABASE received; ALTER DATABASE received SET client_min_messages = error') if $node;
my $client = $connect->('received');
$client->row($_) for 'CREATE SCHEMA shop', 'CREATE EXTENSION brainsait SCHEMA shop', 'SET search_path = shop';

# Type, states to damage, what reads one. Aggregates over the transition functions give states as workers send them.
$client->row("CREATE AGGREGATE $_") for
  'funnel_of(interval, text, timestamptz, VARIADIC boolean[]) (SFUNC = window_funnel_add, STYPE = window_funnel_state)',
  'retention_of(VARIADIC boolean[]) (SFUNC = retention_add, STYPE = retention_state)',
  'sum_of(boolean[]) (SFUNC = retention_sum_add, STYPE = retention_sum_state)',
  'counts_of(int, int) (SFUNC = funnel_counts_add, STYPE = funnel_counts_state)',
  'cohort_of(timestamptz, timestamptz, interval, int, text, text) (SFUNC = cohort_retention_add, STYPE = cohort_retention_state)',
  'sessions_of(timestamptz, interval) (SFUNC = session_stats_add, STYPE = session_stats_state)',
  'purchases_of(timestamptz, numeric) (SFUNC = purchase_stats_add, STYPE = purchase_stats_state)',
  'minimum_of(anyelement, anycompatible) (SFUNC = min_by_add, STYPE = extremum_state)',
  'line_of(numeric) (SFUNC = sparkline_add, STYPE = sparkline_state)';
my $minute = "'2026-01-01'::timestamptz + x * interval '7 minutes'";
my @types = (
    [ window_funnel_state => 'concat(window_funnel_final($1), window_funnel_times_final($1))',
        "SELECT funnel_of('1 hour', 'strict_order', $minute, x > 1, x > 2, x % 3 = 0) FROM generate_series(1, 9) AS x",
        "SELECT funnel_of('1 hour', '', $minute, x % 3 = 0, x % 3 = 1) FROM generate_series(1, 100) AS x" ],
    [ retention_state => 'retention_final($1)', 'SELECT retention_of(true, false, true)' ],
    [ retention_sum_state => 'retention_sum_final($1)', q{SELECT sum_of('{t,f,t}')} ],
    [ funnel_counts_state => 'funnel_counts_final($1)', 'SELECT counts_of(3, 4)' ],
    [ cohort_retention_state => 'cohort_retention_final($1)', q{SELECT cohort_of('2026-01-01', '2026-03-04', '1 month', 13, 'on', 'Asia/Riyadh')} ],
    [ session_stats_state => 'session_stats_final($1)', "SELECT sessions_of($minute, '14 minutes') FROM generate_series(1, 9) AS x WHERE x <> 4" ],
    [ purchase_stats_state => 'purchase_stats_final($1)', "SELECT purchases_of($minute, x * 1.25) FROM generate_series(1, 9) AS x" ],
    [ extremum_state => 'extremum_final($1, NULL::text[], NULL::numeric)', q{SELECT minimum_of(ARRAY['b', 'a'], 1.50)} ],
    [ sparkline_state => 'sparkline_final($1)', 'SELECT line_of(x) FROM generate_series(1, 50) AS x' ],
    [ distinct_sketch => 'distinct_count($1)', map { "SELECT distinct_sketch(x) FROM generate_series(1, $_) AS x" } 1, 20, 256, 400, 20000 ],
    [ quantile_sketch => 'approx_percentile(0.5, $1 + $1)',
        map { "SELECT quantile_sketch(x * (x % 7 - 2) * 10::float8 ^ (x % 40 - 20)) FROM generate_series(1, $_) AS x" } 1, 20, 300 ],
    [ top_k_sketch => 'top_k_entries($1)', map { "SELECT top_k_sketch('key ' || x % 50, x - 10, 3) FROM generate_series(1, $_) AS x" } 1, 20, 300 ],
);

srand 7;
my $damage = sub {
    my ($bytes) = @_;
    my ($size, $how) = (length $bytes, rand);
    return substr $bytes, 0, int rand $size if $how < 0.02;
    return $bytes . substr $bytes, 0, 1 + int rand 20 if $how < 0.04;
    # Half of the flips are in the first 60 bytes, where the header is.
    my $reach = 8 * (rand() < 0.5 && $size > 60 ? 60 : $size);
    vec($bytes, int rand $reach, 1) ^= 1 for 1 .. 1 + int(4 * rand() * rand());
    return $bytes;
};

my $known = join ' ', sort map { $_->[0] } @types;
is(join(' ', map { defined ? $_ : () } $client->row("SELECT string_agg(typname, ' ' ORDER BY typname COLLATE \"C\") FROM pg_type t
    JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
    WHERE t.typnamespace = 'shop'::regnamespace AND t.typname ~ '_(state|sketch)\$' AND t.typelem = 0")), $known, 'every type is here');

my $sent = 0;
for my $entry (@types) {
    my ($type, $read, @made) = @$entry;
    my $each = 1 + int($flips / @types / @made);
    my %count;
    for my $sql (@made) {
        my ($good) = $client->row($sql);
        for (my $left = $each; $left > 0; $left -= 1000) {
            my @tries = ($good, map { $damage->($good) } 2 .. ($left < 1000 ? $left : 1000));
            my @answers = $client->ask('SELECT $1', $type, @tries);
            # What was taken comes back as it went in; then it is read, where sums may overflow and a value be of another type.
            my @taken = grep { $answers[$_]{state} eq '' } 0 .. $#tries;
            $count{changed} += grep { $answers[$_]{columns}[0] ne $tries[$_] } @taken;
            $count{refused} += grep { $_->{state} eq '22P03' } @answers;
            # A value within a state of extremes is its own type's to refuse.
            $count{other} += grep { $_->{state} ne '' && $_->{state} ne '22P03' && !($type eq 'extremum_state' && $_->{state} =~ /^(22|42|54000|08P01|0A000|3F000)/) } @answers;
            $count{unreadable} += grep { $_->{state} !~ /^(|42804|22003|22008)$/ } $client->ask("SELECT ($read)::text", $type, @tries[@taken]);
            $count{taken} += @taken;
            $sent += @tries;
        }
    }
    is($count{changed}, 0, "$type: what is taken is sent back byte for byte");
    is($count{other}, 0, "$type: what is not is refused with 22P03");
    is($count{unreadable}, 0, "$type: what is taken can be read");
    cmp_ok($count{refused}, '>', $each / 20, "$type: many are refused");
    cmp_ok($count{taken}, '>=', @made, "$type: the undamaged ones are taken");
}
cmp_ok($sent, '>=', $flips, "$sent values were sent");
is(join(' ', $connect->('received')->row("SELECT 'well'::text")), 'well', 'the server is well');
$node->stop if $node;

done_testing();
