-- One shop in a few figures, as its application sees it.
BEGIN;
SELECT set_tenant(:'tenant') \gset
SELECT demo.panel(upper(slug) || '   ' || (settings ->> 'currency') || ', ' || (settings ->> 'timezone'), 'bold') FROM tenants;
WITH total AS (
    SELECT sum(total_revenue) AS revenue, sum(order_count) AS orders, sum(refunded_amount) AS refunded, sum(net_revenue) AS net
    FROM revenue_metrics
), buyer AS (
    SELECT count(*) AS buyers, count(*) FILTER (WHERE orders > 1) AS returning_buyers, max(orders) AS most
    FROM (SELECT count(*) AS orders FROM orders GROUP BY coalesce(user_id::text, lower(customer_email))) AS per_customer
), basket AS (
    SELECT avg(lines) AS lines, max(lines) AS most_lines, percentile_disc(0.5) WITHIN GROUP (ORDER BY lines) AS usual
    FROM (SELECT count(*) AS lines FROM order_items GROUP BY order_id) AS per_order
)
SELECT demo.panel(rpad(label, 20) || demo.cell(figure, 18) || '  ' || remark)
FROM total, buyer, basket, LATERAL (VALUES
    (1, 'orders', demo.whole(orders), ''),
    (2, 'revenue', demo.money(revenue), ''),
    (3, 'refunded', demo.money(refunded), demo.percent(refunded, revenue)),
    (4, 'net revenue', demo.money(net), ''),
    (5, 'average order', demo.money(revenue / nullif(orders, 0)), ''),
    (6, 'customers', demo.whole(buyers), ''),
    (7, 'came again', demo.whole(returning_buyers), demo.percent(returning_buyers, buyers)),
    (8, 'lines per basket', to_char(lines, 'FM990.00'), format('1 to %s', most_lines))
) AS shown (place, label, figure, remark)
ORDER BY place;
COMMIT;
