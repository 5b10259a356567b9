package StoreAttacksOnCode;

# The rest of StoreAttacks: rollups and numbers, what a session keeps, privileges, the extension's own functions.

use strict;
use warnings;
use StoreAttacks;

my ($A, $B) = (acme, bazaar);
my ($a1, $b1) = (row_of($A, 1), row_of($B, 1));
my @kept = (residue => 'the session keeps what it was asked to keep; the guard denies it');

sub rollups {
    return map { { group => 'rollups, numbers and outbox', %$_ } } (
        (map { (
            { name => "update of $_", sql => "UPDATE $_ SET order_count = 0", expect => '42501' },
            { name => "delete of $_", sql => "DELETE FROM $_", expect => '42501' },
            { name => "insert into $_", sql => "INSERT INTO $_ (tenant_id, date) VALUES (current_tenant(), '2020-01-01')", expect => '42501' },
        ) } qw(revenue_metrics revenue_customers)),
        { name => 'rebuilding Bazaar\'s rollup', sql => "SELECT rebuild_revenue_metrics('$B')", expect => '42501' },
        { name => 'counters', sql => 'TABLE order_number_counters', expect => '42501' },
        { name => 'a counter of Bazaar\'s', sql => 'UPDATE order_number_counters SET last_value = 0', expect => '42501' },
        { name => 'the key of codes', sql => 'TABLE order_number_key', expect => '42501' },
        { name => 'a new key of codes', sql => "UPDATE order_number_key SET key = ''", expect => '42501' },
        { name => 'the sequence\'s value', sql => 'SELECT last_value FROM order_code_sequence', expect => '42501' },
        { name => 'the sequence\'s next value', sql => "SELECT nextval('order_code_sequence')", expect => '42501' },
        { name => 'the sequence set back', sql => "SELECT setval('order_code_sequence', 1)", expect => '42501' },
        { name => 'the sequence in pg_sequences', expect => '= t',
            sql => "SELECT bool_and(last_value IS NULL) FROM pg_sequences WHERE sequencename = 'order_code_sequence'" },
        { name => 'the sequence through lastval', expect => qr/\A(?:42501|55000)\z/, sql => <<"SQL" },
CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE plpgsql AS \$\$
BEGIN PERFORM next_order_number(); RETURN lastval(); EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END \$\$;
SELECT pg_temp.f()
SQL
        { name => 'a number without a tenant', bare => 1, sql => 'SELECT next_order_number()', expect => '55000' },
        { name => 'a delivery of one\'s own', expect => '42501',
            sql => "INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload) VALUES ('$a1', '$a1', 'x', '{}')" },
        { name => 'deliveries changed', sql => 'UPDATE webhook_deliveries SET attempt_count = 0', expect => '42501' },
        { name => 'an event without a tenant', bare => 1, sql => q(SELECT emit_event('order.created', '{}')), expect => '55000' },
        { name => 'deliveries claimed', sql => 'SELECT body FROM claim_webhook_deliveries()', expect => '42501' },
    );
}

# Two transactions of one session: Acme's, then another.
sub two { my ($first, $then, $tenant) = @_;
    my $second = $tenant ? "SELECT set_tenant('$tenant') \\g /dev/null" : '';
    return "BEGIN; SELECT set_tenant('$B') \\g /dev/null\n$first;\nCOMMIT;\nBEGIN; $second\n$then;\nCOMMIT";
}

