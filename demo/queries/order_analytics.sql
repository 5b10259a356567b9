SELECT 
    DATE(created_at) as date,
    COUNT(*) as order_count,
    SUM(total) as total_revenue,
    AVG(total) as average_order_value
FROM orders 
WHERE tenant_id = $1 
    AND created_at >= $2 
    AND created_at <= $3
GROUP BY DATE(created_at)
ORDER BY date
