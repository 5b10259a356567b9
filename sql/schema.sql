-- The store's schema against the documented one. The documented statements (test/schema/document.sql)
-- are run in a schema of their own, and the catalogs of both are compared fact by fact. Every
-- deliberate deviation is a named line with its reason; anything else fails the test.
\set ON_ERROR_STOP on
\set VERBOSITY terse
SET client_min_messages = warning;
DROP DATABASE IF EXISTS regress_brainsait_schema;
CREATE DATABASE regress_brainsait_schema TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
\c regress_brainsait_schema
SET client_min_messages = warning;

CREATE SCHEMA document;
SET search_path = document;
\getenv source_folder PG_ABS_SRCDIR
\set document :source_folder '/test/schema/document.sql'
\set ECHO none
\i :document
\set ECHO all
RESET search_path;

CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;

-- What the catalogs say of one schema, as facts (object, fact, value) that do not depend on its name.
CREATE SCHEMA conformance;
CREATE FUNCTION conformance.facts(inspected text)
    RETURNS TABLE (object text, fact text, value text)
    LANGUAGE sql SET search_path = pg_catalog AS
$$
WITH relation AS (
    SELECT c.oid, c.relname::text AS name, c.relkind
    FROM pg_class c
    WHERE c.relnamespace = inspected::regnamespace AND c.relkind IN ('r', 'p', 'S', 'v')
      AND NOT c.relispartition
), described AS (
    -- Relations that the document does not have are named and not described: store_shape() is their test.
    SELECT * FROM relation
    WHERE name IN (SELECT relname FROM pg_class WHERE relnamespace = 'document'::regnamespace)
), documented_column AS (
    SELECT a.attrelid, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'document'::regnamespace AND a.attnum > 0
), index AS (
    SELECT r.name AS table_name, i.indexrelid::regclass AS name, i.indisprimary, i.indisunique,
           (SELECT string_agg(pg_get_indexdef(i.indexrelid, n, true), ', ' ORDER BY n)
            FROM generate_series(1, i.indnkeyatts) AS n) AS keys,
           regexp_replace(regexp_replace(pg_get_indexdef(i.indexrelid),
               '^CREATE (UNIQUE )?INDEX \S+ ON (ONLY )?\S+ USING ', '\1'), inspected || '\.', '', 'g') AS definition
    FROM described r JOIN pg_index i ON i.indrelid = r.oid
), plain AS (
    SELECT name, 'kind' AS fact,
           CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned ' || pg_get_partkeydef(oid)
                        WHEN 'S' THEN 'sequence' ELSE 'view' END AS value
    FROM relation
    UNION ALL
    SELECT r.name || '.' || a.attname, 'type', format_type(a.atttypid, a.atttypmod)
    FROM described r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    -- SELECT * gives the documented columns first and in the documented order.
    SELECT r.name || '.' || a.attname, 'position',
           (SELECT count(*) FROM pg_attribute earlier
            WHERE earlier.attrelid = r.oid AND NOT earlier.attisdropped
              AND earlier.attnum BETWEEN 1 AND a.attnum)::text
    FROM described r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE EXISTS (SELECT FROM documented_column d JOIN pg_class c ON c.oid = d.attrelid
                  WHERE c.relname = r.name AND d.attname = a.attname)
    UNION ALL
    SELECT r.name || '.' || a.attname, 'default',
           replace(pg_get_expr(d.adbin, d.adrelid), inspected || '.', '')
    FROM described r JOIN pg_attribute a ON a.attrelid = r.oid
    JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
    UNION ALL
    SELECT r.name || '.' || a.attname, 'not null', 'yes'
    FROM described r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND a.attnotnull
    UNION ALL
    SELECT table_name, 'primary key', keys FROM index WHERE indisprimary
    UNION ALL
    SELECT table_name, format('unique (%s)', keys), 'yes'
    FROM index WHERE indisunique AND NOT indisprimary
    UNION ALL
    SELECT name::text, 'index', definition FROM index
    WHERE NOT indisprimary AND name::text !~ '_key$'
    UNION ALL
    SELECT r.name || '.' || pointing.columns, 'references',
           replace(substring(pg_get_constraintdef(k.oid) FROM 'REFERENCES (.*)$'), inspected || '.', '')
    FROM described r JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype = 'f'
    CROSS JOIN LATERAL (
        -- The tenant's part of a composite reference goes without saying.
        SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) AS columns
        FROM pg_attribute a
        WHERE a.attrelid = r.oid AND a.attnum = ANY (k.conkey)
          AND (a.attname <> 'tenant_id' OR cardinality(k.conkey) = 1)
    ) AS pointing
    UNION ALL
    SELECT r.name, format('check %s', k.conname), replace(pg_get_constraintdef(k.oid), inspected || '.', '')
    FROM described r JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype = 'c'
    UNION ALL
    -- Arguments are pairs of a column and a rule.
    SELECT r.name, format('check %s_%s_%s', r.name, argument.list[place], argument.list[place + 1]), 'by trigger'
    FROM described r JOIN pg_trigger t ON t.tgrelid = r.oid AND t.tgfoid = to_regproc(inspected || '.check_columns') AND t.tgenabled = 'A'
    CROSS JOIN LATERAL (SELECT string_to_array(encode(t.tgargs, 'escape'), '\000')) AS argument (list)
    CROSS JOIN generate_series(1, t.tgnargs, 2) AS place
)
SELECT replace(name, inspected || '.', ''), fact, value FROM plain
$$;

