-- Reports of a shop's owner: revenue, products, categories, payments. Each asks for the current tenant's rows by name, besides
-- the wall, so that operators see one tenant too, and nobody anything without a tenant. Days are the tenant's own.

CREATE FUNCTION report_period(
    from_date date, to_date date,
    OUT zone text, OUT first_day date, OUT last_day date, OUT begins timestamptz, OUT ends timestamptz
) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    IF NOT (isfinite(coalesce(from_date, to_date, '2000-01-01')) AND isfinite(coalesce(to_date, from_date, '2000-01-01'))) THEN
        RAISE EXCEPTION 'a report''s first and last day must be finite'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Leave a day out for the default: 30 days up to today.';
    END IF;
    SELECT coalesce(t.settings ->> 'timezone', 'UTC') INTO zone
    FROM @extschema@.tenants t WHERE t.id = @extschema@.current_tenant();
    last_day := coalesce(to_date, (now() AT TIME ZONE zone)::date);
    first_day := coalesce(from_date, last_day - 29);
    IF first_day > last_day THEN
        RAISE EXCEPTION 'a report''s first day, %, is after its last day, %', first_day, last_day
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = CASE WHEN to_date IS NULL THEN 'The last day is today where it is left out.' ELSE 'Give the earlier day first.' END;
    END IF;
    IF last_day - first_day > 36600 THEN
        RAISE EXCEPTION 'a report spans at most 36601 days, not %', last_day - first_day + 1
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Ask for a hundred years at a time.';
    END IF;
    -- Bounds for an index, a day wider than the days, since a local midnight may come twice.
    begins := (first_day - 1)::timestamp AT TIME ZONE zone;
    ends := (last_day + 2)::timestamp AT TIME ZONE zone;
END
$body$;
COMMENT ON FUNCTION report_period(date, date) IS
    'Internal to the reports: the days they are about in the current tenant''s time zone, and times between which all of those days lie.';
REVOKE ALL ON FUNCTION report_period(date, date) FROM PUBLIC;

CREATE FUNCTION require_report_limit(k integer, most integer) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    IF k IS NULL THEN
        RAISE EXCEPTION 'the number of rows must not be null'
            USING ERRCODE = 'null_value_not_allowed', HINT = 'Leave it out for the default.';
    ELSIF k < 1 OR k > most THEN
        RAISE EXCEPTION 'the number of rows must be 1 to %, not %', most, k
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Leave it out for the default.';
    END IF;
END
$body$;
COMMENT ON FUNCTION require_report_limit(integer, integer) IS 'Internal to the reports: refuses a number of rows that is none.';
REVOKE ALL ON FUNCTION require_report_limit(integer, integer) FROM PUBLIC;

