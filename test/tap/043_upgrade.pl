# An earlier version with rows in it becomes this one: the catalogs are those of a fresh install and of a restored dump, the
# rows are what they were, and sessions live through it. A dump of the earlier version does, too.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use EarlierVersion;
use StoreCatalog;
use StoreCluster;
use StoreRows;
use PostgreSQL::Test::Utils;
use Test::More;

my $earlier = '0.1.0';
my $missing = earlier_version_missing($earlier);
plan skip_all => $missing if defined $missing;

my $place = install_earlier_version($earlier);
my $node = new_cluster('upgrade', install_path => $place->{bin_parent});
my ($this) = slurp_file('brainsait.control') =~ /^default_version = '([^']+)'/m;
my $odd_schema = 'my 100% Shop';
my ($out, $err, $state);

# What an application's migrations and an administrator add, as a member of the owner, of what both versions have.
sub add_to_store {
    my ($database, $schema) = @_;
    $node->safe_psql($database, <<"SQL");
GRANT EXECUTE ON FUNCTION "$schema".uuid_v7() TO app_login WITH GRANT OPTION;
SET ROLE brainsait_owner;
SET search_path = "$schema";
ALTER TABLE orders ADD COLUMN gift boolean NOT NULL DEFAULT false;
CREATE POLICY no_hidden_products ON products AS RESTRICTIVE FOR SELECT TO brainsait_app USING (status <> 'hidden');
CREATE VIEW revenue_by_day WITH (security_invoker = true) AS SELECT date, sum(net_revenue) AS net FROM revenue_metrics_live GROUP BY date;
GRANT SELECT ON revenue_by_day TO brainsait_app;
CREATE TABLE kept_sketches (tenant_id uuid NOT NULL DEFAULT current_tenant(), seen distinct_sketch, spent quantile_sketch, best top_k_sketch, life purchase_stats_state);
SELECT isolate_table('kept_sketches');
CREATE INDEX kept_sketches_hash ON kept_sketches USING hash (seen);
SQL
    return;
}

sub fill_kept {
    my ($database, $schema) = @_;
    $node->safe_psql($database, <<"SQL");
SET search_path = "$schema";
INSERT INTO kept_sketches (tenant_id, seen, spent, best)
SELECT tenant_id, distinct_sketch(customer_email), quantile_sketch(total::double precision), top_k_sketch(number, total, 3) FROM orders GROUP BY tenant_id;
SQL
    return;
}

# The columns of every table, and the rows in those columns.
sub columns_of {
    my ($database, $schema) = @_;
    return { map { split /\t/, $_, 2 } split /\n/, $node->safe_psql($database, <<"SQL") };
SELECT c.relname || E'\\t' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = '$schema') AND c.relkind IN ('r', 'p') AND NOT c.relispartition GROUP BY c.relname
SQL
}

sub rows_of {
    my ($database, $schema, $columns) = @_;
    my %rows;
    for my $table (sort keys %$columns) {
        $rows{$table} = $node->safe_psql($database,
            qq{COPY (SELECT $columns->{$table} FROM "$schema"."$table" AS t ORDER BY ($columns->{$table})::text COLLATE "C") TO STDOUT});
    }
    return \%rows;
}

sub dump_of { my ($database, $file) = @_; $node->command_ok([ 'pg_dump', '-f', $file, '-d', $node->connstr($database) ], "pg_dump of $database"); return $file; }

