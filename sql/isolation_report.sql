-- isolation_report(): empty on a fresh store; each thing that it watches, broken, makes its line appear.
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' | '
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
CREATE ROLE regress_report_app IN ROLE brainsait_app;
CREATE ROLE regress_report_group IN ROLE brainsait_app;
CREATE ROLE regress_report_dba IN ROLE regress_report_group;
CREATE ROLE regress_report_migration IN ROLE brainsait_owner;
CREATE ROLE regress_report_support IN ROLE brainsait_operator;
CREATE ROLE regress_report_stranger;

-- A fresh store, and one that migrations and support have touched as they may.
SELECT count(*) FROM isolation_report();
BEGIN;
SET LOCAL ROLE brainsait_owner;
CREATE TABLE reviews (tenant_id uuid NOT NULL DEFAULT current_tenant(), id uuid, product_id uuid, stars int, code text,
    UNIQUE (code, tenant_id, stars), FOREIGN KEY (tenant_id, product_id) REFERENCES products (tenant_id, id)) PARTITION BY RANGE (stars);
CREATE TABLE reviews_low PARTITION OF reviews FOR VALUES FROM (0) TO (3);
CREATE TABLE reviews_rest PARTITION OF reviews DEFAULT;
SELECT isolate_table('reviews') \g /dev/null
GRANT SELECT, INSERT, UPDATE, DELETE ON reviews TO brainsait_app, brainsait_operator;
CREATE POLICY own_reviews ON reviews AS RESTRICTIVE TO brainsait_app USING (stars > 0);
CREATE POLICY support ON reviews TO brainsait_operator USING (true);
CREATE VIEW best AS SELECT * FROM reviews WHERE stars = 5;
GRANT SELECT ON best TO brainsait_app;
CREATE FUNCTION how_many() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM shop.orders';
CREATE TABLE countries (code text PRIMARY KEY);
GRANT SELECT ON countries TO PUBLIC;
SELECT count(*) FROM isolation_report();
ROLLBACK;

-- The report of a hole, and none of it once the hint is followed.
CREATE FUNCTION holes(statement text, OUT object text, OUT problem text, OUT hint text) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        EXECUTE statement;
        FOR object, problem, hint IN
            SELECT r.object, replace(r.problem, format('owned by %s,', quote_ident(current_user)), 'owned by the superuser,'), r.hint FROM shop.isolation_report() r
            WHERE r.object !~ '^role ' OR r.object ~ '^role (regress_report|brainsait)_' LOOP RETURN NEXT; END LOOP;
        -- Every hint that is a statement closes its hole.
        DECLARE
            cure record; remedies int := 0; left_over int;
        BEGIN
            FOR cure IN SELECT r.hint FROM shop.isolation_report() r WHERE r.hint ~ '^(SELECT|ALTER|REVOKE) ' AND r.hint !~ ', then ' LOOP
                EXECUTE cure.hint;
                remedies := remedies + 1;
            END LOOP;
            SELECT count(*) INTO left_over FROM shop.isolation_report() r WHERE r.hint ~ '^(SELECT|ALTER|REVOKE) ' AND r.hint !~ ', then ';
            IF remedies > 0 THEN
                object := '  cured'; problem := format('%s by their hints, left', remedies); hint := left_over;
                RETURN NEXT;
            END IF;
        END;
        RAISE EXCEPTION USING ERRCODE = 'ZZZZZ';
    EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN NULL;
    END;
END $$;

-- Row security
SELECT * FROM holes('ALTER TABLE orders DISABLE ROW LEVEL SECURITY');
SELECT * FROM holes('ALTER TABLE orders NO FORCE ROW LEVEL SECURITY');
SELECT * FROM holes('ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY');
SELECT * FROM holes('ALTER TABLE analytics_events_default DISABLE ROW LEVEL SECURITY');
SELECT * FROM holes('CREATE TABLE notes (tenant_id uuid, note text)');
SELECT * FROM holes('CREATE TABLE analytics_events_1999 PARTITION OF analytics_events FOR VALUES FROM (''1999-01-01'') TO (''2000-01-01'')');
SELECT * FROM holes('CREATE TABLE old_orders () INHERITS (orders)');

