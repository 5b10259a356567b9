-- The tenant of a transaction from a signed token.

CREATE FUNCTION set_tenant_token(token bytea) RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'brainsait_set_tenant_token';
COMMENT ON FUNCTION set_tenant_token(bytea) IS
    'set_tenant() with the tenant that a signed token names: same rules, same errors. A token that does not hold is refused in the same words (28000) whatever is wrong with it; the server''s log tells why. Pass the token as a parameter, not inside the statement''s text.';
REVOKE ALL ON FUNCTION set_tenant_token(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION set_tenant_token(bytea) TO brainsait_owner, brainsait_app, brainsait_operator;

CREATE FUNCTION make_tenant_token(tenant uuid, life interval DEFAULT '60 seconds', key_id integer DEFAULT NULL) RETURNS bytea
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'brainsait_make_tenant_token';
COMMENT ON FUNCTION make_tenant_token(uuid, interval, integer) IS
    'A token for set_tenant_token() in this database, valid for that long, signed by the key of brainsait.token_key_file with that id (default: its first). For operators and tests; applications make their own.';
REVOKE ALL ON FUNCTION make_tenant_token(uuid, interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_tenant_token(uuid, interval, integer) TO brainsait_operator;

CREATE FUNCTION token_database() RETURNS bytea
    LANGUAGE C STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'brainsait_token_database';
COMMENT ON FUNCTION token_database() IS
    'The 12 bytes by which tokens name this database: the cluster''s system identifier and the database''s OID. No secret; a restore or an upgrade changes them.';
REVOKE ALL ON FUNCTION token_database() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION token_database() TO brainsait_owner, brainsait_app, brainsait_operator;
