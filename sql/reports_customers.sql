-- Reports on customers against plain SQL over raw rows, as the application behind the wall.
\getenv source PG_ABS_SRCDIR
\set begin :source '/test/fixtures/report_data.sql'
\set ask :source '/test/fixtures/report_ask.sql'
\set end :source '/test/fixtures/report_data_end.sql'
\set ECHO none
\i :begin
\set ECHO all
\set report 'top_customers(%s, %s, 5)'
\i :ask
UPDATE raw.answer SET line = line - 'customer';
SELECT lines > 50 AS many, missing, wrong FROM raw.differences($$
    SELECT tenant_id, period, currency, place, user_id, email, name, order_count, total_revenue, paid_revenue, average_order_value, first_order_at, last_order_at
    FROM (SELECT p.tenant_id, p.name AS period, o.money AS currency,
                 row_number() OVER (PARTITION BY p.tenant_id, p.name, o.money
                     ORDER BY coalesce(sum(o.total) FILTER (WHERE o.is_paid), 0) DESC, sum(o.total) DESC,
                              revenue_customer(u.id, min(lower(o.customer_email)), min(o.id::text)::uuid)) AS place,
                 u.id AS user_id, coalesce(u.email, min(lower(o.customer_email))) AS email,
                 coalesce(u.name, (array_agg(o.customer_name ORDER BY o.created_at DESC) FILTER (WHERE o.customer_name <> ''))[1]) AS name,
                 count(*) AS order_count, sum(o.total) AS total_revenue, coalesce(sum(o.total) FILTER (WHERE o.is_paid), 0) AS paid_revenue,
                 round(avg(o.total), 2) AS average_order_value, min(o.created_at) AS first_order_at, max(o.created_at) AS last_order_at
          FROM raw.period p JOIN raw.orders o ON o.tenant_id = p.tenant_id AND o.day BETWEEN p.first_day AND p.last_day
          LEFT JOIN users u ON u.id = o.user_id
          GROUP BY p.tenant_id, p.name, o.money, o.who, u.id) AS ranked
    WHERE place <= 5$$);
\set report 'customer_summary(%s, %s)'
\i :ask
SELECT lines > 15 AS many, missing, wrong FROM raw.differences($$
    SELECT tenant_id, period, currency, count(*) AS customer_count, count(*) FILTER (WHERE is_new) AS new_customers,
           count(*) FILTER (WHERE NOT is_new) AS returning_customers, count(*) FILTER (WHERE orders >= 2) AS repeat_customers,
           sum(orders)::bigint AS order_count, sum(total) AS total_revenue, sum(CASE WHEN is_new THEN total ELSE 0 END) AS new_revenue,
           sum(CASE WHEN is_new THEN 0 ELSE total END) AS returning_revenue, round(avg(orders), 2) AS orders_per_customer,
           round(avg(total), 2) AS revenue_per_customer, round(100 * avg(CASE WHEN is_new THEN 0 ELSE 1 END), 2) AS returning_rate
    FROM (SELECT p.tenant_id, p.name AS period, o.money AS currency, o.who, count(*) AS orders, sum(o.total) AS total,
                 NOT EXISTS (SELECT FROM raw.orders e WHERE e.tenant_id = p.tenant_id AND e.who = o.who AND e.day < min(p.first_day)) AS is_new
          FROM raw.period p JOIN raw.orders o ON o.tenant_id = p.tenant_id AND o.day BETWEEN p.first_day AND p.last_day
          GROUP BY p.tenant_id, p.name, o.money, o.who) AS customer
    GROUP BY 1, 2, 3$$);
SELECT sum((line ->> 'new_customers')::int) > 100 AS "new ones", sum((line ->> 'returning_customers')::int) > 100 AS "and others" FROM raw.answer;

