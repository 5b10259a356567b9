-- create_store(): the tables as a whole. It runs at CREATE EXTENSION, and by hand where that left the
-- tables out. Tables that exist already are the store's own, released by an earlier DROP EXTENSION
-- CASCADE, or they stop it: nothing else is ever adopted.

CREATE FUNCTION store_shape(OUT table_name name, OUT kind "char", OUT columns text) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS
$body$
VALUES
    ('tenants'::name, 'r'::"char", 'id uuid, name character varying(255), slug character varying(100), domain character varying(255), status character varying(50), plan character varying(50), settings jsonb, created_at timestamp with time zone, updated_at timestamp with time zone'),
    ('users', 'r', 'id uuid, tenant_id uuid, email character varying(255), password_hash character varying(255), name character varying(255), role character varying(50), status character varying(50), email_verified boolean, last_login timestamp with time zone, metadata jsonb, created_at timestamp with time zone, updated_at timestamp with time zone'),
    ('products', 'r', 'id uuid, tenant_id uuid, name jsonb, description jsonb, price numeric(10,2), currency character varying(3), category character varying(100), tags text[], images text[], status character varying(50), inventory_count integer, metadata jsonb, created_at timestamp with time zone, updated_at timestamp with time zone'),
    ('orders', 'r', 'id uuid, tenant_id uuid, user_id uuid, number character varying(50), status character varying(50), total numeric(10,2), currency character varying(3), customer_email character varying(255), customer_name character varying(255), billing_address jsonb, shipping_address jsonb, payment_intent_id character varying(255), payment_status character varying(50), metadata jsonb, created_at timestamp with time zone, updated_at timestamp with time zone'),
    ('order_items', 'r', 'id uuid, order_id uuid, product_id uuid, product_name character varying(255), quantity integer, price numeric(10,2), total numeric(10,2), metadata jsonb, tenant_id uuid'),
    ('payments', 'r', 'id uuid, tenant_id uuid, order_id uuid, payment_intent_id character varying(255), amount numeric(10,2), currency character varying(3), status character varying(50), payment_method character varying(50), provider character varying(50), provider_fee numeric(10,2), net_amount numeric(10,2), refunded_amount numeric(10,2), metadata jsonb, processed_at timestamp with time zone, created_at timestamp with time zone, updated_at timestamp with time zone'),
    ('order_number_counters', 'r', 'tenant_id uuid, series text, period text, last_value bigint'),
    ('order_number_key', 'r', 'version integer, key bytea'),
    ('order_code_sequence', 'S', 'last_value bigint'),
    ('revenue_metrics', 'r', 'id uuid, tenant_id uuid, date date, total_revenue numeric(15,2), order_count integer, customer_count integer, average_order_value numeric(10,2), currency character varying(3), created_at timestamp with time zone, paid_revenue numeric(15,2), paid_order_count integer, refunded_amount numeric(15,2), net_revenue numeric(15,2)'),
    ('revenue_customers', 'r', 'tenant_id uuid, date date, currency character varying(3), customer uuid, order_count integer'),
    ('revenue_deltas_id_seq', 'S', 'last_value bigint'),
    ('revenue_deltas', 'r', 'id bigint, written_by bigint, tenant_id uuid, date date, currency character varying(3), customer uuid, customer_orders integer, total_revenue numeric, order_count integer, paid_revenue numeric, paid_order_count integer, refunded_amount numeric'),
    ('revenue_fold_progress', 'r', 'system_identifier bigint, folded_before bigint'),
    ('revenue_metrics_live', 'v', 'id uuid, tenant_id uuid, date date, total_revenue numeric(15,2), order_count integer, customer_count integer, average_order_value numeric(10,2), currency character varying(3), created_at timestamp with time zone, paid_revenue numeric(15,2), paid_order_count integer, refunded_amount numeric(15,2), net_revenue numeric(15,2)'),
    ('analytics_events', 'p', 'id uuid, tenant_id uuid, event_type character varying(100), user_id uuid, session_id character varying(255), properties jsonb, "timestamp" timestamp with time zone'),
    ('integrations', 'r', 'id uuid, tenant_id uuid, name character varying(100), type character varying(50), status character varying(50), config jsonb, credentials jsonb, last_sync timestamp with time zone, created_at timestamp with time zone, updated_at timestamp with time zone'),
    ('webhooks', 'r', 'id uuid, tenant_id uuid, url character varying(500), events text[], secret character varying(255), status character varying(50), description text, created_at timestamp with time zone, updated_at timestamp with time zone, failing_since timestamp with time zone, disabled_at timestamp with time zone, disabled_reason text, previous_secret character varying(255), previous_secret_until timestamp with time zone'),
    ('webhook_deliveries', 'p', 'id uuid, webhook_id uuid, event_id uuid, event_type character varying(100), payload jsonb, response_status integer, response_body text, response_time integer, attempt_count integer, delivered_at timestamp with time zone, created_at timestamp with time zone, tenant_id uuid, status character varying(20), next_attempt_at timestamp with time zone, failures integer, error text'),
    ('webhook_health', 'v', 'webhook_id uuid, tenant_id uuid, url character varying(500), status character varying(50), pending bigint, leased bigint, oldest_age interval, delivered bigint, dead bigint, success_rate numeric, latency_p50 double precision, latency_p95 double precision, latency_p99 double precision, failing_since timestamp with time zone, disabled_at timestamp with time zone, disabled_reason text'),
    ('slow_queries', 'v', 'query text, mean_time double precision, calls bigint, total_time double precision'),
    ('table_statistics', 'v', 'schemaname name, tablename name, n_tup_ins bigint, n_tup_upd bigint, n_tup_del bigint, n_live_tup bigint, n_dead_tup bigint'),
    ('connection_activity', 'v', 'connections bigint, state text, application_name text'),
    ('long_running_queries', 'v', 'pid integer, duration interval, query text'),
    ('maintenance_runs', 'r', 'id uuid, task text, older_than interval, cutoff timestamp with time zone, started_at timestamp with time zone, updated_at timestamp with time zone, finished_at timestamp with time zone, outcome text, pid integer, done bigint, total bigint, rows_done bigint, partitions_done integer, progress jsonb')
