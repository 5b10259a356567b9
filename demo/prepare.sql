-- As the administrator: the extension, the shop application's login role and the operator's, and the
-- demo's own schema. What the demo makes up beside the store (shoppers, and helpers for printing) stays there.
CREATE EXTENSION brainsait;
SELECT ensure_partitions(3, (now() - interval '92 days')::date) \gset

CREATE ROLE shop_app LOGIN IN ROLE brainsait_app;
CREATE ROLE shop_operator LOGIN IN ROLE brainsait_operator;

CREATE SCHEMA demo;
GRANT USAGE ON SCHEMA demo TO shop_app, shop_operator;
ALTER DEFAULT PRIVILEGES IN SCHEMA demo GRANT SELECT ON TABLES TO shop_app, shop_operator;

CREATE FUNCTION demo.money(amount numeric) RETURNS text
    LANGUAGE sql IMMUTABLE RETURN to_char(amount, 'FM999,999,999,990.00');
COMMENT ON FUNCTION demo.money(numeric) IS 'An amount with thousands separated.';

CREATE FUNCTION demo.whole(number numeric) RETURNS text
    LANGUAGE sql IMMUTABLE RETURN to_char(number, 'FM999,999,999,990');
COMMENT ON FUNCTION demo.whole(numeric) IS 'A count with thousands separated.';

CREATE FUNCTION demo.cell(content text, width integer) RETURNS text
    LANGUAGE sql IMMUTABLE RETURN lpad(content, greatest(width, length(content) + 1));
COMMENT ON FUNCTION demo.cell(text, integer) IS 'Aligned to the right, with a space before what is too long, and never cut.';

CREATE FUNCTION demo.percent(part numeric, whole numeric) RETURNS text
    LANGUAGE sql IMMUTABLE RETURN coalesce(to_char(100 * part / nullif(whole, 0), 'FM990.0') || ' %', '-');
COMMENT ON FUNCTION demo.percent(numeric, numeric) IS 'A part of a whole as a percentage.';

CREATE FUNCTION demo.bar(value numeric, largest numeric, width integer) RETURNS text
    LANGUAGE sql IMMUTABLE AS
$$
SELECT repeat('█', eighths / 8) || CASE WHEN eighths % 8 > 0 THEN substr('▏▎▍▌▋▊▉', eighths % 8, 1) ELSE '' END
FROM (SELECT coalesce(round(8 * width * value / nullif(largest, 0)), 0)::integer) AS drawn (eighths)
$$;
COMMENT ON FUNCTION demo.bar(numeric, numeric, integer) IS
    'A horizontal bar of block characters, exact to an eighth of a character; width characters for the largest value.';

CREATE FUNCTION demo.paint(line text, style text) RETURNS text
    LANGUAGE sql STABLE AS
$$
SELECT CASE WHEN coalesce(current_setting('demo.colour', true), '') <> 'on' THEN line
            ELSE E'\x1b[' || CASE style WHEN 'bold' THEN '1' WHEN 'dim' THEN '2' WHEN 'good' THEN '32' WHEN 'bar' THEN '36' END
                 || 'm' || line || E'\x1b[0m' END
$$;
COMMENT ON FUNCTION demo.paint(text, text) IS
    'The line in a style where demo.colour is on. Pad first: the escape codes have no width.';

CREATE FUNCTION demo.panel(line text, style text DEFAULT NULL) RETURNS text
    LANGUAGE sql STABLE RETURN demo.paint(rpad(line, 48), style);
COMMENT ON FUNCTION demo.panel(text, text) IS 'A line of one of two panels that stand side by side: 48 characters.';

CREATE PROCEDURE demo.prove(claim text, holds boolean)
    LANGUAGE plpgsql AS
$$
BEGIN
    IF holds IS NOT TRUE THEN
        RAISE EXCEPTION 'this does not hold: %', claim;
    END IF;
END
$$;
COMMENT ON PROCEDURE demo.prove(text, boolean) IS 'Ends the demo with an error where a claim does not hold.';

CREATE FUNCTION demo.attempt(statement text) RETURNS text
    LANGUAGE plpgsql AS
$$
DECLARE
    touched bigint;
BEGIN
    EXECUTE statement;
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN touched || ' rows';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
COMMENT ON FUNCTION demo.attempt(text) IS 'What comes of a statement: how many rows it found, or the error that refused it.';
