SELECT 
    p.name,
    SUM(oi.total) as revenue,
    SUM(oi.quantity) as units_sold
FROM products p
JOIN order_items oi ON p.id = oi.product_id
JOIN orders o ON oi.order_id = o.id
WHERE o.tenant_id = $1 
    AND o.status = 'completed'
    AND o.created_at >= $2
GROUP BY p.id, p.name
ORDER BY revenue DESC
LIMIT 10