# Restores a dump; returns what was said besides the notice of the tables that were left to it.
sub restore {
    my ($file, $database) = @_;
    $node->safe_psql('postgres', qq{CREATE DATABASE "$database" TEMPLATE template0});
    (undef, $err) = run_command([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', $file, '-d', $node->connstr($database) ]);
    return $err =~ s/^\S*:? ?NOTICE:  brainsait: row_security is off[^\n]*\n?(?:HINT:  [^\n]*create_store\(\)[^\n]*\n?)?//mgr;
}

sub healthy {
    my ($database, $schema, $name) = @_;
    is(rollup_differences($node, $database, $schema), '', "$name: the rollup is right");
    is($node->safe_psql($database, qq{SELECT * FROM "$schema".isolation_report()}), '', "$name: no hole in the wall");
    is($node->safe_psql($database, qq{SELECT * FROM "$schema".store_strangers()}), '', "$name: all of it the store");
    my $before = store_catalog($node, $database);
    is($node->safe_psql($database, qq{SELECT "$schema".create_store()}), '', "$name: create_store() again");
    same_text(store_catalog($node, $database), $before, "$name: changes nothing");
    return;
}

# The application goes on: numbers, the rollup, the wall.
sub goes_on {
    my ($database, $schema, $name) = @_;
    $node->safe_psql('postgres', qq{ALTER ROLE app_login IN DATABASE "$database" SET search_path = "$schema"});
    my $last = $node->safe_psql($database, qq{SELECT max(number) FROM "$schema".orders WHERE number LIKE 'RIYADH-' || to_char(now() AT TIME ZONE 'Asia/Riyadh', 'YYYY') || '-%'});
    ($out, $err, $state) = run_in_tenant($node, $database, $tenant_a, 'INSERT INTO orders (total) VALUES (1) RETURNING number');
    is($out, $last =~ s/(\d+)$/sprintf '%05d', $1 + 1/er, "$name: the counter goes on") or diag $err;
    ($out, $err, $state) = run_in_tenant($node, $database, $tenant_b,
        'INSERT INTO orders (total) SELECT 1 FROM generate_series(1, 50); SELECT count(*) - count(DISTINCT number), count(DISTINCT tenant_id) FROM orders');
    is($out, '0|1', "$name: so do codes, behind the wall") or diag $err;
    is(rollup_differences($node, $database, $schema), '', "$name: the rollup follows");
    return;
}

# 1. The earlier version and its life.
my %stores = (plain => 'public', odd => $odd_schema);
my (%columns, %rows);
my $folder = PostgreSQL::Test::Utils::tempdir();
for my $database (sort keys %stores) {
    my $schema = $stores{$database};
    create_store($node, $database, $schema eq 'public' ? () : (schema => $schema));
    is($node->safe_psql($database, q{SELECT extversion FROM pg_extension WHERE extname = 'brainsait'}), $earlier, "$database: it is $earlier");
    add_to_store($database, $schema) if $database eq 'odd';
    fill_store($node, $database, $schema);
    fill_kept($database, $schema) if $database eq 'odd';
    $columns{$database} = columns_of($database, $schema);
    $rows{$database} = rows_of($database, $schema, $columns{$database});
    dump_of($database, "$folder/$database.earlier.sql");
}
my @symbols = split /\n/, $node->safe_psql('plain', q{SELECT DISTINCT prosrc FROM pg_proc WHERE probin LIKE '%brainsait%' ORDER BY 1});
cmp_ok(scalar @symbols, '>', 100, 'C functions of the earlier version');
my $session = open_session($node, 'plain', 'app_login');
my $in_session = "BEGIN; SELECT set_tenant('$tenant_b'); INSERT INTO orders (total) VALUES (%s) RETURNING number ~ '^ORD-'; COMMIT";
like(($session->query(sprintf $in_session, 101))[0], qr/t\n?\z/, 'a session with the earlier library');

# 2. The package is upgraded, the databases not yet.
replace_by_this_version($place);
is($node->safe_psql('plain', q{SELECT count(fmgr_c_validator(oid)) >= 0 FROM pg_proc WHERE probin LIKE '%brainsait%'}), 't',
    'the new library has every C function of the earlier version');
for my $database (sort keys %stores) {
    goes_on($database, $stores{$database}, "$database, new library and earlier SQL");
    is($node->safe_psql($database, qq{SELECT * FROM "$stores{$database}".isolation_report()}), '', "$database: no hole in the wall");
}
like(($session->query(sprintf $in_session, 102))[0], qr/t\n?\z/, 'the session goes on');
%rows = map { $_ => rows_of($_, $stores{$_}, $columns{$_}) } keys %stores;

# 3. ALTER EXTENSION UPDATE: refused where an object that is not the extension's bears a new name; else all is new.
$node->safe_psql('plain', 'SET ROLE brainsait_owner; CREATE TABLE maintenance_runs (id integer)');
($out, $err, $state) = run_as($node, 'plain', $node->safe_psql('postgres', 'SELECT current_user'), 'ALTER EXTENSION brainsait UPDATE');
is($state, '42P07', "a table of the application's with the name of a new one: refused") or diag $err;
like($err, qr/HINT:  The store needs the name: rename your maintenance_runs/, 'with the way out');
$node->safe_psql('plain', q{DROP TABLE maintenance_runs; CREATE FUNCTION health_check(boolean) RETURNS boolean LANGUAGE sql AS 'SELECT true'});
($out, $err, $state) = run_as($node, 'plain', $node->safe_psql('postgres', 'SELECT current_user'), 'ALTER EXTENSION brainsait UPDATE');
isnt($state, '', 'a function with the name of a new one is not taken for it');
like($err, qr/function health_check\(boolean\) is not a member of extension "brainsait"|cannot change/, 'with the reason') or diag $err;
$node->safe_psql('plain', 'DROP FUNCTION health_check(boolean)');
is($node->safe_psql('plain', q{SELECT extversion FROM pg_extension WHERE extname = 'brainsait'}), $earlier, 'and nothing has changed');

# Deliveries that the key of this version takes for one: two more of the first one's time, one of a microsecond later.
$node->safe_psql('plain', q{INSERT INTO webhook_deliveries (tenant_id, webhook_id, event_id, event_type, payload, created_at, response_body)
    SELECT tenant_id, webhook_id, event_id, event_type, payload, created_at + n / 3 * interval '1 microsecond', 'again'
    FROM (SELECT * FROM webhook_deliveries ORDER BY id LIMIT 1) AS d, generate_series(1, 3) AS n});
my $apart = q{SELECT count(*), string_agg(DISTINCT extract(microseconds FROM d.created_at - w.created_at)::integer::text, ' ' ORDER BY extract(microseconds FROM d.created_at - w.created_at)::integer::text)
    FROM (SELECT * FROM webhook_deliveries WHERE response_body IS DISTINCT FROM 'again' ORDER BY id LIMIT 1) AS w JOIN webhook_deliveries d ON d.webhook_id = w.webhook_id AND d.event_id = w.event_id};

for my $database (sort keys %stores) {
    my $schema = $stores{$database};
    # Even by a superuser who has turned row security off, and whose search_path finds other things first.
    ($out, $err, $state) = run_as($node, $database, $node->safe_psql('postgres', 'SELECT current_user'),
        'SET row_security = off; CREATE SCHEMA trap; CREATE FUNCTION trap.format(text, VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION \'trapped\'; END$$;
         SET search_path = trap, pg_catalog; ALTER EXTENSION brainsait UPDATE; DROP SCHEMA trap CASCADE');
    is($state, '', "$database: ALTER EXTENSION brainsait UPDATE") or diag $err;
    is($node->safe_psql($database, q{SELECT extversion FROM pg_extension WHERE extname = 'brainsait'}), $this, "$database: it is $this");
    if ($database eq 'plain') {
        is($node->safe_psql($database, $apart), '4|0 1 2 3', 'deliveries of one event, endpoint and time are kept, a microsecond apart');
        $node->safe_psql($database, q{DELETE FROM webhook_deliveries WHERE response_body = 'again'});
    }
    is_deeply(rows_of($database, $schema, $columns{$database}), $rows{$database}, "$database: every row is what it was");
}
# New triggers call functions that the earlier library does not have.
$session->query(sprintf $in_session, 103);
like($session->{stderr}, qr/42883: could not find function "brainsait_/, 'the session with the earlier library has to connect anew to write');
($out, $err) = $session->query('SELECT count(*) FROM product_page()');
$session->quit;

# 4. Three catalogs and their rows.
for my $database (sort keys %stores) {
    my $schema = $stores{$database};
    my $fresh = "${database}_fresh";
    create_store($node, $fresh, $schema eq 'public' ? () : (schema => $schema));
    add_to_store($fresh, $schema) if $database eq 'odd';
    my $catalog = store_catalog($node, $database);
    cmp_ok(scalar(split /\n/, $catalog), '>', 1000, "$database: the catalogs say much");
    same_text($catalog, store_catalog($node, $fresh), "$database: upgraded and fresh are the same");

    my $restored = "${database}_restored";
    is(restore(dump_of($database, "$folder/$database.sql"), $restored), '', "$database: the upgraded store's dump is restored");
    same_text(store_catalog($node, $restored), $catalog, "$database: restored and upgraded are the same");
    is_deeply(table_rows($node, $restored, $schema), table_rows($node, $database, $schema), "$database: every row, rollup, key and counter");
    for my $which ($database, $fresh, $restored) {
        healthy($which, $schema, $which);
        next if $which eq $fresh;
        goes_on($which, $schema, $which);
    }

    # 5. A dump of the earlier version where there is only this one: create_store() brings its tables up to date.
    my $late = "${database}_late";
    is(restore("$folder/$database.earlier.sql", $late), '', "$database: a dump of $earlier is restored into $this");
    like($err, qr/HINT:  [^\n]*earlier version[^\n]*create_store\(\)/, 'and said what to do then');
    is($node->safe_psql($late, qq{SELECT "$schema".create_store()}), '', "$database: create_store()");
    same_text(store_catalog($node, $late), $catalog, "$database: makes it the same");
    is($node->safe_psql($late, qq{SELECT "$schema".create_store()}), '', "$database: and again");
    healthy($late, $schema, $late);
    goes_on($late, $schema, $late);
}

# 6. What a later version would add to released tables, on a list of its own: made once, in order, by the tables' owner.
$node->safe_psql('plain_fresh', <<'SQL');
INSERT INTO tenants (name, slug) VALUES ('A', 'a');
CREATE OR REPLACE FUNCTION table_changes(OUT place integer, OUT table_name name, OUT kind text, OUT object name, OUT definition text, OUT comment text, OUT afterwards text)
RETURNS SETOF record LANGUAGE sql STABLE AS $$VALUES
    (3, 'tenants'::name, 'CONSTRAINT', 'idx_tenants_domain'::name, 'UNIQUE (domain, colour)', 'one of a colour', NULL::text),
    (1, 'tenants', 'COLUMN', 'colour', 'text', 'of its sign', 'UPDATE public.tenants SET colour = slug || current_user'),
    (2, 'orders', 'INDEX', 'idx_orders_name', '(tenant_id, customer_name)', NULL, NULL)$$;
SQL
is($node->safe_psql('plain_fresh', 'SELECT create_store(); SELECT create_store(); SELECT colour FROM tenants'), "\n\nabrainsait_owner", 'create_store() changes tables once');
is($node->safe_psql('plain_fresh', q{SELECT pg_get_constraintdef(oid), obj_description(oid), col_description(conrelid, conkey[2]) FROM pg_constraint WHERE conname = 'idx_tenants_domain'}),
    'UNIQUE (domain, colour)|one of a colour|of its sign', 'a column, and a key in the place of an index');
is($node->safe_psql('plain_fresh', q{SELECT pg_get_indexdef('idx_orders_name'::regclass)}),
    'CREATE INDEX idx_orders_name ON public.orders USING btree (tenant_id, customer_name)', 'an index');

unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC/, 'no process crashed');
done_testing();
