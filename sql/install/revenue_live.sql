-- Reading and mending the revenue rollup: what is stored and what is pending, together; folding; computing anew;
-- comparing with orders and payments.

CREATE FUNCTION revenue_deltas_from() RETURNS bigint
    LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_revenue_deltas_from';
COMMENT ON FUNCTION revenue_deltas_from() IS
    'The written_by from which revenue_deltas may hold pending rows, as the calling query''s snapshot knows it: what is older has been folded, whatever vacuum has left of it. 0 where nothing is known.';
REVOKE ALL ON FUNCTION revenue_deltas_from() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION revenue_deltas_from() TO brainsait_owner, brainsait_app, brainsait_operator;

CREATE FUNCTION fold_revenue_deltas() RETURNS bigint
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'brainsait_fold_revenue_deltas';
COMMENT ON FUNCTION fold_revenue_deltas() IS
    'Adds what is pending in revenue_deltas to revenue_metrics and revenue_customers, and returns how many deltas those were. What belongs to tenants that are being deleted is left out. Errors: 25006 on a standby, 55000 where a subscription brings the deltas, which its publisher folds.';
REVOKE ALL ON FUNCTION fold_revenue_deltas() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fold_revenue_deltas() TO brainsait_owner, brainsait_operator;

-- Sub-selects, not joins, look stored rows up: they use the index, whatever the planner believes about the size of
-- a queue that is mostly empty. A filter on tenant or date reaches the index of revenue_metrics.
CREATE FUNCTION create_revenue_view() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    CREATE OR REPLACE VIEW @extschema@.revenue_metrics_live WITH (security_invoker = true) AS
    WITH pending_customers AS (
        SELECT d.tenant_id, d.date, d.currency, d.customer, sum(d.customer_orders) AS orders,
               sum(d.total_revenue) AS total, sum(d.order_count) AS order_count, sum(d.paid_revenue) AS paid,
               sum(d.paid_order_count) AS paid_order_count, sum(d.refunded_amount) AS refunded
        FROM @extschema@.revenue_deltas d
        WHERE d.written_by >= (SELECT @extschema@.revenue_deltas_from())
        GROUP BY d.tenant_id, d.date, d.currency, d.customer
    ), counted AS MATERIALIZED (    -- not flattened: stored is used twice, and is looked up once
        SELECT p.*, CASE WHEN p.orders = 0 THEN 0
                         ELSE coalesce((SELECT c.order_count FROM @extschema@.revenue_customers c
                                        WHERE c.tenant_id = p.tenant_id AND c.date = p.date
                                          AND c.currency = p.currency AND c.customer = p.customer), 0) END AS stored
        FROM pending_customers p
    ), pending AS MATERIALIZED (
        SELECT c.tenant_id, c.date, c.currency, sum(c.total) AS total, sum(c.order_count) AS order_count,
               sum(c.paid) AS paid, sum(c.paid_order_count) AS paid_order_count, sum(c.refunded) AS refunded,
               sum((c.stored + c.orders > 0)::integer - (c.stored > 0)::integer) AS customers
        FROM counted c
        GROUP BY c.tenant_id, c.date, c.currency
    ), live AS (
        SELECT m.id, m.tenant_id, m.date, m.total_revenue, m.order_count, m.customer_count, m.average_order_value, m.currency,
               m.created_at, m.paid_revenue, m.paid_order_count, m.refunded_amount, m.net_revenue, p.tenant_id IS NOT NULL AS moves,
               p.total, p.order_count AS orders, p.customers, p.paid, p.paid_order_count AS paid_orders, p.refunded
        FROM @extschema@.revenue_metrics m
        LEFT JOIN pending p ON p.tenant_id = m.tenant_id AND p.date = m.date AND p.currency = m.currency
        UNION ALL
        SELECT NULL::uuid AS id, p.tenant_id, p.date, 0, 0, 0, 0, p.currency, NULL::timestamptz AS created_at, 0, 0, 0, 0, true,
               p.total, p.order_count, p.customers, p.paid, p.paid_order_count, p.refunded
        FROM pending p
        WHERE NOT coalesce((SELECT true FROM @extschema@.revenue_metrics m
                            WHERE m.tenant_id = p.tenant_id AND m.date = p.date AND m.currency = p.currency), false)
    ), summed AS (
        SELECT l.id, l.tenant_id, l.date, l.currency, l.created_at, l.moves, l.average_order_value,
               CASE WHEN l.moves THEN l.total_revenue + l.total ELSE l.total_revenue END AS total_revenue,
               CASE WHEN l.moves THEN (l.order_count + l.orders)::integer ELSE l.order_count END AS order_count,
               CASE WHEN l.moves THEN (l.customer_count + l.customers)::integer ELSE l.customer_count END AS customer_count,
               CASE WHEN l.moves THEN l.paid_revenue + l.paid ELSE l.paid_revenue END AS paid_revenue,
               CASE WHEN l.moves THEN (l.paid_order_count + l.paid_orders)::integer ELSE l.paid_order_count END AS paid_order_count,
               CASE WHEN l.moves THEN l.refunded_amount + l.refunded ELSE l.refunded_amount END AS refunded_amount,
               CASE WHEN l.moves THEN l.net_revenue + l.paid - l.refunded ELSE l.net_revenue END AS net_revenue
        FROM live l
    )
    SELECT s.id, s.tenant_id, s.date, s.total_revenue::decimal(15, 2) AS total_revenue, s.order_count, s.customer_count,
           CASE WHEN s.moves THEN round(s.total_revenue / nullif(s.order_count, 0), 2) ELSE s.average_order_value END
               ::decimal(10, 2) AS average_order_value,
           s.currency, s.created_at, s.paid_revenue::decimal(15, 2) AS paid_revenue, s.paid_order_count,
           s.refunded_amount::decimal(15, 2) AS refunded_amount, s.net_revenue::decimal(15, 2) AS net_revenue
    FROM summed s
    -- A row of which nothing is left once what is pending is added.
    WHERE s.order_count IS DISTINCT FROM 0 OR s.customer_count IS DISTINCT FROM 0 OR s.paid_order_count IS DISTINCT FROM 0
       OR s.total_revenue IS DISTINCT FROM 0 OR s.paid_revenue IS DISTINCT FROM 0 OR s.refunded_amount IS DISTINCT FROM 0;
    COMMENT ON VIEW @extschema@.revenue_metrics_live IS
        'revenue_metrics with what is pending in revenue_deltas: exactly what orders and payments give, in every snapshot. id and created_at are null where revenue_metrics has no row yet.';
