-- Revenue rollup: one row per tenant, day and currency in revenue_metrics, kept by triggers that collect
-- what a transaction changes and write it just before it commits, or append it to revenue_deltas where
-- the row is busy. Rows and pending deltas together, which revenue_metrics_live shows, equal what orders
-- and payments give when computed anew, always; check_revenue_metrics() shows it.

CREATE FUNCTION create_revenue_tables() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    IF to_regclass('@extschema@.revenue_metrics') IS NULL THEN
        -- The same few rows are updated all day: room in each page keeps the updates out of the indexes (HOT).
        -- No CHECKs: each is parsed anew by every statement, and the store alone writes here, from checked rows.
        CREATE TABLE @extschema@.revenue_metrics (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            tenant_id uuid NOT NULL REFERENCES @extschema@.tenants (id) ON DELETE CASCADE,
            date date NOT NULL,
            total_revenue decimal(15, 2) DEFAULT 0,
            order_count integer DEFAULT 0,
            customer_count integer DEFAULT 0,
            average_order_value decimal(10, 2) DEFAULT 0,
            currency varchar(3) NOT NULL DEFAULT 'USD',
            created_at timestamptz DEFAULT now(),
            paid_revenue decimal(15, 2) NOT NULL DEFAULT 0,
            paid_order_count integer NOT NULL DEFAULT 0,
            refunded_amount decimal(15, 2) NOT NULL DEFAULT 0,
            net_revenue decimal(15, 2) NOT NULL DEFAULT 0,
            CONSTRAINT idx_revenue_metrics_tenant_date UNIQUE (tenant_id, date, currency)
        ) WITH (fillfactor = 70);
        COMMENT ON TABLE @extschema@.revenue_metrics IS
            'Revenue per tenant, day in the tenant''s time zone, and currency (XXX: orders without one). Written by the store alone.';
        COMMENT ON COLUMN @extschema@.revenue_metrics.total_revenue IS 'Sum of total over every order of the day.';
        COMMENT ON COLUMN @extschema@.revenue_metrics.order_count IS 'Every order of the day.';
        COMMENT ON COLUMN @extschema@.revenue_metrics.customer_count IS
            'Distinct customers of those orders: user, else e-mail in lower case, else the order itself.';
        COMMENT ON COLUMN @extschema@.revenue_metrics.average_order_value IS 'total_revenue / order_count, rounded to cents.';
        COMMENT ON COLUMN @extschema@.revenue_metrics.paid_revenue IS
            'Sum of total over orders that are not cancelled and are paid, partially refunded or refunded, or completed, archived or refunded by status.';
        COMMENT ON COLUMN @extschema@.revenue_metrics.paid_order_count IS 'Number of the orders in paid_revenue.';
        COMMENT ON COLUMN @extschema@.revenue_metrics.refunded_amount IS 'Sum of payments.refunded_amount over the day''s orders.';
        COMMENT ON COLUMN @extschema@.revenue_metrics.net_revenue IS 'paid_revenue - refunded_amount.';
    END IF;

    IF to_regclass('@extschema@.revenue_customers') IS NULL THEN
        -- Without a foreign key, whose check costs as much as writing the row: the store alone writes here, and
        -- deletes a tenant's rows in the transaction that deletes the tenant.
        CREATE TABLE @extschema@.revenue_customers (
            tenant_id uuid NOT NULL,
            date date NOT NULL,
            currency varchar(3) NOT NULL,
            customer uuid NOT NULL,
            order_count integer NOT NULL,
            PRIMARY KEY (tenant_id, date, currency, customer)
        ) WITH (fillfactor = 90);
        COMMENT ON TABLE @extschema@.revenue_customers IS
            'How many orders each customer has in a row of revenue_metrics, so that customer_count stays exact when orders go; less pending deltas. Written by the store alone.';
    END IF;

    IF to_regclass('@extschema@.revenue_deltas_id_seq') IS NULL THEN
        CREATE SEQUENCE @extschema@.revenue_deltas_id_seq AS bigint CACHE 32;
        COMMENT ON SEQUENCE @extschema@.revenue_deltas_id_seq IS 'Gives revenue_deltas.id.';
    END IF;

    IF to_regclass('@extschema@.revenue_deltas') IS NULL THEN
        -- One index, whose right edge every writer hits, and nothing to check: to append must cost little.
        CREATE TABLE @extschema@.revenue_deltas (
            id bigint NOT NULL DEFAULT nextval('@extschema@.revenue_deltas_id_seq'),
            written_by bigint NOT NULL,
            tenant_id uuid NOT NULL,
            date date NOT NULL,
            currency varchar(3) NOT NULL,
            customer uuid,
            customer_orders integer NOT NULL DEFAULT 0,
            total_revenue numeric NOT NULL DEFAULT 0,
            order_count integer NOT NULL DEFAULT 0,
            paid_revenue numeric NOT NULL DEFAULT 0,
            paid_order_count integer NOT NULL DEFAULT 0,
            refunded_amount numeric NOT NULL DEFAULT 0,
            PRIMARY KEY (written_by, id)
        );
        COMMENT ON TABLE @extschema@.revenue_deltas IS
            'Changes of revenue_metrics and revenue_customers that are still to be folded into them. Appended where a row is busy, by the store alone; revenue_metrics_live adds them.';
        COMMENT ON COLUMN @extschema@.revenue_deltas.written_by IS 'The 64-bit id of the transaction that appended the row.';
        COMMENT ON COLUMN @extschema@.revenue_deltas.customer IS 'As in revenue_customers; null where no customer''s orders change.';
        COMMENT ON COLUMN @extschema@.revenue_deltas.customer_orders IS 'Change of the customer''s order_count in revenue_customers.';
        COMMENT ON COLUMN @extschema@.revenue_deltas.total_revenue IS
            'Change of the column in revenue_metrics, like the columns that follow; zero in a bucket''s further rows, which bring further customers.';
    END IF;

    IF to_regclass('@extschema@.revenue_fold_progress') IS NULL THEN
        CREATE TABLE @extschema@.revenue_fold_progress (
            system_identifier bigint PRIMARY KEY,
            folded_before bigint NOT NULL
        );
        COMMENT ON TABLE @extschema@.revenue_fold_progress IS
            'How far revenue_deltas has been folded: no delta of a transaction before folded_before is pending. It speaks of one cluster''s transactions, and is ignored where a dump took it to another.';
        COMMENT ON COLUMN @extschema@.revenue_fold_progress.system_identifier IS 'The cluster, as pg_control_system() names it.';
    END IF;
