-- The last 28 days of one shop, from the rollup.
BEGIN;
SELECT set_tenant(:'tenant') \gset
SELECT demo.panel(rpad(upper(slug), 10) || demo.cell('orders', 8) || demo.cell(settings ->> 'currency', 14), 'dim') FROM tenants;
WITH day AS (
    SELECT on_day, coalesce(order_count, 0) AS orders, coalesce(total_revenue, 0) AS revenue
    FROM tenants
    CROSS JOIN LATERAL (SELECT (now() AT TIME ZONE (settings ->> 'timezone'))::date AS today) AS clock
    CROSS JOIN LATERAL generate_series(today - 27, today, interval '1 day') AS on_day
    LEFT JOIN revenue_metrics m ON m.date = on_day AND m.currency = settings ->> 'currency'
)
SELECT to_char(on_day, 'Dy DD Mon') || demo.cell(demo.whole(orders), 8) || demo.cell(demo.money(revenue), 14) || ' '
       || demo.paint(rpad(demo.bar(revenue, max(revenue) OVER (), 15), 15), 'bar')
FROM day ORDER BY on_day;
COMMIT;