-- Cohorts do not depend on the periods above: one answer for each shop. Here periods are made as rows and searched.
CREATE FUNCTION raw.cohorts(period interval, origin date, n integer) RETURNS text LANGUAGE sql AS $$
    SELECT format($q$
        WITH bin AS (
            SELECT t.id AS tenant_id, row_number() OVER (PARTITION BY t.id ORDER BY starts) AS number, starts::date AS starts,
                   (starts + %1$L::interval)::date AS ends
            FROM tenants t CROSS JOIN generate_series(%2$L::timestamp, (now() AT TIME ZONE (t.settings ->> 'timezone'))::date::timestamp, %1$L) AS starts
            WHERE t.slug <> 'idle'
        ), active AS (
            SELECT DISTINCT b.tenant_id, o.who, b.number FROM bin b JOIN raw.orders o ON o.tenant_id = b.tenant_id AND o.day >= b.starts AND o.day < b.ends
            WHERE o.created_at AT TIME ZONE (SELECT zone FROM raw.period p WHERE p.tenant_id = o.tenant_id LIMIT 1)
                  < (SELECT (now() AT TIME ZONE zone)::date + 1 FROM raw.period p WHERE p.tenant_id = o.tenant_id LIMIT 1)
        ), member AS (
            SELECT tenant_id, who, min(number) AS number FROM active GROUP BY 1, 2
        )
        SELECT b.tenant_id, 'default' AS period, b.starts AS cohort, (SELECT count(*) FROM member m WHERE m.tenant_id = b.tenant_id AND m.number = b.number) AS customers,
               (l.number - b.number)::integer AS period_number,
               (SELECT count(*) FROM member m JOIN active a USING (tenant_id, who) WHERE m.tenant_id = b.tenant_id AND m.number = b.number AND a.number = l.number) AS active,
               (SELECT round(100 * avg((EXISTS (SELECT FROM active a WHERE a.tenant_id = m.tenant_id AND a.who = m.who AND a.number = l.number))::integer), 2)
                FROM member m WHERE m.tenant_id = b.tenant_id AND m.number = b.number) AS retention
        FROM bin b JOIN bin l ON l.tenant_id = b.tenant_id AND l.number >= b.number
        WHERE b.number > (SELECT max(number) FROM bin c WHERE c.tenant_id = b.tenant_id) - %3$s
          AND EXISTS (SELECT FROM member m WHERE m.tenant_id = b.tenant_id AND m.number = b.number)$q$, period, origin, n)
$$;
\set report 'cohort_report()'
\i :ask
DELETE FROM raw.answer WHERE period <> 'default';
SELECT lines > 40 AS many, missing, wrong FROM raw.differences(raw.cohorts('1 month', '2020-01-01', 12));
\set report 'cohort_report(''1 week'', 20)'
\i :ask
DELETE FROM raw.answer WHERE period <> 'default';
SELECT lines > 100 AS many, missing, wrong FROM raw.differences(raw.cohorts('7 days', '2020-01-06', 20));
\set report 'cohort_report(''3 months'', 3)'
\i :ask
DELETE FROM raw.answer WHERE period <> 'default';
SELECT lines > 5 AS many, missing, wrong FROM raw.differences(raw.cohorts('3 months', '2020-01-01', 3));

-- Without a tenant there is nothing; a shop without orders has none either.
SET ROLE regress_report_operator;
SELECT (SELECT count(*) FROM top_customers('2000-01-01')), (SELECT count(*) FROM customer_summary('2000-01-01')), (SELECT count(*) FROM cohort_report());
BEGIN;
SELECT set_tenant('cccccccc-0000-4000-8000-000000000000');
SELECT (SELECT count(*) FROM top_customers('2000-01-01')), (SELECT count(*) FROM customer_summary('2000-01-01')), (SELECT count(*) FROM cohort_report());
COMMIT;
SET ROLE regress_report_stranger;
SELECT count(*) FROM cohort_report();
SET ROLE regress_report_app;
-- Bad input.
\set VERBOSITY sqlstate
SELECT top_customers('2026-02-01', '2026-01-01');
SELECT top_customers(k => -1);
SELECT cohort_report('1 month 1 day');
SELECT cohort_report('-1 month');
SELECT cohort_report('1 hour');
SELECT cohort_report('0');
SELECT cohort_report(NULL);
SELECT cohort_report(n => 0);
SELECT cohort_report(n => 1001);
\set ECHO none
\i :end
