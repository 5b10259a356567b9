-- The document's statements, word for word, as an application runs them: a login role that is a member
-- of brainsait_app, with its tenant set, over rows of two tenants. Then what an ORM writes with the
-- documented columns alone, and every CHECK.
\set VERBOSITY terse
SET client_min_messages = warning;
DROP DATABASE IF EXISTS regress_brainsait_statements;
CREATE DATABASE regress_brainsait_statements TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
\c regress_brainsait_statements
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE EXTENSION brainsait;
\getenv source PG_ABS_SRCDIR
\set key :source '/test/fixtures/credential_key.sql'
\i :key
DROP ROLE IF EXISTS regress_statements_app, regress_statements_operator;
CREATE ROLE regress_statements_app LOGIN IN ROLE brainsait_app;
CREATE ROLE regress_statements_operator LOGIN IN ROLE brainsait_operator;

-- Two tenants. What a superuser loads over both needs no context and no tenant_id where a parent tells it.
INSERT INTO tenants (id, name, slug, settings) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000000', 'Riyadh Books', 'riyadh-books', '{}'),
    ('bbbbbbbb-0000-4000-8000-000000000000', 'Cairo Games', 'cairo-games', '{}');
INSERT INTO users (id, tenant_id, email) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000011', 'aaaaaaaa-0000-4000-8000-000000000000', 'noura@example.sa'),
    ('bbbbbbbb-0000-4000-8000-000000000011', 'bbbbbbbb-0000-4000-8000-000000000000', 'adam@example.eg');
INSERT INTO products (id, tenant_id, name, description, price, status, created_at) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000021', 'aaaaaaaa-0000-4000-8000-000000000000', '{"en": "Atlas", "ar": "أطلس"}', NULL, 90, 'active', '2019-01-01 08:00+00'),
    ('aaaaaaaa-0000-4000-8000-000000000022', 'aaaaaaaa-0000-4000-8000-000000000000', '{"en": "Running shoes", "ar": "أحذية"}', NULL, 250, 'active', '2019-01-02 08:00+00'),
    ('aaaaaaaa-0000-4000-8000-000000000023', 'aaaaaaaa-0000-4000-8000-000000000000', '{"en": "Old map", "ar": "خريطة"}', NULL, 15, 'retired', '2019-01-03 08:00+00'),
    ('aaaaaaaa-0000-4000-8000-000000000024', 'aaaaaaaa-0000-4000-8000-000000000000', '{"en": "Poems", "ar": "ديوان"}', NULL, 40, 'active', '2019-01-04 08:00+00'),
    ('bbbbbbbb-0000-4000-8000-000000000021', 'bbbbbbbb-0000-4000-8000-000000000000', '{"en": "Chess"}', NULL, 20, 'active', '2019-01-01 08:00+00');
INSERT INTO orders (id, tenant_id, user_id, number, status, total, created_at) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000031', 'aaaaaaaa-0000-4000-8000-000000000000', 'aaaaaaaa-0000-4000-8000-000000000011', 'A-1', 'completed', 180.00, '2019-03-01 00:00+00'),
    ('aaaaaaaa-0000-4000-8000-000000000032', 'aaaaaaaa-0000-4000-8000-000000000000', NULL, 'A-2', 'completed', 290.00, '2019-03-01 23:59:59+00'),
    ('aaaaaaaa-0000-4000-8000-000000000033', 'aaaaaaaa-0000-4000-8000-000000000000', NULL, 'A-3', 'pending', 0.01, '2019-03-02 00:00+00'),
    ('aaaaaaaa-0000-4000-8000-000000000034', 'aaaaaaaa-0000-4000-8000-000000000000', NULL, 'A-4', 'completed', 40.00, '2019-03-31 12:00+00'),
    ('bbbbbbbb-0000-4000-8000-000000000031', 'bbbbbbbb-0000-4000-8000-000000000000', 'bbbbbbbb-0000-4000-8000-000000000011', 'B-1', 'completed', 60.00, '2019-03-01 12:00+00');
