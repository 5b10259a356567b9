-- Weeks of one shop, from the rollup: weeks of seven days from the first of the 90; the last may be short.
BEGIN;
SELECT set_tenant(:'tenant') \gset
SELECT demo.panel(rpad(upper(slug), 6) || demo.cell('orders', 9) || demo.cell(settings ->> 'currency', 13) || demo.cell('refunded', 11), 'dim')
FROM tenants;
WITH week AS (
    SELECT first_day + (date - first_day) / 7 * 7 AS begins, sum(order_count) AS orders, sum(total_revenue) AS revenue,
           sum(refunded_amount) AS refunded
    FROM revenue_metrics CROSS JOIN (SELECT min(date) AS first_day FROM revenue_metrics) AS start
    GROUP BY 1
)
SELECT to_char(begins, 'DD Mon') || demo.cell(demo.whole(orders), 9) || demo.cell(demo.whole(revenue), 13) || demo.cell(demo.whole(refunded), 11)
       || ' ' || demo.paint(rpad(demo.bar(revenue, max(revenue) OVER (), 8), 8), 'bar')
FROM week ORDER BY begins;
SELECT demo.panel('total ' || demo.cell(demo.whole(sum(order_count)), 9) || demo.cell(demo.whole(sum(total_revenue)), 13)
                  || demo.cell(demo.whole(sum(refunded_amount)), 11), 'bold')
FROM revenue_metrics;
COMMIT;
