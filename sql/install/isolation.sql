-- The wall between tenants: row-level security on every table and every partition, and the report that
-- looks for holes in it.

CREATE FUNCTION isolate_table(target regclass, tenant_column name DEFAULT 'tenant_id') RETURNS void
    LANGUAGE plpgsql SET search_path = @extschema@, pg_temp AS
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
                            USING (%2$I = current_tenant()) WITH CHECK (%2$I = current_tenant())',
                       walled, tenant_column);
        EXECUTE format('CREATE POLICY tenant_access ON %s TO brainsait_app, brainsait_owner
                            USING (true) WITH CHECK (true)', walled);
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
    LANGUAGE sql STABLE SET search_path = @extschema@, pg_temp AS
$body$
WITH walled AS (
    -- Every table here with a tenant_id, the store's or the application's, and tenants itself.
    SELECT c.oid, c.oid::regclass::text AS name, c.relname, c.relkind, c.relispartition, c.relowner, c.relacl,
           c.relrowsecurity, c.relforcerowsecurity,
           CASE WHEN c.relname = 'tenants' THEN '(id = current_tenant())'
                ELSE '(tenant_id = current_tenant())' END AS wall
    FROM pg_class c
    WHERE c.relnamespace = '@extschema@'::regnamespace AND c.relkind IN ('r', 'p')
      AND (c.relname = 'tenants'
           OR EXISTS (SELECT FROM pg_attribute a
                      WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped))
), store_role AS (
    SELECT oid, rolname FROM pg_roles WHERE rolname IN ('brainsait_app', 'brainsait_owner', 'brainsait_operator')
), subject AS (
    SELECT array_agg(oid) AS roles FROM store_role WHERE rolname IN ('brainsait_app', 'brainsait_owner')
)
SELECT name, 'row-level security is off', format('SELECT @extschema@.isolate_table(%L)', name)
FROM walled WHERE NOT relrowsecurity
UNION ALL
SELECT name, 'row-level security is not forced on the owner', format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', name)
FROM walled WHERE NOT relforcerowsecurity
UNION ALL
SELECT name, 'the restrictive policy tenant_wall is missing or changed',
       format('SELECT @extschema@.isolate_table(%L)', name)
FROM walled, subject
WHERE NOT EXISTS (SELECT FROM pg_policy p
                  WHERE p.polrelid = walled.oid AND p.polname = 'tenant_wall' AND NOT p.polpermissive
                    AND p.polcmd = '*' AND p.polroles @> subject.roles
                    AND pg_get_expr(p.polqual, p.polrelid) = walled.wall
                    AND pg_get_expr(p.polwithcheck, p.polrelid) = walled.wall)
UNION ALL
SELECT walled.name, format('policy %s lets in roles that the wall does not cover', quote_ident(p.polname)),
       'Name brainsait_app, brainsait_owner or brainsait_operator in the policy''s TO, and grant those to the roles.'
FROM walled
JOIN pg_policy p ON p.polrelid = walled.oid AND p.polpermissive,
     subject
WHERE p.polname <> 'operator_access' AND NOT p.polroles <@ subject.roles
UNION ALL
SELECT walled.name, format('owned by %s, which bypasses row security', quote_ident(r.rolname)),
       format('ALTER TABLE %s OWNER TO brainsait_owner', walled.name)
FROM walled JOIN pg_roles r ON r.oid = walled.relowner
WHERE r.rolsuper OR r.rolbypassrls
UNION ALL
SELECT walled.name, format('partition can be reached directly by %s', coalesce(r.rolname, 'PUBLIC')),
       format('REVOKE ALL ON %s FROM %s', walled.name, coalesce(quote_ident(r.rolname), 'PUBLIC'))
FROM walled
CROSS JOIN LATERAL (SELECT DISTINCT grantee FROM aclexplode(walled.relacl) WHERE grantee <> walled.relowner) granted
LEFT JOIN pg_roles r ON r.oid = granted.grantee
WHERE walled.relispartition
UNION ALL
SELECT walled.name, format('brainsait_app has %s', privilege),
       format('REVOKE %s ON %s FROM brainsait_app', privilege, walled.name)
FROM walled CROSS JOIN unnest(ARRAY['TRUNCATE', 'REFERENCES', 'TRIGGER']) AS privilege
WHERE has_table_privilege('brainsait_app', walled.oid, privilege)
UNION ALL
-- A reference between two walled tables must carry the tenant on both sides.
SELECT walled.name, format('reference %s does not carry tenant_id', quote_ident(k.conname)),
       'Reference (tenant_id, id): foreign-key checks do not see row security.'
FROM walled
JOIN pg_constraint k ON k.conrelid = walled.oid AND k.contype = 'f'
JOIN walled AS parent ON parent.oid = k.confrelid
WHERE parent.relname <> 'tenants'
  AND NOT EXISTS (SELECT FROM unnest(k.conkey, k.confkey) AS pair (here, there)
                  JOIN pg_attribute h ON h.attrelid = k.conrelid AND h.attnum = pair.here
                  JOIN pg_attribute t ON t.attrelid = k.confrelid AND t.attnum = pair.there
                  WHERE h.attname = 'tenant_id' AND t.attname = 'tenant_id')
UNION ALL
-- Unique keys tell one tenant that another has a value, primary keys of random ids aside.
SELECT walled.name, format('unique key %s does not carry tenant_id', quote_ident(i.indexrelid::regclass::text)),
       'Add tenant_id to the key.'
FROM walled
JOIN pg_index i ON i.indrelid = walled.oid AND i.indisunique AND NOT i.indisprimary
WHERE walled.relname <> 'tenants'
  AND NOT EXISTS (SELECT FROM pg_attribute a
                  WHERE a.attrelid = walled.oid AND a.attname = 'tenant_id' AND a.attnum = ANY (i.indkey::int2[]))
  AND NOT (walled.relname = 'orders' AND pg_get_indexdef(i.indexrelid, 1, false) = 'number' AND i.indnkeyatts = 1)
  AND NOT (walled.relname = 'payments' AND pg_get_indexdef(i.indexrelid, 1, false) = 'payment_intent_id' AND i.indnkeyatts = 1)
UNION ALL
SELECT format('role %s', quote_ident(m.rolname)), 'is a member of brainsait_app and bypasses row security',
       format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS', m.rolname)
FROM pg_auth_members g
JOIN pg_roles m ON m.oid = g.member
JOIN store_role r ON r.oid = g.roleid AND r.rolname = 'brainsait_app'
WHERE m.rolsuper OR m.rolbypassrls
UNION ALL
SELECT format('role %s', quote_ident(r.rolname)), 'bypasses row security',
       format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS', r.rolname)
FROM pg_roles r JOIN store_role USING (oid) WHERE r.rolsuper OR r.rolbypassrls
UNION ALL
SELECT p.oid::regprocedure::text, 'is a security definer function of a role that bypasses row security',
       format('ALTER FUNCTION %s OWNER TO brainsait_owner', p.oid::regprocedure)
FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
WHERE p.pronamespace = '@extschema@'::regnamespace AND p.prosecdef AND (r.rolsuper OR r.rolbypassrls)
UNION ALL
-- A view reads as its owner unless it says security_invoker; a materialized view holds what its owner saw.
SELECT DISTINCT v.oid::regclass::text,
       CASE v.relkind WHEN 'm' THEN 'is a materialized view over tenants'' rows'
                      ELSE 'reads tenants'' rows as an owner that bypasses row security' END,
       CASE v.relkind WHEN 'm' THEN 'Let no application role read it.'
                      ELSE format('ALTER VIEW %s SET (security_invoker = true)', v.oid::regclass) END
FROM pg_depend d
JOIN pg_rewrite w ON w.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
JOIN pg_class v ON v.oid = w.ev_class AND v.relkind IN ('v', 'm')
JOIN walled ON d.refclassid = 'pg_class'::regclass AND d.refobjid = walled.oid
JOIN pg_roles r ON r.oid = v.relowner
WHERE CASE v.relkind
          WHEN 'm' THEN EXISTS (SELECT FROM aclexplode(v.relacl) WHERE grantee <> v.relowner)
          ELSE (r.rolsuper OR r.rolbypassrls)
               AND NOT coalesce((SELECT option_value::boolean FROM pg_options_to_table(v.reloptions)
                                 WHERE option_name = 'security_invoker'), false)
      END
UNION ALL
SELECT 'schema @extschema@', format('%s may create objects in it', coalesce(r.rolname, 'PUBLIC')),
       format('REVOKE CREATE ON SCHEMA @extschema@ FROM %s', coalesce(quote_ident(r.rolname), 'PUBLIC'))
FROM pg_namespace n
CROSS JOIN LATERAL aclexplode(n.nspacl) a
LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE n.oid = '@extschema@'::regnamespace AND a.privilege_type = 'CREATE'
  AND (a.grantee = 0 OR r.rolname = 'brainsait_app')
ORDER BY 1, 2
$body$;
COMMENT ON FUNCTION isolation_report() IS
    'Every hole in the wall between tenants that the catalogs show, with the way to close it. Empty is good.';