INSERT INTO order_items (order_id, product_id, product_name, quantity, price, total) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000031', 'aaaaaaaa-0000-4000-8000-000000000021', 'Atlas', 2, 90, 180),
    ('aaaaaaaa-0000-4000-8000-000000000032', 'aaaaaaaa-0000-4000-8000-000000000022', 'Running shoes', 1, 250, 250),
    ('aaaaaaaa-0000-4000-8000-000000000032', 'aaaaaaaa-0000-4000-8000-000000000024', 'Poems', 1, 40, 40),
    ('aaaaaaaa-0000-4000-8000-000000000033', 'aaaaaaaa-0000-4000-8000-000000000021', 'Atlas', 100, 0.01, 1.00),
    ('aaaaaaaa-0000-4000-8000-000000000034', 'aaaaaaaa-0000-4000-8000-000000000024', 'Poems', 1, 40, 40),
    ('bbbbbbbb-0000-4000-8000-000000000031', 'bbbbbbbb-0000-4000-8000-000000000021', 'Chess', 3, 20, 60);
INSERT INTO webhooks (id, tenant_id, url, events, secret) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000041', 'aaaaaaaa-0000-4000-8000-000000000000', 'https://example.sa/hook', '{invoice.*}', 'a secret'),
    ('bbbbbbbb-0000-4000-8000-000000000041', 'bbbbbbbb-0000-4000-8000-000000000000', 'https://example.eg/hook', '{invoice.*}', 'b secret');
SELECT left(tenant_id::text, 8) AS tenant, count(*) AS items FROM order_items GROUP BY 1 ORDER BY 1;

-- What the retention commands look for: rows on both sides of each limit, for both tenants.
INSERT INTO analytics_events (tenant_id, event_type, "timestamp")
SELECT id, age, now() - age::interval
FROM tenants, unnest(ARRAY['1 minute', '364 days', '367 days', '3 years']) AS age;
INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload, created_at)
SELECT id, gen_random_uuid(), age, '{}', now() - age::interval
FROM webhooks, unnest(ARRAY['1 minute', '89 days', '91 days', '3 years']) AS age;
INSERT INTO orders (tenant_id, number, status, total, created_at)
SELECT id, format('%s %s %s', slug, step, age), step, 1, now() - age::interval
FROM tenants, unnest(ARRAY['1 minute', '700 days', '740 days']) AS age, unnest(ARRAY['completed', 'pending']) AS step;

SET SESSION AUTHORIZATION regress_statements_app;

-- Common query patterns.
PREPARE tenant_products AS
-- Get tenant products with pagination
SELECT p.* FROM products p
WHERE p.tenant_id = $1 AND p.status = 'active'
ORDER BY p.created_at DESC
LIMIT $2 OFFSET $3;
PREPARE order_analytics AS
-- Get order analytics for tenant
SELECT
    DATE(created_at) as date,
    COUNT(*) as order_count,
    SUM(total) as total_revenue,
    AVG(total) as average_order_value
FROM orders
WHERE tenant_id = $1
    AND created_at >= $2
    AND created_at <= $3
GROUP BY DATE(created_at)
ORDER BY date;
PREPARE top_products AS
-- Get top products by revenue
SELECT
    p.name,
    SUM(oi.total) as revenue,
    SUM(oi.quantity) as units_sold
FROM products p
JOIN order_items oi ON p.id = oi.product_id
JOIN orders o ON oi.order_id = o.id
WHERE o.tenant_id = $1
    AND o.status = 'completed'
    AND o.created_at >= $2
GROUP BY p.id, p.name
ORDER BY revenue DESC
LIMIT 10;

-- Without a tenant: nothing.
EXECUTE order_analytics ('aaaaaaaa-0000-4000-8000-000000000000', '2019-03-01', '2019-03-31 23:59');

