-- As the application of one shop: the document's own arithmetic over all 90 days, against the rollup.
BEGIN;
SELECT set_tenant(:'tenant') \gset
SELECT set_config('timezone', settings ->> 'timezone', true) FROM tenants \gset
WITH asked AS (
    SELECT date(created_at) AS date, currency, count(*) AS orders, sum(total) AS revenue, round(avg(total), 2) AS average,
           count(DISTINCT coalesce(user_id::text, lower(customer_email), id::text)) AS customers
    FROM orders GROUP BY 1, 2
), kept AS (
    SELECT date, currency, order_count, total_revenue, average_order_value, customer_count FROM revenue_metrics
)
SELECT count(*) AS days, sum(orders) AS orders,
       (SELECT count(*) FROM (TABLE asked EXCEPT TABLE kept) AS missing)
       + (SELECT count(*) FROM (TABLE kept EXCEPT TABLE asked) AS wrong) AS differences
FROM asked \gset
SELECT count(*) AS unequal
FROM orders o LEFT JOIN (SELECT order_id, sum(total) AS total FROM order_items GROUP BY order_id) AS basket ON order_id = o.id
WHERE o.total IS DISTINCT FROM basket.total \gset
CALL demo.prove('the rollup equals a recomputation', :differences = 0);
CALL demo.prove('each order''s total is the sum of its items', :unequal = 0);
SELECT rpad('  ' || upper(slug), 9) || format('%s days, %s orders: %s differ from the document''s query; totals unlike their items: %s', :days,
              demo.whole(:orders), :differences, :unequal) FROM tenants;
COMMIT;
