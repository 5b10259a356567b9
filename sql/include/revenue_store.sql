-- A store with three tenants, and what the tests of its revenue rollup compare it with: a recomputation in plain SQL and
-- the document's own query. `TABLE unequal` is empty where all agree.
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
CREATE ROLE regress_revenue_app IN ROLE brainsait_app;
CREATE ROLE regress_revenue_operator IN ROLE brainsait_operator;

SET datestyle = 'ISO';

CREATE VIEW expected AS
SELECT o.tenant_id, date(timezone(coalesce(t.settings ->> 'timezone', 'UTC'), o.created_at)) AS date,
       CASE WHEN o.currency IS NULL THEN 'XXX' ELSE o.currency END AS currency,
       sum(o.total) AS total_revenue, count(*)::int AS order_count,
       count(DISTINCT coalesce(o.user_id::text, lower(o.customer_email), o.id::text))::int AS customer_count,
       round(avg(o.total), 2) AS average_order_value,
       sum(CASE WHEN state.paid THEN o.total ELSE 0 END) AS paid_revenue,
       sum(CASE WHEN state.paid THEN 1 ELSE 0 END)::int AS paid_order_count,
       sum(refunds.amount) AS refunded_amount,
       sum(CASE WHEN state.paid THEN o.total ELSE 0 END) - sum(refunds.amount) AS net_revenue
FROM orders o
JOIN tenants t ON t.id = o.tenant_id,
LATERAL (SELECT CASE WHEN o.status IN ('cancelled', 'canceled') THEN false
                     WHEN o.payment_status IN ('paid', 'partially_refunded', 'refunded') THEN true
                     WHEN o.status IN ('completed', 'archived', 'refunded') THEN true
                     ELSE false END) AS state (paid),
LATERAL (SELECT coalesce(sum(p.refunded_amount), 0) FROM payments p WHERE p.order_id = o.id) AS refunds (amount)
WHERE o.created_at IS NOT NULL
GROUP BY 1, 2, 3;

CREATE FUNCTION by_the_document(OUT tenant_id uuid, OUT date date, OUT order_count bigint, OUT total_revenue numeric, OUT average numeric)
    RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    tenant record;
BEGIN
    FOR tenant IN SELECT t.id, coalesce(t.settings ->> 'timezone', 'UTC') AS zone FROM tenants t LOOP
        PERFORM set_config('timezone', tenant.zone, true);
        RETURN QUERY
            SELECT tenant.id, q.date, q.order_count, q.total_revenue, round(q.average_order_value, 2) FROM (
                SELECT
                    DATE(o.created_at) as date,
                    COUNT(*) as order_count,
                    SUM(o.total) as total_revenue,
                    AVG(o.total) as average_order_value
                FROM orders o
                WHERE o.tenant_id = tenant.id
                    AND o.created_at >= '-infinity'
                    AND o.created_at <= 'infinity'
                GROUP BY DATE(o.created_at)) q;
    END LOOP;
    PERFORM set_config('timezone', 'UTC', true);
END $$;

CREATE VIEW unequal AS
WITH stored AS (
    SELECT tenant_id, date, currency::text, total_revenue, order_count, customer_count, average_order_value,
           paid_revenue, paid_order_count, refunded_amount, net_revenue FROM revenue_metrics
), wanted AS (SELECT * FROM expected),
by_day AS (
    SELECT tenant_id, date, sum(order_count) AS order_count, sum(total_revenue) AS total_revenue,
           round(sum(total_revenue) / sum(order_count), 2) AS average
    FROM revenue_metrics GROUP BY 1, 2
)
SELECT 'stored' AS which, s::text AS line FROM (TABLE stored EXCEPT ALL TABLE wanted) s
UNION ALL SELECT 'wanted', w::text FROM (TABLE wanted EXCEPT ALL TABLE stored) w
UNION ALL SELECT 'stored by day', d::text FROM (TABLE by_day EXCEPT ALL SELECT * FROM by_the_document()) d
UNION ALL SELECT 'by the document', d::text FROM (SELECT * FROM by_the_document() EXCEPT ALL TABLE by_day) d
UNION ALL SELECT 'check', c::text FROM check_revenue_metrics() c;

CREATE VIEW shown AS
SELECT t.slug, m.date, m.currency, m.total_revenue AS total, m.order_count AS orders, m.customer_count AS customers,
       m.average_order_value AS average, m.paid_revenue AS paid, m.paid_order_count AS paid_orders, m.refunded_amount AS refunded,
       m.net_revenue AS net
FROM revenue_metrics m JOIN tenants t ON t.id = m.tenant_id
ORDER BY t.slug, m.date, m.currency;

INSERT INTO tenants (id, name, slug, settings) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000000', 'Riyadh', 'riyadh', '{"timezone": "Asia/Riyadh"}'),
    ('bbbbbbbb-0000-4000-8000-000000000000', 'New York', 'newyork', '{"timezone": "America/New_York"}'),
    ('cccccccc-0000-4000-8000-000000000000', 'Greenwich', 'greenwich', '{}');
\set riyadh '\'aaaaaaaa-0000-4000-8000-000000000000\'::uuid'
\set newyork '\'bbbbbbbb-0000-4000-8000-000000000000\'::uuid'
\set greenwich '\'cccccccc-0000-4000-8000-000000000000\'::uuid'
INSERT INTO users (id, tenant_id, email) VALUES
    ('11111111-0000-4000-8000-000000000001', :greenwich, 'ann@example.com'),
    ('11111111-0000-4000-8000-000000000002', :greenwich, 'bob@example.com');
\set ann '\'11111111-0000-4000-8000-000000000001\''
\set bob '\'11111111-0000-4000-8000-000000000002\''

-- An order's id from a short name, so that orders can be told apart.
CREATE FUNCTION id(name text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT md5(name)::uuid $$;
CREATE FUNCTION place(name text, tenant uuid, total numeric, at timestamptz, currency text DEFAULT 'USD', status text DEFAULT 'pending',
                      payment_status text DEFAULT 'pending', customer uuid DEFAULT NULL, email text DEFAULT NULL) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO orders (id, tenant_id, number, total, created_at, currency, status, payment_status, user_id, customer_email)
    VALUES (id(name), tenant, name, total, at, currency, status, payment_status, customer, email)
$$;