BEGIN;
SELECT set_tenant('aaaaaaaa-0000-4000-8000-000000000000') \g /dev/null
-- Newest first: Poems, Running shoes; then Atlas; the retired map never.
\pset format unaligned
\x on
EXECUTE tenant_products ('aaaaaaaa-0000-4000-8000-000000000000', 2, 0) \g | sed -n '/^id\|^name\|^price\|^created/p'
EXECUTE tenant_products ('aaaaaaaa-0000-4000-8000-000000000000', 2, 2) \g | sed -n '/^id\|^name\|^price\|^created/p'
\x off
\pset format aligned
-- 1 March: 180 + 290 in two orders; 2 March: one of 0.01; 31 March: one of 40.
EXECUTE order_analytics ('aaaaaaaa-0000-4000-8000-000000000000', '2019-03-01', '2019-03-31 23:59');
-- Limits belong to the range.
EXECUTE order_analytics ('aaaaaaaa-0000-4000-8000-000000000000', '2019-03-01 23:59:59', '2019-03-02 00:00');
-- Running shoes 250, Atlas 180 (the pending order's hundred do not count), Poems 40 + 40.
EXECUTE top_products ('aaaaaaaa-0000-4000-8000-000000000000', '2019-01-01');
EXECUTE top_products ('aaaaaaaa-0000-4000-8000-000000000000', '2019-03-02');
-- Another tenant's id in the query changes nothing.
EXECUTE order_analytics ('bbbbbbbb-0000-4000-8000-000000000000', '2019-03-01', '2019-03-31 23:59');
EXECUTE top_products ('bbbbbbbb-0000-4000-8000-000000000000', '2019-01-01');
COMMIT;

-- The same prepared statements in the other tenant's transaction.
BEGIN;
SELECT set_tenant('bbbbbbbb-0000-4000-8000-000000000000') \g /dev/null
EXECUTE order_analytics ('bbbbbbbb-0000-4000-8000-000000000000', '2019-03-01', '2019-03-31 23:59');
EXECUTE top_products ('bbbbbbbb-0000-4000-8000-000000000000', '2019-01-01');
EXECUTE order_analytics ('aaaaaaaa-0000-4000-8000-000000000000', '2019-03-01', '2019-03-31 23:59');
COMMIT;

-- Data retention. Per tenant: two events, two deliveries are too old, and one completed order of the
-- generated ones; of the first tenant A-1, A-2 and A-4 as well.
\set QUIET off
BEGIN;
SELECT set_tenant('aaaaaaaa-0000-4000-8000-000000000000') \g /dev/null
-- Archive old analytics events (>1 year)
DELETE FROM analytics_events
WHERE timestamp < NOW() - INTERVAL '1 year';
-- Archive old webhook deliveries (>90 days)
DELETE FROM webhook_deliveries
WHERE created_at < NOW() - INTERVAL '90 days';
-- Soft delete old orders (mark as archived)
UPDATE orders
SET status = 'archived'
WHERE created_at < NOW() - INTERVAL '2 years'
  AND status = 'completed';
COMMIT;
-- Without a tenant they find nothing.
DELETE FROM analytics_events
WHERE timestamp < NOW() - INTERVAL '1 year';
DELETE FROM webhook_deliveries
WHERE created_at < NOW() - INTERVAL '90 days';
UPDATE orders
SET status = 'archived'
WHERE created_at < NOW() - INTERVAL '2 years'
  AND status = 'completed';
\set QUIET on
RESET SESSION AUTHORIZATION;
SELECT slug, ARRAY(SELECT event_type FROM analytics_events WHERE tenant_id = t.id ORDER BY "timestamp") AS events,
       ARRAY(SELECT event_type FROM webhook_deliveries WHERE tenant_id = t.id ORDER BY created_at) AS deliveries,
       ARRAY(SELECT number FROM orders WHERE tenant_id = t.id AND status = 'archived' ORDER BY number COLLATE "C") AS archived
FROM tenants t ORDER BY slug;
-- An operator's retention is everybody's.
SET SESSION AUTHORIZATION regress_statements_operator;
\set QUIET off
DELETE FROM analytics_events
WHERE timestamp < NOW() - INTERVAL '1 year';
DELETE FROM webhook_deliveries
WHERE created_at < NOW() - INTERVAL '90 days';
UPDATE orders
SET status = 'archived'
WHERE created_at < NOW() - INTERVAL '2 years'
  AND status = 'completed';
\set QUIET on
RESET SESSION AUTHORIZATION;

-- Monitoring, as whoever looks after the server. Output differs from run to run and is not shown.
SET log_statement = 'all';
SET log_min_duration_statement = 1000; -- Log queries > 1s
RESET log_statement;
RESET log_min_duration_statement;
SELECT
    count(*) as connections,
    state,
    application_name
FROM pg_stat_activity
WHERE state IS NOT NULL
GROUP BY state, application_name \g /dev/null
SELECT
    pid,
    now() - pg_stat_activity.query_start AS duration,
    query
FROM pg_stat_activity
WHERE state = 'active'
    AND now() - pg_stat_activity.query_start > interval '5 minutes' \g /dev/null
-- The table statistics of the document name a column that the system view calls relname, on every
-- version: as written it fails; with that column it runs.
\set VERBOSITY sqlstate
SELECT
    schemaname,
    tablename,
    n_tup_ins,
    n_tup_upd,
    n_tup_del,
    n_live_tup,
    n_dead_tup
FROM pg_stat_user_tables
ORDER BY n_live_tup DESC;
SELECT
    schemaname,
    relname AS tablename,
    n_tup_ins,
    n_tup_upd,
    n_tup_del,
    n_live_tup,
    n_dead_tup
FROM pg_stat_user_tables
ORDER BY n_live_tup DESC \g /dev/null
-- What the application role may not: settings of the server's log.
SET SESSION AUTHORIZATION regress_statements_app;
SET log_statement = 'all';
SELECT count(*) as connections, state, application_name FROM pg_stat_activity
WHERE state IS NOT NULL GROUP BY state, application_name \g /dev/null
RESET SESSION AUTHORIZATION;

-- An ORM's inserts: every documented column named, or as few as may be; tenant_id left out of the two
-- tables that have none in the document. The application's tenant comes from its transaction.
\set VERBOSITY terse
SET SESSION AUTHORIZATION regress_statements_app;
BEGIN;
SELECT set_tenant('aaaaaaaa-0000-4000-8000-000000000000') \g /dev/null
INSERT INTO users (id, tenant_id, email, password_hash, name, role, status, email_verified, last_login, metadata, created_at, updated_at)
VALUES ('aaaaaaaa-0000-4000-8000-000000000012', 'aaaaaaaa-0000-4000-8000-000000000000', 'sara@example.sa', 'hash', 'Sara', 'admin', 'active', true, '2019-05-01 00:00+00', '{"vip": true}', '2019-04-01 00:00+00', '2019-04-02 00:00+00')
RETURNING email, role, email_verified, updated_at;
INSERT INTO users (email) VALUES ('omar@example.sa')
RETURNING left(tenant_id::text, 8) AS tenant, role, status, email_verified, metadata, created_at = now() AS created_now, updated_at = now() AS updated_now;
INSERT INTO products (name, description, price, currency, category, tags, images, status, inventory_count, metadata)
VALUES ('{"en": "Globe"}', '{"en": "Round"}', 120, 'SAR', 'maps', '{round,blue}', '{globe.png}', 'active', 3, '{}')
RETURNING left(tenant_id::text, 8) AS tenant, price, tags;
INSERT INTO products (name, price) VALUES ('{"en": "Pin"}', 0.5)
RETURNING currency, status, inventory_count, metadata, price;
INSERT INTO orders (id, user_id, number, status, total, currency, customer_email, customer_name, billing_address, shipping_address, payment_intent_id, payment_status, metadata)
VALUES ('aaaaaaaa-0000-4000-8000-000000000035', 'aaaaaaaa-0000-4000-8000-000000000012', 'A-5', 'pending', 120, 'SAR', 'sara@example.sa', 'Sara', '{"city": "Riyadh"}', '{"city": "Riyadh"}', 'pi_order', 'pending', '{}')
RETURNING left(tenant_id::text, 8) AS tenant, number, total;
INSERT INTO order_items (order_id, product_id, product_name, quantity, price, total, metadata)
VALUES ('aaaaaaaa-0000-4000-8000-000000000035', 'aaaaaaaa-0000-4000-8000-000000000021', 'Atlas', 1, 90, 90, '{}'),
       ('aaaaaaaa-0000-4000-8000-000000000035', NULL, 'Gift wrap', DEFAULT, 30, 30, DEFAULT)
RETURNING left(tenant_id::text, 8) AS tenant, product_name, quantity, metadata;
INSERT INTO payments (order_id, payment_intent_id, amount, currency, status, payment_method, provider, provider_fee, net_amount, refunded_amount, metadata, processed_at)
VALUES ('aaaaaaaa-0000-4000-8000-000000000035', 'pi_1', 120, 'SAR', 'completed', 'card', 'stripe', 3.5, 116.5, 0, '{}', now())
RETURNING left(tenant_id::text, 8) AS tenant, amount, net_amount;
INSERT INTO payments (amount) VALUES (1) RETURNING order_id, currency, status, refunded_amount;
INSERT INTO analytics_events (event_type, user_id, session_id, properties, timestamp)
VALUES ('page_view', 'aaaaaaaa-0000-4000-8000-000000000012', 's-1', '{"path": "/"}', now())
RETURNING left(tenant_id::text, 8) AS tenant, event_type;
INSERT INTO analytics_events (event_type) VALUES ('add_to_cart')
RETURNING left(tenant_id::text, 8) AS tenant, properties, "timestamp" = now() AS stamped_now;
INSERT INTO integrations (name, type, status, config, credentials, last_sync)
VALUES ('Cards', 'stripe', 'active', '{"mode": "test"}', '{"key": "k"}', NULL)
RETURNING left(tenant_id::text, 8) AS tenant, name, type, config;
INSERT INTO webhooks (url, events, secret, status, description)
VALUES ('https://example.sa/two', '{payment.completed}', 's', 'active', 'second')
RETURNING left(tenant_id::text, 8) AS tenant, url, events;
-- What the store writes itself, the application reads.
SAVEPOINT refusals;
INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload)
VALUES ('aaaaaaaa-0000-4000-8000-000000000041', gen_random_uuid(), 'order.created', '{}');
ROLLBACK TO refusals;
INSERT INTO revenue_metrics (date) VALUES ('2019-01-01');
ROLLBACK TO refusals;
-- Secrets are written and not read back.
SELECT secret FROM webhooks;
ROLLBACK TO refusals;
SELECT credentials FROM integrations;
ROLLBACK TO refusals;
-- An order of nobody, and an order of another tenant's: the same refusal.
INSERT INTO order_items (order_id, product_name, price, total) VALUES ('00000000-0000-4000-8000-000000000000', 'x', 1, 1);
ROLLBACK TO refusals;
INSERT INTO order_items (order_id, product_name, price, total) VALUES ('bbbbbbbb-0000-4000-8000-000000000031', 'x', 1, 1);
ROLLBACK TO refusals;
COMMIT;
-- Without a tenant the application writes nothing.
INSERT INTO users (email) VALUES ('nobody@example.sa');
INSERT INTO order_items (order_id, product_name, price, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000035', 'x', 1, 1);
RESET SESSION AUTHORIZATION;

-- An operator and a superuser have no tenant: the parent's is taken.
CREATE FUNCTION child_inserts() RETURNS TABLE (item_of text, delivery_of text) LANGUAGE sql AS
$$
    WITH item AS (
        INSERT INTO order_items (order_id, product_name, price, total)
        VALUES ('aaaaaaaa-0000-4000-8000-000000000035', 'Ribbon', 1, 1),
               ('bbbbbbbb-0000-4000-8000-000000000031', 'Ribbon', 1, 1)
        RETURNING order_id, tenant_id
    ), delivery AS (
        INSERT INTO webhook_deliveries (id, webhook_id, event_id, event_type, payload, response_status, response_body, response_time, attempt_count, delivered_at)
        SELECT gen_random_uuid(), id, gen_random_uuid(), 'order.created', '{}', 200, 'ok', 12, 1, now() FROM webhooks
        WHERE id::text LIKE '%41'
        RETURNING webhook_id, tenant_id
    )
    SELECT left(item.tenant_id::text, 8), left(delivery.tenant_id::text, 8)
    FROM item JOIN delivery ON left(delivery.webhook_id::text, 8) = left(item.order_id::text, 8)
    ORDER BY 1
$$;
SET SESSION AUTHORIZATION regress_statements_operator;
SELECT * FROM child_inserts();
RESET SESSION AUTHORIZATION;
SELECT * FROM child_inserts();
-- A parent that is not there: no more is said, since whoever has no tenant must not learn which ids exist.
INSERT INTO order_items (order_id, product_name, price, total) VALUES ('00000000-0000-4000-8000-000000000000', 'x', 1, 1);
\set VERBOSITY sqlstate
INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload) VALUES ('00000000-0000-4000-8000-000000000000', gen_random_uuid(), 'x', '{}');
-- A superuser's tenant is not overruled by the parent's: the reference refuses.
BEGIN;
SELECT set_tenant('aaaaaaaa-0000-4000-8000-000000000000') \g /dev/null
INSERT INTO order_items (order_id, product_name, price, total) VALUES ('bbbbbbbb-0000-4000-8000-000000000031', 'x', 1, 1);
ROLLBACK;
\set VERBOSITY terse
SELECT count(*) AS items_of_another_tenant
FROM order_items i JOIN orders o ON o.id = i.order_id WHERE i.tenant_id <> o.tenant_id;

