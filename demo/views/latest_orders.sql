-- The latest orders of one shop, with the numbers that the store gave them. Names may be Arabic and stand last.
BEGIN;
SELECT set_tenant(:'tenant') \gset
SELECT demo.paint('  ' || rpad(upper(slug), 23) || rpad('placed', 14) || rpad('status', 12) || rpad('payment', 12) || demo.cell(settings ->> 'currency', 10)
                  || demo.cell('lines', 7), 'dim')
FROM tenants;
SELECT '  ' || rpad(number, 23) || rpad(to_char(o.created_at AT TIME ZONE (settings ->> 'timezone'), 'DD Mon HH24:MI'), 14) || rpad(o.status, 12)
       || rpad(payment_status, 12) || demo.cell(demo.money(total), 10) || demo.cell(lines::text, 7) || '  ' || customer_name
FROM tenants
CROSS JOIN (SELECT * FROM orders ORDER BY created_at DESC LIMIT 5) AS o
CROSS JOIN LATERAL (SELECT count(*) AS lines FROM order_items WHERE order_id = o.id) AS basket
ORDER BY o.created_at DESC;
COMMIT;
