-- As the application of one shop: one order from its insert to its refund, and away again.
BEGIN;
SELECT set_tenant(:'tenant') \gset
SELECT now() AS moment, (now() AT TIME ZONE (settings ->> 'timezone'))::date AS today, settings ->> 'currency' AS currency FROM tenants \gset
SELECT id AS product, name ->> 'en' AS product_name, price, 2 * price AS total FROM products ORDER BY created_at, name ->> 'en' LIMIT 1 \gset
COMMIT;
SELECT demo.paint(rpad('', 40) || demo.cell('orders', 7) || demo.cell('revenue', 14) || demo.cell('paid', 14)
                  || demo.cell('refunded', 11) || demo.cell('net', 14), 'dim');

\set step 'before'
\ir bucket.sql
\set before :row_orders ' ' :row_revenue ' ' :row_paid ' ' :row_refunded ' ' :row_net

BEGIN;
SELECT set_tenant(:'tenant') \gset
INSERT INTO orders (total, currency, customer_email, customer_name, created_at)
VALUES (:total, :'currency', 'haya@example.com', 'هيا الشهري', :'moment') RETURNING id AS "order", number \gset
INSERT INTO order_items (order_id, product_id, product_name, quantity, price, total)
VALUES (:'order', :'product', :'product_name', 2, :price, :total);
COMMIT;
\set step 'order placed, not paid yet'
\ir bucket.sql
CALL demo.prove('the order counts', concat_ws(' ', :row_orders - 1, :row_revenue - :total, :row_paid, :row_refunded, :row_net) = :'before');

BEGIN;
SELECT set_tenant(:'tenant') \gset
INSERT INTO payments (order_id, payment_intent_id, amount, currency, status, payment_method, provider)
VALUES (:'order', 'pi_' || :'order', :total, :'currency', 'completed', 'debit_card', 'mada');
UPDATE orders SET payment_status = 'paid', status = 'processing' WHERE id = :'order';
COMMIT;
\set step 'paid with mada'
\ir bucket.sql
CALL demo.prove('the payment counts', concat_ws(' ', :row_orders - 1, :row_revenue - :total, :row_paid - :total, :row_refunded, :row_net - :total) = :'before');

BEGIN;
SELECT set_tenant(:'tenant') \gset
UPDATE orders SET status = 'shipped' WHERE id = :'order';
UPDATE orders SET status = 'completed' WHERE id = :'order';
COMMIT;
\set step 'shipped, completed'
\ir bucket.sql

BEGIN;
SELECT set_tenant(:'tenant') \gset
UPDATE payments SET refunded_amount = :price, status = 'partially_refunded' WHERE order_id = :'order';
UPDATE orders SET payment_status = 'partially_refunded' WHERE id = :'order';
COMMIT;
\set step 'one of two pieces sent back'
\ir bucket.sql
CALL demo.prove('the refund counts', concat_ws(' ', :row_orders - 1, :row_revenue - :total, :row_paid - :total, :row_refunded - :price,
                                               :row_net - :price) = :'before');

BEGIN;
SELECT set_tenant(:'tenant') \gset
INSERT INTO orders (total, currency, payment_status, created_at) VALUES (999999, :'currency', 'paid', :'moment');
ROLLBACK;
\set step 'another order, rolled back'
\ir bucket.sql

BEGIN;
SELECT set_tenant(:'tenant') \gset
DELETE FROM payments WHERE order_id = :'order';
DELETE FROM orders WHERE id = :'order';
COMMIT;
\set step 'order deleted'
\ir bucket.sql
CALL demo.prove('the row is what it was', concat_ws(' ', :row_orders, :row_revenue, :row_paid, :row_refunded, :row_net) = :'before');

BEGIN;
SELECT set_tenant(:'tenant') \gset
SELECT format(E'\n  %s of %s, %s %s.  The store numbered it %s.', '2', :'product_name', demo.money(:total), :'currency',
              demo.paint(:'number', 'bold'));
SELECT order_number_is_valid(:'number') AS holds \gset
CALL demo.prove('the number has the shop''s format', :'holds');
COMMIT;