$body$;
COMMENT ON FUNCTION store_shape() IS
    'Internal: the columns that each of the store''s relations must have; an application may add others.';
REVOKE ALL ON FUNCTION store_shape() FROM PUBLIC;

CREATE FUNCTION store_strangers(OUT relation name, OUT reason text) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
SELECT shape.table_name,
       CASE WHEN c.relowner <> 'brainsait_owner'::regrole THEN format('it belongs to %s, not to brainsait_owner', c.relowner::regrole)
            WHEN c.relkind <> shape.kind THEN 'it is of another kind'
            ELSE format('it has no column %s', missing.columns) END
FROM @extschema@.store_shape() AS shape
JOIN pg_class c ON c.relnamespace = '@extschema@'::regnamespace AND c.relname = shape.table_name
CROSS JOIN LATERAL (
    SELECT string_agg(wanted, ', ') AS columns
    FROM unnest(string_to_array(shape.columns, ', ')) AS wanted
    WHERE NOT EXISTS (SELECT FROM pg_attribute a
                      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                        AND wanted = format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)))
      AND NOT EXISTS (SELECT FROM @extschema@.missing_table_changes() AS later
                      WHERE later.table_name = shape.table_name AND later.kind = 'COLUMN'
                        AND starts_with(wanted, quote_ident(later.object) || ' '))
) AS missing
WHERE c.relowner <> 'brainsait_owner'::regrole OR c.relkind <> shape.kind OR missing.columns IS NOT NULL
$body$;
COMMENT ON FUNCTION store_strangers() IS
    'Internal: relations that bear a name of the store''s but are not the store''s, by owner, kind or columns. What an earlier version did not have yet is not held against a table.';
REVOKE ALL ON FUNCTION store_strangers() FROM PUBLIC;