CREATE FUNCTION order_analytics(
    from_date date DEFAULT NULL, to_date date DEFAULT NULL,
    OUT date date, OUT currency text, OUT order_count integer, OUT total_revenue numeric, OUT average_order_value numeric,
    OUT customer_count integer, OUT paid_order_count integer, OUT paid_revenue numeric, OUT refunded_amount numeric, OUT net_revenue numeric
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 30 SET search_path = pg_catalog, pg_temp AS
$body$
#variable_conflict use_column
DECLARE
    period record;
BEGIN
    period := @extschema@.report_period(from_date, to_date);
    RETURN QUERY
    SELECT m.date, m.currency::text, m.order_count, m.total_revenue, m.average_order_value, m.customer_count,
           m.paid_order_count, m.paid_revenue, m.refunded_amount, m.net_revenue
    FROM @extschema@.revenue_metrics_live m
    WHERE m.tenant_id = @extschema@.current_tenant() AND m.date BETWEEN period.first_day AND period.last_day
    ORDER BY m.date, m.currency;
END
$body$;
COMMENT ON FUNCTION order_analytics(date, date) IS
    'The current tenant''s days with orders, per currency, from from_date to to_date inclusive (default: 30 days up to today, in the tenant''s time zone). Read from revenue_metrics_live. Errors: 22023 for days that are infinite or the wrong way round.';

CREATE FUNCTION daily_trend(
    from_date date DEFAULT NULL, to_date date DEFAULT NULL,
    OUT date date, OUT currency text, OUT order_count integer, OUT total_revenue numeric, OUT net_revenue numeric,
    OUT average_revenue_7_days numeric
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 30 SET search_path = pg_catalog, pg_temp AS
$body$
#variable_conflict use_column
DECLARE
    period record;
BEGIN
    period := @extschema@.report_period(from_date, to_date);
    RETURN QUERY
    WITH stored AS MATERIALIZED (
        SELECT m.date, m.currency::text AS currency, m.order_count, m.total_revenue, m.net_revenue
        FROM @extschema@.revenue_metrics_live m
        WHERE m.tenant_id = @extschema@.current_tenant() AND m.date BETWEEN period.first_day - 6 AND period.last_day
    ), filled AS (
        SELECT day.date::date AS date, known.currency, coalesce(s.order_count, 0) AS order_count,
               coalesce(s.total_revenue, 0) AS total_revenue, coalesce(s.net_revenue, 0) AS net_revenue
        FROM (SELECT DISTINCT s.currency FROM stored s WHERE s.date >= period.first_day) AS known
        CROSS JOIN generate_series((period.first_day - 6)::timestamp, period.last_day::timestamp, '1 day') AS day (date)
        LEFT JOIN stored s ON s.date = day.date::date AND s.currency = known.currency
    ), smoothed AS (
        SELECT f.*, round(avg(f.total_revenue) OVER (PARTITION BY f.currency ORDER BY f.date ROWS 6 PRECEDING), 2) AS smooth
        FROM filled f
    )
    SELECT s.date, s.currency, s.order_count, s.total_revenue, s.net_revenue, s.smooth
    FROM smoothed s
    WHERE s.date >= period.first_day
    ORDER BY s.date, s.currency;
END
$body$;
COMMENT ON FUNCTION daily_trend(date, date) IS
    'Every day from from_date to to_date, those without orders included, for each currency that has orders in between, with the mean revenue of the day and the six before it. Days, defaults and errors as in order_analytics().';

CREATE FUNCTION revenue_growth(
    from_date date DEFAULT NULL, to_date date DEFAULT NULL,
    OUT currency text, OUT total_revenue numeric, OUT previous_revenue numeric, OUT revenue_growth numeric,
    OUT order_count bigint, OUT previous_order_count bigint, OUT order_growth numeric,
    OUT average_order_value numeric, OUT previous_average_order_value numeric,
    OUT net_revenue numeric, OUT previous_net_revenue numeric, OUT net_growth numeric
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 2 SET search_path = pg_catalog, pg_temp AS
$body$
#variable_conflict use_column
DECLARE
    period record;
BEGIN
    period := @extschema@.report_period(from_date, to_date);
    RETURN QUERY
    WITH sums AS (
        SELECT m.currency::text AS currency,
               coalesce(sum(m.total_revenue) FILTER (WHERE m.date >= period.first_day), 0) AS now_total,
               coalesce(sum(m.total_revenue) FILTER (WHERE m.date < period.first_day), 0) AS old_total,
               coalesce(sum(m.order_count) FILTER (WHERE m.date >= period.first_day), 0) AS now_orders,
               coalesce(sum(m.order_count) FILTER (WHERE m.date < period.first_day), 0) AS old_orders,
               coalesce(sum(m.net_revenue) FILTER (WHERE m.date >= period.first_day), 0) AS now_net,
               coalesce(sum(m.net_revenue) FILTER (WHERE m.date < period.first_day), 0) AS old_net
        FROM @extschema@.revenue_metrics_live m
        WHERE m.tenant_id = @extschema@.current_tenant()
          AND m.date BETWEEN period.first_day - (period.last_day - period.first_day + 1) AND period.last_day
        GROUP BY m.currency
    )
    SELECT s.currency, s.now_total, s.old_total, round(100 * (s.now_total - s.old_total) / nullif(s.old_total, 0), 2),
           s.now_orders, s.old_orders, round(100.0 * (s.now_orders - s.old_orders) / nullif(s.old_orders, 0), 2),
           round(s.now_total / nullif(s.now_orders, 0), 2), round(s.old_total / nullif(s.old_orders, 0), 2),
           s.now_net, s.old_net, CASE WHEN s.old_net > 0 THEN round(100 * (s.now_net - s.old_net) / s.old_net, 2) END
    FROM sums s
    ORDER BY s.now_total DESC, s.currency;
END
$body$;
COMMENT ON FUNCTION revenue_growth(date, date) IS
    'Revenue, orders and net revenue per currency against as many days just before, growth in percent (null where nothing came before). Days, defaults and errors as in order_analytics().';

CREATE FUNCTION top_products(
    since timestamptz DEFAULT NULL, k integer DEFAULT 10,
    OUT currency text, OUT place bigint, OUT product_id uuid, OUT name jsonb, OUT revenue numeric, OUT units_sold bigint,
    OUT order_count bigint
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 10 SET search_path = pg_catalog, pg_temp AS
$body$
#variable_conflict use_column
BEGIN
    PERFORM @extschema@.require_report_limit(k, 10000);
    IF since IS NULL THEN
        SELECT p.first_day::timestamp AT TIME ZONE p.zone INTO since FROM @extschema@.report_period(NULL, NULL) AS p;
    END IF;
    RETURN QUERY
    WITH sold AS (
        SELECT coalesce(o.currency, 'XXX')::text AS currency, i.product_id, sum(i.total) AS revenue,
               sum(i.quantity) AS units, count(DISTINCT o.id) AS orders
        FROM @extschema@.orders o
        JOIN @extschema@.order_items i ON i.tenant_id = o.tenant_id AND i.order_id = o.id
        WHERE o.tenant_id = @extschema@.current_tenant() AND o.status = 'completed' AND o.created_at >= since
          AND i.product_id IS NOT NULL
        GROUP BY 1, 2
    ), placed AS (
        SELECT s.*, row_number() OVER (PARTITION BY s.currency ORDER BY s.revenue DESC, s.units DESC, s.product_id) AS place
        FROM sold s
    )
    SELECT s.currency, s.place, p.id, p.name, s.revenue, s.units, s.orders
    FROM placed s
    JOIN @extschema@.products p ON p.tenant_id = @extschema@.current_tenant() AND p.id = s.product_id
    WHERE s.place <= k
    ORDER BY s.currency, s.place;
END
$body$;
COMMENT ON FUNCTION top_products(timestamptz, integer) IS
    'The k products (1 to 10000, default 10) that brought most per currency in completed orders since a time (default: midnight 29 days ago in the tenant''s time zone). Errors: 22004 null k, 22023 k out of range.';

CREATE FUNCTION category_performance(
    from_date date DEFAULT NULL, to_date date DEFAULT NULL,
    OUT currency text, OUT category text, OUT revenue numeric, OUT units_sold bigint, OUT order_count bigint, OUT product_count bigint,
    OUT share numeric
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp AS
$body$
#variable_conflict use_column
DECLARE
    period record;
BEGIN
    period := @extschema@.report_period(from_date, to_date);
    RETURN QUERY
    WITH sold AS (
        SELECT coalesce(o.currency, 'XXX')::text AS currency, p.category::text AS category, sum(i.total) AS revenue,
               sum(i.quantity) AS units, count(DISTINCT o.id) AS orders, count(DISTINCT i.product_id) AS products
        FROM @extschema@.orders o
        JOIN @extschema@.order_items i ON i.tenant_id = o.tenant_id AND i.order_id = o.id
        LEFT JOIN @extschema@.products p ON p.tenant_id = i.tenant_id AND p.id = i.product_id
        WHERE o.tenant_id = @extschema@.current_tenant() AND o.status = 'completed'
          AND o.created_at >= period.begins AND o.created_at < period.ends
          AND (o.created_at AT TIME ZONE period.zone)::date BETWEEN period.first_day AND period.last_day
        GROUP BY 1, 2
    )
    SELECT s.currency, s.category, s.revenue, s.units, s.orders, s.products,
           round(100 * s.revenue / nullif(sum(s.revenue) OVER (PARTITION BY s.currency), 0), 2)
    FROM sold s
    ORDER BY s.currency, s.revenue DESC, s.category;
END
$body$;
COMMENT ON FUNCTION category_performance(date, date) IS
    'What completed orders of the days sold, by category and currency, with the category''s share of the currency''s revenue in percent. A null category holds products without one and items whose product is gone. Days, defaults and errors as in order_analytics().';

CREATE FUNCTION payment_analytics(
    from_date date DEFAULT NULL, to_date date DEFAULT NULL,
    OUT currency text, OUT payment_method text, OUT provider text, OUT payment_count bigint, OUT succeeded_count bigint,
    OUT failed_count bigint, OUT pending_count bigint, OUT success_rate numeric, OUT amount numeric, OUT refunded_amount numeric,
    OUT provider_fees numeric, OUT share numeric
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp AS
$body$
#variable_conflict use_column
DECLARE
    period record;
BEGIN
    period := @extschema@.report_period(from_date, to_date);
    RETURN QUERY
    WITH judged AS (
        SELECT coalesce(p.currency, 'XXX')::text AS currency, p.payment_method::text AS payment_method, p.provider::text AS provider,
               p.amount, p.refunded_amount, p.provider_fee,
               coalesce(p.status::text IN ('completed', 'succeeded', 'paid', 'captured', 'refunded', 'partially_refunded'), false) AS succeeded,
               coalesce(p.status::text IN ('failed', 'declined', 'cancelled', 'canceled', 'expired'), false) AS failed
        FROM @extschema@.payments p
        WHERE p.tenant_id = @extschema@.current_tenant() AND p.created_at >= period.begins AND p.created_at < period.ends
          AND (p.created_at AT TIME ZONE period.zone)::date BETWEEN period.first_day AND period.last_day
    ), sums AS (
        SELECT j.currency, j.payment_method, j.provider, count(*) AS payments,
               count(*) FILTER (WHERE j.succeeded) AS succeeded, count(*) FILTER (WHERE j.failed) AS failed,
               coalesce(sum(j.amount) FILTER (WHERE j.succeeded), 0) AS amount, coalesce(sum(j.refunded_amount), 0) AS refunded,
               coalesce(sum(j.provider_fee) FILTER (WHERE j.succeeded), 0) AS fees
        FROM judged j
        GROUP BY 1, 2, 3
    )
    SELECT s.currency, s.payment_method, s.provider, s.payments, s.succeeded, s.failed, s.payments - s.succeeded - s.failed,
           round(100.0 * s.succeeded / nullif(s.succeeded + s.failed, 0), 2), s.amount, s.refunded, s.fees,
           round(100 * s.amount / nullif(sum(s.amount) OVER (PARTITION BY s.currency), 0), 2)
    FROM sums s
    ORDER BY s.currency, s.amount DESC, s.payment_method, s.provider;
END
$body$;
COMMENT ON FUNCTION payment_analytics(date, date) IS
    'Payments made in the days by currency, method and provider. Succeeded: completed, succeeded, paid, captured, and those refunded since; failed: failed, declined, cancelled, expired; others are pending. success_rate: succeeded of those two, in percent. amount and fees are of payments that succeeded, share is the amount''s part of the currency''s. Days, defaults and errors as in order_analytics().';

REVOKE ALL ON FUNCTION order_analytics(date, date), daily_trend(date, date), revenue_growth(date, date), top_products(timestamptz, integer),
    category_performance(date, date), payment_analytics(date, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION report_period(date, date), require_report_limit(integer, integer), order_analytics(date, date),
    daily_trend(date, date), revenue_growth(date, date), top_products(timestamptz, integer), category_performance(date, date),
    payment_analytics(date, date) TO brainsait_owner, brainsait_app, brainsait_operator;
