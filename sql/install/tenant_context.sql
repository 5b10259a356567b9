-- The tenant of a transaction, and the time-ordered identifiers.

CREATE FUNCTION current_tenant() RETURNS uuid
    LANGUAGE C STABLE PARALLEL SAFE LEAKPROOF COST 0.0001
    AS 'MODULE_PATHNAME', 'brainsait_current_tenant';
COMMENT ON FUNCTION current_tenant() IS
    'The tenant that set_tenant() set in this transaction, or null. Every policy compares with it, so null sees no row.';

CREATE FUNCTION set_tenant(tenant uuid) RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'brainsait_set_tenant';
COMMENT ON FUNCTION set_tenant(uuid) IS
    'Makes a tenant this transaction''s own until its end. Refused outside a transaction block (25P01), for an unknown or inactive tenant (28000), and where the transaction has another tenant already (42501).';
REVOKE ALL ON FUNCTION set_tenant(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION set_tenant(uuid) TO brainsait_owner, brainsait_app, brainsait_operator;

CREATE FUNCTION resolve_tenant(slug_or_domain text) RETURNS uuid
    LANGUAGE C STABLE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'brainsait_resolve_tenant';
COMMENT ON FUNCTION resolve_tenant(text) IS
    'The id of the active tenant with that slug, else the only active one with that domain (letter case aside), else null. Needs no tenant context: it is what an application asks before set_tenant().';
REVOKE ALL ON FUNCTION resolve_tenant(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION resolve_tenant(text) TO brainsait_owner, brainsait_app, brainsait_operator;

CREATE FUNCTION uuid_v7() RETURNS uuid
    LANGUAGE C VOLATILE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'brainsait_uuid_v7';
COMMENT ON FUNCTION uuid_v7() IS
    'A time-ordered UUID (RFC 9562, version 7), strictly increasing within a session. Index inserts hit the right edge.';