CREATE FUNCTION store_triggers(OUT table_name name, OUT trigger_name name, OUT fires "char") RETURNS SETOF record
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS
$body$
SELECT list.table_name, trigger_name, list.fires
FROM (VALUES
    ('tenants'::name, 'O'::"char", '{brainsait_dumped,brainsait_revenue_tenant,brainsait_tenant_changes,brainsait_updated_at,brainsait_validate_settings,brainsait_webhooks}'::name[]),
    ('tenants', 'A', '{brainsait_tenant_changed,brainsait_truncated,zz_brainsait_references}'),
    ('users', 'O', '{brainsait_updated_at,brainsait_webhooks}'),
    ('users', 'A', '{zz_brainsait_references}'),
    ('products', 'O', '{brainsait_updated_at}'),
    ('products', 'A', '{zz_brainsait_checks}'),
    ('orders', 'O', '{brainsait_number,brainsait_revenue,brainsait_revenue_truncate,brainsait_updated_at,brainsait_webhooks}'),
    ('orders', 'A', '{zz_brainsait_checks}'),
    ('order_items', 'O', '{brainsait_tenant}'),
    ('order_items', 'A', '{zz_brainsait_checks}'),
    ('payments', 'O', '{brainsait_revenue,brainsait_revenue_leaves,brainsait_revenue_truncate,brainsait_updated_at,brainsait_webhooks}'),
    ('payments', 'A', '{zz_brainsait_checks}'),
    ('order_number_key', 'A', '{brainsait_arrives,brainsait_tenant_changed,brainsait_truncated}'),
    ('integrations', 'O', '{brainsait_updated_at}'),
    ('integrations', 'A', '{zz_brainsait_seal}'),
    ('webhooks', 'O', '{brainsait_updated_at,brainsait_webhook_changes}'),
    ('webhooks', 'A', '{brainsait_truncated,brainsait_webhook_changed,zz_brainsait_seal}'),
    ('webhook_deliveries', 'O', '{brainsait_tenant}')
) AS list (table_name, fires, names), unnest(list.names) AS trigger_name
$body$;
COMMENT ON FUNCTION store_triggers() IS
    'Internal to health_check(): the triggers that create_store() puts on tables, and when they fire, as pg_trigger.tgenabled tells it.';

CREATE FUNCTION missing_store_parts(OUT kind text, OUT part text) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
SELECT 'table', shape.table_name::text
FROM @extschema@.store_shape() AS shape
WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = '@extschema@'::regnamespace AND c.relname = shape.table_name)
UNION ALL
SELECT lower(later.kind), format('%s of %s', later.object, later.table_name) FROM @extschema@.missing_table_changes() AS later
UNION ALL
SELECT 'trigger', format('%s of %s%s', wanted.trigger_name, wanted.table_name,
                         CASE t.tgenabled WHEN 'D' THEN ' (disabled)' WHEN 'O' THEN ' (not in replicas)' WHEN 'R' THEN ' (only in replicas)' END)
FROM @extschema@.store_triggers() AS wanted
JOIN pg_class c ON c.relnamespace = '@extschema@'::regnamespace AND c.relname = wanted.table_name
LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = wanted.trigger_name
-- That an application has a trigger fire in replicas too is its own affair.
WHERE t.oid IS NULL OR t.tgenabled NOT IN (wanted.fires, 'A')
$body$;
COMMENT ON FUNCTION missing_store_parts() IS
    'Internal to health_check(): what this version''s store has and this one lacks: each table (view, sequence), later column, constraint or index, and trigger; a trigger that does not fire when it should, too.';
REVOKE ALL ON FUNCTION store_triggers(), missing_store_parts() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION store_shape(), table_changes(), missing_table_changes(), store_triggers(), missing_store_parts() TO brainsait_operator;

