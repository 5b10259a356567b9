-- As the shop's application, in one transaction: a week of orders without numbers, their items and payments,
-- the visits that analytics watched, and the refunds of that week. Needs the psql variables slug, tenant, week.
BEGIN;
SELECT set_tenant(:'tenant') \gset
SELECT first_day + 7 * :week AS from_day, (first_day + 7 * :week)::timestamp AT TIME ZONE zone AS week_begins,
       (first_day + 7 * (:week + 1))::timestamp AT TIME ZONE zone AS week_ends, currency
FROM demo.shop WHERE slug = :'slug' \gset

INSERT INTO orders (id, user_id, customer_email, customer_name, total, currency, status, payment_status, payment_intent_id, created_at)
SELECT p.id, CASE WHEN registered THEN c.id END, email, name, total, :'currency',
       CASE WHEN fate = 'failed' THEN 'cancelled' WHEN fate = 'pending' THEN 'pending'
            WHEN at > now() - interval '36 hours' THEN 'processing' WHEN at > now() - interval '5 days' THEN 'shipped'
            ELSE 'completed' END,
       CASE WHEN fate IN ('failed', 'pending') THEN fate ELSE 'paid' END,
       'pi_' || replace(p.id::text, '-', ''), at
FROM demo.purchase p JOIN demo.customer c ON c.slug = p.slug AND c.n = p.customer
WHERE p.slug = :'slug' AND p.week = :week
ORDER BY at;
\set orders :ROW_COUNT

INSERT INTO order_items (order_id, product_id, product_name, quantity, price, total)
SELECT p.id, product, product_name, quantity, price, price * quantity
FROM demo.purchase p JOIN demo.basket_line l USING (slug, n)
WHERE slug = :'slug' AND week = :week
ORDER BY at;
\set items :ROW_COUNT

INSERT INTO payments (order_id, payment_intent_id, amount, currency, status, payment_method, provider, provider_fee, net_amount,
                      processed_at, created_at)
SELECT id, 'pi_' || replace(id::text, '-', ''), total, :'currency',
       CASE fate WHEN 'failed' THEN 'failed' ELSE 'completed' END,
       CASE provider WHEN 'mada' THEN 'debit_card' WHEN 'stripe' THEN 'credit_card' ELSE 'wallet' END,
       provider, fee, total - fee, at + interval '8 seconds', at + interval '5 seconds'
FROM demo.purchase
CROSS JOIN LATERAL (
    SELECT CASE WHEN fate = 'failed' THEN 0
                ELSE round(total * CASE provider WHEN 'mada' THEN 0.010 WHEN 'paypal' THEN 0.034 ELSE 0.029 END
                           + CASE provider WHEN 'mada' THEN 0 ELSE 0.3 END, 2) END) AS cost (fee)
WHERE slug = :'slug' AND week = :week AND fate <> 'pending'
ORDER BY at;
\set payments :ROW_COUNT

-- A visit looks at one or more products; each step on the way comes some time after the one before.
INSERT INTO analytics_events (event_type, user_id, session_id, properties, "timestamp")
SELECT step.event_type, CASE WHEN registered THEN c.id END, session,
       jsonb_build_object('device', CASE WHEN demo.chance(v.n, 41) < 0.74 THEN 'mobile' ELSE 'desktop' END)
           || CASE step.depth WHEN 5 THEN jsonb_build_object('value', total) ELSE '{}' END,
       coalesce(CASE step.depth WHEN 5 THEN bought_at END,
                at + (step.depth - 1 + look / 10.0) * interval '35 seconds' * (0.3 + demo.chance(v.n, 42)))
FROM demo.tracked_visit v
LEFT JOIN demo.customer c ON c.slug = v.slug AND c.n = v.customer
JOIN (VALUES (1, 'page_view'), (2, 'product_view'), (3, 'add_to_cart'), (4, 'checkout'), (5, 'purchase'))
     AS step (depth, event_type) ON step.depth <= v.depth
CROSS JOIN LATERAL generate_series(0, CASE step.depth WHEN 2 THEN least(8, floor(power(1 - demo.chance(v.n, 43), -1 / 1.7)))::integer - 1
                                                      ELSE 0 END) AS look
WHERE v.slug = :'slug' AND v.week = :week;
\set events :ROW_COUNT

UPDATE payments SET refunded_amount = refund, status = fate
FROM demo.purchase p
WHERE slug = :'slug' AND refunded_at >= :'week_begins' AND refunded_at < :'week_ends'
  AND payments.order_id = p.id;
\set refunds :ROW_COUNT
UPDATE orders SET payment_status = fate, status = CASE fate WHEN 'refunded' THEN 'refunded' ELSE status END
FROM demo.purchase p
WHERE slug = :'slug' AND refunded_at >= :'week_begins' AND refunded_at < :'week_ends'
  AND orders.id = p.id;
COMMIT;
SELECT :'from_day', :orders, :items, :payments, :events, :refunds;
