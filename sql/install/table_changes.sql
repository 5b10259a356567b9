-- What released tables got later. A table keeps the shape that its CREATE TABLE gave it when a version released it, and gets
-- what is listed here, whoever made it: a new store, an upgrade, a dump of an earlier version. So all come to the same,
-- down to the order of columns. A table that is new in this version has a CREATE TABLE and is not listed.

CREATE FUNCTION table_changes(
    OUT place integer, OUT table_name name, OUT kind text, OUT object name, OUT definition text, OUT comment text, OUT afterwards text
) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
SELECT * FROM (VALUES
    (1, 'webhooks'::name, 'COLUMN', 'failing_since'::name, 'timestamptz', 'The first failed attempt after which none succeeded.', NULL),
    (2, 'webhooks', 'COLUMN', 'disabled_at', 'timestamptz', 'When the store disabled it.', NULL),
    (3, 'webhooks', 'COLUMN', 'disabled_reason', 'text', 'Why the store disabled it.', NULL),
    (4, 'webhook_deliveries', 'COLUMN', 'status', 'varchar(20) NOT NULL DEFAULT ''pending''',
     'pending: to be sent at next_attempt_at; leased: a worker has it until next_attempt_at; delivered; dead: given up.', NULL),
    -- What an earlier version's application wrote, it sent itself.
    (5, 'webhook_deliveries', 'COLUMN', 'next_attempt_at', 'timestamptz DEFAULT now()',
     'From when on it may be claimed; null where it is delivered or dead.',
     'UPDATE @extschema@.webhook_deliveries SET next_attempt_at = NULL, status = CASE WHEN delivered_at IS NULL THEN ''dead'' ELSE ''delivered'' END'),
    (6, 'webhook_deliveries', 'COLUMN', 'failures', 'integer NOT NULL DEFAULT 0', 'Failed attempts since it was written or replayed.', NULL),
    (7, 'webhook_deliveries', 'COLUMN', 'error', 'text', 'Why the latest attempt had no response.', NULL),
    -- The key that follows takes one row of an event for an endpoint and time. Where an earlier version's application wrote
    -- several, the later ones are moved on by a microsecond or as many as it takes: row by row, one after the one before.
    (8, 'webhook_deliveries', 'CONSTRAINT', 'webhook_deliveries_status_fits',
     'CHECK (next_attempt_at IS NULL AND status::text = ANY (ARRAY[''delivered'', ''dead'']) OR next_attempt_at IS NOT NULL AND status::text = ANY (ARRAY[''pending'', ''leased'']))',
     NULL,
     'UPDATE @extschema@.webhook_deliveries d SET created_at = moved.apart FROM (
          SELECT n.id, n.created_at, max(n.created_at - n.place * interval ''1 microsecond'') OVER (PARTITION BY n.webhook_id, n.event_id, n.tenant_id ORDER BY n.place)
                                     + n.place * interval ''1 microsecond'' AS apart
          FROM (SELECT o.*, row_number() OVER (PARTITION BY o.webhook_id, o.event_id, o.tenant_id ORDER BY o.created_at, o.id) AS place
                FROM @extschema@.webhook_deliveries o) AS n) AS moved
      WHERE d.id = moved.id AND d.created_at = moved.created_at AND moved.apart <> moved.created_at'),
    (9, 'webhook_deliveries', 'CONSTRAINT', 'idx_webhook_deliveries_webhook_id', 'UNIQUE (webhook_id, event_id, created_at, tenant_id)',
     'One event, one delivery per endpoint: all rows of an event bear its own time.', NULL),
    (10, 'webhook_deliveries', 'INDEX', 'idx_webhook_deliveries_open', '(tenant_id, next_attempt_at) WHERE next_attempt_at IS NOT NULL',
     'What workers claim, tenant by tenant. What is delivered or dead is not in it.', NULL),
    (11, 'webhooks', 'COLUMN', 'previous_secret', 'varchar(255)', 'The secret before the latest rotate_webhook_secret(), encrypted.', NULL),
    (12, 'webhooks', 'COLUMN', 'previous_secret_until', 'timestamptz', 'Until then deliveries are signed with previous_secret too.', NULL)
) AS change (place, table_name, kind, object, definition, comment, afterwards)
$body$;
COMMENT ON FUNCTION table_changes() IS
    'Internal to create_store(): each COLUMN, CONSTRAINT and INDEX that a released table got later, by place in the order in which they are made; definition is what follows its name (for an index: the table). afterwards is a statement to run once the change is made, such as an UPDATE of the rows that there are. What is not in pg_catalog is named with its schema.';
