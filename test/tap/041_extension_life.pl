# The extension's comings and goings: tables stay when it goes and are taken back when it comes again, and
# nothing that is not the store's is ever taken for it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use StoreRows;
use Test::More;

my $node = new_cluster('life');
my ($out, $err, $state);

# Runs statements as a superuser; returns the SQLSTATE, '' when nothing failed, and keeps what was said.
sub attempt {
    my ($database, $sql) = @_;
    ($out, $err, $state) = run_as($node, $database, $node->safe_psql('postgres', 'SELECT current_user'), $sql);
    return $state;
}

sub value {
    my ($database, $sql) = @_;
    return $node->safe_psql($database, $sql);
}

# The application's first look at every table, without a tenant: the tables in which it sees a row.
sub seen_without_tenant {
    my ($database, $schema, $role) = @_;
    my @seen;
    for my $table (store_tables($node, $database, $schema)) {
        next if grep { $table eq $_ } qw(order_number_key order_number_counters revenue_fold_progress maintenance_runs);
        my ($rows, $error, $sqlstate) = run_as($node, $database, $role, qq{SELECT count(*) FROM (SELECT FROM "$schema"."$table") AS t});
        push @seen, "$table: $rows $sqlstate" if $rows ne '0';
    }
    return join ', ', @seen;
}

