-- Finding products and orders: by words, by tags, jsonb and price, and page by page.
--
-- Under row security no index serves full text, arrays, jsonb or numeric, whose operators are not leakproof. The three internal
-- functions search for the current tenant past it and give ids; the functions that call them look those up behind the wall.

CREATE FUNCTION products_by_text(query tsquery, status text, candidates bigint, k bigint, OUT id uuid, OUT rank real) RETURNS SETOF record
    LANGUAGE C STABLE PARALLEL UNSAFE ROWS 20 AS 'MODULE_PATHNAME', 'brainsait_products_by_text';
COMMENT ON FUNCTION products_by_text(tsquery, text, bigint, bigint) IS 'Internal to search_products().';
CREATE FUNCTION products_by_filters(
    tags text[], name jsonb, metadata jsonb, min_price numeric, max_price numeric, currency text, status text,
    after_time timestamptz, after_id uuid, k bigint, OUT id uuid, OUT rank real
) RETURNS SETOF record
    LANGUAGE C STABLE PARALLEL UNSAFE ROWS 20 AS 'MODULE_PATHNAME', 'brainsait_products_by_filters';
COMMENT ON FUNCTION products_by_filters(text[], jsonb, jsonb, numeric, numeric, text, text, timestamptz, uuid, bigint) IS
    'Internal to filter_products().';
CREATE FUNCTION orders_by_metadata(metadata jsonb, k bigint, OUT id uuid, OUT rank real) RETURNS SETOF record
    LANGUAGE C STABLE PARALLEL UNSAFE ROWS 20 AS 'MODULE_PATHNAME', 'brainsait_orders_by_metadata';
COMMENT ON FUNCTION orders_by_metadata(jsonb, bigint) IS 'Internal to find_orders().';

-- Which words a product must have, in the stemming of one language, or of both. For both, each word is taken in either stemming by
-- itself, so that a word that is excluded is excluded in both, and words of both languages may be mixed. What a stemming leaves out
-- as too common does not count. A phrase keeps its words' distances in one language as well.
CREATE FUNCTION product_query(query text, lang text) RETURNS tsquery
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS
$body$
DECLARE
    words tsquery;
    quoted text;
    word text;
    english tsquery;
    arabic tsquery;
BEGIN
    IF lang = 'en' THEN
        RETURN websearch_to_tsquery('pg_catalog.english', query);
    ELSIF lang = 'ar' THEN
        RETURN websearch_to_tsquery('pg_catalog.arabic', query);
    END IF;
    words := websearch_to_tsquery('pg_catalog.simple', query);
    FOR quoted IN SELECT DISTINCT match[1] FROM regexp_matches(words::text, $$('(?:[^'\\]|''|\\.)*')$$, 'g') AS match
    LOOP
        word := (tsvector_to_array(quoted::tsvector))[1];
        english := plainto_tsquery('pg_catalog.english', word);
        arabic := plainto_tsquery('pg_catalog.arabic', word);
        words := ts_rewrite(words, quoted::tsquery,
                            CASE WHEN numnode(english) = 0 OR numnode(arabic) = 0 THEN ''::tsquery ELSE english || arabic END);
    END LOOP;
    IF words::text ~ '<(-|\d+)>' AND words::text !~ '!' THEN
        words := words || websearch_to_tsquery('pg_catalog.english', query) || websearch_to_tsquery('pg_catalog.arabic', query);
    END IF;
    RETURN words;
END
$body$;
COMMENT ON FUNCTION product_query(text, text) IS 'Internal to search_products().';

