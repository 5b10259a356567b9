-- The wall between tenants, as every kind of role meets it.
\getenv source PG_ABS_SRCDIR
\set begin :source '/test/fixtures/two_tenants.sql'
\set end :source '/test/fixtures/two_tenants_end.sql'
\set ECHO none
\i :begin
\set ECHO all

--
-- Without a tenant: closed
--
SET SESSION AUTHORIZATION regress_shop_app;
SELECT current_tenant() IS NULL AS no_tenant;
-- The tables that the application may read give no row, all others refuse it.
SELECT result, count(*) > 0 AS some FROM outcomes('SELECT FROM %s') GROUP BY 1 ORDER BY 1;
SELECT relation, result FROM outcomes('SELECT FROM %s') WHERE NOT is_partition AND result <> '0'
    AND relation NOT IN ('order_number_counters') ORDER BY 1;
SELECT DISTINCT result FROM outcomes('UPDATE %1$s SET %2$s = %2$s') ORDER BY 1;
SELECT DISTINCT result FROM outcomes('DELETE FROM %s') ORDER BY 1;
SELECT DISTINCT result FROM outcomes('INSERT INTO %1$s SELECT (jsonb_populate_record(NULL::%1$s, %3$L)).*') ORDER BY 1;
SELECT DISTINCT result FROM outcomes('TRUNCATE %s CASCADE') ORDER BY 1;
SELECT DISTINCT result FROM outcomes('LOCK TABLE %s IN ACCESS SHARE MODE') WHERE is_partition;


-- Acme sees what is Acme's in every table it may read, and nothing else.
BEGIN;
SELECT set_tenant(:acme) IS NOT NULL AS ok;
SELECT w.relation, w.acme, o.result FROM outcomes('SELECT FROM %s') o JOIN walled w USING (relation)
WHERE o.result IS DISTINCT FROM w.acme::text AND NOT w.is_partition AND w.relation <> 'order_number_counters';
SELECT DISTINCT result FROM outcomes('SELECT FROM %s') WHERE is_partition;
COMMIT;

