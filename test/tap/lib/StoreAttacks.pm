package StoreAttacks;

# What a login role of the application may try from inside tenant Acme against tenant Bazaar.
#
# attacks() gives a list of rows { group, name, sql, expect, ... }:
#   expect   '42501'      the statement fails with that SQLSTATE ('42501|55000': with one of them)
#            '= text'     it succeeds and prints exactly that
#            qr/.../      it succeeds and prints something that matches
#   bare     the statements run as they stand; otherwise inside one transaction with Acme set
#   options  environment variable PGOPTIONS of the connection
#   guess    the statement itself holds what it guesses, so the server's messages may repeat it
#   refused  a SQLSTATE that is as good: where the library is preloaded
#   messages qr/.../      and so does something in the messages that came with it
#   residue  why this one is not stopped: known, and told to whoever runs a store
#   stopped  what stops it, if it is in place: 'guard', 'harden' (harden_database()), 'token' (require_token), in a list
# Every text of Bazaar's holds the mark "bzr": an answer that holds it has leaked.

use strict;
use warnings;
use Exporter 'import';
our @EXPORT = qw(attacks acme bazaar row_of tenant_tables);

sub acme { 'aaaaaaaa-0000-4000-8000-000000000000' }
sub bazaar { 'bbbbbbbb-0000-4000-8000-000000000000' }

# The n-th row of a tenant has the same id in every table.
sub row_of { my ($tenant, $n) = @_; return substr($tenant, 0, -1) . $n }

# The tables that an application reads, with a column to write.
sub tenant_tables {
    return (
        users => 'name', products => 'category', orders => 'status', order_items => 'product_name',
        payments => 'provider', analytics_events => 'session_id', integrations => 'name', webhooks => 'description');
}

my ($A, $B) = (acme, bazaar);
my ($a1, $b1) = (row_of($A, 1), row_of($B, 1));
my $nobody = '12345678-0000-4000-8000-000000000001';
my $hex = $B =~ tr/-//dr;
my $documented_unique = 'numbers and payment intents are unique across tenants, as documented: a guess tells that one exists';
# What stops an attack that row security does not.
my @guard = (residue => 'the guard denies it', stopped => ['guard']);
my @harden = (residue => 'harden_database() denies it', stopped => ['harden']);
my @either = (residue => 'the guard and harden_database() deny it', stopped => [ 'guard', 'harden' ]);

