-- Funnels, sessions and lifetime value against plain SQL over raw rows, as the application behind the wall.
\getenv source PG_ABS_SRCDIR
\set begin :source '/test/fixtures/report_data.sql'
\set ask :source '/test/fixtures/report_ask.sql'
\set end :source '/test/fixtures/report_data_end.sql'
\set ECHO none
\i :begin
\set ECHO all
-- Bursts of events by users, by sessions without a user, and by nobody.
INSERT INTO analytics_events (tenant_id, event_type, user_id, session_id, "timestamp")
SELECT d.tenant_id, (ARRAY['page_view', 'product_view', 'add_to_cart', 'checkout', 'purchase', 'search'])[1 + floor(6 * random() ^ 1.5)::integer],
       CASE WHEN d.a < 0.4 THEN u.id END, CASE WHEN d.a < 0.95 THEN 'session ' || d.who || ' ' || d.n % 5 END,
       d.at + floor(random() * 12) * interval '10 minutes'
FROM raw.draw d CROSS JOIN generate_series(1, 3) LEFT JOIN users u ON u.tenant_id = d.tenant_id AND u.email = 'user' || who || '@example.com';
CREATE TABLE raw.event AS
SELECT e.tenant_id, p.name AS period, e.event_type, coalesce('user ' || e.user_id::text, e.session_id) AS visitor, e."timestamp" AS at
FROM raw.period p JOIN analytics_events e ON e.tenant_id = p.tenant_id AND (e."timestamp" AT TIME ZONE p.zone)::date BETWEEN p.first_day AND p.last_day
WHERE coalesce(e.user_id::text, e.session_id) <> '';
CREATE INDEX ON raw.event (tenant_id, period, visitor, event_type, at);
GRANT SELECT ON raw.event TO PUBLIC;
ANALYZE raw.event;
\set report 'conversion_funnel(ARRAY[''page_view'', ''product_view'', ''add_to_cart''], ''1 hour'', %s, %s)'
\i :ask
CREATE FUNCTION raw.funnel(win interval) RETURNS text LANGUAGE sql AS $$
    SELECT format($q$
        WITH level AS (
            SELECT v.tenant_id, v.period, v.visitor,
                   EXISTS (SELECT FROM raw.event a WHERE (a.tenant_id, a.period, a.visitor) = (v.tenant_id, v.period, v.visitor) AND a.event_type = 'page_view') AS one,
                   EXISTS (SELECT FROM raw.event a JOIN raw.event b USING (tenant_id, period, visitor)
                           WHERE (a.tenant_id, a.period, a.visitor) = (v.tenant_id, v.period, v.visitor) AND a.event_type = 'page_view'
                             AND b.event_type = 'product_view' AND b.at BETWEEN a.at AND a.at + %1$L::interval) AS two,
                   EXISTS (SELECT FROM raw.event a JOIN raw.event b USING (tenant_id, period, visitor) JOIN raw.event c USING (tenant_id, period, visitor)
                           WHERE (a.tenant_id, a.period, a.visitor) = (v.tenant_id, v.period, v.visitor) AND a.event_type = 'page_view'
                             AND b.event_type = 'product_view' AND b.at BETWEEN a.at AND a.at + %1$L::interval
                             AND c.event_type = 'add_to_cart' AND c.at BETWEEN b.at AND a.at + %1$L::interval) AS three
            FROM (SELECT DISTINCT tenant_id, period, visitor FROM raw.event) AS v
        ), counts AS (
            SELECT p.tenant_id, p.name AS period, count(*) FILTER (WHERE one) AS one, count(*) FILTER (WHERE two) AS two, count(*) FILTER (WHERE three) AS three
            FROM raw.period p LEFT JOIN level l ON l.tenant_id = p.tenant_id AND l.period = p.name GROUP BY 1, 2
        )
        SELECT tenant_id, period, step, event_type, visitors, CASE WHEN one > 0 THEN round(visitors * 100.0 / one, 2) END AS conversion,
               CASE WHEN before > 0 THEN round(visitors * 100.0 / before, 2) END AS step_conversion
        FROM counts CROSS JOIN LATERAL (VALUES (1, 'page_view', one, one), (2, 'product_view', two, one), (3, 'add_to_cart', three, two)) AS s (step, event_type, visitors, before)$q$, win)
$$;
SELECT lines = 3 * (SELECT count(*) FROM raw.period) AS all, missing, wrong FROM raw.differences(raw.funnel('1 hour'));
SELECT count(*) > 20 AS "steps with visitors", count(DISTINCT line ->> 'visitors') > 15 AS "of many numbers" FROM raw.answer WHERE (line ->> 'visitors')::int > 0;
\set report 'conversion_funnel(''[-3:-1]={page_view,product_view,add_to_cart}'', ''10 minutes'', %s, %s)'
\i :ask
SELECT lines > 0 AS some, missing, wrong FROM raw.differences(raw.funnel('10 minutes'));

