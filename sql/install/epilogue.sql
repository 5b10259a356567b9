-- The tables come last, and then leave the extension: released tables dump and restore like any other,
-- keep their rows when the extension goes, and may be altered by the application's migrations.

DO $epilogue$
DECLARE
    relation record;
BEGIN
    -- The schema may hold what others planted there; its names are not to be found by accident.
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    -- pg_dump's output turns row_security off: its dump brings the tables with it.
    IF NOT current_setting('row_security')::boolean THEN
        SET LOCAL client_min_messages = notice;
        RAISE NOTICE 'brainsait: row_security is off, as in a restore, so the tables were left out'
            USING HINT = 'Where no dump brings them, run SELECT @extschema@.create_store().';
        RETURN;
    END IF;

    PERFORM @extschema@.create_store();
    FOR relation IN
        SELECT c.oid::regclass AS name,
               CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind,
               members.objid IS NOT NULL AS is_member
        FROM pg_catalog.pg_class c
        LEFT JOIN (
            SELECT d.objid FROM pg_catalog.pg_depend d
            JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'brainsait'
            WHERE d.classid = 'pg_catalog.pg_class'::regclass
              AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
        ) AS members ON members.objid = c.oid
        WHERE c.relkind IN ('r', 'p', 'S', 'v')
          AND (members.objid IS NOT NULL
               OR EXISTS (SELECT FROM pg_catalog.pg_init_privs i
                          WHERE i.classoid = 'pg_catalog.pg_class'::regclass AND i.objoid = c.oid
                            AND c.relnamespace = '@extschema@'::regnamespace))
    LOOP
        -- What this script granted on a table that was taken back is noted as the extension's own, and
        -- pg_dump would leave it out. Joining and leaving is what removes the note.
        IF NOT relation.is_member THEN
            EXECUTE pg_catalog.format('ALTER EXTENSION brainsait ADD %s %s', relation.kind, relation.name);
        END IF;
        EXECUTE pg_catalog.format('ALTER EXTENSION brainsait DROP %s %s', relation.kind, relation.name);
    END LOOP;
END
$epilogue$;
