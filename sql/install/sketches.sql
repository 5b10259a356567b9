-- Sketches: distinct values, quantiles, heaviest keys. Their types are made in state_types.sql; here is what reads, compares, converts
-- and gathers them.

-- Behind =, <>, hashing and casts of each type. Stored forms are canonical, so equality is that of the bytes.
DO $functions$
DECLARE
    type text;
    helper record;
    name text;
BEGIN
    FOREACH type IN ARRAY ARRAY['distinct_sketch', 'quantile_sketch', 'top_k_sketch'] LOOP
        FOR helper IN
            SELECT * FROM (VALUES
                ('eq', '%1$I, %1$I', 'boolean', 'eq', 'Behind the operator = of type %1$I.'),
                ('ne', '%1$I, %1$I', 'boolean', 'ne', 'Behind the operator <> of type %1$I.'),
                ('hash', '%1$I', 'integer', 'hash', 'Behind the hash operator class of type %1$I.'),
                ('hash_extended', '%1$I, bigint', 'bigint', 'hash_extended', 'Behind the hash operator class of type %1$I.'),
                ('to_bytea', '%1$I', 'bytea', 'send', 'Behind the cast of %1$I to bytea.'),
                ('from_bytea', 'bytea', '%1$I', 'from_bytea', 'Behind the cast of bytea to %1$I.'),
                ('to_json', '%1$I', 'json', 'to_json', 'Behind the cast of %1$I to json.')
            ) AS helpers (suffix, arguments, result, symbol, comment)
        LOOP
            name := type || '_' || helper.suffix;
            EXECUTE pg_catalog.format('CREATE FUNCTION %I(%s) RETURNS %s LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS %L, %L',
                           name, pg_catalog.format(helper.arguments, type), pg_catalog.format(helper.result, type),
                           'MODULE_PATHNAME', 'brainsait_' || type || '_' || helper.symbol);
            EXECUTE pg_catalog.format('COMMENT ON FUNCTION %I(%s) IS %L', name, pg_catalog.format(helper.arguments, type), pg_catalog.format(helper.comment, type));
        END LOOP;
        IF NOT @extschema@.has_member('operator', '@extschema@.=(@extschema@.' || type || ',@extschema@.' || type || ')') THEN
            EXECUTE pg_catalog.format('CREATE OPERATOR = (LEFTARG = %1$I, RIGHTARG = %1$I, FUNCTION = %2$I, COMMUTATOR = =, NEGATOR = <>,
                                RESTRICT = eqsel, JOIN = eqjoinsel, HASHES)', type, type || '_eq');
            EXECUTE pg_catalog.format('CREATE OPERATOR <> (LEFTARG = %1$I, RIGHTARG = %1$I, FUNCTION = %2$I, COMMUTATOR = <>, NEGATOR = =,
                                RESTRICT = neqsel, JOIN = neqjoinsel)', type, type || '_ne');
            EXECUTE pg_catalog.format('CREATE OPERATOR CLASS %2$I DEFAULT FOR TYPE %1$I USING hash AS
                                OPERATOR 1 = (%1$I, %1$I), FUNCTION 1 %3$I(%1$I), FUNCTION 2 %4$I(%1$I, bigint)',
                           type, type || '_ops', type || '_hash', type || '_hash_extended');
            EXECUTE pg_catalog.format('CREATE CAST (%I AS bytea) WITH FUNCTION %I(%1$I)', type, type || '_to_bytea');
            EXECUTE pg_catalog.format('CREATE CAST (bytea AS %I) WITH FUNCTION %I(bytea)', type, type || '_from_bytea');
            EXECUTE pg_catalog.format('CREATE CAST (%I AS json) WITH FUNCTION %I(%1$I)', type, type || '_to_json');
        END IF;
        EXECUTE pg_catalog.format('COMMENT ON OPERATOR = (%1$I, %1$I) IS %2$L', type, 'equal bytes: what the same values and limits gave');
        EXECUTE pg_catalog.format('COMMENT ON OPERATOR <> (%1$I, %1$I) IS %2$L', type, 'not equal');
        EXECUTE pg_catalog.format('COMMENT ON OPERATOR CLASS %I USING hash IS %L', type || '_ops', 'so that GROUP BY and DISTINCT work');
        EXECUTE pg_catalog.format('COMMENT ON OPERATOR FAMILY %I USING hash IS %L', type || '_ops', 'so that GROUP BY and DISTINCT work');
        EXECUTE pg_catalog.format('COMMENT ON CAST (%I AS bytea) IS %L', type, 'the stored form');
        EXECUTE pg_catalog.format('COMMENT ON CAST (bytea AS %I) IS %L', type, 'from a stored form; refuses bytes that are none');
        EXECUTE pg_catalog.format('COMMENT ON CAST (%I AS json) IS %L', type, 'what it tells, for people to read');

        -- Combining two states is also adding a sketch to those of a rollup.
        EXECUTE pg_catalog.format('CREATE FUNCTION %2$I(%1$I, %1$I) RETURNS %1$I LANGUAGE C IMMUTABLE PARALLEL SAFE AS %3$L, %4$L',
                       type, type || '_combine', 'MODULE_PATHNAME', 'brainsait_' || type || '_combine');
        EXECUTE pg_catalog.format('COMMENT ON FUNCTION %2$I(%1$I, %1$I) IS %3$L', type, type || '_combine',
                       'Internal to aggregate ' || type || '().');
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %2$I(%1$I, %1$I) FROM PUBLIC', type, type || '_combine');
        EXECUTE pg_catalog.format('CREATE AGGREGATE rollup(%1$I) (SFUNC = %2$I, STYPE = %1$I, SSPACE = 2300, COMBINEFUNC = %2$I, PARALLEL = SAFE)',
                       type, type || '_combine');
        EXECUTE pg_catalog.format('COMMENT ON AGGREGATE rollup(%I) IS %L', type,
                       'One sketch of everything that the group''s sketches have gathered. Null sketches are ignored.');
    END LOOP;
