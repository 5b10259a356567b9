-- The peer: the document's tables with what the extension gives, written with care in plpgsql. Loaded
-- after test/schema/document.sql. Isolation by a setting, counter rows for order numbers, a rollup kept
-- by statement triggers that upsert, distinct customers by reference counts.

-- Every table that the application writes carries its tenant, so that no policy needs a sub-select.
ALTER TABLE order_items ADD COLUMN tenant_id uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE;
ALTER TABLE order_items ALTER COLUMN tenant_id SET DEFAULT current_setting('app.tenant')::uuid;

CREATE TABLE order_counters (
    tenant_id uuid PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    prefix text NOT NULL,
    last_value bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE revenue_customers (
    tenant_id uuid NOT NULL,
    date date NOT NULL,
    currency varchar(3) NOT NULL,
    customer text NOT NULL,
    order_count integer NOT NULL,
    PRIMARY KEY (tenant_id, date, currency, customer)
);
-- Room for heap-only updates of the rows that every order changes.
ALTER TABLE revenue_metrics SET (fillfactor = 50);

CREATE FUNCTION fill_order_number() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$body$
DECLARE
    counter record;
BEGIN
    INSERT INTO order_counters AS c (tenant_id, prefix, last_value)
    SELECT id, upper(slug), 1 FROM tenants WHERE id = NEW.tenant_id
    ON CONFLICT (tenant_id) DO UPDATE SET last_value = c.last_value + 1
    RETURNING prefix, last_value INTO counter;
    NEW.number := 'ORD-' || counter.prefix || '-' || lpad(counter.last_value::text, 6, '0');
    RETURN NEW;
END
$body$;
CREATE TRIGGER fill_order_number BEFORE INSERT ON orders
    FOR EACH ROW WHEN (NEW.number IS NULL) EXECUTE FUNCTION fill_order_number();

CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS
$body$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$body$;
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON products FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- One statement's orders, added to the rollup or (argument -1) taken out: summed per day, currency and customer in the tenant's time zone, go into
-- both tables in the order of their keys.
CREATE FUNCTION roll_up_orders() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$body$
BEGIN
    WITH per_customer AS (
        SELECT o.tenant_id,
               (o.created_at AT TIME ZONE coalesce(t.settings ->> 'timezone', 'UTC'))::date AS date,
               coalesce(o.currency, 'XXX') AS currency,
               coalesce(o.user_id::text, lower(o.customer_email), o.id::text) AS customer,
               sum(o.total) * TG_ARGV[0]::integer AS revenue,
               count(*) * TG_ARGV[0]::integer AS orders
        FROM changed_orders o JOIN tenants t ON t.id = o.tenant_id
        WHERE o.created_at IS NOT NULL
        GROUP BY 1, 2, 3, 4
        ORDER BY 1, 2, 3, 4
    ), customers AS (
        INSERT INTO revenue_customers AS c (tenant_id, date, currency, customer, order_count)
        SELECT tenant_id, date, currency, customer, orders FROM per_customer
        ON CONFLICT (tenant_id, date, currency, customer)
            DO UPDATE SET order_count = c.order_count + EXCLUDED.order_count
        RETURNING c.tenant_id, c.date, c.currency, c.customer, c.order_count
    ), per_day AS (
        SELECT tenant_id, date, currency, sum(p.revenue) AS revenue, sum(p.orders) AS orders,
               sum((c.order_count > 0)::int - (c.order_count - p.orders > 0)::int) AS customers
        FROM per_customer p JOIN customers c USING (tenant_id, date, currency, customer)
        GROUP BY 1, 2, 3
        ORDER BY 1, 2, 3
    )
    INSERT INTO revenue_metrics AS m
        (tenant_id, date, currency, total_revenue, order_count, customer_count, average_order_value)
    SELECT tenant_id, date, currency, revenue, orders, customers, round(revenue / orders, 2) FROM per_day
    ON CONFLICT (tenant_id, date, currency) DO UPDATE SET
        total_revenue = m.total_revenue + EXCLUDED.total_revenue,
        order_count = m.order_count + EXCLUDED.order_count,
        customer_count = m.customer_count + EXCLUDED.customer_count,
        average_order_value = coalesce(round((m.total_revenue + EXCLUDED.total_revenue)
                                             / nullif(m.order_count + EXCLUDED.order_count, 0), 2), 0);
    RETURN NULL;
END
$body$;
CREATE TRIGGER roll_up_inserted AFTER INSERT ON orders
    REFERENCING NEW TABLE AS changed_orders FOR EACH STATEMENT EXECUTE FUNCTION roll_up_orders('1');
CREATE TRIGGER roll_up_deleted AFTER DELETE ON orders
    REFERENCING OLD TABLE AS changed_orders FOR EACH STATEMENT EXECUTE FUNCTION roll_up_orders('-1');
CREATE TRIGGER roll_up_updated_1 AFTER UPDATE ON orders
    REFERENCING OLD TABLE AS changed_orders FOR EACH STATEMENT EXECUTE FUNCTION roll_up_orders('-1');
CREATE TRIGGER roll_up_updated_2 AFTER UPDATE ON orders
    REFERENCING NEW TABLE AS changed_orders FOR EACH STATEMENT EXECUTE FUNCTION roll_up_orders('1');

DO $isolation$
DECLARE
    isolated name;
BEGIN
    CREATE ROLE plpgsql_owner NOLOGIN;
    GRANT CREATE, USAGE ON SCHEMA public TO plpgsql_owner;
    FOREACH isolated IN ARRAY ARRAY['tenants', 'users', 'products', 'orders', 'order_items', 'payments',
                                    'order_counters', 'revenue_metrics', 'revenue_customers']
    LOOP
        EXECUTE format('ALTER TABLE %I OWNER TO plpgsql_owner', isolated);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', isolated);
        EXECUTE format('CREATE POLICY tenant ON %I USING (%I = current_setting(''app.tenant'')::uuid)',
                       isolated, CASE isolated WHEN 'tenants' THEN 'id' ELSE 'tenant_id' END);
    END LOOP;
    ALTER FUNCTION fill_order_number() OWNER TO plpgsql_owner;
    ALTER FUNCTION roll_up_orders() OWNER TO plpgsql_owner;
END
$isolation$;
GRANT SELECT, INSERT, UPDATE, DELETE ON tenants, users, products, orders, order_items, payments TO shopper;
GRANT SELECT ON revenue_metrics TO shopper;
