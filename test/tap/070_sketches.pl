# Sketches in tables: dump and restore, COPY in both formats, damaged bytes through binary COPY.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('sketches');
my $store = create_store($node, 'shop', schema => 'shop');
my $folder = PostgreSQL::Test::Utils::tempdir();
$node->safe_psql('postgres', qq{ALTER DATABASE "$store" SET search_path = shop});
$node->safe_psql($store, <<'SQL');
CREATE TABLE daily (day date PRIMARY KEY, visitors distinct_sketch, totals quantile_sketch, products top_k_sketch);
INSERT INTO daily
SELECT date '2024-01-01' + d, distinct_sketch(n % (50 * d + 1)), quantile_sketch((n % 97 - 10) * 10.0 ^ (n % 25 - 12), 0.02), top_k_sketch('product ' || n % 40 || ' عسل', n / 100.0, 5)
FROM generate_series(0, 20) AS d, generate_series(1, 3000) AS n GROUP BY d;
INSERT INTO daily SELECT '2024-03-01', NULL, quantile_sketch(1) - quantile_sketch(1), top_k_sketch(n::text, n % 7 - 1, 1) FROM generate_series(1, 5000) AS n;
SQL
my $contents = 'SELECT md5(string_agg(concat_ws(chr(10), day, visitors, totals, products), chr(10) ORDER BY day)) FROM shop.daily';
my $rolled = 'SELECT distinct_count(rollup(visitors)), (top_k_entries(rollup(products)))[1] FROM shop.daily WHERE day < $$2024-02-01$$';
my ($before, $answers) = map { $node->safe_psql($store, $_) } $contents, $rolled;

for my $format ('plain', 'custom') {
    my ($file, $copy) = ("$folder/$format", "restored_$format");
    run_command([ 'pg_dump', "--format=$format", '-f', $file, '-d', $node->connstr($store) ]);
    $node->safe_psql('postgres', qq{CREATE DATABASE "$copy" TEMPLATE template0});
    my ($out, $err) = run_command($format eq 'plain'
        ? [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $file, '-d', $node->connstr($copy) ]
        : [ 'pg_restore', '-d', $node->connstr($copy), $file ]);
    unlike($err, qr/ERROR/, "$format dump: restores") or diag $err;
    is($node->safe_psql($copy, $contents), $before, "$format dump: every sketch is the same");
    is($node->safe_psql($copy, "SET search_path = shop; $rolled"), $answers, "$format dump: they roll up to the same");
}

for my $format ('text', 'binary', 'csv') {
    $node->safe_psql($store, <<"SQL");
CREATE TABLE copied (LIKE daily);
COPY daily TO '$folder/rows.$format' (FORMAT $format);
COPY copied FROM '$folder/rows.$format' (FORMAT $format);
SQL
    is($node->safe_psql($store, $contents =~ s/shop\.daily/shop.copied/r), $before, "COPY as $format: every sketch is the same");
    $node->safe_psql($store, 'DROP TABLE copied');
}

# One value in a file of binary COPY, its bits flipped: refused with 22P03, or taken as it is.
for my $type ('distinct_sketch', 'quantile_sketch', 'top_k_sketch') {
    my $column = { distinct_sketch => 'visitors', quantile_sketch => 'totals', top_k_sketch => 'products' }->{$type};
    my $value = pack('H*', $node->safe_psql($store, "SELECT encode($column\::bytea, 'hex') FROM daily WHERE day = '2024-01-03'"));
    srand 7;
    my $script = "CREATE TEMP TABLE taken (s $type);\n\\set VERBOSITY sqlstate\n";
    for my $try (1 .. 300) {
        my $bytes = $value;
        my $size = $try % 2 ? length $bytes : 60;
        vec($bytes, int(rand($size * 8)), 1) ^= 1 for 1 .. 1 + $try % 3;
        open my $out, '>:raw', "$folder/$type.$try" or die;
        print $out "PGCOPY\n\xff\r\n\0", pack('NN n N', 0, 0, 1, length $bytes), $bytes, pack('n', 0xffff);
        close $out;
        $script .= "COPY taken FROM '$folder/$type.$try' (FORMAT binary);\n";
    }
    my ($status, $taken, $said) = $node->psql($store, "$script SELECT count(*) FROM taken; SELECT count(*) FROM taken WHERE s::bytea::$type <> s", on_error_stop => 0);
    my @states = $said =~ /ERROR:  (\w+)/g;
    my ($count, $wrong) = split /\n/, $taken;
    is($count + @states, 300, "$type: each damaged value was taken or refused");
    is(scalar(grep { $_ ne '22P03' } @states), 0, "$type: refused as malformed binary input");
    cmp_ok(scalar @states, '>', 20, "$type: many were refused");
    is($wrong, 0, "$type: what was taken reads back");
}
is($node->safe_psql($store, $contents), $before, 'the server and its rows are unharmed');

done_testing();
