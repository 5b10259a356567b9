-- Reports on visitors and on customers' worth, by the aggregates. A visitor is the user, where there is one, else the session.

CREATE FUNCTION conversion_funnel(
    steps text[] DEFAULT ARRAY['page_view', 'product_view', 'add_to_cart', 'checkout', 'purchase'], win interval DEFAULT '7 days',
    from_date date DEFAULT NULL, to_date date DEFAULT NULL,
    OUT step integer, OUT event_type text, OUT visitors bigint, OUT conversion numeric, OUT step_conversion numeric
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 5 SET search_path = pg_catalog, pg_temp AS
$body$
#variable_conflict use_column
DECLARE
    period record;
    matches text;
BEGIN
    IF array_ndims(steps) <> 1 OR cardinality(steps) NOT BETWEEN 1 AND 32 THEN
        RAISE EXCEPTION 'a funnel has 1 to 32 steps' USING ERRCODE = 'invalid_parameter_value', HINT = 'Name event types, as ARRAY[''product_view'', ''purchase''].';
    ELSIF steps IS NULL OR array_position(steps, NULL) IS NOT NULL OR win IS NULL THEN
        RAISE EXCEPTION 'a funnel''s steps and window must not be null'
            USING ERRCODE = 'null_value_not_allowed', HINT = 'Name event types, as ARRAY[''product_view'', ''purchase''], and a window, as 7 days.';
    ELSIF extract(year FROM win) <> 0 OR extract(month FROM win) <> 0 OR win < interval '0' THEN
        RAISE EXCEPTION 'a funnel''s window must be a length of time, not %', win
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use days and hours: months differ in length.';
    END IF;
    period := @extschema@.report_period(from_date, to_date);
    -- One condition per step, by number: nothing of the steps' text is in the statement.
    SELECT string_agg(format('e.event_type = $1[%s]', number), ', ' ORDER BY number) INTO matches
    FROM generate_series(array_lower(steps, 1), array_upper(steps, 1)) AS number;
    RETURN QUERY EXECUTE format($query$
        WITH reached AS (
            SELECT %1$s.window_funnel($2, e."timestamp", %2$s) AS level
            FROM %1$s.analytics_events e
            WHERE e.tenant_id = %1$s.current_tenant() AND e."timestamp" >= $3 AND e."timestamp" < $4
              AND (e."timestamp" AT TIME ZONE $5)::date BETWEEN $6 AND $7
              AND e.event_type = ANY ($1) AND coalesce(e.user_id::text, e.session_id) IS NOT NULL
            GROUP BY coalesce(e.user_id::text, e.session_id)
        ), counted AS (
            SELECT coalesce(%1$s.funnel_counts(r.level, $8), array_fill(0::bigint, ARRAY[$8])) AS counts FROM reached r
        )
        SELECT n.number::integer, n.name, c.counts[n.number], round(100.0 * c.counts[n.number] / nullif(c.counts[1], 0), 2),
               round(100.0 * c.counts[n.number] / nullif(c.counts[greatest(n.number - 1, 1)], 0), 2)
        FROM counted c CROSS JOIN unnest($1) WITH ORDINALITY AS n (name, number)
        WHERE %1$s.current_tenant() IS NOT NULL
        ORDER BY n.number$query$, '@extschema@', matches)
        USING steps, win, period.begins, period.ends, period.zone, period.first_day, period.last_day, cardinality(steps);
END
$body$;
COMMENT ON FUNCTION conversion_funnel(text[], interval, date, date) IS
    'How many of the current tenant''s visitors (users, else sessions) took steps 1 to k, events of these types, in the order of time within a window of the first, counting events of the days; conversion in percent of step 1, step_conversion of the step before. Days and defaults as in order_analytics(). Errors: 22004 nulls, 22023 no step or more than 32, a window of months or below zero, wrong days.';

CREATE FUNCTION session_report(
    from_date date DEFAULT NULL, to_date date DEFAULT NULL, gap interval DEFAULT '30 minutes',
    OUT visitors bigint, OUT sessions bigint, OUT bounces bigint, OUT bounce_rate numeric, OUT events bigint,
    OUT events_per_session numeric, OUT mean_duration interval
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp AS
$body$
#variable_conflict use_column
DECLARE
    period record;
BEGIN
    IF gap IS NULL THEN
        RAISE EXCEPTION 'the pause between sessions must not be null' USING ERRCODE = 'null_value_not_allowed', HINT = 'Leave it out for 30 minutes.';
    ELSIF extract(year FROM gap) <> 0 OR extract(month FROM gap) <> 0 OR gap < interval '0' THEN
        RAISE EXCEPTION 'the pause between sessions must be a length of time, not %', gap
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use hours and minutes: months differ in length.';
    END IF;
    period := @extschema@.report_period(from_date, to_date);
    RETURN QUERY
    WITH watched AS (
        SELECT @extschema@.session_stats(e."timestamp", gap) AS stats
        FROM @extschema@.analytics_events e
        WHERE e.tenant_id = @extschema@.current_tenant() AND e."timestamp" >= period.begins AND e."timestamp" < period.ends
          AND (e."timestamp" AT TIME ZONE period.zone)::date BETWEEN period.first_day AND period.last_day
          AND coalesce(e.user_id::text, e.session_id) IS NOT NULL
        GROUP BY coalesce(e.user_id::text, e.session_id)
    ), summed AS (
        SELECT count(*) AS visitors, coalesce(sum((w.stats).sessions), 0)::bigint AS sessions, coalesce(sum((w.stats).bounces), 0)::bigint AS bounces,
               coalesce(sum((w.stats).events), 0)::bigint AS events, sum(extract(epoch FROM (w.stats).total_duration)) AS seconds
        FROM watched w
    )
    SELECT s.visitors, s.sessions, s.bounces, round(100.0 * s.bounces / nullif(s.sessions, 0), 2), s.events,
           round(s.events::numeric / nullif(s.sessions, 0), 2), make_interval(secs => round(s.seconds / nullif(s.sessions, 0), 3)::double precision)
    FROM summed s
    WHERE @extschema@.current_tenant() IS NOT NULL;
END
$body$;
COMMENT ON FUNCTION session_report(date, date, interval) IS
    'The sessions of the current tenant''s visitors (users, else sessions of the application) in the days: a pause longer than gap begins a new one. Bounces are sessions of a single event, bounce_rate is in percent of sessions, mean_duration the time from a session''s first event to its last. Days and defaults as in order_analytics(). Errors: 22004 null gap, 22023 a gap of months or below zero, wrong days.';

CREATE FUNCTION lifetime_value(
    first_from date DEFAULT NULL, first_to date DEFAULT NULL,
    OUT currency text, OUT customers bigint, OUT orders bigint, OUT paid_revenue numeric, OUT refunded_amount numeric,
    OUT lifetime_value numeric, OUT orders_per_customer numeric, OUT repeat_rate numeric, OUT mean_interval interval
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 2 SET search_path = pg_catalog, pg_temp AS
$body$
#variable_conflict use_column
DECLARE
    period record;
BEGIN
    -- Without bounds: every customer. A single bound leaves the other side open.
    period := @extschema@.report_period(coalesce(first_from, least(first_to, current_date) - 36500), coalesce(first_to, greatest(first_from, current_date + 1)));
    RETURN QUERY
    WITH paid AS (
        SELECT coalesce(o.currency, 'XXX')::text AS currency, @extschema@.revenue_customer(o.user_id, o.customer_email, o.id) AS customer,
               o.created_at, o.total, r.amount AS refunded
        FROM @extschema@.orders o
        LEFT JOIN (SELECT p.order_id, sum(p.refunded_amount) AS amount FROM @extschema@.payments p
                   WHERE p.tenant_id = @extschema@.current_tenant() GROUP BY p.order_id) AS r ON r.order_id = o.id
        WHERE o.tenant_id = @extschema@.current_tenant() AND isfinite(o.created_at)
          AND coalesce(o.status::text NOT IN ('cancelled', 'canceled'), true)
          AND (coalesce(o.payment_status::text IN ('paid', 'partially_refunded', 'refunded'), false)
               OR coalesce(o.status::text IN ('completed', 'archived', 'refunded'), false))
    ), customer AS (
        SELECT p.currency, @extschema@.purchase_stats(p.created_at, p.total) AS stats, coalesce(sum(p.refunded), 0) AS refunded
        FROM paid p
        GROUP BY p.currency, p.customer
    ), known AS (
        SELECT c.currency, (c.stats).orders AS orders, (c.stats).revenue AS revenue, c.refunded,
               extract(epoch FROM (c.stats).last_at - (c.stats).first_at) AS span
        FROM customer c
        WHERE ((c.stats).first_at AT TIME ZONE period.zone)::date BETWEEN period.first_day AND period.last_day
    )
    SELECT k.currency, count(*), sum(k.orders)::bigint, sum(k.revenue), sum(k.refunded), round((sum(k.revenue) - sum(k.refunded)) / count(*), 2),
           round(sum(k.orders) / count(*), 2), round(100.0 * count(*) FILTER (WHERE k.orders > 1) / count(*), 2),
           make_interval(secs => round(sum(k.span) / nullif(sum(k.orders) - count(*), 0), 3)::double precision)
    FROM known k
    GROUP BY k.currency
    ORDER BY sum(k.revenue) DESC, k.currency;
END
$body$;
COMMENT ON FUNCTION lifetime_value(date, date) IS
    'What customers whose first paid order in a currency lies between two days, inclusive (default: all), have brought until now: paid orders less what was refunded on them, per customer in lifetime_value; orders per customer, the share with two orders or more in percent, and the mean pause between two orders of a customer. Errors: 22023 as in order_analytics().';

REVOKE ALL ON FUNCTION conversion_funnel(text[], interval, date, date), session_report(date, date, interval), lifetime_value(date, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conversion_funnel(text[], interval, date, date), session_report(date, date, interval), lifetime_value(date, date)
    TO brainsait_owner, brainsait_app, brainsait_operator;
