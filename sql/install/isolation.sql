-- The wall between tenants: row-level security on every table and every partition, and the report that
-- looks for holes in it.

CREATE FUNCTION isolate_table(target regclass, tenant_column name DEFAULT 'tenant_id') RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    walled regclass;
    policy name;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute
                   WHERE attrelid = target AND attname = tenant_column AND atttypid = 'uuid'::regtype
                     AND NOT attisdropped) THEN
        RAISE EXCEPTION 'table % has no column % of type uuid', target, quote_ident(tenant_column)
            USING ERRCODE = 'undefined_column';
    END IF;
    -- A partition that is named directly obeys its own policies only, so each one gets the wall.
    FOR walled IN
        SELECT target UNION SELECT relid FROM pg_partition_tree(target)
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', walled);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', walled);
        FOREACH policy IN ARRAY ARRAY['tenant_wall', 'tenant_access', 'operator_access']
        LOOP
            IF EXISTS (SELECT FROM pg_policy WHERE polrelid = walled AND polname = policy) THEN
                EXECUTE format('DROP POLICY %I ON %s', policy, walled);
            END IF;
        END LOOP;
        -- The wall is a bare comparison: a sub-select around current_tenant() costs up to 1.6 times as much.
        EXECUTE format('CREATE POLICY tenant_wall ON %1$s AS RESTRICTIVE TO brainsait_app, brainsait_owner
                            USING (%2$I = %3$s.current_tenant()) WITH CHECK (%2$I = %3$s.current_tenant())',
                       walled, tenant_column, '@extschema@');
        -- The same condition, which a query evaluates once, and not true: so DROP EXTENSION ... CASCADE takes
        -- both policies with the function, and leaves the table without a way in.
        EXECUTE format('CREATE POLICY tenant_access ON %1$s TO brainsait_app, brainsait_owner
                            USING (%2$I = %3$s.current_tenant()) WITH CHECK (true)',
                       walled, tenant_column, '@extschema@');
        EXECUTE format('CREATE POLICY operator_access ON %s TO brainsait_operator
                            USING (true) WITH CHECK (true)', walled);
    END LOOP;
END
$body$;
COMMENT ON FUNCTION isolate_table(regclass, name) IS
    'Puts up the store''s wall on a table, and on its partitions: roles of the application and members of the owner see the current tenant''s rows, operators see all, others none. For tables that an application adds; run it as the table''s owner.';
REVOKE ALL ON FUNCTION isolate_table(regclass, name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION isolate_table(regclass, name) TO brainsait_owner;

CREATE FUNCTION isolation_report(OUT object text, OUT problem text, OUT hint text) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
WITH RECURSIVE walled AS (
    -- tenants, every table here with a tenant_id, the store's or the application's, and every other
    -- table that isolate_table() has seen, by the column of its wall.
    SELECT c.oid, c.oid::regclass::text AS name, c.relname, c.relnamespace, c.relispartition, c.relowner, c.relacl,
           c.relrowsecurity, c.relforcerowsecurity, subject.tenant_column,
           format('(%I = %s.current_tenant())', subject.tenant_column, '@extschema@') AS wall,
           CASE subject.tenant_column WHEN 'tenant_id' THEN format('SELECT %s.isolate_table(%L)', '@extschema@', c.oid::regclass)
                ELSE format('SELECT %s.isolate_table(%L, %L)', '@extschema@', c.oid::regclass, subject.tenant_column)
           END AS build_wall
    FROM pg_class c
    CROSS JOIN LATERAL (
        SELECT 'id'::name WHERE c.oid = to_regclass('@extschema@.tenants')
        UNION ALL
        SELECT attname FROM pg_attribute
        WHERE attrelid = c.oid AND attname = 'tenant_id' AND NOT attisdropped AND c.relnamespace = '@extschema@'::regnamespace
        UNION ALL
        SELECT a.attname
        FROM pg_policy p
        JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid AND a.attnum > 0
        WHERE p.polrelid = c.oid AND p.polname = 'tenant_wall'
        LIMIT 1
    ) AS subject (tenant_column)
    WHERE c.relkind IN ('r', 'p')
), store_role AS (
    SELECT oid, rolname FROM pg_roles WHERE rolname IN ('brainsait_app', 'brainsait_owner', 'brainsait_operator')
), subject AS (
    SELECT array_agg(oid) FILTER (WHERE rolname <> 'brainsait_operator') AS walled, array_agg(oid) AS known
    FROM store_role
), application (role) AS (
    SELECT oid FROM store_role WHERE rolname = 'brainsait_app'
    UNION
    SELECT g.member FROM pg_auth_members g JOIN application ON g.roleid = application.role
), unstopped AS (
    -- Roles whose rights show a function or view more than the caller's tenant.
    SELECT oid FROM pg_roles
    WHERE rolsuper OR rolbypassrls OR pg_has_role(oid, 'brainsait_operator', 'USAGE')
)
SELECT name, 'row-level security is off', build_wall
FROM walled WHERE NOT relrowsecurity
UNION ALL
SELECT name, 'row-level security is not forced on the owner', format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', name)
FROM walled WHERE NOT relforcerowsecurity
UNION ALL
SELECT name, 'the restrictive policy tenant_wall is missing or changed', build_wall
FROM walled, subject
WHERE NOT EXISTS (SELECT FROM pg_policy p
                  WHERE p.polrelid = walled.oid AND p.polname = 'tenant_wall' AND NOT p.polpermissive
                    AND p.polcmd = '*' AND p.polroles @> subject.walled
                    AND pg_get_expr(p.polqual, p.polrelid) = walled.wall
                    AND pg_get_expr(p.polwithcheck, p.polrelid) = walled.wall)
UNION ALL
SELECT walled.name, format('policy %s lets in roles that the wall does not cover', quote_ident(p.polname)),
       'Name brainsait_app, brainsait_owner or brainsait_operator in the policy''s TO, and grant those to the roles.'
FROM walled
JOIN pg_policy p ON p.polrelid = walled.oid AND p.polpermissive,
     subject
WHERE NOT p.polroles <@ subject.known
UNION ALL
SELECT walled.name, format('owned by %s, which bypasses row security', quote_ident(r.rolname)),
       format('ALTER TABLE %s OWNER TO brainsait_owner', walled.name)
FROM walled JOIN pg_roles r ON r.oid = walled.relowner
WHERE r.rolsuper OR r.rolbypassrls
UNION ALL
SELECT walled.name, format('partition can be reached directly by %s', coalesce(quote_ident(r.rolname), 'PUBLIC')),
       format('REVOKE ALL ON %s FROM %s', walled.name, coalesce(quote_ident(r.rolname), 'PUBLIC'))
FROM walled
CROSS JOIN LATERAL (SELECT DISTINCT grantee FROM aclexplode(walled.relacl) WHERE grantee <> walled.relowner) granted
LEFT JOIN pg_roles r ON r.oid = granted.grantee
WHERE walled.relispartition
UNION ALL
-- Row security does not see these three.
SELECT walled.name, format('%s has %s', coalesce(quote_ident(r.rolname), 'PUBLIC'), granted.privilege_type),
       format('REVOKE %s ON %s FROM %s', granted.privilege_type, walled.name, coalesce(quote_ident(r.rolname), 'PUBLIC'))
FROM walled
CROSS JOIN LATERAL aclexplode(walled.relacl) AS granted
LEFT JOIN pg_roles r ON r.oid = granted.grantee
WHERE granted.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER') AND granted.grantee <> walled.relowner
UNION ALL
-- What the store alone writes, and what nobody reads back.
SELECT c.oid::regclass::text, format('%s has %s', coalesce(quote_ident(r.rolname), 'PUBLIC'), kept.privilege),
       format('REVOKE %s ON %s FROM %s', kept.privilege, c.oid::regclass, coalesce(quote_ident(r.rolname), 'PUBLIC'))
FROM (VALUES ('revenue_metrics', '{INSERT,UPDATE,DELETE}'::text[]), ('revenue_customers', '{INSERT,UPDATE,DELETE}'),
             ('revenue_deltas', '{INSERT,UPDATE,DELETE}'), ('revenue_fold_progress', '{SELECT,INSERT,UPDATE,DELETE}'),
             ('webhook_deliveries', '{INSERT,UPDATE}'), ('maintenance_runs', '{SELECT,INSERT,UPDATE,DELETE}'),
             ('order_number_counters', '{SELECT,INSERT,UPDATE,DELETE}'), ('order_number_key', '{SELECT,INSERT,UPDATE,DELETE}')
     ) AS store_only (relname, privileges)
CROSS JOIN unnest(store_only.privileges) AS kept (privilege)
JOIN pg_class c ON c.relnamespace = '@extschema@'::regnamespace AND c.relname = store_only.relname
CROSS JOIN LATERAL (SELECT grantee, privilege_type FROM aclexplode(c.relacl)
                    UNION
                    SELECT grantee, privilege_type FROM pg_attribute, aclexplode(attacl) WHERE attrelid = c.oid) AS granted
LEFT JOIN pg_roles r ON r.oid = granted.grantee
WHERE granted.privilege_type = kept.privilege AND (granted.grantee = 0 OR granted.grantee IN (SELECT role FROM application))
UNION ALL
SELECT c.oid::regclass::text, format('%s can read column %I', coalesce(quote_ident(r.rolname), 'PUBLIC'), secret.attname),
       format('REVOKE SELECT ON %s FROM %s, then grant SELECT on the other columns', c.oid::regclass, coalesce(quote_ident(r.rolname), 'PUBLIC'))
FROM (VALUES ('integrations', 'credentials'), ('webhooks', 'secret')) AS secret (relname, attname)
JOIN pg_class c ON c.relnamespace = '@extschema@'::regnamespace AND c.relname = secret.relname
CROSS JOIN LATERAL (SELECT grantee, privilege_type FROM aclexplode(c.relacl)
                    UNION
                    SELECT grantee, privilege_type FROM pg_attribute, aclexplode(attacl)
                    WHERE attrelid = c.oid AND attname = secret.attname) AS granted
LEFT JOIN pg_roles r ON r.oid = granted.grantee
WHERE granted.privilege_type = 'SELECT' AND (granted.grantee = 0 OR granted.grantee IN (SELECT role FROM application))
UNION ALL
-- A reference to a walled table must carry the tenant on both sides.
SELECT k.conrelid::regclass::text, format('reference %s does not carry %s', quote_ident(k.conname), parent.tenant_column),
       format('Reference (%I, ...): foreign-key checks do not see row security.', parent.tenant_column)
FROM pg_constraint k
JOIN walled AS parent ON parent.oid = k.confrelid
LEFT JOIN walled AS child ON child.oid = k.conrelid
WHERE k.contype = 'f' AND parent.oid <> to_regclass('@extschema@.tenants')
  AND NOT EXISTS (SELECT FROM unnest(k.conkey, k.confkey) AS pair (here, there)
                  JOIN pg_attribute h ON h.attrelid = k.conrelid AND h.attnum = pair.here
                  JOIN pg_attribute t ON t.attrelid = k.confrelid AND t.attnum = pair.there
                  WHERE h.attname = child.tenant_column AND t.attname = parent.tenant_column)
UNION ALL
-- Unique keys tell one tenant that another has a value, primary keys of random ids aside.
SELECT walled.name, format('unique key %s does not carry %s', quote_ident(x.relname), walled.tenant_column),
       format('Add %s to the key.', walled.tenant_column)
FROM walled
JOIN pg_index i ON i.indrelid = walled.oid AND (i.indisunique OR i.indisexclusion) AND NOT i.indisprimary
JOIN pg_class x ON x.oid = i.indexrelid
WHERE walled.oid <> to_regclass('@extschema@.tenants')
  AND NOT EXISTS (SELECT FROM generate_series(0, i.indnkeyatts - 1) AS place
                  JOIN pg_attribute a ON a.attrelid = walled.oid AND a.attnum = i.indkey[place]
                  WHERE a.attname = walled.tenant_column)
  AND NOT (walled.relnamespace = '@extschema@'::regnamespace AND i.indnkeyatts = 1
           AND (walled.relname, pg_get_indexdef(i.indexrelid, 1, false))
               IN (('orders', 'number'), ('payments', 'payment_intent_id')))
UNION ALL
SELECT format('role %s', quote_ident(m.rolname)), 'is a member of brainsait_app and bypasses row security',
       format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS', m.rolname)
FROM application JOIN pg_roles m ON m.oid = application.role
WHERE (m.rolsuper OR m.rolbypassrls) AND m.rolname <> 'brainsait_app'
UNION ALL
-- SET ROLE is open to every statement that an application can be made to run.
SELECT format('role %s', quote_ident(m.rolname)), format('belongs to the application and may act as %s', quote_ident(other.rolname)),
       format('Let a login of its own have %I.', other.rolname)
FROM application
JOIN pg_roles m ON m.oid = application.role AND NOT m.rolsuper
JOIN pg_roles other ON other.rolname IN ('brainsait_owner', 'brainsait_operator', 'pg_read_all_data', 'pg_write_all_data',
                                         'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
WHERE pg_has_role(m.oid, other.oid, 'MEMBER')
UNION ALL
SELECT format('role %s', quote_ident(r.rolname)), 'bypasses row security',
       format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS', r.rolname)
FROM pg_roles r JOIN store_role USING (oid) WHERE r.rolsuper OR r.rolbypassrls
UNION ALL
SELECT p.oid::regprocedure::text, 'is a security definer function of a role that the wall does not stop',
       format('ALTER FUNCTION %s OWNER TO brainsait_owner', p.oid::regprocedure)
FROM pg_proc p JOIN unstopped ON unstopped.oid = p.proowner
WHERE p.pronamespace = '@extschema@'::regnamespace AND p.prosecdef
UNION ALL
-- A view reads as its owner unless it says security_invoker; a materialized view holds what its owner saw.
SELECT DISTINCT v.oid::regclass::text,
       CASE v.relkind WHEN 'm' THEN 'is a materialized view over tenants'' rows'
                      ELSE 'reads tenants'' rows as an owner that the wall does not stop' END,
       CASE v.relkind WHEN 'm' THEN 'Let no application role read it.'
                      ELSE format('ALTER VIEW %s SET (security_invoker = true)', v.oid::regclass) END
FROM pg_depend d
JOIN pg_rewrite w ON w.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
JOIN pg_class v ON v.oid = w.ev_class AND v.relkind IN ('v', 'm')
JOIN walled ON d.refclassid = 'pg_class'::regclass AND d.refobjid = walled.oid
WHERE CASE v.relkind
          WHEN 'm' THEN EXISTS (SELECT FROM aclexplode(v.relacl) WHERE grantee <> v.relowner)
          ELSE v.relowner IN (SELECT oid FROM unstopped)
               AND NOT coalesce((SELECT option_value::boolean FROM pg_options_to_table(v.reloptions)
                                 WHERE option_name = 'security_invoker'), false)
      END
UNION ALL
SELECT 'schema @extschema@', format('%s may create objects in it', coalesce(quote_ident(r.rolname), 'PUBLIC')),
       format('REVOKE CREATE ON SCHEMA %s FROM %s', '@extschema@', coalesce(quote_ident(r.rolname), 'PUBLIC'))
FROM pg_namespace n
CROSS JOIN LATERAL aclexplode(n.nspacl) a
LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE n.oid = '@extschema@'::regnamespace AND a.privilege_type = 'CREATE'
  AND (a.grantee = 0 OR a.grantee IN (SELECT role FROM application))
ORDER BY 1, 2
$body$;
COMMENT ON FUNCTION isolation_report() IS
    'Every hole in the wall between tenants that the catalogs show, with the way to close it. Empty is good.';
