-- Reports on revenue, products, categories and payments against plain SQL over raw rows, as the application behind the wall.
\getenv source PG_ABS_SRCDIR
\set begin :source '/test/fixtures/report_data.sql'
\set ask :source '/test/fixtures/report_ask.sql'
\set end :source '/test/fixtures/report_data_end.sql'
\set ECHO none
\i :begin
\set QUIET on
\set ECHO all
-- Lines say how many rows were expected; how many rows are missing and how many are wrong must be 0.
\set report 'order_analytics(%s, %s)'
\i :ask
SELECT lines > 300 AS many, missing, wrong FROM raw.differences($$
    SELECT p.tenant_id, p.name AS period, o.day AS date, o.money AS currency, count(*)::integer AS order_count, sum(o.total) AS total_revenue,
           round(avg(o.total), 2) AS average_order_value, count(DISTINCT o.who)::integer AS customer_count,
           count(*) FILTER (WHERE is_paid)::integer AS paid_order_count, coalesce(sum(o.total) FILTER (WHERE is_paid), 0) AS paid_revenue,
           sum(coalesce(r.amount, 0)) AS refunded_amount, coalesce(sum(o.total) FILTER (WHERE is_paid), 0) - sum(coalesce(r.amount, 0)) AS net_revenue
    FROM raw.period p JOIN raw.orders o ON o.tenant_id = p.tenant_id AND o.day BETWEEN p.first_day AND p.last_day
    LEFT JOIN (SELECT order_id, sum(refunded_amount) AS amount FROM payments GROUP BY 1) AS r ON r.order_id = o.id
    GROUP BY 1, 2, 3, 4$$);
\set report 'daily_trend(%s, %s)'
\i :ask
SELECT lines > 500 AS many, missing, wrong FROM raw.differences($$
    SELECT p.tenant_id, p.name AS period, d::date AS date, c.money AS currency,
           (SELECT count(*)::integer FROM raw.orders o WHERE o.tenant_id = p.tenant_id AND o.money = c.money AND o.day = d::date) AS order_count,
           (SELECT coalesce(sum(total), 0) FROM raw.orders o WHERE o.tenant_id = p.tenant_id AND o.money = c.money AND o.day = d::date) AS total_revenue,
           (SELECT coalesce(sum(total) FILTER (WHERE is_paid), 0) FROM raw.orders o WHERE o.tenant_id = p.tenant_id AND o.money = c.money AND o.day = d::date)
           - (SELECT coalesce(sum(refunded_amount), 0) FROM payments y JOIN raw.orders o ON o.id = y.order_id
              WHERE o.tenant_id = p.tenant_id AND o.money = c.money AND o.day = d::date) AS net_revenue,
           (SELECT round(coalesce(sum(total), 0) / 7, 2) FROM raw.orders o
            WHERE o.tenant_id = p.tenant_id AND o.money = c.money AND o.day > d::date - 7 AND o.day <= d::date) AS average_revenue_7_days
    FROM raw.period p
    CROSS JOIN LATERAL (SELECT DISTINCT money FROM raw.orders o WHERE o.tenant_id = p.tenant_id AND o.day BETWEEN p.first_day AND p.last_day) AS c
    CROSS JOIN LATERAL generate_series(p.first_day, p.last_day, '1 day') AS d$$);
\set report 'revenue_growth(%s, %s)'
\i :ask
SELECT lines > 15 AS many, missing, wrong FROM raw.differences($$
    WITH side AS (
        SELECT p.tenant_id, p.name, o.money, CASE WHEN o.day < p.first_day THEN 'old' ELSE 'now' END AS side, sum(o.total) AS total, count(*) AS orders,
               coalesce(sum(o.total) FILTER (WHERE is_paid), 0) - coalesce(sum((SELECT sum(refunded_amount) FROM payments y WHERE y.order_id = o.id)), 0) AS net
        FROM raw.period p JOIN raw.orders o ON o.tenant_id = p.tenant_id AND o.day > p.first_day - (p.last_day - p.first_day) - 2 AND o.day <= p.last_day
        GROUP BY 1, 2, 3, 4
    ), pair AS (
        SELECT tenant_id, name, money, coalesce(n.total, 0) AS nt, coalesce(b.total, 0) AS ot, coalesce(n.orders, 0) AS nn, coalesce(b.orders, 0) AS bn,
               coalesce(n.net, 0) AS nnet, coalesce(b.net, 0) AS bnet
        FROM (SELECT * FROM side WHERE side = 'now') AS n FULL JOIN (SELECT * FROM side WHERE side = 'old') AS b USING (tenant_id, name, money)
    )
    SELECT tenant_id, name AS period, money AS currency, nt AS total_revenue, ot AS previous_revenue,
           CASE WHEN ot <> 0 THEN round((nt / ot - 1) * 100, 2) END AS revenue_growth, nn AS order_count, bn AS previous_order_count,
           CASE WHEN bn <> 0 THEN round((nn::numeric / bn - 1) * 100, 2) END AS order_growth,
           CASE WHEN nn <> 0 THEN round(nt / nn, 2) END AS average_order_value, CASE WHEN bn <> 0 THEN round(ot / bn, 2) END AS previous_average_order_value,
           nnet AS net_revenue, bnet AS previous_net_revenue, CASE WHEN bnet > 0 THEN round((nnet / bnet - 1) * 100, 2) END AS net_growth
    FROM pair$$);