END
$body$;
COMMENT ON FUNCTION create_revenue_tables() IS
    'Internal to create_store(): makes the missing ones of revenue_metrics, revenue_customers, revenue_deltas with its sequence, revenue_fold_progress.';
REVOKE ALL ON FUNCTION create_revenue_tables() FROM PUBLIC;

-- Folding letters depends on the collation's version, so this is STABLE, not IMMUTABLE.
CREATE FUNCTION revenue_customer(user_id uuid, customer_email text, order_id uuid) RETURNS uuid
    LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_revenue_customer';
COMMENT ON FUNCTION revenue_customer(uuid, text, uuid) IS
    'The key under which revenue_customers counts an order''s customer: the user, else a hash of the e-mail in lower case, else the order.';
REVOKE ALL ON FUNCTION revenue_customer(uuid, text, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION revenue_customer(uuid, text, uuid) TO brainsait_owner, brainsait_app, brainsait_operator;

CREATE FUNCTION revenue_order_changed() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_revenue_order_changed';
COMMENT ON FUNCTION revenue_order_changed() IS
    'AFTER INSERT, UPDATE or DELETE row trigger on orders: notes what the order adds to revenue_metrics, which is written when the transaction commits.';

CREATE FUNCTION revenue_payment_leaves() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_revenue_payment_leaves';
COMMENT ON FUNCTION revenue_payment_leaves() IS
    'BEFORE UPDATE or DELETE row trigger on payments: notes the order that a refunded payment is about to leave. Changes nothing.';

CREATE FUNCTION revenue_payment_changed() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_revenue_payment_changed';
COMMENT ON FUNCTION revenue_payment_changed() IS
    'AFTER INSERT, UPDATE or DELETE row trigger on payments: notes the change of the order''s refunds.';

CREATE FUNCTION revenue_tenant_changed() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_revenue_tenant_changed';
COMMENT ON FUNCTION revenue_tenant_changed() IS
    'AFTER UPDATE or DELETE row trigger on tenants: a changed time zone has the tenant''s revenue_metrics computed anew when the transaction commits.';

CREATE FUNCTION revenue_orders_truncated() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_revenue_orders_truncated';
COMMENT ON FUNCTION revenue_orders_truncated() IS 'AFTER TRUNCATE trigger on orders: empties the rollup when the transaction commits.';

CREATE FUNCTION revenue_payments_truncated() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_revenue_payments_truncated';
COMMENT ON FUNCTION revenue_payments_truncated() IS 'AFTER TRUNCATE trigger on payments: sets all refunds to zero when the transaction commits.';

REVOKE ALL ON FUNCTION revenue_order_changed(), revenue_payment_leaves(), revenue_payment_changed(), revenue_tenant_changed(),
    revenue_orders_truncated(), revenue_payments_truncated() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION revenue_order_changed(), revenue_payment_leaves(), revenue_payment_changed(), revenue_tenant_changed(),
    revenue_orders_truncated(), revenue_payments_truncated() TO brainsait_owner;

-- Plain AFTER UPDATE, not UPDATE OF: a BEFORE trigger of the application may change columns that the
-- statement does not name.
CREATE FUNCTION attach_revenue_rollup() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    CREATE OR REPLACE TRIGGER brainsait_revenue AFTER INSERT OR UPDATE OR DELETE ON @extschema@.orders
        FOR EACH ROW EXECUTE FUNCTION @extschema@.revenue_order_changed();
    CREATE OR REPLACE TRIGGER brainsait_revenue_truncate AFTER TRUNCATE ON @extschema@.orders
        FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.revenue_orders_truncated();
    CREATE OR REPLACE TRIGGER brainsait_revenue_leaves BEFORE UPDATE OR DELETE ON @extschema@.payments
        FOR EACH ROW EXECUTE FUNCTION @extschema@.revenue_payment_leaves();
    CREATE OR REPLACE TRIGGER brainsait_revenue AFTER INSERT OR UPDATE OR DELETE ON @extschema@.payments
        FOR EACH ROW EXECUTE FUNCTION @extschema@.revenue_payment_changed();
    CREATE OR REPLACE TRIGGER brainsait_revenue_truncate AFTER TRUNCATE ON @extschema@.payments
        FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.revenue_payments_truncated();
    CREATE OR REPLACE TRIGGER brainsait_revenue_tenant AFTER UPDATE OR DELETE ON @extschema@.tenants
        FOR EACH ROW EXECUTE FUNCTION @extschema@.revenue_tenant_changed();
END
$body$;
COMMENT ON FUNCTION attach_revenue_rollup() IS 'Internal to create_store(): puts the triggers that keep the rollup on orders, payments and tenants.';
REVOKE ALL ON FUNCTION attach_revenue_rollup() FROM PUBLIC;
