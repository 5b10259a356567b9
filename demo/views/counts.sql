-- How many rows of each table the reader finds.
SELECT json_build_object(
    'tenants', (SELECT count(*) FROM tenants), 'products', (SELECT count(*) FROM products),
    'users', (SELECT count(*) FROM users), 'orders', (SELECT count(*) FROM orders),
    'order_items', (SELECT count(*) FROM order_items), 'payments', (SELECT count(*) FROM payments),
    'analytics_events', (SELECT count(*) FROM analytics_events), 'revenue_metrics', (SELECT count(*) FROM revenue_metrics));