REVOKE ALL ON FUNCTION table_changes() FROM PUBLIC;

CREATE FUNCTION missing_table_changes(
    OUT place integer, OUT table_name name, OUT kind text, OUT object name, OUT definition text, OUT comment text, OUT afterwards text
) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
SELECT change.*
FROM @extschema@.table_changes() AS change
JOIN pg_class c ON c.relnamespace = '@extschema@'::regnamespace AND c.relname = change.table_name AND c.relkind IN ('r', 'p')
WHERE CASE change.kind
          WHEN 'COLUMN' THEN NOT EXISTS (SELECT FROM pg_attribute a
                                         WHERE a.attrelid = c.oid AND a.attname = change.object AND NOT a.attisdropped)
          WHEN 'CONSTRAINT' THEN NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.conname = change.object)
          WHEN 'INDEX' THEN NOT EXISTS (SELECT FROM pg_class i WHERE i.relnamespace = c.relnamespace AND i.relname = change.object)
      END
$body$;
COMMENT ON FUNCTION missing_table_changes() IS
    'Internal to create_store(): the table_changes() that a table here lacks, because it is an earlier version''s.';
REVOKE ALL ON FUNCTION missing_table_changes() FROM PUBLIC;

CREATE FUNCTION fire_triggers_at_once() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    put_off record;
BEGIN
    FOR put_off IN
        SELECT DISTINCT k.connamespace::regnamespace AS schema, k.conname AS name
        FROM pg_trigger t
        JOIN pg_constraint k ON k.oid = t.tgconstraint
        JOIN pg_class c ON c.oid = t.tgrelid
        WHERE t.tgdeferrable AND NOT t.tgisinternal
          AND (c.relnamespace = '@extschema@'::regnamespace OR c.relowner = 'brainsait_owner'::regrole)
    LOOP
        EXECUTE format('SET CONSTRAINTS %s.%I IMMEDIATE', put_off.schema, put_off.name);
    END LOOP;
END
$body$;
COMMENT ON FUNCTION fire_triggers_at_once() IS
    'Internal to create_store(): until the transaction''s end, triggers on the store''s tables that may be put off fire with their statement, as the owner who runs it; put off until the commit they would run as the superuser.';
REVOKE ALL ON FUNCTION fire_triggers_at_once() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fire_triggers_at_once() TO brainsait_owner;

CREATE FUNCTION owner_change_tables() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    change record;
    target text;
BEGIN
    PERFORM @extschema@.fire_triggers_at_once();
    FOR change IN SELECT * FROM @extschema@.missing_table_changes() AS missing ORDER BY missing.place
    LOOP
        target := format('%s.%I', '@extschema@', change.table_name);
        IF change.kind = 'INDEX' THEN
            EXECUTE format('CREATE INDEX %I ON %s %s', change.object, target, change.definition);
        ELSE
            -- A key that takes the place of an index keeps its name.
            IF change.kind = 'CONSTRAINT' AND to_regclass(format('%s.%I', '@extschema@', change.object)) IS NOT NULL THEN
                EXECUTE format('DROP INDEX %s.%I', '@extschema@', change.object);
            END IF;
            EXECUTE format('ALTER TABLE %s ADD %s %I %s', target, change.kind, change.object, change.definition);
        END IF;
        IF change.comment IS NOT NULL THEN
            EXECUTE format('COMMENT ON %s IS %L',
                           CASE change.kind WHEN 'COLUMN' THEN format('COLUMN %s.%I', target, change.object)
                                            WHEN 'CONSTRAINT' THEN format('CONSTRAINT %I ON %s', change.object, target)
                                            ELSE format('INDEX %s.%I', '@extschema@', change.object) END,
                           change.comment);
        END IF;
        IF change.afterwards IS NOT NULL THEN
            EXECUTE change.afterwards;
        END IF;
    END LOOP;
END
$body$;
COMMENT ON FUNCTION owner_change_tables() IS 'Internal to change_tables(): does it as the owner.';
CREATE FUNCTION change_tables() RETURNS void
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'brainsait_as_owner';
COMMENT ON FUNCTION change_tables() IS
    'Internal to create_store(): makes what missing_table_changes() lists, as the tables'' owner: what an owner hung on a table must not run as the superuser.';
REVOKE ALL ON FUNCTION owner_change_tables(), change_tables() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION table_changes(), missing_table_changes(), owner_change_tables() TO brainsait_owner;
