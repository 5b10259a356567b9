-- Roles. They belong to the cluster, not to this database, so they may exist already: from another
-- database's store, or because a dump is being restored. They stay when the extension goes.

DO $roles$
DECLARE
    purpose record;
BEGIN
    FOR purpose IN
        SELECT * FROM (VALUES
            ('brainsait_owner', 'owns the store''s tables; migrations run as a member of it'),
            ('brainsait_app', 'what an application may do; grant it to the application''s login role'),
            ('brainsait_operator', 'crosses tenants for maintenance and support')
        ) AS roles (name, description)
    LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = purpose.name) THEN
                EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', purpose.name);
                EXECUTE pg_catalog.format('COMMENT ON ROLE %I IS %L', purpose.name,
                                          'brainsait: ' || purpose.description);
            END IF;
        EXCEPTION
            -- Another database's CREATE EXTENSION was faster.
            WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;

    -- An owner past row security would carry every definer function past it too.
    IF EXISTS (SELECT FROM pg_catalog.pg_roles
               WHERE rolname IN ('brainsait_owner', 'brainsait_app', 'brainsait_operator')
                 AND (rolsuper OR rolbypassrls)) THEN
        RAISE EXCEPTION 'a role of the store bypasses row security'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Run ALTER ROLE ... NOSUPERUSER NOBYPASSRLS on brainsait_owner, brainsait_app and brainsait_operator.';
    END IF;
END
$roles$;

GRANT USAGE ON SCHEMA @extschema@ TO brainsait_owner, brainsait_app, brainsait_operator;
-- Migrations create indexes and tables here.
GRANT CREATE ON SCHEMA @extschema@ TO brainsait_owner;