-- Since the first day's midnight; the second day is not asked.
\set report 'top_products(%1$s::timestamptz, 4)'
\i :ask
SELECT lines > 20 AS many, missing, wrong FROM raw.differences($$
    SELECT tenant_id, period, currency, place, product_id, name, revenue, units_sold, order_count FROM (
        SELECT p.tenant_id, p.name AS period, o.money AS currency, rank() OVER (PARTITION BY p.tenant_id, p.name, o.money ORDER BY sum(i.total) DESC) AS place,
               i.product_id, r.name, sum(i.total) AS revenue, sum(i.quantity) AS units_sold, count(DISTINCT o.id) AS order_count
        FROM raw.period p
        JOIN raw.orders o ON o.tenant_id = p.tenant_id AND o.status = 'completed' AND o.created_at >= CASE p.name
                 WHEN 'default' THEN p.first_day::timestamp AT TIME ZONE p.zone ELSE p.first_day::timestamptz END
        JOIN order_items i ON i.order_id = o.id JOIN products r ON r.id = i.product_id
        GROUP BY p.tenant_id, p.name, o.money, i.product_id, r.name) AS ranked
    WHERE place <= 4$$);
\set report 'category_performance(%s, %s)'
\i :ask
SELECT lines > 30 AS many, missing, wrong FROM raw.differences($$
    SELECT p.tenant_id, p.name AS period, o.money AS currency, r.category, sum(i.total) AS revenue, sum(i.quantity) AS units_sold,
           count(DISTINCT o.id) AS order_count, count(DISTINCT i.product_id) AS product_count,
           round(sum(i.total) * 100 / (SELECT sum(j.total) FROM order_items j JOIN raw.orders q ON q.id = j.order_id
                                       WHERE q.tenant_id = p.tenant_id AND q.money = o.money AND q.status = 'completed'
                                         AND q.day BETWEEN min(p.first_day) AND min(p.last_day)), 2) AS share
    FROM raw.period p JOIN raw.orders o ON o.tenant_id = p.tenant_id AND o.day BETWEEN p.first_day AND p.last_day AND o.status = 'completed'
    JOIN order_items i ON i.order_id = o.id LEFT JOIN products r ON r.id = i.product_id
    GROUP BY 1, 2, 3, 4$$);
\set report 'payment_analytics(%s, %s)'
\i :ask
SELECT lines > 50 AS many, missing, wrong FROM raw.differences($$
    SELECT tenant_id, period, currency, payment_method, provider, payment_count, succeeded_count, failed_count,
           payment_count - succeeded_count - failed_count AS pending_count,
           CASE WHEN succeeded_count + failed_count > 0 THEN round(succeeded_count * 100.0 / (succeeded_count + failed_count), 2) END AS success_rate,
           amount, refunded_amount, provider_fees,
           CASE WHEN all_amount <> 0 THEN round(100 * amount / all_amount, 2) END AS share
    FROM (SELECT p.tenant_id, p.name AS period, y.money AS currency, y.payment_method, y.provider, count(*) AS payment_count,
                 count(*) FILTER (WHERE y.status IN ('completed', 'succeeded', 'refunded', 'partially_refunded')) AS succeeded_count,
                 count(*) FILTER (WHERE y.status IN ('failed', 'declined')) AS failed_count,
                 coalesce(sum(y.amount) FILTER (WHERE y.status ~ 'ed$' AND y.status NOT IN ('failed', 'declined')), 0) AS amount,
                 sum(y.refunded_amount) AS refunded_amount,
                 coalesce(sum(y.provider_fee) FILTER (WHERE y.status ~ 'ed$' AND y.status NOT IN ('failed', 'declined')), 0) AS provider_fees,
                 sum(sum(y.amount) FILTER (WHERE y.status ~ 'ed$' AND y.status NOT IN ('failed', 'declined'))) OVER (PARTITION BY p.tenant_id, p.name, y.money) AS all_amount
          FROM raw.period p JOIN raw.payments y ON y.tenant_id = p.tenant_id AND y.day BETWEEN p.first_day AND p.last_day
          GROUP BY 1, 2, 3, 4, 5) AS summed$$);

-- What is pending in the queue counts.
SET SESSION AUTHORIZATION regress_report_app;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT set_tenant('cccccccc-0000-4000-8000-000000000000');
INSERT INTO orders (total, currency, created_at) VALUES (12.50, 'EUR', now());
COMMIT;
BEGIN;
SELECT set_tenant('cccccccc-0000-4000-8000-000000000000');
SELECT currency, order_count, total_revenue, date = (now() AT TIME ZONE 'UTC')::date AS today FROM order_analytics();
SELECT count(*) AS days, sum(total_revenue) FROM daily_trend();
SELECT currency, total_revenue, previous_revenue, revenue_growth FROM revenue_growth();
COMMIT;

-- Without a tenant there is nothing, an operator's either; a stranger may not ask.
SELECT count(*) FROM order_analytics();
SELECT count(*) FROM top_products();
RESET SESSION AUTHORIZATION;
SET ROLE regress_report_operator;
SELECT (SELECT count(*) FROM order_analytics('2000-01-01')), (SELECT count(*) FROM daily_trend('2000-01-01')), (SELECT count(*) FROM revenue_growth('2000-01-01')),
       (SELECT count(*) FROM top_products('2000-01-01')), (SELECT count(*) FROM category_performance('2000-01-01')),
       (SELECT count(*) FROM payment_analytics('2000-01-01'));
SET ROLE regress_report_stranger;
SELECT count(*) FROM order_analytics();
SET ROLE regress_report_app;
-- Bad input.
\set VERBOSITY sqlstate
SELECT order_analytics('2026-02-01', '2026-01-01');
SELECT order_analytics('2999-01-01');
SELECT daily_trend('-infinity');
SELECT daily_trend('1000-01-01', '2026-01-01');
SELECT top_products(k => 0);
SELECT top_products(k => NULL);
SELECT top_products(k => 10001);
\set ECHO none
\i :end