END
$body$;
COMMENT ON FUNCTION create_revenue_view() IS 'Internal to create_store(): makes revenue_metrics_live, or makes it what this version has.';
REVOKE ALL ON FUNCTION create_revenue_view() FROM PUBLIC;

CREATE FUNCTION rebuild_revenue_metrics(tenant uuid, from_date date DEFAULT NULL, to_date date DEFAULT NULL) RETURNS bigint
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'brainsait_rebuild_revenue_metrics';
COMMENT ON FUNCTION rebuild_revenue_metrics(uuid, date, date) IS
    'Computes a tenant''s revenue_metrics anew for the days from_date to to_date (inclusive; null: without bound) and returns how many rows were wrong. Other writers go on meanwhile. Errors: 22004 null tenant, 22023 unknown tenant or from_date after to_date, 25006 on a standby, 55000 where a subscription brings the rollup.';
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
), live_customers AS (
    SELECT k.tenant_id, k.date, k.currency, k.customer, sum(k.orders) AS order_count
    FROM (SELECT r.tenant_id, r.date, r.currency, r.customer, r.order_count AS orders
          FROM @extschema@.revenue_customers r
          WHERE tenant IS NULL OR r.tenant_id = tenant
          UNION ALL
          SELECT d.tenant_id, d.date, d.currency, d.customer, d.customer_orders
          FROM @extschema@.revenue_deltas d
          WHERE d.written_by >= (SELECT @extschema@.revenue_deltas_from()) AND d.customer_orders <> 0
            AND (tenant IS NULL OR d.tenant_id = tenant)) AS k
    GROUP BY k.tenant_id, k.date, k.currency, k.customer
    HAVING sum(k.orders) <> 0
)
SELECT coalesce(m.tenant_id, s.tenant_id), coalesce(m.date, s.day), coalesce(m.currency, s.currency),
       pair.column_name, pair.stored, pair.recomputed
FROM (SELECT * FROM @extschema@.revenue_metrics_live r WHERE tenant IS NULL OR r.tenant_id = tenant) AS m
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
FROM live_customers r
FULL JOIN customers c ON c.tenant_id = r.tenant_id AND c.day = r.date AND c.currency = r.currency AND c.customer = r.customer
WHERE r.order_count IS DISTINCT FROM c.orders
ORDER BY 1, 2, 3, 4
$body$;
COMMENT ON FUNCTION check_revenue_metrics(uuid) IS
    'Every difference between the rollup, with what is pending, and what orders and payments give, as the caller sees them: none, unless triggers were disabled. Inside a transaction that changed orders the rollup follows at commit.';
REVOKE ALL ON FUNCTION check_revenue_metrics(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION check_revenue_metrics(uuid) TO brainsait_owner, brainsait_app, brainsait_operator;
