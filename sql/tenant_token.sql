-- Tenant tokens where no key is configured: nothing is let in. What keys do is in test/tap/012_tenant_tokens.pl.
\getenv source PG_ABS_SRCDIR
\set begin :source '/test/fixtures/two_tenants.sql'
\set end :source '/test/fixtures/two_tenants_end.sql'
\set ECHO none
\i :begin
\set ECHO all

SELECT name, setting, boot_val, unit, context, vartype FROM pg_settings WHERE name ~ '^brainsait\.(require|token|guard)' ORDER BY 1;
SELECT length(token_database()), token_database() = token_database() AS constant;
SELECT make_tenant_token(:acme);
SELECT make_tenant_token(NULL);
SELECT make_tenant_token(:acme, NULL);

SET SESSION AUTHORIZATION regress_shop_app;
-- A token for Acme, signed with the empty key, as if that were one.
\set token '\'\\x010000000100000000000000000000000000aaaaaaaa000040008000000000000000000600000000000000000000000000000000000000000000000000000000000000000000000000000000\''
SELECT set_tenant_token(:token);
BEGIN;
SELECT set_tenant_token(NULL);
ROLLBACK;
BEGIN;
SELECT set_tenant_token(:token);
ROLLBACK;
BEGIN;
SELECT set_tenant_token('');
ROLLBACK;
-- A refusal seals nothing.
BEGIN;
SELECT outcome(format('SELECT set_tenant_token(%L)', :token)), outcome(format('SELECT set_tenant_token(%L)', set_byte(:token, 0, 2)));
SELECT current_tenant() IS NULL AS no_tenant, count(*) FROM orders;
SELECT set_tenant(:bazaar);
SELECT count(*) FROM orders;
SELECT outcome(format('SELECT set_tenant_token(%L)', :token));
SELECT current_tenant();
COMMIT;
SELECT make_tenant_token(:acme);
SELECT length(token_database());
SHOW brainsait.token_key_file;

-- Without a token nobody gets in.
RESET SESSION AUTHORIZATION;
SET brainsait.require_token = on;
SET SESSION AUTHORIZATION regress_shop_app;
SET brainsait.require_token = off;
SET brainsait.token_lifetime = '1 day';
SELECT set_tenant(:acme);
BEGIN;
SELECT set_tenant(:acme);
ROLLBACK;
BEGIN;
SELECT set_tenant(NULL);
ROLLBACK;
BEGIN;
SELECT outcome(format('SELECT set_tenant(%L)', :acme)), outcome('SET LOCAL brainsait.require_token = off'), outcome('SELECT set_config(''brainsait.require_token'', ''off'', true)');
RESET brainsait.require_token;
ROLLBACK;
RESET SESSION AUTHORIZATION;
RESET brainsait.require_token;
-- A tenant from before the switch stays, as it was sealed.
SET SESSION AUTHORIZATION regress_shop_app;
BEGIN;
SELECT set_tenant(:acme);
SELECT count(*) FROM orders;
COMMIT;
RESET SESSION AUTHORIZATION;
SET brainsait.token_key_file = '/tmp/keys';
SET brainsait.token_lifetime = 0;
SET brainsait.token_lifetime = '2 days';

\set ECHO none
\i :end