-- The wall
SELECT * FROM holes('DROP POLICY tenant_wall ON users');
SELECT * FROM holes('DROP POLICY tenant_wall ON tenants');
SELECT * FROM holes('DROP POLICY tenant_wall ON webhook_deliveries_default');
SELECT * FROM holes('ALTER POLICY tenant_wall ON users USING (true)');
SELECT * FROM holes('ALTER POLICY tenant_wall ON users WITH CHECK (true)');
SELECT * FROM holes('ALTER POLICY tenant_wall ON users USING (tenant_id = current_tenant() OR email IS NULL)');
SELECT * FROM holes('ALTER POLICY tenant_wall ON users TO brainsait_app');
SELECT * FROM holes('ALTER POLICY tenant_wall ON users TO brainsait_owner, regress_report_app');
SELECT * FROM holes('DROP POLICY tenant_wall ON users; CREATE POLICY tenant_wall ON users TO brainsait_app, brainsait_owner USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())');
SELECT * FROM holes('DROP POLICY tenant_wall ON users; CREATE POLICY tenant_wall ON users AS RESTRICTIVE FOR SELECT TO brainsait_app, brainsait_owner USING (tenant_id = current_tenant())');
SELECT * FROM holes($$CREATE SCHEMA other; CREATE FUNCTION other.current_tenant() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid';
    ALTER POLICY tenant_wall ON users USING (tenant_id = other.current_tenant())$$);
SELECT * FROM holes($$CREATE FUNCTION always(uuid, uuid) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
    CREATE SCHEMA other; CREATE OPERATOR other.= (FUNCTION = always, LEFTARG = uuid, RIGHTARG = uuid);
    ALTER POLICY tenant_wall ON users USING (tenant_id OPERATOR(other.=) current_tenant())$$);

-- Policies that let others in
SELECT * FROM holes('CREATE POLICY everybody ON orders USING (true)');
SELECT * FROM holes('CREATE POLICY "a reader" ON orders FOR SELECT TO regress_report_stranger USING (true)');
SELECT * FROM holes('ALTER POLICY operator_access ON orders TO PUBLIC');
SELECT * FROM holes('ALTER POLICY tenant_access ON orders TO brainsait_app, regress_report_stranger');

-- Owners and privileges
SELECT * FROM holes(format('ALTER TABLE orders OWNER TO %I', current_user));
SELECT * FROM holes('ALTER ROLE regress_report_stranger BYPASSRLS; ALTER TABLE orders OWNER TO regress_report_stranger');
SELECT * FROM holes('GRANT SELECT ON analytics_events_default TO brainsait_app');
SELECT * FROM holes('GRANT INSERT ON webhook_deliveries_default TO PUBLIC');
SELECT * FROM holes('GRANT TRUNCATE ON orders TO brainsait_app');
SELECT * FROM holes('GRANT REFERENCES, TRIGGER ON users TO PUBLIC');
SELECT * FROM holes('GRANT TRUNCATE ON users TO regress_report_app');
SELECT * FROM holes('GRANT UPDATE ON revenue_metrics TO brainsait_app');
SELECT * FROM holes('GRANT UPDATE (total_revenue) ON revenue_metrics TO brainsait_app');
SELECT * FROM holes('GRANT DELETE ON revenue_customers TO PUBLIC');
SELECT * FROM holes('GRANT INSERT ON revenue_deltas TO brainsait_app');
SELECT * FROM holes('GRANT SELECT ON revenue_fold_progress TO brainsait_app');
SELECT * FROM holes('GRANT INSERT ON webhook_deliveries TO brainsait_app');
SELECT * FROM holes('GRANT SELECT ON maintenance_runs TO brainsait_app');
SELECT * FROM holes('GRANT SELECT ON order_number_counters, order_number_key TO brainsait_app');
SELECT * FROM holes('GRANT SELECT ON integrations, webhooks TO brainsait_app');
SELECT * FROM holes('GRANT SELECT (secret) ON webhooks TO brainsait_app');
SELECT * FROM holes('GRANT SELECT ON webhooks TO regress_report_dba');

-- References and keys
SELECT * FROM holes('ALTER TABLE orders ADD CONSTRAINT buyer FOREIGN KEY (user_id) REFERENCES users (id)');
SELECT * FROM holes('CREATE TABLE order_notes (order_id uuid REFERENCES orders (id), note text)');
SELECT * FROM holes('ALTER TABLE users ADD CONSTRAINT crossed FOREIGN KEY (id, tenant_id) REFERENCES users (tenant_id, id)');
SELECT * FROM holes('ALTER TABLE users ADD invited_by uuid REFERENCES tenants (id)');
SELECT * FROM holes('CREATE UNIQUE INDEX one_email ON users (email)');
SELECT * FROM holes('CREATE UNIQUE INDEX one_email ON users (lower(email)) INCLUDE (tenant_id)');
SELECT * FROM holes('CREATE UNIQUE INDEX "One e-mail" ON users (tenant_id, lower(email))');
SELECT * FROM holes('CREATE UNIQUE INDEX another_number ON orders (number); CREATE UNIQUE INDEX intent ON orders (payment_intent_id); CREATE UNIQUE INDEX amount ON payments (amount)');
SELECT * FROM holes('ALTER TABLE users ADD CONSTRAINT apart EXCLUDE USING btree (email WITH =)');
SELECT * FROM holes('CREATE UNIQUE INDEX tenant_name ON tenants (name)');