END
$functions$;

-- Distinct values.

CREATE FUNCTION distinct_sketch_add(distinct_sketch, value anyelement) RETURNS distinct_sketch
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_distinct_sketch_add';
COMMENT ON FUNCTION distinct_sketch_add(distinct_sketch, anyelement) IS 'Internal to aggregate distinct_sketch().';
CREATE FUNCTION approx_count_distinct_final(distinct_sketch) RETURNS bigint
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_approx_count_distinct_final';
COMMENT ON FUNCTION approx_count_distinct_final(distinct_sketch) IS 'Internal to aggregate approx_count_distinct().';
REVOKE ALL ON FUNCTION distinct_sketch_add(distinct_sketch, anyelement), approx_count_distinct_final(distinct_sketch) FROM PUBLIC;

CREATE AGGREGATE approx_count_distinct(value anyelement) (
    SFUNC = distinct_sketch_add, STYPE = distinct_sketch, SSPACE = 2300, FINALFUNC = approx_count_distinct_final,
    FINALFUNC_MODIFY = READ_ONLY, COMBINEFUNC = distinct_sketch_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE approx_count_distinct(anyelement) IS
    'Number of distinct values that are not null: exact up to 256, beyond with a relative standard error of 1.7 % (UltraLogLog, 2 KB).';

-- The overloads keep a call with a string from being taken for a cast to the type of the same name.
DO $aggregates$
DECLARE
    type text;
BEGIN
    FOREACH type IN ARRAY ARRAY['anyelement', 'text', 'character varying', 'character', 'name'] LOOP
        EXECUTE pg_catalog.format('CREATE AGGREGATE distinct_sketch(value %s) (SFUNC = distinct_sketch_add, STYPE = distinct_sketch, SSPACE = 2300,
                            COMBINEFUNC = distinct_sketch_combine, PARALLEL = SAFE)', type);
        EXECUTE pg_catalog.format('COMMENT ON AGGREGATE distinct_sketch(%s) IS %L', type,
                       'A sketch of the distinct values that are not null, to store, roll up and count by distinct_count().');
    END LOOP;
END
$aggregates$;

CREATE FUNCTION distinct_count(sketch distinct_sketch) RETURNS bigint
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_distinct_count';
COMMENT ON FUNCTION distinct_count(distinct_sketch) IS
    'How many distinct values the sketch has seen: exact up to 256, beyond with a relative standard error of 1.7 %.';

-- Quantiles.

CREATE FUNCTION quantile_sketch_add(quantile_sketch, value double precision) RETURNS quantile_sketch
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_quantile_sketch_add';
COMMENT ON FUNCTION quantile_sketch_add(quantile_sketch, double precision) IS 'Internal to aggregate quantile_sketch().';
CREATE FUNCTION quantile_sketch_add(quantile_sketch, value double precision, relative_error double precision) RETURNS quantile_sketch
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_quantile_sketch_add';
COMMENT ON FUNCTION quantile_sketch_add(quantile_sketch, double precision, double precision) IS 'Internal to aggregate quantile_sketch().';
REVOKE ALL ON FUNCTION quantile_sketch_add(quantile_sketch, double precision),
    quantile_sketch_add(quantile_sketch, double precision, double precision) FROM PUBLIC;

CREATE AGGREGATE quantile_sketch(value double precision) (
    SFUNC = quantile_sketch_add, STYPE = quantile_sketch, SSPACE = 2300, COMBINEFUNC = quantile_sketch_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE quantile_sketch(double precision) IS
    'A sketch of the distribution of the values that are not null, for approx_percentile() with a relative error of at most 1 % (DDSketch).';
CREATE AGGREGATE quantile_sketch(value double precision, relative_error double precision) (
    SFUNC = quantile_sketch_add, STYPE = quantile_sketch, SSPACE = 2300, COMBINEFUNC = quantile_sketch_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE quantile_sketch(double precision, double precision) IS
    'The same with another relative error, from 0.001 to 0.5. Sketches of different errors do not mix (22023).';

CREATE FUNCTION approx_percentile(fraction double precision, sketch quantile_sketch) RETURNS double precision
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_approx_percentile';
COMMENT ON FUNCTION approx_percentile(double precision, quantile_sketch) IS
    'The value at a fraction (0 to 1) of the sketch''s values: within the sketch''s relative error of percentile_disc(). Null where there are no values; another fraction is refused (22023).';

CREATE FUNCTION quantile_sketch_plus(quantile_sketch, quantile_sketch) RETURNS quantile_sketch
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_quantile_sketch_plus';
COMMENT ON FUNCTION quantile_sketch_plus(quantile_sketch, quantile_sketch) IS 'Behind the operator + of type quantile_sketch.';
DO $once$
BEGIN
    IF NOT @extschema@.has_member('operator', '@extschema@.+(@extschema@.quantile_sketch,@extschema@.quantile_sketch)') THEN
        CREATE OPERATOR + (LEFTARG = quantile_sketch, RIGHTARG = quantile_sketch, FUNCTION = quantile_sketch_plus, COMMUTATOR = +);
    END IF;
END
$once$;
COMMENT ON OPERATOR + (quantile_sketch, quantile_sketch) IS 'the values of both';
CREATE FUNCTION quantile_sketch_minus(quantile_sketch, quantile_sketch) RETURNS quantile_sketch
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_quantile_sketch_minus';
COMMENT ON FUNCTION quantile_sketch_minus(quantile_sketch, quantile_sketch) IS 'Behind the operator - of type quantile_sketch.';
DO $once$
BEGIN
    IF NOT @extschema@.has_member('operator', '@extschema@.-(@extschema@.quantile_sketch,@extschema@.quantile_sketch)') THEN
        CREATE OPERATOR - (LEFTARG = quantile_sketch, RIGHTARG = quantile_sketch, FUNCTION = quantile_sketch_minus);
    END IF;
END
$once$;
COMMENT ON OPERATOR - (quantile_sketch, quantile_sketch) IS 'the first one''s values without the second''s, exactly; refused (22023) where the second is no part of the first';

-- Heaviest keys.

DO $once$
BEGIN
    IF NOT @extschema@.has_member('type', '@extschema@.top_k_entry') THEN
        CREATE TYPE top_k_entry AS (key text, weight numeric, lower_bound numeric, upper_bound numeric, exact boolean);
    END IF;
END
$once$;
COMMENT ON TYPE top_k_entry IS
    'A key of top_k(): the weight that was counted for it, bounds that its true total lies within, and whether the weight is that total.';

CREATE FUNCTION top_k_sketch_add(top_k_sketch, key text, weight numeric, k integer) RETURNS top_k_sketch
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_top_k_sketch_add';
COMMENT ON FUNCTION top_k_sketch_add(top_k_sketch, text, numeric, integer) IS 'Internal to aggregate top_k_sketch().';
REVOKE ALL ON FUNCTION top_k_sketch_add(top_k_sketch, text, numeric, integer) FROM PUBLIC;
CREATE FUNCTION top_k_entries(sketch top_k_sketch) RETURNS top_k_entry[]
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_top_k_entries';
COMMENT ON FUNCTION top_k_entries(top_k_sketch) IS
    'The k heaviest keys of the sketch, heaviest first, ties by key; null for a null sketch.';

CREATE AGGREGATE top_k(key text, weight numeric, k integer) (
    SFUNC = top_k_sketch_add, STYPE = top_k_sketch, SSPACE = 2300, FINALFUNC = top_k_entries, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = top_k_sketch_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE top_k(text, numeric, integer) IS
    'The k keys of greatest total weight: exact while there are at most max(4096, 16 k) keys, with bounds beyond (weighted Space-Saving). Rows with a null key or weight are ignored; weights may be negative.';
CREATE AGGREGATE top_k_sketch(key text, weight numeric, k integer) (
    SFUNC = top_k_sketch_add, STYPE = top_k_sketch, SSPACE = 2300, COMBINEFUNC = top_k_sketch_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE top_k_sketch(text, numeric, integer) IS
    'What top_k() gathers, to store, roll up and read by top_k_entries().';