CREATE FUNCTION own_store(kinds text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    relation record;
BEGIN
    FOR relation IN
        SELECT c.oid::regclass AS name, c.relkind AS kind
        FROM @extschema@.store_shape() AS shape
        JOIN pg_class top ON top.relnamespace = '@extschema@'::regnamespace AND top.relname = shape.table_name
        CROSS JOIN LATERAL (SELECT top.oid UNION SELECT relid FROM pg_partition_tree(top.oid)) AS part (oid)
        JOIN pg_class c ON c.oid = part.oid
        WHERE position(c.relkind IN kinds) > 0
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO brainsait_owner',
                       CASE relation.kind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, relation.name);
    END LOOP;
END
$body$;
COMMENT ON FUNCTION own_store(text) IS 'Internal to create_store(): makes brainsait_owner the owner of the store''s relations and partitions of those kinds, letters of pg_class.relkind.';
REVOKE ALL ON FUNCTION own_store(text) FROM PUBLIC;

CREATE FUNCTION attach_store() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    relation record;
BEGIN
    -- Identifiers of append-heavy tables follow time; the tenant comes from the context where it is left out.
    FOR relation IN
        SELECT unnest(ARRAY['orders', 'order_items', 'payments', 'analytics_events', 'webhook_deliveries']) AS name
    LOOP
        EXECUTE format('ALTER TABLE %1$s.%2$I ALTER COLUMN id SET DEFAULT %1$s.uuid_v7()', '@extschema@', relation.name);
    END LOOP;
    FOR relation IN
        SELECT unnest(ARRAY['users', 'products', 'orders', 'order_items', 'payments', 'analytics_events',
                            'integrations', 'webhooks', 'webhook_deliveries']) AS name
    LOOP
        EXECUTE format('ALTER TABLE %1$s.%2$I ALTER COLUMN tenant_id SET DEFAULT %1$s.current_tenant()',
                       '@extschema@', relation.name);
    END LOOP;

    PERFORM @extschema@.attach_row_triggers();
    PERFORM @extschema@.attach_order_numbers();
    PERFORM @extschema@.attach_revenue_rollup();
    PERFORM @extschema@.attach_arrivals();
    PERFORM @extschema@.attach_webhooks();
    PERFORM @extschema@.attach_credentials();
    PERFORM @extschema@.attach_maintenance();
    PERFORM @extschema@.isolate_table(('@extschema@.' || quote_ident(shape.table_name))::regclass,
                          CASE WHEN shape.table_name = 'tenants' THEN 'id'::name ELSE 'tenant_id' END)
    FROM @extschema@.store_shape() AS shape
    WHERE shape.kind IN ('r', 'p') AND shape.table_name NOT IN ('order_number_key', 'revenue_fold_progress', 'maintenance_runs');
    -- The key that order codes are made with, and how far the rollup is folded, have no tenant and no policy: they
    -- are nobody's to read.
    ALTER TABLE @extschema@.order_number_key ENABLE ROW LEVEL SECURITY;
    ALTER TABLE @extschema@.order_number_key FORCE ROW LEVEL SECURITY;
    ALTER TABLE @extschema@.revenue_fold_progress ENABLE ROW LEVEL SECURITY;
    ALTER TABLE @extschema@.revenue_fold_progress FORCE ROW LEVEL SECURITY;
    PERFORM @extschema@.grant_store_privileges();
END
$body$;
COMMENT ON FUNCTION attach_store() IS
    'Internal to create_store(): gives the tables what comes from the extension: defaults, triggers, policies, privileges. Running it again changes nothing.';
REVOKE ALL ON FUNCTION attach_store() FROM PUBLIC;