# Here Bazaar's transaction comes first, and Acme's, or none, looks for what it left.
sub sessions {
    return map { { group => 'what a session keeps', bare => 1, %$_ } } (
        { name => 'the tenant after COMMIT', sql => two("SELECT 1 \\g /dev/null\n", 'SELECT current_tenant() IS NULL'), expect => '= t' },
        { name => 'rows after COMMIT', sql => two("SELECT 1 \\g /dev/null\n", 'SELECT count(*) FROM orders'), expect => '= 0' },
        { name => 'the tenant after ROLLBACK', expect => '= 0',
            sql => "BEGIN; SELECT set_tenant('$B') \\g /dev/null\nROLLBACK; SELECT count(*) FROM orders" },
        { name => 'the tenant after an error', expect => '= 0',
            sql => "\\set ON_ERROR_STOP 0\nBEGIN; SELECT set_tenant('$B') \\g /dev/null\nSELECT 1 / 0; ROLLBACK; SELECT count(*) FROM orders" },
        { name => 'the tenant after COMMIT AND CHAIN', expect => '= 0',
            sql => "BEGIN; SELECT set_tenant('$B') \\g /dev/null\nCOMMIT AND CHAIN; SELECT count(*) FROM orders; ROLLBACK" },
        { name => 'the tenant after PREPARE TRANSACTION', expect => '= 0',
            sql => "BEGIN; SELECT set_tenant('$B') \\g /dev/null\nPREPARE TRANSACTION 'attack'; SELECT count(*) FROM orders; ROLLBACK PREPARED 'attack'" },
        { name => 'a prepared statement', expect => '= 2',
            sql => 'SET plan_cache_mode = force_generic_plan; ' . two("PREPARE p AS SELECT count(*) FROM orders; EXECUTE p \\g /dev/null\n", 'EXECUTE p', $A) },
        { name => 'a prepared statement without a tenant', expect => '= 0',
            sql => two("PREPARE p AS SELECT count(*) FROM orders; EXECUTE p \\g /dev/null\n", 'EXECUTE p') },
        { name => 'a plan cached by plpgsql', expect => '= 2', sql => two(<<'SQL', 'SELECT pg_temp.f()', $A) },
CREATE FUNCTION pg_temp.f() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM orders); END $$;
SELECT pg_temp.f() \g /dev/null
SELECT pg_temp.f() \g /dev/null
SQL
        { name => 'a cursor', sql => two('DECLARE c CURSOR FOR SELECT * FROM orders', 'FETCH ALL FROM c', $A), expect => '34000' },
        { name => 'a cursor WITH HOLD', @kept, stopped => ['guard'], expect => '= 3',
            sql => two('DECLARE c CURSOR WITH HOLD FOR SELECT count(*) FROM orders', 'FETCH ALL FROM c', $A) },
        { name => 'a temporary table', @kept, stopped => [ 'guard', 'harden' ], expect => '= 3',
            sql => two('CREATE TEMP TABLE kept AS SELECT * FROM orders', 'SELECT count(*) FROM kept', $A) },
        { name => 'a table by SELECT INTO', @kept, stopped => [ 'guard', 'harden' ], expect => '= 3',
            sql => two('SELECT * INTO TEMP kept FROM orders', 'SELECT count(*) FROM kept', $A) },
        { name => 'a temporary table by the search path', @kept, stopped => [ 'guard', 'harden' ], expect => '= 3',
            sql => two('SET LOCAL search_path = pg_temp; CREATE TABLE kept AS SELECT * FROM public.orders', 'SELECT count(*) FROM kept', $A) },
        # What one tenant puts in the way of the next in the same session.
        { name => 'orders that go into a temporary table', @kept, stopped => [ 'guard', 'harden' ], expect => '= 1 1', sql => <<"SQL" },
BEGIN; CREATE TEMP TABLE orders (number text, total numeric); GRANT ALL ON orders TO PUBLIC; COMMIT;
BEGIN; SELECT set_tenant('$B') \\g /dev/null
INSERT INTO orders (number, total) VALUES ('caught', 1); COMMIT;
BEGIN; SELECT set_tenant('$A') \\g /dev/null
SELECT count(*) || ' ' || min(total) FROM orders; COMMIT
SQL
        { name => 'values that go through a temporary type', @kept, stopped => [ 'guard', 'harden' ], expect => "= $b1", sql => <<"SQL" },
BEGIN; CREATE DOMAIN pg_temp.uuid AS pg_catalog.uuid CHECK (set_config('mine.seen', value::pg_catalog.text, false) IS NOT NULL); COMMIT;
BEGIN; SELECT set_tenant('$B') \\g /dev/null
SELECT count(*) FROM orders WHERE id = '$b1'::uuid \\g /dev/null
COMMIT;
BEGIN; SELECT set_tenant('$A') \\g /dev/null
SELECT current_setting('mine.seen'); COMMIT
SQL
        { name => 'row_security off for the next', @kept, stopped => ['guard'], expect => '42501', sql => two('SET row_security = off', 'SELECT count(*) FROM orders', $A) },
        { name => 'row_security off for the next by set_config()', expect => '42501', residue => 'session parameters outlive the transaction: poolers reset them',
            sql => two("SELECT set_config('row_security', 'off', false) \\g /dev/null\n", 'SELECT count(*) FROM orders', $A) },
        { name => 'a search path for the next', expect => '42883', sql => two('SET search_path = pg_catalog', 'SELECT 1', $A),
            residue => 'session parameters outlive the transaction: poolers reset them' },
        { name => 'a temporary view', sql => two('CREATE TEMP VIEW kept AS SELECT * FROM orders', 'SELECT count(*) FROM kept', $A), expect => '= 2' },
        { name => 'after DISCARD ALL', expect => '34000',
            sql => "BEGIN; SELECT set_tenant('$B') \\g /dev/null\nDECLARE c CURSOR WITH HOLD FOR SELECT * FROM orders; COMMIT; DISCARD ALL; FETCH ALL FROM c" },
    );
}