\set report 'session_report(%s, %s, ''25 minutes'')'
\i :ask
SELECT lines = (SELECT count(*) FROM raw.period) AS all, missing, wrong FROM raw.differences($$
    WITH session AS (
        SELECT tenant_id, period, visitor, count(*) AS events, max(at) - min(at) AS duration
        FROM (SELECT *, sum(begins) OVER (PARTITION BY tenant_id, period, visitor ORDER BY at, begins DESC) AS number
              FROM (SELECT *, CASE WHEN at - lag(at) OVER (PARTITION BY tenant_id, period, visitor ORDER BY at) <= '25 minutes' THEN 0 ELSE 1 END AS begins FROM raw.event) AS e) AS n
        GROUP BY 1, 2, 3, number
    )
    SELECT p.tenant_id, p.name AS period, count(DISTINCT visitor) AS visitors, count(visitor) AS sessions, count(*) FILTER (WHERE events = 1) AS bounces,
           round(avg((events = 1)::integer) * 100, 2) AS bounce_rate, coalesce(sum(events), 0)::bigint AS events, round(avg(events), 2) AS events_per_session,
           date_trunc('milliseconds', avg(duration) + interval '0.0005 seconds') AS mean_duration
    FROM raw.period p LEFT JOIN session s ON s.tenant_id = p.tenant_id AND s.period = p.name
    GROUP BY 1, 2$$);
SELECT sum((line ->> 'bounces')::int) > 300 AS bounces, sum((line ->> 'sessions')::int) > 1000 AS sessions FROM raw.answer;

\set report 'lifetime_value(%s, %s)'
\i :ask
SELECT lines > 10 AS many, missing, wrong FROM raw.differences($$
    WITH paid AS (
        SELECT tenant_id, money, who, day, created_at, total, coalesce((SELECT sum(refunded_amount) FROM raw.payments y WHERE y.order_id = o.id), 0) AS refunded,
               lag(created_at) OVER (PARTITION BY tenant_id, money, who ORDER BY created_at) AS before
        FROM raw.orders o WHERE is_paid AND created_at IS NOT NULL
    ), customer AS (
        SELECT tenant_id, money, who, min(day) AS first_day, count(*) AS orders, sum(total) AS total, sum(refunded) AS refunded,
               sum(created_at - before) AS pauses, count(before) AS pause_count
        FROM paid GROUP BY 1, 2, 3
    )
    SELECT p.tenant_id, p.name AS period, c.money AS currency, count(*) AS customers, sum(orders)::bigint AS orders, sum(total) AS paid_revenue,
           sum(refunded) AS refunded_amount, round(avg(total - refunded), 2) AS lifetime_value, round(avg(orders), 2) AS orders_per_customer,
           round(avg((orders >= 2)::integer) * 100, 2) AS repeat_rate,
           make_interval(secs => round(extract(epoch FROM sum(pauses)) / nullif(sum(pause_count), 0), 3)::double precision) AS mean_interval
    FROM raw.period p JOIN customer c ON c.tenant_id = p.tenant_id AND (p.name = 'default' OR c.first_day BETWEEN p.first_day AND p.last_day)
    GROUP BY 1, 2, 3$$);

-- Without a tenant there is nothing; a shop without visitors has zeros.
SET ROLE regress_report_operator;
SELECT (SELECT count(*) FROM conversion_funnel(from_date => '2000-01-01')), (SELECT count(*) FROM session_report('2000-01-01')), (SELECT count(*) FROM lifetime_value());
BEGIN;
DO $$ BEGIN PERFORM shop.set_tenant('cccccccc-0000-4000-8000-000000000000'); END $$;
SELECT * FROM conversion_funnel();
SELECT * FROM session_report();
SELECT * FROM lifetime_value();
SELECT visitors FROM conversion_funnel(ARRAY[$$x' OR true --$$, '$1', '%s']);
COMMIT;
SET ROLE regress_report_stranger;
SELECT count(*) FROM conversion_funnel();
SET ROLE regress_report_app;
-- Bad input.
\set VERBOSITY sqlstate
SELECT conversion_funnel(NULL);
SELECT conversion_funnel(ARRAY['a', NULL]);
SELECT conversion_funnel('{}');
SELECT conversion_funnel('{{a,b},{c,d}}');
SELECT conversion_funnel(array_fill('a'::text, ARRAY[33]));
SELECT conversion_funnel(win => NULL);
SELECT conversion_funnel(win => '1 month');
SELECT conversion_funnel(win => '-1 hour');
SELECT conversion_funnel(from_date => '2026-02-01', to_date => '2026-01-01');
SELECT session_report(gap => NULL);
SELECT session_report(gap => '1 year');
SELECT session_report('infinity');
SELECT lifetime_value('2026-02-01', '2026-01-01');
\set ECHO none
\i :end
