-- As the application of one shop: attempts on the rows of the other, by somebody who knows its ids. Needs the psql
-- variables tenant, other and product (the other's).
BEGIN;
SELECT set_tenant(:'tenant') \gset
SELECT demo.paint('  As REEM, on rows of CEDAR', 'dim');
SELECT string_agg('  ' || rpad(replace(replace(statement, '{cedar}', '<CEDAR>'), '{product}', '<CEDAR''s>'), 58) || '  '
       || demo.paint(CASE WHEN outcome ~ '^0 rows' THEN outcome ELSE left(outcome, 5) END, 'good')
       || CASE WHEN outcome ~ '^0 rows' THEN '' ELSE E'\n      ' || demo.paint(regexp_replace(substr(outcome, 7), '^insert or update on table "\w+" ', ''), 'dim') END,
                  E'\n' ORDER BY place) AS lines,
       bool_and(outcome LIKE expected || '%') AS holds
FROM (VALUES
    (1, 'SELECT FROM orders WHERE tenant_id = {cedar}', '0 rows'),
    (2, 'UPDATE products SET price = 0 WHERE id = {product}', '0 rows'),
    (3, 'DELETE FROM users WHERE tenant_id = {cedar}', '0 rows'),
    (4, 'INSERT INTO orders (tenant_id, total) VALUES ({cedar}, 1)', '42501'),
    -- Written out below: our order, their product.
    (5, 'INSERT INTO order_items VALUES (<ours>, {product}, ...)', '23503'),
    (6, 'SELECT set_tenant({cedar})', '42501'),
    (7, 'UPDATE revenue_metrics SET total_revenue = 0', '42501'),
    (8, 'SET ROLE brainsait_operator', '42501')
) AS attempt (place, statement, expected)
CROSS JOIN LATERAL (
    SELECT demo.attempt(replace(replace(
        CASE place WHEN 5 THEN 'INSERT INTO order_items (order_id, product_id, product_name, price, total)
                                SELECT id, {product}, ''theirs'', 1, 1 FROM orders LIMIT 1' ELSE statement END,
        '{cedar}', quote_literal(:'other')), '{product}', quote_literal(:'product')))) AS tried (outcome) \gset
COMMIT;
\echo :lines
CALL demo.prove('one shop reaches nothing of the other', :'holds');
