-- What the columns do by themselves (identifiers, updated_at), the monthly partitions, and full text.
\set VERBOSITY terse
SET client_min_messages = warning;
DROP DATABASE IF EXISTS regress_brainsait_columns;
CREATE DATABASE regress_brainsait_columns TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
\c regress_brainsait_columns
SET client_min_messages = warning;
SET datestyle = 'ISO';
CREATE EXTENSION brainsait;
\getenv source PG_ABS_SRCDIR
\set key :source '/test/fixtures/credential_key.sql'
\i :key
DROP ROLE IF EXISTS regress_columns_app, regress_columns_migrator;
CREATE ROLE regress_columns_app LOGIN IN ROLE brainsait_app;
CREATE ROLE regress_columns_migrator LOGIN IN ROLE brainsait_owner;

-- One row in every table.
INSERT INTO tenants (id, name, slug) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'Riyadh Books', 'riyadh-books');
INSERT INTO users (id, tenant_id, email) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000012', 'aaaaaaaa-0000-4000-8000-000000000000', 'sara@example.sa');
INSERT INTO products (tenant_id, name, description, price, tags) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000000', '{"en": "Atlas", "ar": "أطلس"}', NULL, 90, '{blue}'),
    ('aaaaaaaa-0000-4000-8000-000000000000', '{"en": "Running shoes", "ar": "أحذية"}', '{"en": "Made for runners"}', 250, NULL),
    ('aaaaaaaa-0000-4000-8000-000000000000', '{"en": "Poems", "ar": "ديوان"}', '{"ar": "الكتاب الأول"}', 40, NULL);
INSERT INTO orders (id, tenant_id, user_id, number, total) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000035', 'aaaaaaaa-0000-4000-8000-000000000000', 'aaaaaaaa-0000-4000-8000-000000000012', 'A-5', 90);
INSERT INTO order_items (order_id, product_name, price, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000035', 'Atlas', 90, 90);
INSERT INTO payments (tenant_id, amount) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 90);
INSERT INTO integrations (tenant_id, name, type) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'Cards', 'stripe');
INSERT INTO webhooks (id, tenant_id, url, events, secret) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000041', 'aaaaaaaa-0000-4000-8000-000000000000', 'https://example.sa/hook', '{order.*}', 's');
INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload)
VALUES ('aaaaaaaa-0000-4000-8000-000000000041', gen_random_uuid(), 'order.created', '{}');

