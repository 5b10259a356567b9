-- What released tables got later. A table keeps the shape that its CREATE TABLE gave it when a version released it, and gets
-- what is listed here, whoever made it: a new store, an upgrade, a dump of an earlier version. So all come to the same,
-- down to the order of columns. A table that is new in this version has a CREATE TABLE and is not listed.

CREATE FUNCTION table_changes(
    OUT place integer, OUT table_name name, OUT kind text, OUT object name, OUT definition text, OUT comment text, OUT afterwards text
) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
-- 0.2.0 adds nothing to the tables of 0.1.0.
SELECT NULL::integer, NULL::name, NULL::text, NULL::name, NULL::text, NULL::text, NULL::text WHERE false
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

CREATE FUNCTION owner_change_tables() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    change record;
    target text;
BEGIN
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
