-- The tables come last, and then leave the extension.

DO $epilogue$
BEGIN
    -- The schema may hold what others planted there; its names are not to be found by accident.
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    -- pg_dump's output turns row_security off: its dump brings the tables with it.
    IF NOT current_setting('row_security')::boolean THEN
        SET LOCAL client_min_messages = notice;
        RAISE NOTICE 'brainsait: row_security is off, as in a restore, so the tables were left out'
            USING HINT = 'Where no dump brings them, or the dump is of an earlier version of brainsait, run SELECT @extschema@.create_store() at the end.';
        RETURN;
    END IF;
    PERFORM @extschema@.create_store();
END
$epilogue$;