-- Every CHECK gives 23514 and its name; none is without a statement here that breaks it.
CREATE TABLE violations (number serial, statement text, outcome text);
INSERT INTO violations (statement) VALUES
    ($$INSERT INTO tenants (name, slug) VALUES ('x', 'Not A Slug')$$),
    ($$INSERT INTO tenants (name, slug) VALUES ('x', '-x')$$),
    ($$INSERT INTO tenants (name, slug) VALUES ('x', '')$$),
    ($$UPDATE tenants SET status = ''$$),
    ($$UPDATE users SET email = 'no at sign'$$),
    ($$UPDATE users SET email = 'two@at@signs'$$),
    ($$UPDATE users SET email = E'line@break\n'$$),
    ($$UPDATE users SET status = ''$$),
    ($$UPDATE products SET price = -0.01$$),
    ($$UPDATE products SET currency = 'usd'$$),
    ($$UPDATE products SET currency = 'US'$$),
    ($$UPDATE products SET status = ''$$),
    ($$UPDATE orders SET total = -1$$),
    ($$UPDATE orders SET currency = 'US1'$$),
    ($$UPDATE orders SET status = ''$$),
    ($$UPDATE orders SET payment_status = ''$$),
    ($$UPDATE order_items SET quantity = 0$$),
    ($$UPDATE order_items SET price = -1$$),
    ($$UPDATE order_items SET total = -1$$),
    ($$UPDATE payments SET amount = -1$$),
    ($$UPDATE payments SET provider_fee = -1$$),
    ($$UPDATE payments SET refunded_amount = -1$$),
    ($$UPDATE payments SET currency = 'Sar'$$),
    ($$UPDATE payments SET status = ''$$),
    ($$UPDATE analytics_events SET event_type = ''$$),
    ($$UPDATE integrations SET status = ''$$),
    ($$UPDATE webhooks SET status = ''$$),
    ($$UPDATE webhook_deliveries SET response_time = -1$$),
    ($$UPDATE webhook_deliveries SET attempt_count = -1$$),
    ($$UPDATE webhook_deliveries SET status = 'sent'$$),
    ($$UPDATE webhook_deliveries SET status = 'dead'$$),
    ($$UPDATE products SET price = 'NaN'$$),
    ($$UPDATE orders SET total = 'NaN'$$),
    ($$UPDATE order_items SET price = 'NaN'$$),
    ($$UPDATE order_items SET total = 'NaN'$$),
    ($$UPDATE payments SET amount = 'NaN'$$),
    ($$UPDATE payments SET provider_fee = 'NaN'$$),
    ($$UPDATE payments SET refunded_amount = 'NaN'$$);