# Members and initial privileges that would make pg_dump take the tables for the extension's.
my $claimed = <<'SQL';
SELECT c.oid::regclass FROM pg_class c
WHERE c.relkind IN ('r', 'p', 'S') AND c.relowner = 'brainsait_owner'::regrole
  AND (EXISTS (SELECT FROM pg_init_privs i WHERE i.classoid = 'pg_class'::regclass AND i.objoid = c.oid)
       OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
SQL

# Tables, and tables of those whose row security is not both on and forced.
my $unwalled = <<'SQL';
SELECT count(*) > 15, string_agg(oid::regclass::text, ' ') FILTER (WHERE NOT (relrowsecurity AND relforcerowsecurity))
FROM pg_class WHERE relkind IN ('r', 'p') AND relowner = 'brainsait_owner'::regrole
SQL

# 1. A life in a schema of its own, beside another store in the same cluster.
my $shop = create_store($node, 'life_shop', schema => 'shop');
my $other = create_store($node, 'life_public');
$node->safe_psql('postgres', "ALTER ROLE app_login IN DATABASE $shop SET search_path = shop");
fill_store($node, $shop, 'shop');
fill_store($node, $other, 'public');
$node->safe_psql($shop, 'CREATE ROLE life_migrator LOGIN IN ROLE brainsait_owner');
is(value($shop, $claimed), '', 'no table is a member or has initial privileges');
is(value($shop, 'SELECT * FROM shop.isolation_report()'), '', 'no hole in the wall');
is(rollup_differences($node, $shop, 'shop'), '', 'the rollup is right');
my $ddl = schema_text($node, $shop);
my $other_rows = table_rows($node, $other, 'public');

is(attempt($shop, 'BEGIN; CREATE SCHEMA second; CREATE EXTENSION brainsait SCHEMA second'), '42710', 'a second store in one database is refused');
is(attempt($shop, 'DROP EXTENSION brainsait'), '2BP01', 'DROP EXTENSION is refused') or diag $err;
like($err, qr/trigger \w+ on table shop\.\w+ depends on/, 'and says what depends on it');
is(attempt($shop, 'DROP FUNCTION shop.current_tenant()'), '2BP01', 'a function of the extension cannot be dropped alone');

$node->restart;
my $rows = table_rows($node, $shop, 'shop');
cmp_ok(scalar(grep { length $rows->{$_} } keys %$rows), '>=', 15, 'there are rows in every table');
is(join(' ', grep { !length $rows->{$_} } sort keys %$rows), 'revenue_deltas', 'in every one but the queue');

is(attempt($shop, 'DROP EXTENSION brainsait CASCADE'), '', 'DROP EXTENSION ... CASCADE') or diag $err;
is_deeply(table_rows($node, $shop, 'shop'), $rows, 'keeps every row');
is(value($shop, $unwalled), 't|', 'and row security on and forced, everywhere');
is(seen_without_tenant($shop, 'shop', 'app_login'), '', 'the application sees nothing');
is(seen_without_tenant($shop, 'shop', 'life_migrator'), '', 'nor does a member of the owner');
is((run_as($node, $shop, 'app_login', "INSERT INTO shop.users (tenant_id, email) VALUES ('$tenant_a', 'x\@y')"))[2], '42501', 'nor write');
is(value($shop, "SELECT count(*) FROM pg_proc WHERE pronamespace = 'shop'::regnamespace"), '0', 'no function is left');
is_deeply(table_rows($node, $other, 'public'), $other_rows, "the other database's store is untouched");
($out, $err, $state) = run_in_tenant($node, $other, $tenant_a, 'INSERT INTO orders (total) VALUES (5)');
is($state, '', 'and works') or diag $err;

# Rows change while nobody looks; a column and a policy come from the application.
$node->safe_psql($shop, <<"SQL");
SET search_path = shop;
INSERT INTO orders (id, tenant_id, number, total, currency) VALUES (gen_random_uuid(), '$tenant_b', 'by hand', 1000, 'SAR');
UPDATE orders SET total = total + 1, status = 'completed' WHERE status = 'pending';
DELETE FROM orders WHERE status = 'archived';
UPDATE payments SET refunded_amount = 0 WHERE refunded_amount > 50;
SQL
$node->restart;
my $away = table_rows($node, $shop, 'shop');
is(attempt($shop, 'CREATE EXTENSION brainsait SCHEMA shop'), '', 'CREATE EXTENSION takes its tables back') or diag $err;
my $back = table_rows($node, $shop, 'shop');
isnt($back->{revenue_metrics}, $away->{revenue_metrics}, 'the rollup is rebuilt');
is(rollup_differences($node, $shop, 'shop'), '', 'and right');
delete @$_{qw(revenue_metrics revenue_customers)} for $away, $back;
is_deeply($back, $away, 'every other row as it was');
same_text(schema_text($node, $shop), $ddl, 'tables, triggers, policies, defaults and privileges as before');
is(value($shop, $claimed), '', 'no table is a member or has initial privileges');
is(value($shop, 'SELECT * FROM shop.isolation_report()'), '', 'no hole in the wall');
is(value($shop, 'SELECT * FROM shop.store_strangers()'), '', 'all of it the store');
($out, $err, $state) = run_in_tenant($node, $shop, $tenant_a,
    "INSERT INTO shop.orders (total) VALUES (7) RETURNING number;\nSELECT count(*) FROM (SELECT DISTINCT tenant_id FROM shop.orders) AS t");
like($out, qr/^RIYADH-\d{4}-\d{5}\n1$/, 'the application works, walled') or diag $err;
is(value($shop, 'SELECT shop.create_store()'), '', 'create_store() again');
same_text(schema_text($node, $shop), $ddl, 'changes nothing');
is(value($shop, 'SELECT count(*) FROM shop.orders GROUP BY number HAVING count(*) > 1'), '', 'no number twice');

# 2. A store of which a table is missing.
is(attempt($shop, 'DROP TABLE shop.webhook_deliveries CASCADE; SELECT shop.create_store()'), '', 'create_store() makes a missing table') or diag $err;
same_text(schema_text($node, $shop), $ddl, 'as it was');
is(attempt($shop, 'DROP EXTENSION brainsait CASCADE; DROP TABLE shop.payments, shop.revenue_customers; CREATE EXTENSION brainsait SCHEMA shop'),
    '', 'so does CREATE EXTENSION') or diag $err;
same_text(schema_text($node, $shop), $ddl, 'as they were');
is(value($shop, $claimed), '', 'and released');
is(rollup_differences($node, $shop, 'shop'), '', 'the rollup of what is left is right');

# 3. Tables that are not the store's, or not any more, are refused, and left as they are.
sub refused {
    my ($change, $undo, $pattern, $name) = @_;
    $node->safe_psql($shop, "SET search_path = shop; DROP EXTENSION IF EXISTS brainsait CASCADE; $change");
    my $before = schema_text($node, $shop);
    is(attempt($shop, 'CREATE EXTENSION brainsait SCHEMA shop'), '42P07', "$name: refused");
    like($err, $pattern, 'with the reason') or diag $err;
    like($err, qr/HINT:  .*CREATE EXTENSION brainsait SCHEMA/, 'and the way out');
    same_text(schema_text($node, $shop), $before, 'and nothing is changed');
    is(attempt($shop, "SET search_path = shop; $undo; CREATE EXTENSION brainsait SCHEMA shop"), '', 'put right, it is taken back') or diag $err;
    return;
}
refused('ALTER TABLE orders DROP COLUMN metadata', "ALTER TABLE orders ADD COLUMN metadata jsonb DEFAULT '{}'; CREATE INDEX idx_orders_metadata_gin ON orders USING gin (metadata)",
    qr/"orders" exists already .* no column metadata jsonb/, 'a dropped column');
refused('ALTER TABLE payments ALTER COLUMN amount TYPE numeric(12, 2)', 'ALTER TABLE payments ALTER COLUMN amount TYPE numeric(10, 2)',
    qr/"payments" exists already .* no column amount numeric\(10,2\)/, 'a changed type');
refused('ALTER TABLE users OWNER TO life_migrator', 'ALTER TABLE users OWNER TO brainsait_owner',
    qr/"users" exists already .* belongs to life_migrator/, 'another owner');
refused('ALTER TABLE webhooks RENAME TO hooks; CREATE VIEW webhooks AS SELECT 1 AS id; ALTER VIEW webhooks OWNER TO brainsait_owner',
    'DROP VIEW webhooks; ALTER TABLE hooks RENAME TO webhooks', qr/"webhooks" exists already .* another kind/, 'a view');
is(value($shop, 'SELECT * FROM shop.isolation_report()'), '', 'no hole in the wall after all that');
# What widens a store is no reason: the application's own columns stay.
is(attempt($shop, "DROP EXTENSION brainsait CASCADE; ALTER TABLE shop.orders ADD COLUMN gift boolean DEFAULT false; CREATE EXTENSION brainsait SCHEMA shop"),
    '', 'a column of the application is no hindrance') or diag $err;

# 4. An application that has tables of these names already.
$node->safe_psql('postgres', 'CREATE DATABASE life_foreign');
$node->safe_psql('life_foreign', "CREATE TABLE orders (id serial PRIMARY KEY, note text); INSERT INTO orders (note) VALUES ('mine')");
is(attempt('life_foreign', 'CREATE EXTENSION brainsait'), '42P07', "an application's own orders: refused");
like($err, qr/relation "orders" exists already in schema public and is not the store's/, 'with the reason');
like($err, qr/CREATE EXTENSION brainsait SCHEMA other/, 'and the way out');
is(attempt('life_foreign', 'CREATE SCHEMA other; CREATE EXTENSION brainsait SCHEMA other'), '', 'which works') or diag $err;
is(value('life_foreign', 'SELECT id, note FROM public.orders'), '1|mine', 'its rows are untouched');

# 5. row_security = off, as in a restore.
my $fresh = create_store($node, 'life_fresh');
my $fresh_ddl = schema_text($node, $fresh);
$node->safe_psql('postgres', 'CREATE DATABASE life_late');
is(attempt('life_late', 'SET row_security = off; CREATE EXTENSION brainsait'), '', 'row_security = off: the code alone');
like($err, qr/NOTICE: .*tables were left out\n.*HINT: .*create_store\(\)/s, 'a notice says so');
is(join(' ', store_tables($node, 'life_late', 'public')), '', 'no table');
is(attempt('life_late', 'SELECT create_store()'), '', 'create_store() makes them') or diag $err;
same_text(schema_text($node, 'life_late'), $fresh_ddl, 'the same as CREATE EXTENSION does');
is(value('life_late', $claimed), '', 'none is a member');

# 6. Who may, and the roles.
$node->safe_psql('postgres', 'CREATE ROLE life_owner LOGIN; CREATE DATABASE life_roles OWNER life_owner');
is((run_as($node, 'life_roles', 'life_owner', 'CREATE EXTENSION brainsait'))[2], '42501', 'only a superuser creates the extension');
for my $attribute ('BYPASSRLS', 'SUPERUSER') {
    for my $role ('brainsait_owner', 'brainsait_app') {
        $node->safe_psql('postgres', "ALTER ROLE $role $attribute");
        is(attempt('life_roles', 'CREATE EXTENSION brainsait'), '55000', "$role with $attribute: refused");
        like($err, qr/HINT:  .*ALTER ROLE .* NOSUPERUSER NOBYPASSRLS/, 'and the way out');
        $node->safe_psql('postgres', "ALTER ROLE $role NO$attribute");
    }
}
$node->safe_psql('postgres', 'ALTER ROLE brainsait_app LOGIN');
is(attempt('life_roles', 'CREATE EXTENSION brainsait'), '', 'brainsait_app with LOGIN is accepted') or diag $err;
($out, $err, $state) = run_as($node, 'life_roles', 'brainsait_app', 'SELECT count(*) FROM orders');
is("$out$state", '0', 'and walled');
$node->safe_psql('postgres', 'ALTER ROLE brainsait_app NOLOGIN');

# 7. A schema whose name needs quoting, and has what formats are made of.
my $schema = 'my 100% Shop';
my $quoted = create_store($node, 'life_quoted', schema => $schema);
$node->safe_psql('postgres', qq{ALTER ROLE app_login IN DATABASE $quoted SET search_path = "$schema"});
fill_store($node, $quoted, $schema);
is(value($quoted, qq{SELECT * FROM "$schema".isolation_report()}), '', "$schema: no hole in the wall");
is(rollup_differences($node, $quoted, $schema), '', "$schema: the rollup is right");
is(value($quoted, qq{SELECT "$schema".ensure_partitions(5)}), '4', "$schema: partitions");
($out, $err, $state) = run_in_tenant($node, $quoted, $tenant_b, qq{INSERT INTO "$schema".orders (total) VALUES (7) RETURNING number});
like($out, qr/^ORD-\d{8}-\w{6}$/, "$schema: the application works") or diag $err;
$ddl = schema_text($node, $quoted);
$rows = table_rows($node, $quoted, $schema);
is(attempt($quoted, qq{DROP EXTENSION brainsait CASCADE; CREATE EXTENSION brainsait SCHEMA "$schema"}), '', "$schema: there and back") or diag $err;
same_text(schema_text($node, $quoted), $ddl, "$schema: catalogs as before");
$back = table_rows($node, $quoted, $schema);
# A rebuilt row has an identifier and a time of its own.
delete @$_{qw(revenue_metrics)} for $rows, $back;
is_deeply($back, $rows, "$schema: rows as before");
is(rollup_differences($node, $quoted, $schema), '', "$schema: the rollup as well");
is(attempt($quoted, qq{DROP EXTENSION brainsait CASCADE; ALTER TABLE "$schema".users DROP COLUMN role; CREATE EXTENSION brainsait SCHEMA "$schema"}),
    '42P07', "$schema: a wrong shape is refused") or diag $err;
like($err, qr/in schema "my 100% Shop" and is not the store's: it has no column role/, 'with the reason');

# 8. What a member of the owner hung on tables runs as the owner, when a superuser has the store made or mended: on the key of
# codes, on partitions and on rows that move into them, on what is swept out of the rollup; put off until the commit or not.
my $planted = create_store($node, 'life_planted');
fill_store($node, $planted, 'public');
$node->safe_psql($planted, <<'SQL');
CREATE TABLE ran (who name, what text);
GRANT INSERT ON ran TO PUBLIC;
GRANT CREATE ON SCHEMA public TO life_migrator;
SQL
$node->safe_psql($planted, <<'SQL', extra_params => [ '-U', 'life_migrator' ]);
SET ROLE brainsait_owner;
CREATE FUNCTION plant() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.ran VALUES (current_user, tg_name || ' ' || tg_argv[0]); RETURN coalesce(NEW, OLD); END $$;
CREATE FUNCTION plant_check(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.ran VALUES (current_user, 'check ' || $1); RETURN true; END $$;
DO $$
DECLARE
    target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['order_number_key', 'analytics_events_default', 'revenue_metrics', 'revenue_customers', 'webhook_deliveries_default'] LOOP
        EXECUTE format('CREATE TRIGGER before BEFORE INSERT OR UPDATE OR DELETE ON %1$I FOR EACH ROW EXECUTE FUNCTION plant(%1$L)', target);
        EXECUTE format('CREATE CONSTRAINT TRIGGER put_off AFTER INSERT OR UPDATE OR DELETE ON %1$I DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION plant(%1$L)', target);
    END LOOP;
END $$;
ALTER TABLE analytics_events ADD CONSTRAINT planted CHECK (plant_check('analytics_events')) NOT VALID;
TRUNCATE order_number_key;
DROP TRIGGER brainsait_revenue ON orders;
SQL
# Rows in a default partition that belong into this month's; customers of a tenant that is gone; a column that comes with a later
# version. The superuser's own doing is written down first, and forgotten.
$node->safe_psql($planted, <<'SQL');
SELECT format('analytics_events_%s', to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')) AS this_month \gset
DROP TABLE :this_month;
INSERT INTO analytics_events (tenant_id, event_type) SELECT id, 'now' FROM tenants;
INSERT INTO revenue_customers VALUES (gen_random_uuid(), '2020-01-01', 'SAR', gen_random_uuid(), 1);
UPDATE revenue_metrics SET total_revenue = 1;
ALTER TABLE webhook_deliveries DROP COLUMN next_attempt_at CASCADE;
TRUNCATE ran;
SQL
is(attempt($planted, 'SELECT create_store()'), '', 'create_store() over what an owner planted') or diag $err;
is(value($planted, 'SELECT DISTINCT who FROM ran'), 'brainsait_owner', 'runs all of it as the owner');
is(value($planted, q{SELECT string_agg(DISTINCT what, ', ' ORDER BY what) FROM ran}), join(', ', 'before analytics_events_default', 'before order_number_key',
    'before revenue_customers', 'before revenue_metrics', 'before webhook_deliveries_default', 'check analytics_events', 'put_off analytics_events_default',
    'put_off order_number_key', 'put_off revenue_customers', 'put_off revenue_metrics', 'put_off webhook_deliveries_default'), 'each of them ran');
is(rollup_differences($node, $planted, 'public'), '', 'and the store is right');
is(value($planted, "SELECT count(*) FROM health_check() WHERE status = 'fail'"), '0', 'and well') or diag value($planted, 'SELECT * FROM health_check()');

done_testing();