CREATE VIEW conformance.differences AS
SELECT object, fact, documented.value AS documented, store.value AS in_the_store
FROM conformance.facts('document') AS documented
FULL JOIN conformance.facts('shop') AS store USING (object, fact)
WHERE documented.value IS DISTINCT FROM store.value;

-- The deliberate deviations. A null on the left is an addition, a null on the right an omission.
CREATE TABLE conformance.deviations (object text, fact text, documented text, in_the_store text, reason text);
INSERT INTO conformance.deviations VALUES
    ('analytics_events', 'kind', 'table', 'partitioned RANGE ("timestamp")',
     'partitioned by month, so that expired months are dropped whole'),
    ('analytics_events', 'primary key', 'id', 'id, "timestamp"',
     'a key of a partitioned table holds the partition column'),
    ('analytics_events.timestamp', 'not null', NULL, 'yes', 'a key of a partitioned table holds the partition column'),
    ('webhook_deliveries', 'kind', 'table', 'partitioned RANGE (created_at)',
     'partitioned by month, so that expired months are dropped whole'),
    ('webhook_deliveries', 'primary key', 'id', 'id, created_at',
     'a key of a partitioned table holds the partition column'),
    ('webhook_deliveries.created_at', 'not null', NULL, 'yes',
     'a key of a partitioned table holds the partition column'),
    ('orders.id', 'default', 'gen_random_uuid()', 'uuid_v7()',
     'append-heavy: time-ordered identifiers hit the right edge of the index'),
    ('order_items.id', 'default', 'gen_random_uuid()', 'uuid_v7()',
     'append-heavy: time-ordered identifiers hit the right edge of the index'),
    ('payments.id', 'default', 'gen_random_uuid()', 'uuid_v7()',
     'append-heavy: time-ordered identifiers hit the right edge of the index'),
    ('analytics_events.id', 'default', 'gen_random_uuid()', 'uuid_v7()',
     'append-heavy: time-ordered identifiers hit the right edge of the index'),
    ('webhook_deliveries.id', 'default', 'gen_random_uuid()', 'uuid_v7()',
     'append-heavy: time-ordered identifiers hit the right edge of the index'),
    ('users.tenant_id', 'default', NULL, 'current_tenant()',
     'an application need not repeat the tenant of its transaction'),
    ('products.tenant_id', 'default', NULL, 'current_tenant()',
     'an application need not repeat the tenant of its transaction'),
    ('orders.tenant_id', 'default', NULL, 'current_tenant()',
     'an application need not repeat the tenant of its transaction'),
    ('order_items.tenant_id', 'default', NULL, 'current_tenant()',
     'an application need not repeat the tenant of its transaction'),
    ('payments.tenant_id', 'default', NULL, 'current_tenant()',
     'an application need not repeat the tenant of its transaction'),
    ('analytics_events.tenant_id', 'default', NULL, 'current_tenant()',
     'an application need not repeat the tenant of its transaction'),
    ('integrations.tenant_id', 'default', NULL, 'current_tenant()',
     'an application need not repeat the tenant of its transaction'),
    ('webhooks.tenant_id', 'default', NULL, 'current_tenant()',
     'an application need not repeat the tenant of its transaction'),
    ('webhook_deliveries.tenant_id', 'default', NULL, 'current_tenant()',
     'an application need not repeat the tenant of its transaction'),
    ('order_items.tenant_id', 'type', NULL, 'uuid', 'every table carries its tenant, so that every table is walled'),
    ('order_items.tenant_id', 'not null', NULL, 'yes',
     'every table carries its tenant, so that every table is walled'),
    ('webhook_deliveries.tenant_id', 'type', NULL, 'uuid',
     'every table carries its tenant, so that every table is walled'),
    ('webhook_deliveries.tenant_id', 'not null', NULL, 'yes',
     'every table carries its tenant, so that every table is walled'),
    ('orders.user_id', 'references', 'users(id) ON DELETE SET NULL', 'users(tenant_id, id) ON DELETE SET NULL (user_id)',
     'plain references let one tenant point at another''s row: checks do not see row security'),
    ('order_items.order_id', 'references', 'orders(id) ON DELETE CASCADE', 'orders(tenant_id, id) ON DELETE CASCADE',
     'plain references let one tenant point at another''s row: checks do not see row security'),
    ('order_items.product_id', 'references', 'products(id) ON DELETE SET NULL', 'products(tenant_id, id) ON DELETE SET NULL (product_id)',
     'plain references let one tenant point at another''s row: checks do not see row security'),
    ('payments.order_id', 'references', 'orders(id) ON DELETE SET NULL', 'orders(tenant_id, id) ON DELETE SET NULL (order_id)',
     'plain references let one tenant point at another''s row: checks do not see row security'),
    ('analytics_events.user_id', 'references', 'users(id) ON DELETE SET NULL', 'users(tenant_id, id) ON DELETE SET NULL (user_id)',
     'plain references let one tenant point at another''s row: checks do not see row security'),
    ('webhook_deliveries.webhook_id', 'references', 'webhooks(id) ON DELETE CASCADE', 'webhooks(tenant_id, id) ON DELETE CASCADE',
     'plain references let one tenant point at another''s row: checks do not see row security'),
    ('users', 'unique (tenant_id, id)', NULL, 'yes', 'what composite references point at'),
    ('idx_users_tenant_id', 'index', 'btree (tenant_id)', 'UNIQUE btree (tenant_id, id)',
     'serves queries by tenant and is what composite references point at'),
    ('products', 'unique (tenant_id, id)', NULL, 'yes', 'what composite references point at'),
    ('idx_products_tenant_id', 'index', 'btree (tenant_id)', 'UNIQUE btree (tenant_id, id)',
     'serves queries by tenant and is what composite references point at'),
    ('orders', 'unique (tenant_id, id)', NULL, 'yes', 'what composite references point at'),
    ('idx_orders_tenant_id', 'index', 'btree (tenant_id)', 'UNIQUE btree (tenant_id, id)',
     'serves queries by tenant and is what composite references point at'),
    ('webhooks', 'unique (tenant_id, id)', NULL, 'yes', 'what composite references point at'),
    ('idx_webhooks_tenant_id', 'index', 'btree (tenant_id)', 'UNIQUE btree (tenant_id, id)',
     'serves queries by tenant and is what composite references point at'),
    ('webhooks.previous_secret', 'type', NULL, 'character varying(255)', 'a rotated secret overlaps with the one before'),
    ('webhooks.previous_secret_until', 'type', NULL, 'timestamp with time zone', 'a rotated secret overlaps with the one before'),
    ('idx_tenants_slug', 'index', 'btree (slug)', 'UNIQUE btree (slug)',
     'the documented unique key itself: a second index on slug would only cost writes'),
    ('idx_orders_number', 'index', 'btree (number)', 'UNIQUE btree (number)',
     'the documented unique key itself: a second index on number would only cost writes'),
    ('idx_integrations_tenant_id', 'index', 'btree (tenant_id)', 'UNIQUE btree (tenant_id, type)',
     'the documented unique key itself, which leads with tenant_id'),
    ('idx_revenue_metrics_tenant_date', 'index', 'btree (tenant_id, date)', 'UNIQUE btree (tenant_id, date, currency)',
     'the documented unique key itself, which leads with tenant_id, date'),
    ('idx_orders_active', 'index', 'btree (tenant_id, created_at) WHERE ((status)::text = ANY ((ARRAY[''pending''::character varying, ''processing''::character varying, ''shipped''::character varying])::text[]))',
     'btree (tenant_id, created_at) WHERE ((status)::text = ANY (ARRAY[''pending''::text, ''processing''::text, ''shipped''::text]))',
     'the same condition in the one spelling that dump and restore keep'),
    ('idx_products_status', 'index', 'btree (status)', 'btree (status, tenant_id, created_at, id)',
     'leads with status, and gives product_page() its rows in order'),
    ('idx_products_name_gin', 'index', 'gin (name)', 'gin (((to_tsvector(''english''::regconfig, ((COALESCE((name ->> ''en''::text), ''''::text) || '' ''::text) || COALESCE((description ->> ''en''::text), ''''::text))) || to_tsvector(''arabic''::regconfig, ((COALESCE((name ->> ''ar''::text), ''''::text) || '' ''::text) || COALESCE((description ->> ''ar''::text), ''''::text))))))',
     'documented as a second copy of idx_products_name: full text over both languages instead'),
    ('order_items', 'check order_items_price_not_negative', NULL, 'by trigger',
     'a negative amount is an error'),
    ('order_items', 'check order_items_total_not_negative', NULL, 'by trigger',
     'a negative amount is an error'),
    ('orders', 'check orders_total_not_negative', NULL, 'by trigger',
     'a negative amount is an error'),
    ('payments', 'check payments_amount_not_negative', NULL, 'by trigger',
     'a negative amount is an error'),
    ('payments', 'check payments_provider_fee_not_negative', NULL, 'by trigger',
     'a negative amount is an error'),
    ('payments', 'check payments_refunded_amount_not_negative', NULL, 'by trigger',
     'a negative amount is an error'),
    ('products', 'check products_price_not_negative', NULL, 'by trigger',
     'a negative amount is an error'),
    ('order_items', 'check order_items_quantity_positive', NULL, 'by trigger',
     'nothing is ordered, timed or tried less than nothing'),
    ('webhook_deliveries', 'check webhook_deliveries_attempt_count_not_negative', NULL, 'CHECK ((attempt_count >= 0))',
     'nothing is ordered, timed or tried less than nothing'),
    ('webhook_deliveries', 'check webhook_deliveries_response_time_not_negative', NULL, 'CHECK ((response_time >= 0))',
     'nothing is ordered, timed or tried less than nothing'),
    ('products', 'check products_currency_shape', NULL, 'by trigger',
     'ISO 4217 codes alone, in one spelling, so that sums by currency are whole'),
    ('orders', 'check orders_currency_shape', NULL, 'by trigger',
     'ISO 4217 codes alone, in one spelling, so that sums by currency are whole'),
    ('payments', 'check payments_currency_shape', NULL, 'by trigger',
     'ISO 4217 codes alone, in one spelling, so that sums by currency are whole'),
    ('tenants', 'check tenants_status_not_empty', NULL, 'CHECK (((status)::text <> ''''::text))',
     'an empty status would be in no list; lists of statuses stay open'),
    ('users', 'check users_status_not_empty', NULL, 'CHECK (((status)::text <> ''''::text))',
     'an empty status would be in no list; lists of statuses stay open'),
    ('products', 'check products_status_not_empty', NULL, 'by trigger',
     'an empty status would be in no list; lists of statuses stay open'),
    ('orders', 'check orders_status_not_empty', NULL, 'by trigger',
     'an empty status would be in no list; lists of statuses stay open'),
    ('payments', 'check payments_status_not_empty', NULL, 'by trigger',
     'an empty status would be in no list; lists of statuses stay open'),
    ('integrations', 'check integrations_status_not_empty', NULL, 'CHECK (((status)::text <> ''''::text))',
     'an empty status would be in no list; lists of statuses stay open'),
    ('webhooks', 'check webhooks_status_not_empty', NULL, 'CHECK (((status)::text <> ''''::text))',
     'an empty status would be in no list; lists of statuses stay open'),
    ('orders', 'check orders_payment_status_not_empty', NULL, 'by trigger',
     'an empty status would be in no list; lists of statuses stay open'),
    ('analytics_events', 'check analytics_events_type_not_empty', NULL, 'CHECK (((event_type)::text <> ''''::text))',
     'an event without a type would be in no funnel'),
    ('tenants', 'check tenants_slug_shape', NULL, 'CHECK (((slug)::text ~ ''^[a-z0-9]+([-_][a-z0-9]+)*$''::text))',
     'a slug stands in addresses and in order numbers'),
    ('users', 'check users_email_shape', NULL, 'CHECK (((email)::text ~ ''^[^@\s]+@[^@\s]+$''::text))',
     'nobody can be written to without an at sign'),
    ('revenue_metrics.paid_revenue', 'type', NULL, 'numeric(15,2)',
     'a row tells booked, paid and refunded revenue apart'),
    ('revenue_metrics.paid_order_count', 'type', NULL, 'integer',
     'a row tells booked, paid and refunded revenue apart'),
    ('revenue_metrics.refunded_amount', 'type', NULL, 'numeric(15,2)',
     'a row tells booked, paid and refunded revenue apart'),
    ('revenue_metrics.net_revenue', 'type', NULL, 'numeric(15,2)',
     'a row tells booked, paid and refunded revenue apart'),
    ('revenue_metrics.paid_revenue', 'default', NULL, '0', 'a row tells booked, paid and refunded revenue apart'),
    ('revenue_metrics.paid_revenue', 'not null', NULL, 'yes', 'a row tells booked, paid and refunded revenue apart'),
    ('revenue_metrics.paid_order_count', 'default', NULL, '0', 'a row tells booked, paid and refunded revenue apart'),
    ('revenue_metrics.paid_order_count', 'not null', NULL, 'yes', 'a row tells booked, paid and refunded revenue apart'),
    ('revenue_metrics.refunded_amount', 'default', NULL, '0', 'a row tells booked, paid and refunded revenue apart'),
    ('revenue_metrics.refunded_amount', 'not null', NULL, 'yes', 'a row tells booked, paid and refunded revenue apart'),
    ('revenue_metrics.net_revenue', 'default', NULL, '0', 'a row tells booked, paid and refunded revenue apart'),
    ('revenue_metrics.net_revenue', 'not null', NULL, 'yes', 'a row tells booked, paid and refunded revenue apart'),
    ('revenue_metrics.currency', 'not null', NULL, 'yes', 'a null currency would make the documented unique key let a day in twice'),
    ('order_code_sequence', 'kind', NULL, 'sequence', 'what {CODE} order numbers are made from'),
    ('order_number_key', 'kind', NULL, 'table', 'what {CODE} order numbers are made from'),
    ('order_number_counters', 'kind', NULL, 'table', 'what {SEQ} order numbers are made from'),
    ('revenue_customers', 'kind', NULL, 'table', 'who is counted in a day''s customer_count, so that deletes subtract'),
    ('revenue_deltas', 'kind', NULL, 'table', 'changes of revenue_metrics that would have had to wait'),
    ('revenue_deltas_id_seq', 'kind', NULL, 'sequence', 'changes of revenue_metrics that would have had to wait'),
    ('revenue_fold_progress', 'kind', NULL, 'table', 'changes of revenue_metrics that would have had to wait'),
    ('revenue_metrics_live', 'kind', NULL, 'view', 'revenue_metrics with the changes that are still to be folded into it'),
    ('idx_webhook_deliveries_webhook_id', 'index', 'btree (webhook_id)', 'UNIQUE btree (webhook_id, event_id, created_at, tenant_id)',
     'leads with webhook_id, and gives each endpoint an event once'),
    ('webhook_deliveries', 'unique (webhook_id, event_id, created_at, tenant_id)', NULL, 'yes', 'each endpoint gets an event once'),
    ('idx_webhook_deliveries_open', 'index', NULL, 'btree (tenant_id, next_attempt_at) WHERE (next_attempt_at IS NOT NULL)',
     'what workers claim, fairly over tenants'),
    ('webhook_deliveries', 'check webhook_deliveries_status_fits', NULL,
     'CHECK ((((next_attempt_at IS NULL) AND ((status)::text = ANY (ARRAY[''delivered''::text, ''dead''::text]))) OR ((next_attempt_at IS NOT NULL) AND ((status)::text = ANY (ARRAY[''pending''::text, ''leased''::text])))))',
     'what is open has a time at which it is claimed'),
    ('webhook_deliveries.status', 'type', NULL, 'character varying(20)', 'how far a delivery has come'),
    ('webhook_deliveries.status', 'not null', NULL, 'yes', 'how far a delivery has come'),
    ('webhook_deliveries.status', 'default', NULL, '''pending''::character varying', 'how far a delivery has come'),
    ('webhook_deliveries.next_attempt_at', 'type', NULL, 'timestamp with time zone', 'how far a delivery has come'),
    ('webhook_deliveries.next_attempt_at', 'default', NULL, 'now()', 'how far a delivery has come'),
    ('webhook_deliveries.failures', 'type', NULL, 'integer', 'how far a delivery has come'),
    ('webhook_deliveries.failures', 'not null', NULL, 'yes', 'how far a delivery has come'),
    ('webhook_deliveries.failures', 'default', NULL, '0', 'how far a delivery has come'),
    ('webhook_deliveries.error', 'type', NULL, 'text', 'how far a delivery has come'),
    ('webhooks.failing_since', 'type', NULL, 'timestamp with time zone', 'an endpoint that fails for days is disabled'),
    ('webhooks.disabled_at', 'type', NULL, 'timestamp with time zone', 'an endpoint that fails for days is disabled'),
    ('webhooks.disabled_reason', 'type', NULL, 'text', 'an endpoint that fails for days is disabled'),
    ('webhook_health', 'kind', NULL, 'view', 'how each endpoint fares'),
    ('slow_queries', 'kind', NULL, 'view', 'a documented query of monitoring'),
    ('table_statistics', 'kind', NULL, 'view', 'a documented query of monitoring'),
    ('connection_activity', 'kind', NULL, 'view', 'a documented query of monitoring'),
    ('long_running_queries', 'kind', NULL, 'view', 'a documented query of monitoring'),
    ('maintenance_runs', 'kind', NULL, 'table', 'what the documented commands of retention did, as procedures');

CREATE VIEW conformance.verdict AS
SELECT 'not listed' AS problem, * FROM (
    SELECT * FROM conformance.differences
    EXCEPT SELECT object, fact, documented, in_the_store FROM conformance.deviations) AS unlisted
UNION ALL
SELECT 'listed, and does not occur', * FROM (
    SELECT object, fact, documented, in_the_store FROM conformance.deviations
    EXCEPT SELECT * FROM conformance.differences) AS outdated;

-- How much was compared.
SELECT count(DISTINCT object) FILTER (WHERE fact = 'kind') AS tables,
       count(DISTINCT object) FILTER (WHERE fact = 'type') AS columns,
       count(*) FILTER (WHERE fact = 'index') AS named_indexes,
       count(*) FILTER (WHERE fact LIKE 'unique%') AS unique_keys,
       count(*) FILTER (WHERE fact = 'references') AS "references",
       count(*) FILTER (WHERE fact = 'default') AS defaults,
       count(*) FILTER (WHERE fact = 'not null') AS not_null
FROM conformance.facts('document');

-- Both must be empty.
SELECT * FROM conformance.verdict ORDER BY 1, 2, 3;

-- The comparison sees what it is there for: each change below is reported, and undone.
BEGIN;
ALTER TABLE shop.products ALTER COLUMN category TYPE varchar(99);
ALTER TABLE shop.users ALTER COLUMN role DROP DEFAULT;
ALTER TABLE shop.users ALTER COLUMN name SET NOT NULL;
ALTER TABLE shop.users DROP CONSTRAINT users_tenant_id_email_key;
ALTER TABLE shop.payments DROP CONSTRAINT payments_tenant_id_fkey;
DROP INDEX shop.idx_orders_active;
CREATE INDEX idx_orders_active ON shop.orders (tenant_id, created_at) WHERE status IN ('pending', 'processing');
DROP TRIGGER zz_brainsait_checks ON shop.order_items;
ALTER TABLE shop.webhooks RENAME COLUMN description TO remark;
SELECT * FROM conformance.verdict ORDER BY 1, 2, 3;
ROLLBACK;
SELECT count(*) AS problems FROM conformance.verdict;

-- store_shape(), by which a returning store is recognised, is the catalogs, no more and no less.
WITH present AS (
    SELECT c.relname AS table_name, c.relkind AS kind, format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)) AS column_shape
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'shop'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
    UNION ALL
    SELECT relname, relkind, 'last_value bigint' FROM pg_class
    WHERE relnamespace = 'shop'::regnamespace AND relkind = 'S'
), shape AS (
    SELECT table_name, kind, unnest(string_to_array(columns, ', ')) AS column_shape FROM shop.store_shape()
)
SELECT coalesce(p.table_name, s.table_name) AS relation, coalesce(p.column_shape, s.column_shape) AS column_shape,
       p.table_name IS NOT NULL AS in_the_catalogs, s.table_name IS NOT NULL AS in_the_shape
FROM present p FULL JOIN shape s USING (table_name, kind, column_shape)
WHERE p.table_name IS NULL OR s.table_name IS NULL
ORDER BY 1, 2;
SELECT * FROM shop.store_strangers();
SELECT count(*) AS relations, count(DISTINCT c.relowner::regrole::text) AS owners, min(c.relowner::regrole::text) AS owner
FROM shop.store_shape() AS shape
JOIN pg_class c ON c.relname = shape.table_name AND c.relnamespace = 'shop'::regnamespace;

-- What differs from the document, and why.
SELECT string_agg(DISTINCT object || CASE fact WHEN 'kind' THEN '' ELSE ' ' || fact END, E'\n'
                  ORDER BY object || CASE fact WHEN 'kind' THEN '' ELSE ' ' || fact END) AS "what differs from the document",
       reason AS why
FROM conformance.deviations GROUP BY reason ORDER BY min(object), reason;

\c postgres
DROP DATABASE regress_brainsait_schema;
