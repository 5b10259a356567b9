-- Nothing trusts search_path: members of brainsait_owner may create in the store's schema, where migrations
-- run, and a function of theirs that matches a call better than PostgreSQL's own must not be what a superuser
-- runs. Every name that is planted here raises when it is reached.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
CREATE ROLE regress_path_migration IN ROLE brainsait_owner;
CREATE ROLE regress_path_app IN ROLE brainsait_app;
INSERT INTO shop.tenants (id, name, slug, settings) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000000', 'Acme', 'acme', '{"order_number_format": "{TENANT}-{SEQ:3}{CHECK}"}');
INSERT INTO shop.orders (tenant_id, total, customer_email, payment_status)
    VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 10, 'A@example.com', 'paid');

SET ROLE regress_path_migration;
DO $$
DECLARE
    planted text;
BEGIN
    -- Exact matches where PostgreSQL's own take another type: of functions that the store's call ...
    FOREACH planted IN ARRAY ARRAY['quote_ident(name)', 'to_regclass(name)', 'lower(varchar)', 'count(name)', 'isfinite(name)',
        'format(text, name)', 'format(text, regclass)', 'format(text, name, name)', 'format(text, text, name)',
        'format(text, text, text)', 'format(text, regclass, name)', 'format(text, regclass, name, text)', 'format(text, name, text)',
        'to_char(date, text)', 'date_trunc(text, date)',
        'pg_partition_tree(oid)', 'pg_has_role(oid, name, text)', 'unnest(name[])', 'string_to_array(name, text)',
        'row_security_active(oid)', 'generate_series(int2, int4)', 'sha256(text)', 'timezone(name, timestamptz)',
        'pg_get_indexdef(regclass, int4, bool)', 'pg_get_expr(pg_node_tree, regclass)', 'sum(numeric, int4)', 'round(numeric, int8)']
    LOOP
        EXECUTE format('CREATE FUNCTION shop.%s RETURNS text LANGUAGE plpgsql
                            AS $f$BEGIN RAISE EXCEPTION ''%% ran'', %L; END$f$', planted, planted);
    END LOOP;
    -- ... and of operators, for pairs of types that they compare and concatenate.
    FOREACH planted IN ARRAY ARRAY['oid,regclass', 'regclass,oid', 'oid,regrole', 'oid,regnamespace', 'varchar,varchar', 'varchar,text',
        'name,varchar', 'text,name', 'varchar,name', 'uuid,text', 'text,varchar', 'bool,text']
    LOOP
        EXECUTE format('CREATE FUNCTION shop.planted_comparison(%1$s) RETURNS boolean LANGUAGE plpgsql
                            AS $f$BEGIN RAISE EXCEPTION ''= of %1$s ran''; END$f$', planted);
        EXECUTE format('CREATE OPERATOR shop.= (LEFTARG = %s, RIGHTARG = %s, FUNCTION = shop.planted_comparison)',
                       split_part(planted, ',', 1), split_part(planted, ',', 2));
        EXECUTE format('CREATE OPERATOR shop.<> (LEFTARG = %s, RIGHTARG = %s, FUNCTION = shop.planted_comparison)',
                       split_part(planted, ',', 1), split_part(planted, ',', 2));
    END LOOP;
END
$$;
RESET ROLE;

-- What a superuser calls, with the schema in front of everything else.
SET search_path = shop, pg_catalog;
SELECT pg_catalog.count(*) FROM shop.isolation_report();
SELECT pg_catalog.count(*) FROM shop.check_revenue_metrics();
SELECT shop.rebuild_revenue_metrics('aaaaaaaa-0000-4000-8000-000000000000');
SELECT shop.ensure_partitions(4) OPERATOR(pg_catalog.>=) 1 AS made;
SELECT shop.create_store();
SELECT shop.resolve_tenant('ACME.example'), shop.resolve_tenant('acme');
CREATE TABLE public.regress_path_extra (tenant_id pg_catalog.uuid);
SELECT shop.isolate_table('public.regress_path_extra');
-- What triggers do for a superuser and for the application.
INSERT INTO shop.orders (tenant_id, total, customer_email)
    VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 5, 'b@example.com') RETURNING number OPERATOR(pg_catalog.~) '^ACME-\d{3}[0-9A-Z]$' AS numbered;
GRANT USAGE ON SCHEMA shop TO regress_path_app;
SET ROLE regress_path_app;
BEGIN;
SELECT shop.set_tenant('aaaaaaaa-0000-4000-8000-000000000000');
INSERT INTO shop.orders (total, customer_email) VALUES (5, 'b@example.com') RETURNING number OPERATOR(pg_catalog.~) '^ACME-\d{3}[0-9A-Z]$' AS numbered;
UPDATE shop.orders SET payment_status = 'paid';
INSERT INTO shop.payments (order_id, amount, refunded_amount) SELECT id, total, 1 FROM shop.orders;
SELECT shop.order_number_is_valid(shop.next_order_number());
COMMIT;
RESET ROLE;
SELECT order_count, customer_count, total_revenue, paid_revenue, refunded_amount FROM shop.revenue_metrics;
SELECT pg_catalog.count(*) FROM shop.check_revenue_metrics();

-- CREATE EXTENSION again, over what was planted.
DROP TABLE public.regress_path_extra;
DROP EXTENSION brainsait CASCADE;
CREATE EXTENSION brainsait SCHEMA shop;
SELECT pg_catalog.count(*) FROM shop.isolation_report();

-- The plants do bite whom search_path leads to them.
ALTER FUNCTION shop.ensure_partition(pg_catalog.regclass, pg_catalog.date) SET search_path = shop, pg_temp;
SELECT shop.ensure_partitions(7);

RESET search_path;
DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
DROP OWNED BY regress_path_migration, regress_path_app;
DROP ROLE regress_path_migration, regress_path_app;
