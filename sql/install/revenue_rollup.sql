-- Revenue rollup: one row per tenant, day and currency in revenue_metrics, kept by triggers that collect
-- what a transaction changes and write it just before it commits. The rows equal what orders and
-- payments give when computed anew, always; check_revenue_metrics() shows it.

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
            'How many orders each customer has in a row of revenue_metrics, so that customer_count stays exact when orders go. Written by the store alone.';
    END IF;
END
$body$;
COMMENT ON FUNCTION create_revenue_tables() IS 'Internal to create_store(): makes the missing ones of revenue_metrics, revenue_customers.';
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

CREATE FUNCTION rebuild_revenue_metrics(tenant uuid, from_date date DEFAULT NULL, to_date date DEFAULT NULL) RETURNS bigint
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'brainsait_rebuild_revenue_metrics';
COMMENT ON FUNCTION rebuild_revenue_metrics(uuid, date, date) IS
    'Computes a tenant''s revenue_metrics anew for the days from_date to to_date (inclusive; null: without bound) and returns how many rows were wrong. Commits of other writers wait meanwhile. Errors: 22004 null tenant, 22023 unknown tenant or from_date after to_date.';
REVOKE ALL ON FUNCTION rebuild_revenue_metrics(uuid, date, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rebuild_revenue_metrics(uuid, date, date) TO brainsait_owner, brainsait_operator;

CREATE FUNCTION check_revenue_metrics(
    tenant uuid DEFAULT NULL,
    OUT tenant_id uuid, OUT date date, OUT currency text, OUT column_name text, OUT stored numeric, OUT recomputed numeric
) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
WITH counted AS (
    SELECT o.id, o.tenant_id, (o.created_at AT TIME ZONE coalesce(t.settings ->> 'timezone', 'UTC'))::date AS day,
           coalesce(o.currency, 'XXX') AS currency, o.total,
           @extschema@.revenue_customer(o.user_id, o.customer_email, o.id) AS customer,
           coalesce(o.status::text NOT IN ('cancelled', 'canceled'), true)
               AND (coalesce(o.payment_status::text IN ('paid', 'partially_refunded', 'refunded'), false)
                    OR coalesce(o.status::text IN ('completed', 'archived', 'refunded'), false)) AS paid
    FROM @extschema@.orders o
    JOIN @extschema@.tenants t ON t.id = o.tenant_id
    WHERE o.created_at IS NOT NULL AND (tenant IS NULL OR o.tenant_id = tenant)
), refunds AS (
    SELECT p.tenant_id, p.order_id, sum(p.refunded_amount) AS amount
    FROM @extschema@.payments p
    WHERE p.refunded_amount <> 0 AND (tenant IS NULL OR p.tenant_id = tenant)
    GROUP BY p.tenant_id, p.order_id
), sums AS (
    SELECT c.tenant_id, c.day, c.currency, coalesce(sum(c.total), 0) AS total, count(*) AS orders,
           count(DISTINCT c.customer) AS customers, coalesce(sum(c.total) FILTER (WHERE c.paid), 0) AS paid,
           count(*) FILTER (WHERE c.paid) AS paid_orders, coalesce(sum(r.amount), 0) AS refunded
    FROM counted c
    LEFT JOIN refunds r ON r.tenant_id = c.tenant_id AND r.order_id = c.id
    GROUP BY c.tenant_id, c.day, c.currency
), customers AS (
    SELECT c.tenant_id, c.day, c.currency, c.customer, count(*) AS orders
    FROM counted c
    GROUP BY c.tenant_id, c.day, c.currency, c.customer
)
SELECT coalesce(m.tenant_id, s.tenant_id), coalesce(m.date, s.day), coalesce(m.currency, s.currency),
       pair.column_name, pair.stored, pair.recomputed
FROM (SELECT * FROM @extschema@.revenue_metrics r WHERE tenant IS NULL OR r.tenant_id = tenant) AS m
FULL JOIN sums s ON s.tenant_id = m.tenant_id AND s.day = m.date AND s.currency = m.currency
CROSS JOIN LATERAL (VALUES
    ('total_revenue', m.total_revenue, s.total),
    ('order_count', m.order_count::numeric, s.orders::numeric),
    ('customer_count', m.customer_count::numeric, s.customers::numeric),
    ('average_order_value', m.average_order_value, round(s.total / s.orders, 2)),
    ('paid_revenue', m.paid_revenue, s.paid),
    ('paid_order_count', m.paid_order_count::numeric, s.paid_orders::numeric),
    ('refunded_amount', m.refunded_amount, s.refunded),
    ('net_revenue', m.net_revenue, s.paid - s.refunded)
) AS pair (column_name, stored, recomputed)
WHERE pair.stored IS DISTINCT FROM pair.recomputed
UNION ALL
SELECT coalesce(r.tenant_id, c.tenant_id), coalesce(r.date, c.day), coalesce(r.currency, c.currency),
       'orders of customer ' || coalesce(r.customer, c.customer), r.order_count, c.orders
FROM (SELECT * FROM @extschema@.revenue_customers k WHERE tenant IS NULL OR k.tenant_id = tenant) AS r
FULL JOIN customers c ON c.tenant_id = r.tenant_id AND c.day = r.date AND c.currency = r.currency AND c.customer = r.customer
WHERE r.order_count IS DISTINCT FROM c.orders
ORDER BY 1, 2, 3, 4
$body$;
COMMENT ON FUNCTION check_revenue_metrics(uuid) IS
    'Every difference between the rollup and what orders and payments give, as the caller sees them: none, unless triggers were disabled. Inside a transaction that changed orders the rollup follows at commit.';
REVOKE ALL ON FUNCTION check_revenue_metrics(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION check_revenue_metrics(uuid) TO brainsait_owner, brainsait_app, brainsait_operator;
