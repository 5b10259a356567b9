-- Reports on customers: who bought, who came again, what they are worth. A customer is who revenue_customer() says: a user, else an
-- e-mail address in any letter case, else the order itself. Paid is what the rollup calls paid.

CREATE FUNCTION top_customers(
    from_date date DEFAULT NULL, to_date date DEFAULT NULL, k integer DEFAULT 10,
    OUT currency text, OUT place bigint, OUT customer uuid, OUT user_id uuid, OUT email text, OUT name text,
    OUT order_count bigint, OUT total_revenue numeric, OUT paid_revenue numeric, OUT average_order_value numeric,
    OUT first_order_at timestamptz, OUT last_order_at timestamptz
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 10 SET search_path = pg_catalog, pg_temp AS
$body$
#variable_conflict use_column
DECLARE
    period record;
BEGIN
    PERFORM @extschema@.require_report_limit(k, 10000);
    period := @extschema@.report_period(from_date, to_date);
    RETURN QUERY
    WITH bought AS (
        SELECT coalesce(o.currency, 'XXX')::text AS currency,
               @extschema@.revenue_customer(o.user_id, o.customer_email, o.id) AS customer,
               o.user_id, lower(o.customer_email) AS email, o.customer_name::text AS name, o.id, o.created_at, o.total,
               coalesce(o.status::text NOT IN ('cancelled', 'canceled'), true)
                   AND (coalesce(o.payment_status::text IN ('paid', 'partially_refunded', 'refunded'), false)
                        OR coalesce(o.status::text IN ('completed', 'archived', 'refunded'), false)) AS paid
        FROM @extschema@.orders o
        WHERE o.tenant_id = @extschema@.current_tenant() AND o.created_at >= period.begins AND o.created_at < period.ends
          AND (o.created_at AT TIME ZONE period.zone)::date BETWEEN period.first_day AND period.last_day
    ), sums AS (
        SELECT b.currency, b.customer, (array_agg(b.user_id))[1] AS user_id, count(*) AS orders, sum(b.total) AS total,
               coalesce(sum(b.total) FILTER (WHERE b.paid), 0) AS paid, min(b.created_at) AS first_at, max(b.created_at) AS last_at
        FROM bought b
        GROUP BY b.currency, b.customer
    ), placed AS (
        SELECT s.*, row_number() OVER (PARTITION BY s.currency ORDER BY s.paid DESC, s.total DESC, s.customer) AS place
        FROM sums s
    ), named AS (
        SELECT b.currency, b.customer,
               (array_agg(b.email ORDER BY b.created_at DESC, b.id DESC) FILTER (WHERE b.email IS NOT NULL))[1] AS email,
               (array_agg(b.name ORDER BY b.created_at DESC, b.id DESC) FILTER (WHERE b.name IS NOT NULL))[1] AS name
        FROM bought b
        JOIN placed s ON s.currency = b.currency AND s.customer = b.customer
        WHERE s.place <= k
        GROUP BY b.currency, b.customer
    )
    SELECT s.currency, s.place, s.customer, s.user_id, coalesce(u.email::text, latest.email), coalesce(u.name::text, latest.name),
           s.orders, s.total, s.paid, round(s.total / s.orders, 2), s.first_at, s.last_at
    FROM placed s
    LEFT JOIN @extschema@.users u ON u.tenant_id = @extschema@.current_tenant() AND u.id = s.user_id
    JOIN named latest ON latest.currency = s.currency AND latest.customer = s.customer
    WHERE s.place <= k
    ORDER BY s.currency, s.place;
END
$body$;
COMMENT ON FUNCTION top_customers(date, date, integer) IS
    'The k customers (1 to 10000, default 10) per currency whose paid orders of the days came to most, then all orders. E-mail and name are the user''s, else those of the latest order that has one. Days, defaults and errors as in order_analytics(); 22004 null k, 22023 k out of range.';

CREATE FUNCTION customer_summary(
    from_date date DEFAULT NULL, to_date date DEFAULT NULL,
    OUT currency text, OUT customer_count bigint, OUT new_customers bigint, OUT returning_customers bigint, OUT repeat_customers bigint,
    OUT order_count bigint, OUT total_revenue numeric, OUT new_revenue numeric, OUT returning_revenue numeric,
    OUT orders_per_customer numeric, OUT revenue_per_customer numeric, OUT returning_rate numeric
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 2 SET search_path = pg_catalog, pg_temp AS
$body$
#variable_conflict use_column
DECLARE
    period record;
BEGIN
    period := @extschema@.report_period(from_date, to_date);
    RETURN QUERY
    WITH ordered AS (
        SELECT coalesce(o.currency, 'XXX')::text AS currency,
               @extschema@.revenue_customer(o.user_id, o.customer_email, o.id) AS customer, o.total,
               (o.created_at AT TIME ZONE period.zone)::date AS day
        FROM @extschema@.orders o
        WHERE o.tenant_id = @extschema@.current_tenant() AND o.created_at < period.ends
    ), known AS (
        SELECT o.customer, o.currency, min(min(o.day)) OVER (PARTITION BY o.customer) >= period.first_day AS is_new,
               count(*) FILTER (WHERE o.day BETWEEN period.first_day AND period.last_day) AS orders,
               coalesce(sum(o.total) FILTER (WHERE o.day BETWEEN period.first_day AND period.last_day), 0) AS total
        FROM ordered o
        GROUP BY o.customer, o.currency
    ), sums AS (
        SELECT n.currency, count(*) AS customers, count(*) FILTER (WHERE n.is_new) AS new_ones, count(*) FILTER (WHERE n.orders > 1) AS repeaters,
               sum(n.orders)::bigint AS orders, sum(n.total) AS total, coalesce(sum(n.total) FILTER (WHERE n.is_new), 0) AS new_total
        FROM known n
        WHERE n.orders > 0
        GROUP BY n.currency
    )
    SELECT s.currency, s.customers, s.new_ones, s.customers - s.new_ones, s.repeaters, s.orders, s.total, s.new_total,
           s.total - s.new_total, round(s.orders / s.customers::numeric, 2), round(s.total / s.customers, 2),
           round(100.0 * (s.customers - s.new_ones) / s.customers, 2)
    FROM sums s
    ORDER BY s.total DESC, s.currency;
END
$body$;
COMMENT ON FUNCTION customer_summary(date, date) IS
    'Customers with orders in the days, per currency: new ones, whose first order in any currency lies in the days, returning ones, whose does not, and repeat customers, with two orders or more in the days; what each brought, and the returning ones'' share of customers in percent. Days, defaults and errors as in order_analytics().';

CREATE FUNCTION cohort_report(
    period interval DEFAULT '1 month', n integer DEFAULT 12,
    OUT cohort date, OUT customers bigint, OUT period_number integer, OUT active bigint, OUT retention numeric
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 80 SET search_path = pg_catalog, pg_temp AS
$body$
#variable_conflict use_column
DECLARE
    months integer := extract(year FROM period) * 12 + extract(month FROM period);
    days integer := extract(day FROM period);
    today date := (@extschema@.report_period(NULL, NULL)).last_day;
    zone text := (@extschema@.report_period(NULL, NULL)).zone;
BEGIN
    IF period IS NULL OR n IS NULL THEN
        RAISE EXCEPTION 'period and number of cohorts must not be null'
            USING ERRCODE = 'null_value_not_allowed', HINT = 'Leave them out for the defaults: 12 months.';
    ELSIF period <> make_interval(months => months, days => days) OR (months > 0) = (days > 0) OR months < 0 OR days < 0 THEN
        RAISE EXCEPTION 'the period of a cohort must be whole months or whole days, not %', period
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use 1 month, 3 months, 1 week or 1 day, say.';
    ELSIF n < 1 OR n > 1000 OR months > 1200 OR days > 36600 THEN
        RAISE EXCEPTION 'a cohort report has 1 to 1000 periods of at most 100 years'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Ask for fewer or shorter periods.';
    END IF;
    RETURN QUERY
    -- Periods are numbered from January 2001, whose first day was a Monday.
    WITH numbered AS (
        SELECT DISTINCT @extschema@.revenue_customer(o.user_id, o.customer_email, o.id) AS customer,
               CASE WHEN months > 0
                    THEN floor(((extract(year FROM local.day) - 2001) * 12 + extract(month FROM local.day) - 1) / months)::integer
                    ELSE floor((local.day - date '2001-01-01')::numeric / days)::integer
               END AS number
        FROM @extschema@.orders o
        CROSS JOIN LATERAL (SELECT (o.created_at AT TIME ZONE zone)::date AS day OFFSET 0) AS local
        WHERE o.tenant_id = @extschema@.current_tenant() AND isfinite(o.created_at) AND local.day <= today
    ), present AS (
        SELECT CASE WHEN months > 0
                    THEN floor(((extract(year FROM today) - 2001) * 12 + extract(month FROM today) - 1) / months)::integer
                    ELSE floor((today - date '2001-01-01')::numeric / days)::integer
               END AS number
    ), anchored AS (
        SELECT c.number, min(c.number) OVER (PARTITION BY c.customer) AS first_number FROM numbered c
    ), counted AS (
        SELECT a.first_number, a.number - a.first_number AS later, count(*) AS active
        FROM anchored a CROSS JOIN present p
        WHERE a.first_number > p.number - n
        GROUP BY 1, 2
    )
    SELECT CASE WHEN months > 0 THEN (date '2001-01-01' + make_interval(months => whole.first_number * months))::date
                ELSE date '2001-01-01' + whole.first_number * days END,
           whole.active, later.number, coalesce(c.active, 0), round(100.0 * coalesce(c.active, 0) / whole.active, 2)
    FROM counted whole
    CROSS JOIN present p
    CROSS JOIN LATERAL generate_series(0, p.number - whole.first_number) AS later (number)
    LEFT JOIN counted c ON c.first_number = whole.first_number AND c.later = later.number
    WHERE whole.later = 0
    ORDER BY whole.first_number, later.number;
END
$body$;
COMMENT ON FUNCTION cohort_report(interval, integer) IS
    'Customers by the period (whole months or days of the tenant''s calendar, weeks from Monday) of their first order, for the last n periods up to the present one (1 to 1000, default 12 months), and how many of them ordered in that and each later period, as a number and in percent. Errors: 22004 nulls, 22023 another period or n.';

REVOKE ALL ON FUNCTION top_customers(date, date, integer), customer_summary(date, date), cohort_report(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION top_customers(date, date, integer), customer_summary(date, date), cohort_report(interval, integer)
    TO brainsait_owner, brainsait_app, brainsait_operator;