-- Roles
SELECT * FROM holes('ALTER ROLE regress_report_app BYPASSRLS');
SELECT * FROM holes('ALTER ROLE regress_report_dba SUPERUSER');
SELECT * FROM holes('ALTER ROLE brainsait_app BYPASSRLS');
SELECT * FROM holes('ALTER ROLE brainsait_operator BYPASSRLS');
SELECT * FROM holes('GRANT brainsait_operator TO regress_report_app');
SELECT * FROM holes('GRANT regress_report_migration TO regress_report_dba');
SELECT * FROM holes('GRANT brainsait_operator TO brainsait_app');
SELECT * FROM holes('GRANT pg_read_all_data, pg_execute_server_program TO regress_report_app');
SELECT * FROM holes('GRANT brainsait_operator TO regress_report_stranger; GRANT brainsait_owner TO regress_report_stranger');

-- Functions and views
SELECT * FROM holes($$CREATE FUNCTION total() RETURNS numeric LANGUAGE sql SECURITY DEFINER AS 'SELECT sum(total) FROM shop.orders'$$);
SELECT * FROM holes($$CREATE FUNCTION total() RETURNS numeric LANGUAGE sql SECURITY DEFINER AS 'SELECT sum(total) FROM shop.orders'; ALTER FUNCTION total() OWNER TO brainsait_operator$$);
SELECT * FROM holes($$CREATE FUNCTION total() RETURNS numeric LANGUAGE sql AS 'SELECT sum(total) FROM shop.orders'$$);
SELECT * FROM holes('CREATE VIEW all_orders AS SELECT * FROM orders');
SELECT * FROM holes('CREATE VIEW all_orders WITH (security_barrier) AS SELECT (SELECT count(*) FROM users) AS n FROM orders WHERE EXISTS (SELECT FROM payments)');
SELECT * FROM holes('CREATE VIEW all_orders WITH (security_invoker = false) AS SELECT * FROM orders; ALTER VIEW all_orders OWNER TO regress_report_support');
SELECT * FROM holes('CREATE VIEW all_orders WITH (security_invoker) AS SELECT * FROM orders');
SELECT * FROM holes('CREATE VIEW all_orders AS SELECT * FROM orders; ALTER VIEW all_orders OWNER TO brainsait_owner');
SELECT * FROM holes('CREATE SCHEMA other; CREATE VIEW other.seen AS SELECT * FROM analytics_events_default');
SELECT * FROM holes('CREATE MATERIALIZED VIEW totals AS SELECT tenant_id, sum(total) FROM orders GROUP BY 1');
SELECT * FROM holes('CREATE MATERIALIZED VIEW totals AS SELECT tenant_id, sum(total) FROM orders GROUP BY 1; GRANT SELECT ON totals TO brainsait_app');

-- The schema
SELECT * FROM holes('GRANT CREATE ON SCHEMA shop TO PUBLIC');
SELECT * FROM holes('GRANT CREATE ON SCHEMA shop TO brainsait_app');
SELECT * FROM holes('GRANT CREATE ON SCHEMA shop TO regress_report_app');
SELECT * FROM holes('GRANT CREATE ON SCHEMA shop TO regress_report_migration');

-- Tables walled by another column, and in another schema
SELECT * FROM holes($$CREATE SCHEMA other; CREATE TABLE other.visits (shop_id uuid, id uuid, ip inet UNIQUE, UNIQUE (id, shop_id));
    ALTER TABLE other.visits OWNER TO brainsait_owner; SELECT isolate_table('other.visits', 'shop_id')$$);
SELECT * FROM holes($$CREATE SCHEMA other; CREATE TABLE other.visits (shop_id uuid); ALTER TABLE other.visits OWNER TO brainsait_owner;
    SELECT isolate_table('other.visits', 'shop_id'); ALTER TABLE other.visits DISABLE ROW LEVEL SECURITY;
    ALTER POLICY tenant_wall ON other.visits WITH CHECK (shop_id IS NOT NULL)$$);

-- Everything is as it was. Anybody may ask.
SELECT count(*) FROM isolation_report();
SET SESSION AUTHORIZATION regress_report_app;
SELECT count(*) FROM isolation_report();
RESET SESSION AUTHORIZATION;

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
DROP ROLE regress_report_dba, regress_report_group, regress_report_app, regress_report_migration, regress_report_support, regress_report_stranger;