CREATE FUNCTION grant_store_privileges() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    GRANT SELECT, INSERT, UPDATE, DELETE
        ON @extschema@.tenants, @extschema@.users, @extschema@.products, @extschema@.orders, @extschema@.order_items,
           @extschema@.payments, @extschema@.analytics_events
        TO brainsait_app, brainsait_operator;

    -- Secrets are written and never read back: SELECT names every column but them.
    GRANT INSERT, UPDATE, DELETE ON @extschema@.integrations, @extschema@.webhooks TO brainsait_app, brainsait_operator;
    GRANT SELECT (id, tenant_id, name, type, status, config, last_sync, created_at, updated_at)
        ON @extschema@.integrations TO brainsait_app, brainsait_operator;
    GRANT SELECT (id, tenant_id, url, events, status, description, created_at, updated_at, failing_since, disabled_at, disabled_reason, previous_secret_until)
        ON @extschema@.webhooks TO brainsait_app, brainsait_operator;

    -- The store itself writes these. The document's retention command deletes deliveries as the application.
    GRANT SELECT
        ON @extschema@.revenue_metrics, @extschema@.revenue_customers, @extschema@.revenue_deltas, @extschema@.revenue_metrics_live
        TO brainsait_app, brainsait_operator;
    GRANT SELECT, DELETE ON @extschema@.webhook_deliveries TO brainsait_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON @extschema@.webhook_deliveries TO brainsait_operator;

    GRANT SELECT
        ON @extschema@.webhook_health, @extschema@.slow_queries, @extschema@.table_statistics, @extschema@.connection_activity, @extschema@.long_running_queries,
           @extschema@.maintenance_runs
        TO brainsait_operator;
END
$body$;
COMMENT ON FUNCTION grant_store_privileges() IS
    'Internal to create_store(): what the application role and operators may do with each table.';
REVOKE ALL ON FUNCTION grant_store_privileges() FROM PUBLIC;

CREATE FUNCTION revenue_parts() RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
SELECT string_agg(format('%s %s', c.oid, t.tgname), ', ' ORDER BY c.oid, t.tgname)
FROM @extschema@.store_shape() AS shape
JOIN pg_class c ON c.relnamespace = '@extschema@'::regnamespace AND c.relname = shape.table_name
LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname LIKE 'brainsait\_revenue%'
WHERE shape.kind = 'r' AND (shape.table_name IN ('tenants', 'orders', 'payments') OR shape.table_name LIKE 'revenue\_%')
$body$;
COMMENT ON FUNCTION revenue_parts() IS
    'Internal to create_store(): which of the rollup''s tables and triggers there are, to tell whether some were missing.';
REVOKE ALL ON FUNCTION revenue_parts() FROM PUBLIC;

CREATE FUNCTION take_views_in() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    view name;
BEGIN
    FOR view IN
        SELECT shape.table_name FROM @extschema@.store_shape() AS shape
        WHERE shape.kind = 'v' AND to_regclass('@extschema@.' || quote_ident(shape.table_name)) IS NOT NULL
          AND NOT @extschema@.has_member('view', '@extschema@.' || quote_ident(shape.table_name))
    LOOP
        EXECUTE format('ALTER EXTENSION brainsait ADD VIEW %s.%I', '@extschema@', view);
    END LOOP;
END
$body$;
COMMENT ON FUNCTION take_views_in() IS
    'Internal to create_store(): makes the store''s views members until release_store(), since a script of an extension replaces members only.';
REVOKE ALL ON FUNCTION take_views_in() FROM PUBLIC;

-- Released tables dump and restore like any other, keep their rows when the extension goes, and may be altered by the
-- application's migrations.
CREATE FUNCTION release_store() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    relation record;
BEGIN
    FOR relation IN
        SELECT c.oid::regclass AS name,
               CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind,
               members.objid IS NOT NULL AS is_member
        FROM pg_class c
        LEFT JOIN (
            SELECT d.objid FROM pg_depend d
            JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'brainsait'
            WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
        ) AS members ON members.objid = c.oid
        WHERE c.relkind IN ('r', 'p', 'S', 'v')
          AND (members.objid IS NOT NULL
               OR EXISTS (SELECT FROM pg_init_privs i
                          WHERE i.classoid = 'pg_class'::regclass AND i.objoid = c.oid
                            AND c.relnamespace = '@extschema@'::regnamespace))
    LOOP
        -- What a script of the extension's granted on a table that was there before is noted as the extension's own,
        -- and pg_dump would leave it out. Joining and leaving is what removes the note.
        IF NOT relation.is_member THEN
            EXECUTE format('ALTER EXTENSION brainsait ADD %s %s', relation.kind, relation.name);
        END IF;
        EXECUTE format('ALTER EXTENSION brainsait DROP %s %s', relation.kind, relation.name);
    END LOOP;