CREATE FUNCTION search_products(
    query text, lang text DEFAULT NULL, k integer DEFAULT 20, status text DEFAULT 'active',
    OUT id uuid, OUT name jsonb, OUT description jsonb, OUT price numeric, OUT currency text, OUT category text, OUT product_status text,
    OUT rank real
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp SET synchronize_seqscans = off AS
$body$
#variable_conflict use_column
DECLARE
    wanted tsquery;
    wanted_status text := status;
BEGIN
    IF query IS NULL THEN
        RAISE EXCEPTION 'the query must not be null' USING ERRCODE = 'null_value_not_allowed', HINT = 'Use product_page() to list products.';
    ELSIF length(query) > 1000 THEN
        RAISE EXCEPTION 'a query has at most 1000 characters, not %', length(query)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Search for fewer words.';
    ELSIF lang NOT IN ('en', 'ar') THEN
        RAISE EXCEPTION 'language "%" is not searched', lang
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use en or ar, or leave it out for both.';
    END IF;
    PERFORM @extschema@.require_report_limit(k, 1000);
    wanted := @extschema@.product_query(query, lang);
    -- Nothing to look for: no words, or only such that must be missing.
    IF querytree(wanted) IN ('', 'T') THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT p.id, p.name, p.description, p.price, p.currency::text, p.category::text, p.status::text, found.rank
    FROM @extschema@.products_by_text(wanted, wanted_status, greatest(500, 2 * k), k) AS found
    JOIN @extschema@.products p ON p.tenant_id = @extschema@.current_tenant() AND p.id = found.id
    ORDER BY found.rank DESC, p.created_at DESC NULLS LAST, p.id;
END
$body$;
COMMENT ON FUNCTION search_products(text, text, integer, text) IS
    'The k best (1 to 1000, default 20) of the current tenant''s products of a status (default active, null: any) whose name or description has the query''s words: all of them, "phrases" in quotes, or between alternatives, - before what must be missing. lang en or ar stems words in that language, null in both. Of a query that more than 500 products match (or twice k, where that is more) so many are ranked, the same ones as long as the table and its statistics do not change. Errors: 22004 nulls, 22023 another language, a query over 1000 characters, k out of range.';

CREATE FUNCTION product_cursor(created_at timestamptz, id uuid) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD' AS
$body$
SELECT concat(created_at, '/', id)
$body$;
COMMENT ON FUNCTION product_cursor(timestamptz, uuid) IS 'Internal to product_page() and filter_products(): where a page ends.';

CREATE FUNCTION parse_product_cursor(after text, OUT after_time timestamptz, OUT after_id uuid)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD' AS
$body$
BEGIN
    IF after !~ '^[^/]*/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
        RAISE EXCEPTION invalid_parameter_value;
    END IF;
    after_time := nullif(split_part(after, '/', 1), '')::timestamptz;
    after_id := split_part(after, '/', 2)::uuid;
EXCEPTION WHEN invalid_parameter_value OR data_exception THEN
    RAISE EXCEPTION 'not a place in a list of products: "%"', left(after, 80)
        USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the column next_after of the last row of the page before, or null for the first page.';
END
$body$;
COMMENT ON FUNCTION parse_product_cursor(text) IS 'Internal to product_page() and filter_products(): reads what product_cursor() wrote.';

CREATE FUNCTION product_page(
    status text DEFAULT 'active', after text DEFAULT NULL, k integer DEFAULT 50,
    OUT id uuid, OUT name jsonb, OUT description jsonb, OUT price numeric, OUT currency text, OUT category text, OUT tags text[],
    OUT images text[], OUT inventory_count integer, OUT metadata jsonb, OUT created_at timestamptz, OUT next_after text
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 50 SET search_path = pg_catalog, pg_temp AS
$body$
#variable_conflict use_column
DECLARE
    wanted text := status;
    last_time timestamptz;
    last_id uuid;
    missing bigint := k;
    found_rows bigint;
BEGIN
    IF status IS NULL THEN
        RAISE EXCEPTION 'the status must not be null' USING ERRCODE = 'null_value_not_allowed', HINT = 'Leave it out for active products.';
    END IF;
    PERFORM @extschema@.require_report_limit(k, 1000);
    IF after IS NOT NULL THEN
        SELECT c.after_time, c.after_id INTO last_time, last_id FROM @extschema@.parse_product_cursor(after) AS c;
    END IF;
    -- Products that have a time, as the index of pages holds them, and then those that have none.
    IF last_id IS NULL THEN
        last_time := 'infinity';
        last_id := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    END IF;
    IF last_time IS NOT NULL THEN
        RETURN QUERY
        SELECT p.id, p.name, p.description, p.price, p.currency::text, p.category::text, p.tags, p.images, p.inventory_count,
               p.metadata, p.created_at, @extschema@.product_cursor(p.created_at, p.id)
        FROM @extschema@.products p
        WHERE p.tenant_id = @extschema@.current_tenant() AND p.status = wanted AND (p.created_at, p.id) < (last_time, last_id)
        ORDER BY p.created_at DESC, p.id DESC
        LIMIT missing;
        GET DIAGNOSTICS found_rows = ROW_COUNT;
        missing := missing - found_rows;
        last_id := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    END IF;
    IF missing > 0 THEN
        RETURN QUERY
        SELECT p.id, p.name, p.description, p.price, p.currency::text, p.category::text, p.tags, p.images, p.inventory_count,
               p.metadata, p.created_at, @extschema@.product_cursor(p.created_at, p.id)
        FROM @extschema@.products p
        WHERE p.tenant_id = @extschema@.current_tenant() AND p.status = wanted AND p.created_at IS NULL AND p.id < last_id
        ORDER BY p.id DESC
        LIMIT missing;
    END IF;
END
$body$;
COMMENT ON FUNCTION product_page(text, text, integer) IS
    'A page of the current tenant''s products of a status (default active), newest first: the first k (1 to 1000, default 50), or the k after the row whose next_after is given. Products that come or go between two pages move none of the others from one to the next. Errors: 22004 null status or k, 22023 k out of range, an after that is none.';

CREATE FUNCTION filter_products(
    tags text[] DEFAULT NULL, name jsonb DEFAULT NULL, metadata jsonb DEFAULT NULL, min_price numeric DEFAULT NULL,
    max_price numeric DEFAULT NULL, currency text DEFAULT NULL, status text DEFAULT 'active', after text DEFAULT NULL, k integer DEFAULT 50,
    OUT id uuid, OUT product_name jsonb, OUT price numeric, OUT product_currency text, OUT category text, OUT product_tags text[],
    OUT product_status text, OUT created_at timestamptz, OUT next_after text
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 50 SET search_path = pg_catalog, pg_temp AS
$body$
#variable_conflict use_column
DECLARE
    last_time timestamptz;
    last_id uuid;
BEGIN
    PERFORM @extschema@.require_report_limit(k, 1000);
    IF min_price > max_price THEN
        RAISE EXCEPTION 'the lowest price, %, is above the highest, %', min_price, max_price
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the lower price first.';
    END IF;
    IF after IS NOT NULL THEN
        SELECT c.after_time, c.after_id INTO last_time, last_id FROM @extschema@.parse_product_cursor(after) AS c;
    END IF;
    RETURN QUERY
    SELECT p.id, p.name, p.price, p.currency::text, p.category::text, p.tags, p.status::text, p.created_at,
           @extschema@.product_cursor(p.created_at, p.id)
    FROM @extschema@.products_by_filters(filter_products.tags, filter_products.name, filter_products.metadata, min_price, max_price,
                                         filter_products.currency, filter_products.status, last_time, last_id, k) AS found
    JOIN @extschema@.products p ON p.tenant_id = @extschema@.current_tenant() AND p.id = found.id
    ORDER BY p.created_at DESC NULLS LAST, p.id DESC;
END
$body$;
COMMENT ON FUNCTION filter_products(text[], jsonb, jsonb, numeric, numeric, text, text, text, integer) IS
    'The current tenant''s products that have all of the tags, whose name and metadata contain the given ones, whose price lies between two, inclusive, of a currency, of a status (default active); a null condition asks for nothing. Newest first, page by page as in product_page(). Errors: 22004 null k, 22023 k out of range, prices the wrong way round, an after that is none.';

CREATE FUNCTION find_orders(
    metadata jsonb, k integer DEFAULT 50,
    OUT id uuid, OUT number text, OUT order_status text, OUT payment_status text, OUT total numeric, OUT currency text,
    OUT customer_email text, OUT order_metadata jsonb, OUT created_at timestamptz
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 50 SET search_path = pg_catalog, pg_temp AS
$body$
#variable_conflict use_column
BEGIN
    IF metadata IS NULL THEN
        RAISE EXCEPTION 'the metadata to look for must not be null'
            USING ERRCODE = 'null_value_not_allowed', HINT = 'Give an object that the order''s metadata contains, as {"channel": "web"}.';
    END IF;
    PERFORM @extschema@.require_report_limit(k, 1000);
    RETURN QUERY
    SELECT o.id, o.number::text, o.status::text, o.payment_status::text, o.total, o.currency::text, o.customer_email::text, o.metadata,
           o.created_at
    FROM @extschema@.orders_by_metadata(find_orders.metadata, k) AS found
    JOIN @extschema@.orders o ON o.tenant_id = @extschema@.current_tenant() AND o.id = found.id
    ORDER BY o.created_at DESC NULLS LAST, o.id DESC;
END
$body$;
COMMENT ON FUNCTION find_orders(jsonb, integer) IS
    'The k newest (1 to 1000, default 50) of the current tenant''s orders whose metadata contains the given one. Errors: 22004 nulls, 22023 k out of range.';

REVOKE ALL ON FUNCTION products_by_text(tsquery, text, bigint, bigint),
    products_by_filters(text[], jsonb, jsonb, numeric, numeric, text, text, timestamptz, uuid, bigint), orders_by_metadata(jsonb, bigint),
    product_query(text, text), search_products(text, text, integer, text), product_cursor(timestamptz, uuid), parse_product_cursor(text),
    product_page(text, text, integer), filter_products(text[], jsonb, jsonb, numeric, numeric, text, text, text, integer),
    find_orders(jsonb, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION products_by_text(tsquery, text, bigint, bigint),
    products_by_filters(text[], jsonb, jsonb, numeric, numeric, text, text, timestamptz, uuid, bigint), orders_by_metadata(jsonb, bigint),
    product_query(text, text), search_products(text, text, integer, text), product_cursor(timestamptz, uuid), parse_product_cursor(text),
    product_page(text, text, integer), filter_products(text[], jsonb, jsonb, numeric, numeric, text, text, text, integer),
    find_orders(jsonb, integer) TO brainsait_owner, brainsait_app, brainsait_operator;
