-- The tables come last, and then leave the extension: released tables dump and restore like any other,
-- keep their rows when the extension goes, and may be altered by the application's migrations.

DO $epilogue$
DECLARE
    member record;
BEGIN
    -- pg_dump's output turns row_security off: its dump brings the tables with it.
    IF NOT current_setting('row_security')::boolean THEN
        SET LOCAL client_min_messages = notice;
        RAISE NOTICE 'brainsait: row_security is off, as in a restore, so the tables were left out'
            USING HINT = 'Where no dump brings them, run SELECT @extschema@.create_store().';
        RETURN;
    END IF;

    PERFORM @extschema@.create_store();
    FOR member IN
        SELECT c.oid::regclass AS name, c.relkind AS kind
        FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'brainsait'
        JOIN pg_catalog.pg_class c ON c.oid = d.objid
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_extension'::regclass
          AND d.deptype = 'e' AND c.relkind IN ('r', 'p', 'S', 'v')
    LOOP
        EXECUTE pg_catalog.format('ALTER EXTENSION brainsait DROP %s %s',
                                  CASE member.kind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END,
                                  member.name);
    END LOOP;
END
$epilogue$;