END
$body$;
COMMENT ON FUNCTION release_store() IS 'Internal to create_store(): lets the store''s relations leave the extension.';
REVOKE ALL ON FUNCTION release_store() FROM PUBLIC;

CREATE FUNCTION owner_furnish_store(rollup_lost boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    PERFORM @extschema@.fire_triggers_at_once();
    IF NOT EXISTS (SELECT FROM @extschema@.order_number_key) THEN
        -- 3 * 122 random bits, condensed to 256.
        INSERT INTO @extschema@.order_number_key (version, key)
        VALUES (1, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));
    END IF;
    PERFORM @extschema@.ensure_partitions();
    IF rollup_lost THEN
        -- Nobody kept the rollup while tables or triggers were away.
        DELETE FROM @extschema@.revenue_customers WHERE tenant_id NOT IN (SELECT id FROM @extschema@.tenants);
        DELETE FROM @extschema@.revenue_deltas WHERE tenant_id NOT IN (SELECT id FROM @extschema@.tenants);
        PERFORM @extschema@.rebuild_revenue_metrics(id) FROM @extschema@.tenants;
    END IF;
END
$body$;
COMMENT ON FUNCTION owner_furnish_store(boolean) IS 'Internal to furnish_store(): does it as the owner.';
CREATE FUNCTION furnish_store(rollup_lost boolean) RETURNS void
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'brainsait_as_owner';
COMMENT ON FUNCTION furnish_store(boolean) IS
    'Internal to create_store(): writes the rows that a store needs, the key of order codes first, and makes partitions, as the tables'' owner: what an owner hung on a table must not run as the superuser. rollup_lost: computes the rollup anew.';
REVOKE ALL ON FUNCTION owner_furnish_store(boolean), furnish_store(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION owner_furnish_store(boolean) TO brainsait_owner;

CREATE FUNCTION create_store() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    stranger record;
    rollup_found text := @extschema@.revenue_parts();
BEGIN
    FOR stranger IN SELECT * FROM @extschema@.store_strangers()
    LOOP
        RAISE EXCEPTION 'relation "%" exists already in schema % and is not the store''s: %',
                        stranger.relation, '@extschema@', stranger.reason
            USING ERRCODE = 'duplicate_table',
                  HINT = CASE WHEN to_regclass('@extschema@.tenants') IS NOT NULL AND stranger.relation <> 'tenants'
                              THEN format('The store needs the name: rename your %s. ', stranger.relation) ELSE '' END
                         || 'Or put the store into a schema of its own: CREATE EXTENSION brainsait SCHEMA other.';
    END LOOP;
    PERFORM @extschema@.take_views_in();

    PERFORM @extschema@.create_core_tables();
    PERFORM @extschema@.create_order_number_tables();
    PERFORM @extschema@.create_revenue_tables();
    PERFORM @extschema@.create_event_tables();
    PERFORM @extschema@.create_maintenance_tables();
    PERFORM @extschema@.own_store('rpS'), @extschema@.change_tables();
    PERFORM @extschema@.create_revenue_view(), @extschema@.create_webhook_view(), @extschema@.create_monitoring_views(), @extschema@.own_store('v');
    PERFORM @extschema@.attach_store();
    PERFORM @extschema@.furnish_store(rollup_found IS DISTINCT FROM @extschema@.revenue_parts());
    PERFORM @extschema@.release_store();
END
$body$;
COMMENT ON FUNCTION create_store() IS
    'Makes the store''s missing tables, brings those of an earlier version up to date, and attaches triggers, policies and privileges. CREATE EXTENSION and ALTER EXTENSION UPDATE run it, the first except where row_security is off, as in a restore, whose dump brings the tables. Tables of an earlier store in this schema are taken back; any other of these names is refused (42P07).';
REVOKE ALL ON FUNCTION create_store() FROM PUBLIC;