-- Identifiers: version 7 where rows are appended, version 4 elsewhere, and a given one is kept.
SELECT a.attrelid::regclass AS "table", pg_get_expr(d.adbin, d.adrelid) AS "default"
FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attname = 'id'
JOIN pg_class c ON c.oid = a.attrelid AND NOT c.relispartition AND c.relname <> 'revenue_metrics'
WHERE c.relnamespace = 'public'::regnamespace
ORDER BY 1;
INSERT INTO analytics_events (tenant_id, event_type)
SELECT 'aaaaaaaa-0000-4000-8000-000000000000', 'numbered ' || n FROM generate_series(1, 5000) AS n;
SELECT count(*) AS events, bool_and(substr(id::text, 15, 1) = '7') AS version_7,
       bool_and(substr(id::text, 20, 1) IN ('8', '9', 'a', 'b')) AS variant,
       bool_and(id > previous) IS TRUE AS increasing,
       bool_and(abs(('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint - extract(epoch FROM "timestamp") * 1000) < 600000) AS the_time_it_says
FROM (SELECT *, lag(id) OVER (ORDER BY substr(event_type, 10)::integer) AS previous
      FROM analytics_events WHERE event_type LIKE 'numbered %') AS numbered;
SELECT i.item AS order_items, p.payment AS payments, d.delivery AS webhook_deliveries
FROM (SELECT substr(id::text, 15, 1) AS item FROM order_items) i, (SELECT substr(id::text, 15, 1) AS payment FROM payments) p,
     (SELECT substr(id::text, 15, 1) AS delivery FROM webhook_deliveries) d;
DELETE FROM analytics_events WHERE event_type LIKE 'numbered %';

-- updated_at is the time of the last UPDATE, whatever the statement says; INSERT keeps what it is given.
CREATE TABLE touched (name regclass, given_kept boolean, set_by_update boolean);
DO
$$
DECLARE
    touched_table regclass;
BEGIN
    FOREACH touched_table IN ARRAY ARRAY['tenants', 'users', 'products', 'orders', 'payments', 'integrations', 'webhooks']::regclass[]
    LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER; UPDATE %1$s SET updated_at = ''2019-01-01 00:00+00'';
                        ALTER TABLE %1$s ENABLE TRIGGER USER', touched_table);
        EXECUTE format('WITH given AS (UPDATE %s SET updated_at = ''2000-01-01'', created_at = created_at
                                       RETURNING updated_at)
                        INSERT INTO touched SELECT %1$L, NULL, bool_and(updated_at = now()) FROM given', touched_table);
    END LOOP;
END
$$;
WITH inserted AS (
    INSERT INTO tenants (name, slug, updated_at) VALUES ('Old', 'old', '2000-01-01 00:00+00') RETURNING updated_at)
UPDATE touched SET given_kept = (SELECT updated_at = '2000-01-01 00:00+00' FROM inserted) WHERE name = 'tenants'::regclass;
SELECT * FROM touched ORDER BY name::text;
DELETE FROM tenants WHERE slug = 'old';

-- Partitions. Rows go to their month (UTC, whatever the session's time zone), others to the default one.
CREATE FUNCTION partition_of(event_time timestamptz) RETURNS text LANGUAGE sql AS
$$
    INSERT INTO analytics_events (tenant_id, event_type, "timestamp")
    VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'placed', event_time)
    RETURNING tableoid::regclass::text
$$;
SET timezone = 'Asia/Riyadh';
SELECT date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS this_month \gset
SELECT partition_of(:'this_month') = to_char(:'this_month'::timestamptz AT TIME ZONE 'UTC', '"analytics_events_"YYYY_MM') AS first_moment_in_this_month,
       partition_of(:'this_month'::timestamptz - interval '1 microsecond') AS moment_before,
       partition_of((:'this_month'::timestamptz AT TIME ZONE 'UTC' + interval '4 months') AT TIME ZONE 'UTC' - interval '1 microsecond')
           = to_char(:'this_month'::timestamptz AT TIME ZONE 'UTC' + interval '3 months', '"analytics_events_"YYYY_MM') AS last_moment_ahead,
       partition_of((:'this_month'::timestamptz AT TIME ZONE 'UTC' + interval '4 months') AT TIME ZONE 'UTC') AS moment_after,
       partition_of('1970-01-01') AS long_ago, partition_of('infinity') AS never;
-- A migration's role makes two months that the default partition has rows of, and one more ahead.
SELECT md5(string_agg(e::text, ',' ORDER BY id)) AS rows_before
FROM analytics_events e \gset
SET SESSION AUTHORIZATION regress_columns_migrator;
SELECT ensure_partitions(4, (:'this_month'::timestamptz AT TIME ZONE 'UTC' - interval '2 months')::date) AS new_partitions;
SELECT ensure_partitions(4, (:'this_month'::timestamptz AT TIME ZONE 'UTC' - interval '2 months')::date) AS again, ensure_partitions() AS once_more;
RESET SESSION AUTHORIZATION;
SELECT md5(string_agg(e::text, ',' ORDER BY id)) = :'rows_before' AS same_rows FROM analytics_events e;
-- Left in the default partition: before 1971 and at infinity; nothing lies in the wrong month.
SELECT "timestamp" AT TIME ZONE 'UTC' AS in_the_default FROM analytics_events_default WHERE event_type = 'placed' ORDER BY 1;
SELECT count(*) AS in_the_wrong_partition FROM analytics_events
WHERE tableoid <> 'analytics_events_default'::regclass
  AND tableoid::regclass::text <> to_char("timestamp" AT TIME ZONE 'UTC', '"analytics_events_"YYYY_MM');
SELECT parent, count(*) AS partitions, bool_and(c.relowner = 'brainsait_owner'::regrole) AS owned,
       bool_and(c.relrowsecurity AND c.relforcerowsecurity) AS walled
FROM unnest(ARRAY['analytics_events', 'webhook_deliveries']::regclass[]) AS parent,
     pg_partition_tree(parent) AS part JOIN pg_class c ON c.oid = part.relid
WHERE part.isleaf GROUP BY parent ORDER BY parent::text;
SELECT * FROM isolation_report();
-- A generated column that the application added goes with the rows.
ALTER TABLE analytics_events ADD COLUMN path text GENERATED ALWAYS AS (properties ->> 'path') STORED;
SELECT partition_of((:'this_month'::timestamptz AT TIME ZONE 'UTC' + interval '5 months') AT TIME ZONE 'UTC') AS no_month_yet;
UPDATE analytics_events_default SET properties = '{"path": "/moved"}' WHERE isfinite("timestamp") AND "timestamp" > now();
SELECT ensure_partitions(5) AS new_partitions;
SELECT path, count(*) FROM analytics_events WHERE "timestamp" > now() AND isfinite("timestamp") GROUP BY path ORDER BY path;
INSERT INTO analytics_events (tenant_id, event_type, properties, "timestamp")
SELECT tenant_id, 'generated', '{"path": "/new"}', "timestamp" FROM analytics_events WHERE path = '/moved' RETURNING path;
-- References reach into moved rows: an erased user leaves the event.
UPDATE analytics_events SET user_id = 'aaaaaaaa-0000-4000-8000-000000000012' WHERE event_type = 'placed';
DELETE FROM users WHERE id = 'aaaaaaaa-0000-4000-8000-000000000012';
SELECT count(*) AS events, count(user_id) AS users FROM analytics_events WHERE event_type = 'placed';
SELECT count(*) AS orders, count(user_id) AS users FROM orders WHERE number = 'A-5';
SET timezone = 'UTC';

-- What ensure_partitions() refuses.
SELECT ensure_partitions(-1);
SELECT ensure_partitions(121);
SELECT ensure_partitions(NULL);
SELECT ensure_partitions(0, 'infinity');
SELECT ensure_partitions(0, '-infinity');
SELECT ensure_partitions(0, current_date + 40);
SELECT ensure_partitions(0, '1960-01-01');
\set VERBOSITY sqlstate
SELECT ensure_partitions(-1);
SELECT ensure_partitions(0, '-infinity');
SET SESSION AUTHORIZATION regress_columns_app;
SELECT ensure_partitions();
RESET SESSION AUTHORIZATION;
\set VERBOSITY terse

-- Full text in both languages, by the index named idx_products_name_gin.
CREATE FUNCTION found(language regconfig, words text) RETURNS text LANGUAGE sql AS
$$
    SELECT string_agg(name ->> 'en', ', ' ORDER BY name ->> 'en') FROM products
    WHERE (to_tsvector('pg_catalog.english', coalesce(name ->> 'en', '') || ' ' || coalesce(description ->> 'en', ''))
           || to_tsvector('pg_catalog.arabic', coalesce(name ->> 'ar', '') || ' ' || coalesce(description ->> 'ar', '')))
          @@ plainto_tsquery(language, words)
$$;
SELECT found('english', 'shoe run') AS stemmed, found('english', 'runner') AS in_the_description,
       found('arabic', 'كتاب') AS without_the_article, found('arabic', 'أطلس') AS arabic_name,
       found('english', 'chessboard') AS none;
CREATE FUNCTION index_used(query text) RETURNS SETOF text LANGUAGE plpgsql AS
$$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        RETURN QUERY SELECT substring(line FROM 'Index Scan on (\S+)') WHERE line ~ 'Index Scan on';
    END LOOP;
END
$$;
SET enable_seqscan = off;
SELECT index_used($$
    SELECT FROM products
    WHERE (to_tsvector('pg_catalog.english', coalesce(name ->> 'en', '') || ' ' || coalesce(description ->> 'en', ''))
           || to_tsvector('pg_catalog.arabic', coalesce(name ->> 'ar', '') || ' ' || coalesce(description ->> 'ar', '')))
          @@ plainto_tsquery('english', 'shoe')$$);
SELECT index_used($$SELECT FROM products WHERE name @> '{"en": "Atlas"}'$$);
SELECT index_used($$SELECT FROM products WHERE tags @> '{blue}'$$);
RESET enable_seqscan;

\c postgres
DROP DATABASE regress_brainsait_columns;
DROP ROLE regress_columns_app, regress_columns_migrator;