# Functions that speak of every value they see, and cost nothing, so that the planner would like them first.
my $leaky = <<'SQL';
SET client_min_messages = notice;
CREATE FUNCTION pg_temp.leak(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 IMMUTABLE
    AS $$ BEGIN RAISE NOTICE 'seen %', value; RETURN true; END $$;
CREATE FUNCTION pg_temp.leak_two(a text, b text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 IMMUTABLE
    AS $$ BEGIN RAISE NOTICE 'seen %', a; RETURN true; END $$;
CREATE OPERATOR pg_temp.<<< (FUNCTION = pg_temp.leak_two, LEFTARG = text, RIGHTARG = text, RESTRICT = scalarltsel);
CREATE OPERATOR pg_temp.=== (FUNCTION = pg_temp.leak_two, LEFTARG = text, RIGHTARG = text, RESTRICT = eqsel, JOIN = eqjoinsel);
SQL

sub counted { my ($sql) = @_; return "WITH w AS ($sql RETURNING 1) SELECT count(*) FROM w" }

sub switching {
    return map { { group => 'switching and forging', %$_ } } (
        { name => 'another tenant in the same transaction', sql => "SELECT set_tenant('$B')", expect => '42501' },
        { name => 'another tenant inside a savepoint', sql => "SAVEPOINT s; SELECT set_tenant('$B')", expect => '42501' },
        { name => 'another tenant after the first was rolled back', bare => 1, expect => '42501',
            sql => "BEGIN; SAVEPOINT s; SELECT set_tenant('$A'); ROLLBACK TO s; SELECT set_tenant('$B'); SELECT count(*) FROM orders" },
        { name => 'another tenant in an exception block', expect => '= 42501 2', sql => <<"SQL" },
CREATE FUNCTION pg_temp.try() RETURNS text LANGUAGE plpgsql AS \$\$
BEGIN PERFORM set_tenant('$B'); RETURN 'set'; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END \$\$;
SELECT pg_temp.try() || ' ' || (SELECT count(*) FROM orders)
SQL
        { name => 'another tenant in the same message', bare => 1, expect => '42501',
            sql => "SELECT set_tenant('$A')\\; SELECT set_tenant('$B')\\; SELECT count(*) FROM orders;" },
        { name => 'a tenant outside a transaction', bare => 1, sql => "SELECT set_tenant('$B')", expect => '25P01' },
        { name => 'a tenant in a DO block outside a transaction', bare => 1, expect => '25P01',
            sql => "DO \$\$ BEGIN PERFORM set_tenant('$B'); PERFORM count(*) FROM orders; END \$\$" },
        { name => 'no tenant at all', bare => 1, sql => 'SELECT count(*) FROM orders', expect => '= 0' },
        { name => 'the null tenant', bare => 1, sql => 'BEGIN; SELECT set_tenant(NULL)', expect => '22004' },
        { name => 'a suspended tenant', bare => 1, sql => "BEGIN; SELECT set_tenant('cccccccc-0000-4000-8000-000000000000')", expect => '28000' },
        { name => 'an unknown tenant', bare => 1, sql => "BEGIN; SELECT set_tenant('$nobody')", expect => '28000' },
        { name => 'SET of the transport', sql => "SET brainsait.tenant_transport = '$hex'", expect => '42501' },
        { name => 'SET LOCAL of the transport', sql => "SET LOCAL brainsait.tenant_transport = '$hex'", expect => '42501' },
        { name => 'set_config of the transport', sql => "SELECT set_config('brainsait.tenant_transport', '$hex', false)", expect => '42501' },
        { name => 'the transport through pg_settings', expect => "= $A",
            sql => "UPDATE pg_settings SET setting = '$hex' WHERE name LIKE 'brainsait.tenant%'; SELECT current_tenant()" },
        { name => 'reading the transport', sql => 'SHOW brainsait.tenant_transport', expect => '42501' },
        { name => 'RESET of the transport', sql => 'RESET brainsait.tenant_transport', expect => '42501' },
        { name => 'RESET ALL', sql => 'RESET ALL; SELECT current_tenant()', expect => "= $A" },
        { name => 'SET before the library is loaded', bare => 1, expect => '= 0', refused => '42501',
            sql => "SET brainsait.tenant_transport = '$hex'; SELECT count(*) FROM orders" },
        # Where the library is preloaded, the connection itself is refused.
        { name => 'PGOPTIONS', bare => 1, options => "-c brainsait.tenant_transport=$hex", sql => 'SELECT count(*) FROM orders', expect => '42501|08000' },
        { name => 'PGOPTIONS with an escape', bare => 1, options => "-c BRAIN\\sait.tenant_transport=$hex", sql => 'SELECT count(*) FROM orders', expect => '42501|08000' },
        { name => 'PGOPTIONS for another parameter of the store\'s', bare => 1, options => '-c brainsait.require_token=off', sql => 'SELECT count(*) FROM orders', expect => '42501|08000' },
        { name => 'PGOPTIONS and parallel workers', bare => 1, expect => '42501|08000', sql => 'SELECT count(*) FROM users',
            options => "-c brainsait.tenant_transport=$hex -c parallel_setup_cost=0 -c parallel_tuple_cost=0"
                . ' -c min_parallel_table_scan_size=0 -c enable_indexscan=off -c enable_bitmapscan=off -c parallel_leader_participation=off' },
        { name => 'ALTER ROLE of oneself', sql => "ALTER ROLE app_login SET brainsait.tenant_transport = '$hex'", expect => '42501' },
        { name => 'ALTER ROLE of oneself before the library is loaded', bare => 1, expect => '42501',
            sql => "ALTER ROLE app_login SET brainsait.tenant_transport = '$hex'" },
        { name => 'ALTER DATABASE', sql => "ALTER DATABASE :\"DBNAME\" SET brainsait.tenant_transport = '$hex'", expect => '42501' },
        { name => 'ALTER SYSTEM', bare => 1, sql => "ALTER SYSTEM SET brainsait.tenant_transport = '$hex'", expect => '42501' },
        { name => 'a function with a SET clause', expect => '42501',
            sql => "CREATE FUNCTION pg_temp.f() RETURNS uuid LANGUAGE sql SET brainsait.tenant_transport = '$hex' AS 'SELECT current_tenant()'" },
        { name => 'a current_tenant() of one\'s own', expect => '= 2', sql => <<"SQL" },
CREATE FUNCTION pg_temp.current_tenant() RETURNS uuid LANGUAGE sql AS \$\$SELECT '$B'::uuid\$\$;
SET search_path = pg_temp, public; SELECT count(*) FROM orders
SQL
        { name => 'an equality of one\'s own', expect => '= 2', sql => <<'SQL' },
CREATE FUNCTION pg_temp.yes(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR pg_temp.= (FUNCTION = pg_temp.yes, LEFTARG = uuid, RIGHTARG = uuid);
SET search_path = pg_temp, pg_catalog, public; SELECT count(*) FROM public.orders
SQL
        { name => 'tenants of one\'s own in front', expect => '28000', bare => 1, sql => <<"SQL" },
CREATE TEMP TABLE tenants AS SELECT '$nobody'::uuid AS id, 'x' AS slug, 'active' AS status, '{}'::jsonb AS settings;
SET search_path = pg_temp, public; BEGIN; SELECT set_tenant('$nobody')
SQL
        { name => 'a function that claims to be parallel safe', expect => '42501', sql => <<"SQL" },
CREATE FUNCTION pg_temp.f() RETURNS void LANGUAGE plpgsql PARALLEL SAFE AS \$\$ BEGIN PERFORM set_tenant('$B'); END \$\$;
SELECT count(*) FROM users WHERE pg_temp.f() IS NOT NULL
SQL
        { name => 'a new transaction', bare => 1, expect => '= 3', residue => 'set_tenant() trusts the application\'s code', stopped => ['token'],
            sql => "BEGIN; SELECT set_tenant('$A') \\g /dev/null\nCOMMIT; BEGIN; SELECT set_tenant('$B') \\g /dev/null\nSELECT count(*) FROM orders; COMMIT" },
    );
}

sub reading {
    my %tables = tenant_tables();
    my @rows = map { (
        { name => "count of $_", sql => "SELECT count(*) FROM $_ WHERE tenant_id = '$B'", expect => '= 0' },
        { name => "$_ by primary key", sql => "SELECT count(*) FROM $_ WHERE id = '$b1'", expect => '= 0' },
    ) } sort keys %tables;
    my @leaks = map { (
        { name => "a leaky function on $$_[0]", sql => "$leaky SELECT count(*) FROM $$_[0] WHERE pg_temp.leak($$_[1]::text)", expect => "= $$_[2]" },
        { name => "a leaky operator on $$_[0]", sql => "$leaky SELECT count(*) FROM $$_[0] WHERE $$_[1]::text OPERATOR(pg_temp.<<<) 'z'", expect => "= $$_[2]" },
        { name => "statistics of $$_[0] through an estimator",
            sql => "$leaky SELECT count(*) FROM $$_[0] WHERE $$_[1]::text OPERATOR(pg_temp.===) 'z' OR $$_[1]::text OPERATOR(pg_temp.<<<) 'q'", expect => "= $$_[2]" },
    ) } (['orders', 'customer_name', 2], ['tenants', 'name', 1], ['analytics_events', 'session_id', 4], ['webhook_deliveries', 'event_type', 4]);
    return map { { group => 'reading', %$_ } } @rows, @leaks, (
        { name => 'count of tenants', sql => "SELECT count(*) FROM tenants WHERE id <> '$A'", expect => '= 0' },
        { name => 'revenue', sql => "SELECT count(*) FROM revenue_metrics WHERE tenant_id = '$B'", expect => '= 0' },
        { name => 'customers of the rollup', sql => "SELECT count(*) FROM revenue_customers WHERE tenant_id = '$B'", expect => '= 0' },
        { name => 'deliveries', sql => "SELECT count(*) FROM webhook_deliveries WHERE tenant_id = '$B'", expect => '= 0' },
        { name => 'a cast that tells the value', sql => 'SELECT count(customer_name::int) FROM orders', expect => '22P02' },
        { name => 'a division that fails for others', sql => "SELECT count(*) FROM orders WHERE 1 / (tenant_id = '$A')::int = 1", expect => '= 2' },
        { name => 'a case that fails for others', expect => '= 2',
            sql => "SELECT count(*) FROM orders WHERE CASE WHEN tenant_id = '$A' THEN true ELSE customer_name::int = 1 END" },
        { name => 'OR true', sql => "SELECT count(*) FROM orders WHERE tenant_id = '$B' OR true", expect => '= 2' },
        { name => 'a view of one\'s own', sql => 'CREATE TEMP VIEW v AS SELECT * FROM orders; SELECT count(*) FROM v', expect => '= 2' },
        { name => 'a view over a view', sql => 'CREATE TEMP VIEW v AS SELECT * FROM orders; CREATE TEMP VIEW w AS SELECT * FROM v; SELECT count(*) FROM w', expect => '= 2' },
        { name => 'the owner\'s view', sql => 'SELECT count(*) FROM orders_of_owner', expect => '= 2' },
        { name => 'the owner\'s definer function', sql => 'SELECT count_of_owner()', expect => '= 2' },
        { name => 'a definer function of one\'s own', expect => '= 2',
            sql => "CREATE FUNCTION pg_temp.f() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM public.orders'; SELECT pg_temp.f()" },
        { name => 'joins', sql => 'SELECT count(*) FROM orders o FULL JOIN users u ON true', expect => '= 4' },
        { name => 'a recursive query', expect => '= 2',
            sql => 'WITH RECURSIVE r AS (SELECT id FROM orders UNION SELECT o.id FROM orders o, r) SELECT count(*) FROM r' },
        { name => 'a partition', sql => 'SELECT count(*) FROM analytics_events_default', expect => '42501' },
        { name => 'this month\'s partition', expect => '42501',
            sql => q{SELECT 'analytics_events_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM') AS part \gset}
                . "\nSELECT count(*) FROM :\"part\"" },
        { name => 'ONLY the parent', sql => 'SELECT count(*) FROM ONLY analytics_events', expect => '= 0' },
        { name => 'COPY of a table', sql => 'COPY orders (customer_name) TO STDOUT', expect => qr/\Aacme 1\nacme 2\z/ },
        { name => 'COPY of a query', sql => "COPY (SELECT * FROM orders WHERE tenant_id = '$B') TO STDOUT", expect => '= ' },
        { name => 'COPY of a partition', sql => 'COPY analytics_events_default TO STDOUT', expect => '42501' },
        { name => 'COPY to a file', sql => "COPY orders TO '/tmp/brainsait_attack'", expect => '42501' },
        { name => 'COPY to a program', sql => "COPY orders TO PROGRAM 'true'", expect => '42501' },
        { name => 'a cursor opened before the tenant', bare => 1, expect => '= 2', sql => <<"SQL" },
BEGIN; DECLARE c CURSOR FOR SELECT count(*) FROM orders; SELECT set_tenant('$A') \\g /dev/null
FETCH c
SQL
        { name => 'TABLESAMPLE', sql => 'SELECT count(*) FROM orders TABLESAMPLE BERNOULLI (100)', expect => '= 2' },
        { name => 'rows by ctid', sql => q{SELECT count(*) FROM orders WHERE ctid = ANY (SELECT format('(0,%s)', n)::tid FROM generate_series(1, 200) n)}, expect => '= 2' },
        { name => 'a range of ctid', sql => "SELECT count(*) FROM orders WHERE ctid >= '(0,0)'", expect => '= 2' },
        { name => 'system columns', sql => 'SELECT count(DISTINCT xmin::text || tableoid::text || ctid::text) FROM orders', expect => '= 2' },
        { name => 'whole rows', sql => 'SELECT count(*) FROM (SELECT row_to_json(o) FROM orders o) x', expect => '= 2' },
        { name => 'query_to_xml', sql => "SELECT query_to_xml('SELECT customer_name FROM orders', false, true, '')", expect => qr/acme/ },
        { name => 'table_to_xml', sql => "SELECT table_to_xml('orders', false, true, '')", expect => qr/acme/ },
        { name => 'ts_stat', sql => "SELECT string_agg(word, ' ' ORDER BY word) FROM ts_stat('SELECT to_tsvector(''simple'', customer_name) FROM orders')", expect => '= 1 2 acme' },
        { name => 'locked rows', sql => 'SELECT count(*) FROM (SELECT FROM orders FOR UPDATE SKIP LOCKED) x', expect => '= 2' },
        { name => 'a parallel count', expect => '= 2', sql => <<'SQL' },
SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SELECT count(*) FROM orders
SQL
        { name => 'pg_stats', sql => "SELECT count(*) FROM pg_stats WHERE tablename IN ('orders', 'tenants', 'analytics_events')", expect => '= 0' },
        { name => 'pg_stats_ext', sql => 'SELECT count(*) FROM pg_stats_ext WHERE most_common_vals IS NOT NULL', expect => '= 0' },
        { name => 'pg_statistic', sql => 'SELECT count(*) FROM pg_statistic', expect => '42501' },
        { name => 'pg_statistic_ext_data', sql => 'SELECT count(*) FROM pg_statistic_ext_data', expect => '42501' },
        { name => 'stored out of line', expect => '42501',
            sql => q{SELECT reltoastrelid::regclass AS toast FROM pg_class WHERE oid = 'orders'::regclass \gset} . "\nSELECT count(*) FROM :toast" },
        { name => 'credentials', sql => 'SELECT credentials FROM integrations', expect => '42501' },
        { name => 'secrets of webhooks', sql => 'SELECT secret FROM webhooks', expect => '42501' },
        { name => 'secrets by returning', sql => "UPDATE webhooks SET secret = secret || '' RETURNING 1", expect => '42501' },
        { name => 'the differences of the rollup', sql => "SELECT count(*) FROM check_revenue_metrics('$B')", expect => '= 0' },
        { name => 'row counts of EXPLAIN ANALYZE', @guard, expect => qr/Rows Removed by Filter: \d/,
            sql => "SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) SELECT FROM orders" },
        { name => 'EXPLAIN', sql => 'EXPLAIN SELECT FROM orders', @guard, expect => qr/rows=/ },
        { name => 'EXPLAIN in a DO block', @guard, expect => '= ', sql => q{DO $$ DECLARE r record; BEGIN FOR r IN EXPLAIN SELECT FROM orders LOOP END LOOP; END $$} },
        { name => 'EXPLAIN by EXECUTE', @guard, expect => '= ', sql => q{DO $$ BEGIN EXECUTE 'EXPLAIN SELECT FROM orders'; END $$} },
        { name => 'EXPLAIN of a prepared statement', @guard, expect => qr/rows=/, sql => 'PREPARE p AS SELECT FROM orders; EXPLAIN EXECUTE p' },
        { name => 'EXPLAIN in a function', @either, expect => qr/rows=/, sql => <<'SQL' },
CREATE FUNCTION pg_temp.f() RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN SELECT FROM public.orders'; END $$;
SELECT pg_temp.f()
SQL
        { name => 'EXPLAIN in a security definer function of one\'s own', @either, expect => qr/rows=/, sql => <<'SQL' },
CREATE FUNCTION pg_temp.f() RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN SELECT FROM public.orders'; END $$;
SELECT pg_temp.f()
SQL
        { name => 'EXPLAIN under SET ROLE', @guard, expect => qr/rows=/, sql => 'SET ROLE brainsait_app; EXPLAIN SELECT FROM orders' },
        { name => 'the plan as a message', @guard, expect => '= 2', messages => qr/PLANNEDSTMT.*\bplan_rows/s,
            sql => "SET client_min_messages = log; SET debug_print_plan = on; SELECT count(*) FROM orders" },
        { name => 'the plan as a message by set_config()', @guard, expect => '= 2', messages => qr/PLANNEDSTMT.*\bplan_rows/s,
            sql => "SET client_min_messages = log; SELECT set_config('debug_print_plan', 'on', true) \\g /dev/null\nSELECT count(*) FROM orders" },
        { name => 'the volume in pg_class', sql => "SELECT reltuples >= 5 FROM pg_class WHERE oid = 'orders'::regclass", expect => '= t',
            residue => 'every role reads the catalogs, and PostgreSQL itself needs them readable' },
        { name => 'live rows in the statistics', sql => "SELECT pg_stat_get_live_tuples('orders'::regclass) >= 0", expect => '= t', @harden },
        { name => 'the statistics views', sql => 'SELECT sum(n_live_tup) >= 0 FROM pg_stat_user_tables', expect => '= t', @harden },
        { name => 'the size of all tables', sql => "SELECT pg_total_relation_size('users') + pg_database_size(current_database()) > 0", expect => '= t', @harden },
        { name => 'locks of other sessions', sql => 'SELECT count(*) > 0 FROM pg_locks', expect => '= t', @harden },
        { name => 'prepared transactions of others', sql => 'SELECT count(*) FROM pg_prepared_xacts', expect => '= 0', @harden },
        { name => 'versions of rows by address', sql => "SELECT currtid2('orders', '(0,1)')", expect => qr/\(0,\d+\)/, @harden },
        { name => 'a large object', sql => "SELECT lo_from_bytea(0, 'left for others') > 0", expect => '= t', @harden },
        { name => 'the size of a table', sql => "SELECT pg_relation_size('orders') > 0", expect => '= t', @harden },
        { name => 'statements of the same login', guess => 1, @harden, expect => '= t',
            sql => "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%bzr says%' AND pid <> pg_backend_pid()" },
    );
}

sub writing {
    my %tables = tenant_tables();
    my @rows = map { (
        { name => "update of $_", sql => "WITH w AS (UPDATE $_ SET $tables{$_} = 'x' WHERE tenant_id = '$B' RETURNING id) SELECT count(*) FROM w", expect => '= 0' },
        { name => "delete of $_", sql => "WITH w AS (DELETE FROM $_ WHERE id = '$b1' RETURNING id) SELECT count(*) FROM w", expect => '= 0' },
        { name => "$_ given away", sql => "UPDATE $_ SET tenant_id = '$B'", expect => '42501' },
        { name => "TRUNCATE of $_", sql => "TRUNCATE $_ CASCADE", expect => '42501' },
    ) } sort keys %tables;
    return map { { group => 'writing', %$_ } } @rows, (
        { name => 'a user for Bazaar', sql => "INSERT INTO users (tenant_id, email) VALUES ('$B', 'x\@example.com')", expect => '42501' },
        { name => 'an order for Bazaar', sql => "INSERT INTO orders (tenant_id, number, total) VALUES ('$B', 'x', 1)", expect => '42501' },
        { name => 'an order for Bazaar with a number of its own', sql => "INSERT INTO orders (tenant_id, total) VALUES ('$B', 1)", expect => '42501' },
        { name => 'an order for nobody', sql => "INSERT INTO orders (tenant_id, total) VALUES ('$nobody', 1)", expect => '42501' },
        { name => 'an item for Bazaar\'s order', expect => '42501', bare => 1,
            sql => "BEGIN; INSERT INTO order_items (order_id, product_name, price, total) VALUES ('$b1', 'x', 1, 1)" },
        { name => 'an event for Bazaar', sql => "INSERT INTO analytics_events (tenant_id, event_type) VALUES ('$B', 'x')", expect => '42501' },
        { name => 'an event into a partition', sql => "INSERT INTO analytics_events_default (tenant_id, event_type, \"timestamp\") VALUES ('$B', 'x', '2001-05-05')", expect => '42501' },
        { name => 'a new secret for a webhook of Bazaar\'s', sql => "SELECT rotate_webhook_secret((left('$B', -1) || 1)::uuid)", expect => 'P0002' },
        { name => 'a webhook for Bazaar', sql => "INSERT INTO webhooks (tenant_id, url, events, secret) VALUES ('$B', 'x', '{}', 'x')", expect => '42501' },
        { name => 'a delivery for Bazaar', expect => '42501',
            sql => "INSERT INTO webhook_deliveries (tenant_id, webhook_id, event_id, event_type, payload) VALUES ('$B', '$b1', '$b1', 'x', '{}')" },
        { name => 'a tenant', sql => "INSERT INTO tenants (name, slug) VALUES ('x', 'x')", expect => '42501' },
        { name => 'Bazaar\'s status', sql => counted("UPDATE tenants SET status = 'deleted' WHERE id = '$B'"), expect => '= 0' },
        { name => 'Bazaar itself', sql => counted("DELETE FROM tenants WHERE id = '$B'"), expect => '= 0' },
        { name => 'becoming Bazaar', sql => "UPDATE tenants SET id = '$B'", expect => '42501' },
        { name => 'Bazaar\'s slug', sql => "UPDATE tenants SET slug = 'bzr-shop'", expect => '23505', guess => 1,
            residue => 'slugs are unique across tenants, as documented' },
        { name => 'Bazaar\'s domain', expect => '= none', guess => 1,
            residue => 'domains are not verified by the store: two claims make resolve_tenant() answer neither',
            sql => "UPDATE tenants SET domain = 'bzr.example'; SELECT coalesce(resolve_tenant('bzr.example')::text, 'none'); ROLLBACK" },
        { name => 'upsert over Bazaar\'s order', sql => "INSERT INTO orders (number, total) VALUES ('N-bzr-1', 1) ON CONFLICT (number) DO UPDATE SET total = 0",
            expect => '42501', guess => 1 },
        { name => 'upsert over Bazaar\'s user', sql => "INSERT INTO users (id, email) VALUES ('$b1', 'y\@example.com') ON CONFLICT (id) DO UPDATE SET name = 'x'", expect => '42501' },
        { name => 'upsert that gives away', expect => '42501',
            sql => "INSERT INTO users (email) VALUES ('acme1\@example.com') ON CONFLICT (tenant_id, email) DO UPDATE SET tenant_id = '$B'" },
        { name => 'MERGE into Bazaar\'s orders', expect => '= 0', sql => <<"SQL" },
MERGE INTO orders o USING (VALUES ('$b1'::uuid)) AS v (id) ON o.id = v.id WHEN MATCHED THEN UPDATE SET status = 'x';
SELECT count(*) FROM orders WHERE status = 'x'
SQL
        { name => 'MERGE that gives away', expect => '42501',
            sql => "MERGE INTO orders o USING (VALUES ('$a1'::uuid)) AS v (id) ON o.id = v.id WHEN MATCHED THEN UPDATE SET tenant_id = '$B'" },
        { name => 'MERGE that inserts for Bazaar', expect => '42501',
            sql => "MERGE INTO users u USING (VALUES ('$b1'::uuid)) AS v (id) ON u.id = v.id WHEN NOT MATCHED THEN INSERT (tenant_id, email) VALUES ('$B', 'x\@example.com')" },
        { name => 'a write through a view', expect => '= 0',
            sql => 'CREATE TEMP VIEW v AS SELECT * FROM orders; ' . counted("UPDATE v SET total = 0 WHERE tenant_id = '$B'") },
        { name => 'a write through the owner\'s view', sql => counted("UPDATE orders_of_owner SET total = 0 WHERE tenant_id = '$B'"), expect => '= 0' },
        { name => 'COPY into orders', sql => "COPY orders (tenant_id, number, total) FROM STDIN;\n$B\tcopied\t1\n\\.\n", expect => '0A000' },
        { name => 'a lock on Bazaar\'s order', sql => "SELECT count(*) FROM (SELECT FROM orders WHERE id = '$b1' FOR UPDATE) x", expect => '= 0' },
        { name => 'a number that Bazaar has', sql => "INSERT INTO orders (number, total) VALUES ('N-bzr-1', 1)", expect => '23505', guess => 1, residue => $documented_unique },
        { name => 'an intent that Bazaar has', sql => "INSERT INTO payments (payment_intent_id, amount) VALUES ('pi-bzr-1', 1)", expect => '23505', guess => 1, residue => $documented_unique },
        { name => 'an e-mail that Bazaar has', sql => counted("INSERT INTO users (email) VALUES ('bzr1\@example.com')") . '; ROLLBACK', expect => '= 1', guess => 1 },
        { name => 'a lock on a table', sql => 'LOCK TABLE orders IN ACCESS EXCLUSIVE MODE', expect => '= ', @guard },
        { name => 'an advisory lock', sql => 'SELECT pg_try_advisory_xact_lock(1)', expect => '= t', @harden },
        { name => 'a notification', sql => "NOTIFY bazaar, 'x'", expect => '= ', @guard },
        { name => 'a notification by EXECUTE', sql => q{DO $$ BEGIN EXECUTE 'NOTIFY bazaar'; END $$}, expect => '= ', @guard },
        { name => 'a notification by function', sql => "SELECT pg_notify('bazaar', 'x')", expect => '= ', @harden },
        { name => 'listening', sql => 'LISTEN bazaar', expect => '= ', @guard },
        { name => 'a message to logical replication', sql => "SELECT pg_logical_emit_message(false, 'bazaar', 'x') IS NOT NULL", expect => '= t', @harden },
        { name => 'statements of other tenants cancelled', expect => '= t', @harden,
            sql => "SELECT bool_and(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE usename = 'app_login' AND pid <> pg_backend_pid()" },
        { name => 'the login\'s password', sql => "ALTER ROLE app_login PASSWORD 'mine'; ROLLBACK", expect => '= ', @guard },
        { name => 'the login\'s defaults', sql => "ALTER ROLE app_login SET search_path = pg_catalog; ROLLBACK", expect => '= ', @guard },
        { name => 'the login\'s defaults by EXECUTE', sql => q{DO $$ BEGIN EXECUTE 'ALTER USER app_login SET work_mem = 64'; END $$; ROLLBACK}, expect => '= ', @guard },
        # References
        (map { { name => "a reference: $$_[0]", sql => $$_[1], expect => '23503' } } (
            ['user of an order', "UPDATE orders SET user_id = '$b1'"], ['a user whom nobody has', "UPDATE orders SET user_id = '$nobody'"],
            ['order of an item', "UPDATE order_items SET order_id = '$b1'"], ['product of an item', "UPDATE order_items SET product_id = '$b1'"],
            ['order of a payment', "UPDATE payments SET order_id = '$b1'"], ['user of an event', "UPDATE analytics_events SET user_id = '$b1'"],
            ['item of an order', "INSERT INTO order_items (order_id, product_name, price, total) VALUES ('$b1', 'x', 1, 1)"])),
        { name => 'a reference of one\'s own table', expect => '42P16', sql => 'CREATE TEMP TABLE r (id uuid REFERENCES public.orders (id))' },
    );
}

sub attacks {
    require StoreAttacksOnCode;
    return (switching(), reading(), writing(), StoreAttacksOnCode::attacks());
}

1;