DO
$$
DECLARE
    tried record;
    broken text;
BEGIN
    FOR tried IN SELECT * FROM violations LOOP
        BEGIN
            EXECUTE tried.statement;
            UPDATE violations SET outcome = 'no error' WHERE number = tried.number;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
            UPDATE violations SET outcome = SQLSTATE || ' ' || broken WHERE number = tried.number;
        END;
    END LOOP;
END
$$;
SELECT statement, outcome FROM violations ORDER BY number;
SELECT relation::regclass AS "table", name AS "CHECK that nothing here breaks"
FROM (SELECT conrelid, conname FROM pg_constraint
      WHERE contype = 'c' AND conislocal AND connamespace = 'public'::regnamespace
      UNION ALL
      -- Those that are made by a trigger: its arguments are pairs of a column and a rule.
      SELECT tgrelid, tgrelid::regclass || '_' || argument.list[place] || '_' || argument.list[place + 1]
      FROM pg_trigger
      CROSS JOIN LATERAL (SELECT string_to_array(encode(tgargs, 'escape'), '\000')) AS argument (list)
      CROSS JOIN generate_series(1, tgnargs, 2) AS place
      WHERE tgfoid = 'check_columns'::regproc) AS checked (relation, name)
WHERE relation = ANY (ARRAY['tenants', 'users', 'products', 'orders', 'order_items', 'payments', 'analytics_events',
                             'integrations', 'webhooks', 'webhook_deliveries']::regclass[])
  AND '23514 ' || name NOT IN (SELECT outcome FROM violations)
ORDER BY 1, 2;
-- What may be null stays nullable, and the limits themselves are allowed.
BEGIN;
UPDATE products SET price = 0, currency = NULL, status = NULL;
UPDATE orders SET total = 0, currency = NULL, status = NULL, payment_status = NULL;
UPDATE order_items SET price = 0, total = 0, quantity = 1;
UPDATE payments SET amount = 0, provider_fee = 0, refunded_amount = 0, currency = NULL, status = NULL;
UPDATE webhook_deliveries SET response_time = 0, attempt_count = 0;
ROLLBACK;

\c postgres
DROP DATABASE regress_brainsait_statements;
DROP ROLE regress_statements_app, regress_statements_operator;
