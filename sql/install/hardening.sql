-- What PostgreSQL lets every role do in any database, and what therefore passes between tenants that share
-- one login. Taking it from PUBLIC concerns every role of this database, so it is asked for, not built in.

CREATE FUNCTION hardened_objects(OUT kind text, OUT object text, OUT privilege text, OUT acl aclitem[]) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
SELECT 'FUNCTION', p.oid::regprocedure::text, 'EXECUTE',
       coalesce(p.proacl, acldefault('f', p.proowner))
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prokind = 'f'
  AND (n.nspname = 'pg_catalog'
       AND p.proname ~ ('^(pg_(try_)?advisory_.*'                                    -- locks on numbers, by any session
                        || '|pg_notify|pg_notification_queue_usage|pg_logical_emit_message' -- messages to whoever listens
                        || '|lo_.*|loread|lowrite'                                   -- large objects know no row security
                        || '|pg_stat_get_.*|pg_stat_have_stats|pg_lock_status|pg_prepared_xact'
                        || '|pg_blocking_pids|pg_safe_snapshot_blocking_pids'        -- what other sessions do, and how much
                        || '|pg_(relation|table|indexes|total_relation|database|tablespace)_size' -- how much others have
                        || '|currtid2'                                               -- versions of rows by address
                        || '|pg_terminate_backend|pg_cancel_backend)$')              -- sessions of the same login
       -- A session's own statistics are not among them.
       AND p.proname !~ '^pg_stat_get_xact_'
       OR p.proname IN ('pg_stat_statements', 'pg_stat_statements_info')
          AND EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_stat_statements'
                      WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                        AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'))
UNION ALL
-- Temporary objects outlive the transaction, and are found before the store's own tables and types.
SELECT 'DATABASE', quote_ident(datname), 'TEMPORARY', coalesce(datacl, acldefault('d', datdba))
FROM pg_database WHERE datname = current_database()
$body$;
COMMENT ON FUNCTION hardened_objects() IS
    'Internal to harden_database(): what it concerns, with the privileges as they are.';
REVOKE ALL ON FUNCTION hardened_objects() FROM PUBLIC;

CREATE FUNCTION harden_database() RETURNS SETOF text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    target record;
    -- Who keeps them. That the first two hold one which PUBLIC does not is how unharden_database() knows its own work.
    keepers text;
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RAISE EXCEPTION 'only a superuser may change the privileges of PostgreSQL''s own functions'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR target IN
        SELECT * FROM @extschema@.hardened_objects() AS h
        WHERE EXISTS (SELECT FROM aclexplode(h.acl) WHERE grantee = 0 AND privilege_type = h.privilege)
        ORDER BY kind, object
    LOOP
        keepers := 'brainsait_owner, brainsait_operator';
        IF target.kind = 'FUNCTION' AND target.object ~ '\mpg_(stat_|lock_status|prepared_xact|blocking|safe_|\w+_size)' THEN
            keepers := keepers || ', pg_monitor';
        END IF;
        RETURN NEXT format('REVOKE %s ON %s %s FROM PUBLIC', target.privilege, target.kind, target.object);
        EXECUTE format('REVOKE %s ON %s %s FROM PUBLIC', target.privilege, target.kind, target.object);
        RETURN NEXT format('GRANT %s ON %s %s TO %s', target.privilege, target.kind, target.object, keepers);
        EXECUTE format('GRANT %s ON %s %s TO %s', target.privilege, target.kind, target.object, keepers);
    END LOOP;
END
$body$;
COMMENT ON FUNCTION harden_database() IS
    'Takes from PUBLIC, in this database, what passes between tenants that share one login: advisory locks, pg_notify(), large objects, activity, statistics and sizes, currtid2(), ending sessions, temporary objects. brainsait_owner and brainsait_operator keep them, pg_monitor what monitors need. Returns each statement that it ran. For superusers; unharden_database() takes it back.';
REVOKE ALL ON FUNCTION harden_database() FROM PUBLIC;

CREATE FUNCTION unharden_database() RETURNS SETOF text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    target record;
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RAISE EXCEPTION 'only a superuser may change the privileges of PostgreSQL''s own functions'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR target IN
        SELECT h.*, keeper.names
        FROM @extschema@.hardened_objects() AS h
        CROSS JOIN LATERAL (
            SELECT string_agg(r.rolname, ', ' ORDER BY r.rolname) AS names,
                   count(*) FILTER (WHERE r.rolname <> 'pg_monitor') AS marks
            FROM aclexplode(h.acl) AS granted JOIN pg_roles r ON r.oid = granted.grantee
            WHERE granted.privilege_type = h.privilege AND r.rolname IN ('brainsait_owner', 'brainsait_operator', 'pg_monitor')
        ) AS keeper
        WHERE keeper.marks = 2
          AND NOT EXISTS (SELECT FROM aclexplode(h.acl) WHERE grantee = 0 AND privilege_type = h.privilege)
        ORDER BY h.kind, h.object
    LOOP
        RETURN NEXT format('REVOKE %s ON %s %s FROM %s', target.privilege, target.kind, target.object, target.names);
        EXECUTE format('REVOKE %s ON %s %s FROM %s', target.privilege, target.kind, target.object, target.names);
        RETURN NEXT format('GRANT %s ON %s %s TO PUBLIC', target.privilege, target.kind, target.object);
        EXECUTE format('GRANT %s ON %s %s TO PUBLIC', target.privilege, target.kind, target.object);
    END LOOP;
END
$body$;
COMMENT ON FUNCTION unharden_database() IS
    'Gives back to PUBLIC what harden_database() took, and nothing that somebody else took: it touches what brainsait_owner and brainsait_operator were granted and PUBLIC lacks. Returns each statement that it ran. For superusers.';
REVOKE ALL ON FUNCTION unharden_database() FROM PUBLIC;