sub privileges {
    my @refused = (
        'SET ROLE brainsait_owner', 'SET ROLE brainsait_operator', 'SELECT set_config(\'session_authorization\', rolname, false) FROM pg_roles WHERE oid = 10',
        'ALTER TABLE orders DISABLE ROW LEVEL SECURITY', 'ALTER TABLE orders NO FORCE ROW LEVEL SECURITY',
        'ALTER TABLE orders DISABLE TRIGGER ALL', 'ALTER TABLE orders OWNER TO app_login', 'DROP TABLE orders CASCADE',
        'ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey', 'DROP POLICY tenant_wall ON orders', 'ALTER POLICY tenant_wall ON orders USING (true)',
        'CREATE POLICY mine ON orders USING (true)', 'DROP TRIGGER brainsait_number ON orders', 'DROP TRIGGER brainsait_revenue ON orders',
        'CREATE TRIGGER mine BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
        'CREATE RULE mine AS ON SELECT TO orders DO INSTEAD SELECT 1', 'CREATE INDEX ON orders (total)', 'CREATE STATISTICS mine ON total, status FROM orders',
        'ALTER TABLE analytics_events DETACH PARTITION analytics_events_default', 'CREATE TEMP TABLE mine () INHERITS (public.orders)',
        'CREATE TABLE mine (n int)', 'CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS \'SELECT 1\'',
        'CREATE OR REPLACE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql AS \'SELECT NULL::uuid\'',
        'ALTER FUNCTION current_tenant() COST 1', 'DROP EXTENSION brainsait CASCADE', 'ALTER EXTENSION brainsait DROP FUNCTION current_tenant()',
        'CREATE EXTENSION file_fdw', 'CREATE SCHEMA mine', 'SET session_replication_role = replica', 'ALTER ROLE app_login BYPASSRLS',
        'ALTER ROLE app_login SUPERUSER', 'CREATE ROLE mine', 'GRANT brainsait_operator TO app_login', 'GRANT brainsait_owner TO app_login',
        'REASSIGN OWNED BY brainsait_owner TO app_login', 'COMMENT ON TABLE orders IS \'mine\'', 'ALTER TABLE orders SET (fillfactor = 10)',
        'CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION suppress_redundant_updates_trigger()',
        'CREATE PUBLICATION mine FOR TABLE orders', 'CREATE FUNCTION pg_temp.mine() RETURNS uuid LANGUAGE internal AS \'gen_random_uuid\'',
        'CREATE FUNCTION pg_temp.mine(uuid) RETURNS void LANGUAGE c AS \'brainsait\', \'brainsait_set_tenant\'', 'LOAD \'pg_prewarm\'',
        'SELECT pg_read_file(\'PG_VERSION\')', 'SELECT pg_ls_dir(\'.\')', 'SELECT lo_import(\'/etc/passwd\')', 'SELECT lo_export(1, \'/tmp/brainsait_attack\')',
        'SELECT pg_reload_conf()', 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = 10 AND datname = \'postgres\'',
        'TABLE pg_authid', 'TABLE pg_user_mapping', 'COPY orders FROM PROGRAM \'true\'', 'ALTER SYSTEM SET row_security = off');
    # The test keeps a superuser's session open for pg_terminate_backend().
    return map { { group => 'privileges', %$_ } } (
        (map { { name => $_, sql => $_, expect => '42501', ($_ =~ /^ALTER SYSTEM/ ? (bare => 1) : ()) } } @refused),
        { name => 'row_security off', sql => 'SET row_security = off; SELECT count(*) FROM orders', expect => '42501' },
        { name => 'a privilege for oneself', sql => 'GRANT ALL ON orders TO app_login; TRUNCATE orders CASCADE', expect => '42501' },
        { name => 'SET ROLE to the application\'s own role', sql => 'SET ROLE brainsait_app; SELECT count(*) FROM orders', expect => '= 2' },
        { name => 'the operator\'s eyes', sql => 'SET ROLE brainsait_operator; SELECT count(*) FROM orders', expect => '42501' },
        { name => 'the owner\'s eyes', sql => 'SET ROLE brainsait_owner; ALTER TABLE orders DISABLE ROW LEVEL SECURITY; SELECT count(*) FROM orders', expect => '42501' },
    );
}

sub internals {
    my @calls = qw(create_store() attach_store() create_core_tables() create_event_tables() create_order_number_tables() create_revenue_tables()
        grant_store_privileges() attach_row_triggers() attach_order_numbers() attach_revenue_rollup() store_shape() store_strangers()
        ensure_partitions() isolate_table('orders') touch_updated_at() fill_tenant());
    return map { { group => 'the extension\'s functions', %$_ } } (
        (map { { name => $_, sql => "SELECT $_", expect => '42501' } } @calls),
        { name => 'ensure_partition()', sql => "SELECT ensure_partition('analytics_events', '1999-01-01')", expect => '42501' },
        { name => 'fill_tenant() tells whose an order is', bare => 1, expect => '42501', sql => <<"SQL" },
BEGIN; CREATE TEMP TABLE probe (order_id uuid, tenant_id uuid);
CREATE TRIGGER t BEFORE INSERT ON probe FOR EACH ROW EXECUTE FUNCTION fill_tenant('orders', 'order_id');
INSERT INTO probe VALUES ('$b1') RETURNING tenant_id
SQL
    );
}

sub attacks { return (rollups(), sessions(), privileges(), internals()) }

1;
