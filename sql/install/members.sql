-- What the extension has already. In an install script that is nothing; the same script, in which CREATE OR REPLACE stands
-- for CREATE, upgrades an earlier version (see the Makefile), and asks here before it makes what cannot be replaced.

CREATE FUNCTION has_member(kind text, identity text) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
SELECT EXISTS (SELECT FROM pg_extension e
               JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
               CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, 0) AS member
               WHERE e.extname = 'brainsait' AND member.type = kind AND member.identity = has_member.identity)
$body$;
COMMENT ON FUNCTION has_member(text, text) IS
    'Internal to upgrades: whether the extension has an object of that kind and identity, as pg_identify_object() names them. One that merely exists is none of its own.';
REVOKE ALL ON FUNCTION has_member(text, text) FROM PUBLIC;