--
-- Writing
--
SET SESSION AUTHORIZATION regress_shop_app;
BEGIN;
SELECT set_tenant(:acme) \g /dev/null
-- A tenant that one leaves out is one's own.
SAVEPOINT s;
INSERT INTO users (email) VALUES ('new@example.com') RETURNING tenant_id;
INSERT INTO order_items (order_id, product_name, price, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000001', 'left out', 1, 1) RETURNING tenant_id;
ROLLBACK TO s;
CREATE TEMP TABLE attempt (step int GENERATED ALWAYS AS IDENTITY, statement text);
INSERT INTO attempt (statement) VALUES
    ('INSERT INTO users (tenant_id, email) VALUES (''bbbbbbbb-0000-4000-8000-000000000000'', ''x@example.com'')'),
    ('INSERT INTO users (tenant_id, email) VALUES (NULL, ''x@example.com'')'),
    ('INSERT INTO tenants (name, slug) VALUES (''Mine'', ''mine'')'),
    ('UPDATE users SET tenant_id = ''bbbbbbbb-0000-4000-8000-000000000000'''),
    ('UPDATE users SET tenant_id = ''12345678-0000-4000-8000-000000000000'''),
    ('UPDATE tenants SET id = ''bbbbbbbb-0000-4000-8000-000000000001'''),
    ('UPDATE tenants SET name = ''x'' WHERE slug = ''bazaar'''),
    ('DELETE FROM tenants WHERE slug = ''bazaar'''),
    ('UPDATE users SET name = ''x'' WHERE id = ''bbbbbbbb-0000-4000-8000-000000000001'''),
    ('DELETE FROM users WHERE id = ''bbbbbbbb-0000-4000-8000-000000000001'''),
    ('DELETE FROM orders WHERE number = ''N-b1'' RETURNING *'),
    ('UPDATE orders o SET total = 0 FROM order_items i WHERE i.order_id = o.id AND o.tenant_id <> shop.current_tenant()'),
    ('SELECT FROM orders WHERE number LIKE ''N-b%'' FOR UPDATE'),
    ('SELECT FROM orders FOR UPDATE'),
    ('TABLE orders'),
    ('COPY orders TO ''/dev/null'''),
    ('INSERT INTO orders (number, total) VALUES (''N-b1'', 1)'),
    ('INSERT INTO orders (number, total) VALUES (''N-b1'', 1) ON CONFLICT (number) DO UPDATE SET total = 0'),
    ('INSERT INTO orders (number, total) VALUES (''N-b1'', 1) ON CONFLICT (number) DO NOTHING'),
    ('INSERT INTO users (id, email) VALUES (''bbbbbbbb-0000-4000-8000-000000000001'', ''y@example.com'') ON CONFLICT (id) DO UPDATE SET name = ''x'''),
    ('INSERT INTO users (tenant_id, email) VALUES (''bbbbbbbb-0000-4000-8000-000000000000'', ''b1@example.com'') ON CONFLICT (tenant_id, email) DO UPDATE SET name = ''x'''),
    ('INSERT INTO users (email) VALUES (''a1@example.com'') ON CONFLICT (tenant_id, email) DO UPDATE SET tenant_id = ''bbbbbbbb-0000-4000-8000-000000000000'''),
    ('MERGE INTO orders o USING owned w ON w.id = o.id WHEN MATCHED THEN UPDATE SET status = ''merged'''),
    ('MERGE INTO orders o USING owned w ON w.id = o.id WHEN MATCHED AND w.key = ''a1'' THEN UPDATE SET tenant_id = ''bbbbbbbb-0000-4000-8000-000000000000'''),
    ('MERGE INTO users u USING (SELECT * FROM owned WHERE key = ''b1'') w ON w.id = u.id WHEN NOT MATCHED THEN INSERT (tenant_id, email) VALUES (w.tenant, ''z@example.com'')'),
    ('MERGE INTO users u USING owned w ON w.id = u.id WHEN MATCHED THEN DELETE'),
    ('WITH gone AS (DELETE FROM order_items RETURNING *) SELECT FROM gone'),
    ('INSERT INTO analytics_events (tenant_id, event_type) VALUES (''bbbbbbbb-0000-4000-8000-000000000000'', ''x'')'),
    ('UPDATE analytics_events SET "timestamp" = ''2001-06-01'', tenant_id = ''bbbbbbbb-0000-4000-8000-000000000000'''),
    ('UPDATE analytics_events SET "timestamp" = ''2001-06-01'' WHERE "timestamp" > ''2002-01-01'''),
    ('SELECT FROM analytics_events_default'),
    ('INSERT INTO analytics_events_default (event_type) VALUES (''x'')'),
    ('UPDATE revenue_metrics SET total_revenue = 0'), ('DELETE FROM revenue_metrics'),
    ('INSERT INTO revenue_metrics (tenant_id, date) VALUES (shop.current_tenant(), ''2020-01-01'')'),
    ('UPDATE revenue_customers SET order_count = 0'),
    ('INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload) VALUES (''aaaaaaaa-0000-4000-8000-000000000001'', gen_random_uuid(), ''x'', ''{}'')'),
    ('UPDATE webhook_deliveries SET attempt_count = 0'), ('DELETE FROM webhook_deliveries'),
    ('TABLE order_number_key'), ('TABLE order_number_counters'), ('SELECT last_value FROM order_code_sequence'),
    ('SELECT nextval(''order_code_sequence'')'), ('SELECT setval(''order_code_sequence'', 1)'),
    ('TRUNCATE orders CASCADE'), ('TRUNCATE users, orders, order_items, payments, analytics_events');
-- Every attempt in a savepoint of its own that is rolled back, so that one does not meet the other's rows.
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
    BEGIN
        result := shop.outcome(statement);
        RAISE EXCEPTION USING ERRCODE = 'ZZZZZ';
    EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN RETURN result;
    END;
END $$;
SELECT pg_temp.try(statement) AS result, statement FROM attempt ORDER BY step;
COPY (SELECT number FROM orders ORDER BY 1) TO STDOUT;
COPY orders (number) TO STDOUT;
SAVEPOINT s;
-- From a file: psql of some minor versions takes the rows that follow a refused COPY for statements.
\copy orders (tenant_id, number, total) FROM /dev/null
ROLLBACK TO s;

--
-- References stay within the tenant, and tell nothing of another's rows
--
TRUNCATE attempt RESTART IDENTITY;
INSERT INTO attempt (statement)
SELECT format(link, id) FROM unnest(ARRAY[
    'UPDATE orders SET user_id = %L WHERE number = ''N-a1''',
    'INSERT INTO orders (number, total, user_id) VALUES (''N-new'', 1, %L)',
    'UPDATE order_items SET order_id = %L', 'UPDATE order_items SET product_id = %L',
    'INSERT INTO order_items (order_id, product_name, price, total) VALUES (%L, ''x'', 1, 1)',
    'INSERT INTO payments (order_id, amount) VALUES (%L, 1)', 'UPDATE payments SET order_id = %L',
    'INSERT INTO analytics_events (event_type, user_id) VALUES (''x'', %L)',
    'UPDATE analytics_events SET user_id = %L']) WITH ORDINALITY AS links (link, place),
    (VALUES ('aaaaaaaa-0000-4000-8000-000000000002'), ('bbbbbbbb-0000-4000-8000-000000000001'), ('12345678-0000-4000-8000-000000000001')) AS target (id)
ORDER BY place, id;
-- Its own, one that nobody has, one of Bazaar's; the messages of the last two differ in nothing but the id.
CREATE FUNCTION pg_temp.message(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; message text;
BEGIN
    EXECUTE statement; RETURN 'none';
EXCEPTION WHEN foreign_key_violation THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN message || ' ' || detail;
END $$;
SELECT pg_temp.try(statement) AS result, statement FROM attempt ORDER BY step;
SELECT count(DISTINCT regexp_replace(pg_temp.message(format('UPDATE orders SET user_id = %L WHERE number = ''N-a1''', id)), id, 'id')) AS different_messages
FROM (VALUES ('bbbbbbbb-0000-4000-8000-000000000001'), ('12345678-0000-4000-8000-000000000001')) AS target (id);
COMMIT;

-- Actions of references stay within the tenant: Acme deletes a user and an order.
BEGIN;
SELECT set_tenant(:acme) \g /dev/null
DELETE FROM users WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
SELECT number, user_id IS NULL AS no_user, tenant_id = current_tenant() AS own FROM orders ORDER BY 1;
DELETE FROM products WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
DELETE FROM orders WHERE number = 'N-a2';
SELECT (SELECT count(*) FROM order_items) AS items, (SELECT count(*) FROM payments WHERE order_id IS NULL) AS without_order,
       (SELECT count(*) FROM order_items WHERE product_id IS NULL) AS without_product;
DELETE FROM tenants;
SELECT w.relation, o.result FROM outcomes('SELECT FROM %s') o JOIN walled w USING (relation)
WHERE NOT w.is_partition AND o.result <> '0'
    AND w.relation NOT IN ('order_number_counters', 'revenue_customers'); -- these customers go at the transaction's end
RESET SESSION AUTHORIZATION;
SELECT count(*) FROM orders WHERE user_id IS NOT NULL;
ROLLBACK;

--
-- Secrets are written and not read
--
SET SESSION AUTHORIZATION regress_shop_app;
BEGIN;
SELECT set_tenant(:acme) \g /dev/null
SELECT pg_temp.try(statement) AS result, statement FROM unnest(ARRAY[
    'SELECT credentials FROM integrations', 'TABLE integrations', 'SELECT i FROM integrations i', 'SELECT to_jsonb(i) FROM integrations i',
    'SELECT secret FROM webhooks', 'SELECT id FROM webhooks WHERE secret LIKE ''s%''', 'UPDATE webhooks SET description = secret',
    'UPDATE webhooks SET secret = ''new'' RETURNING secret', 'COPY webhooks (secret) TO ''/dev/null''',
    'UPDATE integrations SET config = credentials', 'UPDATE integrations SET name = name WHERE credentials ? ''key''',
    'SELECT id, name, config FROM integrations', 'UPDATE integrations SET credentials = ''{"key": "new"}''',
    'INSERT INTO webhooks (url, events, secret) VALUES (''https://example.com'', ''{}'', ''new'')',
    'INSERT INTO integrations (name, type, credentials) VALUES (''x'', ''a1'', ''{}'') ON CONFLICT (tenant_id, type) DO UPDATE SET credentials = ''{}''']) AS statement;
COMMIT;

--
-- Other roles
--
-- A role with a grant and no membership sees nothing, with or without a tenant.
RESET SESSION AUTHORIZATION;
GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO regress_shop_stranger;
GRANT EXECUTE ON FUNCTION set_tenant(uuid) TO regress_shop_stranger;
SET SESSION AUTHORIZATION regress_shop_stranger;
SELECT count(*) FROM orders;
BEGIN;
SELECT set_tenant(:acme) \g /dev/null
SELECT count(*) FROM orders;
SELECT outcome('UPDATE orders SET total = 0'), outcome('DELETE FROM orders'), outcome('INSERT INTO orders (number, total) VALUES (''N-s'', 1)');
COMMIT;
-- Only the store's roles may set a tenant.
RESET SESSION AUTHORIZATION;
REVOKE EXECUTE ON FUNCTION set_tenant(uuid) FROM regress_shop_stranger;
SET SESSION AUTHORIZATION regress_shop_stranger;
BEGIN; SELECT set_tenant(:acme); ROLLBACK;
SELECT resolve_tenant('acme');
-- An operator sees every tenant, secrets aside.
SET SESSION AUTHORIZATION regress_shop_operator;
SELECT string_agg(number, ' ' ORDER BY number) FROM orders;
SELECT w.relation, o.result FROM outcomes('SELECT FROM %s WHERE %2$s = ''bbbbbbbb-0000-4000-8000-000000000000''') o JOIN walled w USING (relation)
WHERE o.result <> w.bazaar::text AND NOT w.is_partition AND w.relation <> 'order_number_counters';
SELECT outcome('SELECT secret FROM webhooks'), outcome('SELECT credentials FROM integrations');
-- A member of the owner is walled as the application is.
SET SESSION AUTHORIZATION regress_shop_migration;
SELECT DISTINCT result FROM outcomes('SELECT FROM %s');
SELECT DISTINCT result FROM outcomes('UPDATE %1$s SET %2$s = %2$s');
SELECT DISTINCT result FROM outcomes('DELETE FROM %s');
BEGIN;
SELECT set_tenant(:acme) \g /dev/null
SELECT w.relation, o.result FROM outcomes('SELECT FROM %s') o JOIN walled w USING (relation) WHERE o.result <> w.acme::text;
SELECT outcome('INSERT INTO analytics_events_default (tenant_id, event_type) VALUES (''bbbbbbbb-0000-4000-8000-000000000000'', ''x'')');
ROLLBACK;
SET row_security = off;
SELECT outcome('SELECT FROM orders');
RESET row_security;
-- It makes partitions, and moves every tenant's rows into them.
SELECT ensure_partitions(0, (date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 month')::date) AS made;
RESET SESSION AUTHORIZATION;
INSERT INTO analytics_events (tenant_id, event_type, "timestamp")
    SELECT id, 'caught', date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '40 days' FROM tenants WHERE slug IN ('acme', 'bazaar');
-- An application's trigger on inserts does not fire again.
CREATE TABLE announced (event_type text);
CREATE FUNCTION announce() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO shop.announced VALUES (NEW.event_type); RETURN NULL; END $$;
CREATE TRIGGER announce AFTER INSERT ON analytics_events FOR EACH ROW EXECUTE FUNCTION announce();
SET SESSION AUTHORIZATION regress_shop_migration;
SELECT ensure_partitions(0, (date_trunc('month', now() AT TIME ZONE 'UTC') - interval '2 month')::date) AS made;
SELECT count(*) AS still_walled FROM analytics_events;
RESET SESSION AUTHORIZATION;
SELECT count(*), bool_and(tableoid <> 'analytics_events_default'::regclass) AS moved FROM analytics_events WHERE event_type = 'caught';
SELECT count(*) AS announced FROM announced;
DROP TRIGGER announce ON analytics_events;
SELECT count(*) FROM isolation_report();
DELETE FROM analytics_events WHERE event_type = 'caught';

--
-- isolate_table(): an application's own tables
--
RESET SESSION AUTHORIZATION;
GRANT CREATE ON SCHEMA shop TO regress_shop_migration;
SET SESSION AUTHORIZATION regress_shop_migration;
SET ROLE brainsait_owner;
CREATE TABLE reviews (tenant_id uuid NOT NULL DEFAULT current_tenant(), product_id uuid, stars int, at date) PARTITION BY RANGE (at);
CREATE TABLE reviews_2020 PARTITION OF reviews FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY LIST (stars);
CREATE TABLE reviews_2020_best PARTITION OF reviews_2020 FOR VALUES IN (5);
CREATE TABLE reviews_rest PARTITION OF reviews DEFAULT;
CREATE TABLE "Odd name" ("shop ""id""" uuid, note text);
CREATE TABLE untouched (tenant_id text);
GRANT SELECT, INSERT, UPDATE, DELETE ON reviews, reviews_2020, reviews_2020_best, reviews_rest, "Odd name" TO brainsait_app, brainsait_operator;
SELECT isolate_table('reviews');
SELECT isolate_table('reviews');                   -- again changes nothing
SELECT isolate_table('"Odd name"', 'shop "id"');
SELECT isolate_table('untouched');
SELECT isolate_table('reviews', 'nothing');
SET SESSION AUTHORIZATION regress_shop_app;
SELECT isolate_table('reviews');
SET SESSION AUTHORIZATION regress_shop_operator;
INSERT INTO reviews SELECT tenant, id, 5, d FROM owned, (VALUES (date '2020-05-05'), ('2030-01-01')) AS days (d);
INSERT INTO "Odd name" SELECT tenant, key FROM owned;
SET SESSION AUTHORIZATION regress_shop_app;
SELECT (SELECT count(*) FROM reviews) + (SELECT count(*) FROM reviews_2020_best) + (SELECT count(*) FROM "Odd name") AS without_tenant;
BEGIN;
SELECT set_tenant(:acme) \g /dev/null
SELECT (SELECT count(*) FROM reviews) AS reviews, (SELECT count(*) FROM reviews_2020) AS reviews_2020, (SELECT count(*) FROM reviews_2020_best) AS best,
       (SELECT count(*) FROM reviews_rest) AS rest, (SELECT string_agg(note, ' ' ORDER BY note) FROM "Odd name") AS odd;
SELECT outcome('INSERT INTO reviews (stars, at) VALUES (5, ''2020-02-02'')') AS own,
       outcome('INSERT INTO reviews_2020_best VALUES (''bbbbbbbb-0000-4000-8000-000000000000'', NULL, 5, ''2020-02-02'')') AS foreign_row,
       outcome('UPDATE "Odd name" SET "shop ""id""" = NULL') AS given_away;
ROLLBACK;
SET SESSION AUTHORIZATION regress_shop_stranger;
SELECT outcome('TABLE shop.reviews');
RESET SESSION AUTHORIZATION;
DROP TABLE reviews, "Odd name", untouched;


\set ECHO none
\i :end
