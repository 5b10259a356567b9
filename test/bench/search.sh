# shellcheck shell=bash
# Finding products among a tenant's million behind the wall, beside other tenants: milliseconds, and buffers, which do not swing.
# Sourced by run; the measure is "search".

# load_search PRODUCTS: so many of tenant 0 and a tenth as many of twenty others, with indexes made once the rows are there.
load_search() {
  drop_indexes search products
  query search "INSERT INTO tenants (id, name, slug) SELECT lpad(t::text, 32, '0')::uuid, 'Shop ' || t, 'shop-' || t FROM generate_series(0, 20) AS t"
  PGOPTIONS='-c session_replication_role=replica' query search "
    INSERT INTO products (id, tenant_id, name, description, price, category, tags, inventory_count, metadata, status, created_at)
    SELECT (lpad(to_hex(n), 32, '0'))::uuid, lpad((CASE WHEN n <= $1 THEN 0 ELSE 1 + n % 20 END)::text, 32, '0')::uuid,
           jsonb_build_object('en', (ARRAY['running shoes', 'leather bags', 'silver rings', 'cotton shirts'])[1 + n % 4] || ' model ' || n % 5000,
                              'ar', (ARRAY['أحذية رياضية', 'حقائب جلدية', 'خواتم فضية', 'قمصان قطنية'])[1 + n % 4] || ' طراز ' || n % 5000),
           jsonb_build_object('en', 'series ' || n % 977 || ' number ' || n), (n % 100000) / 100.0 + 1, 'category-' || n % 20,
           ARRAY['tag-' || n % 10007, 'tag-' || n % 7], 10, jsonb_build_object('batch', n % 10009), 'active', now() - n * interval '1 second'
    FROM generate_series(1::bigint, $1 + $1 / 10) AS n"
  make_indexes search
  query search 'VACUUM ANALYZE products'
  query search 'GRANT brainsait_app TO shopper'
}

# ask_products TITLE QUERY: a row with the rows found, milliseconds (median and range of nine, after two that warm up) and buffers.
ask_products() {
  local said
  said=$(psql -X -q -A -t -v ON_ERROR_STOP=1 -U shopper -d search 2>&1 <<SQL
BEGIN;
SELECT set_tenant(lpad('0', 32, '0')::uuid);
SET LOCAL jit = off;
$(for _ in 1 2 3 4 5 6 7 8 9 10 11; do echo "EXPLAIN (ANALYZE, BUFFERS, SUMMARY, FORMAT JSON) $2;"; done)
SQL
  ) || { echo "$said" >&2 && fail "$1 was not answered"; }
  perl -e 'my ($title, $said) = @ARGV; my (@ms, @rows, @buffers);
    while ($said =~ /"Actual Rows": (\d+).*?"Shared Hit Blocks": (\d+),\s+"Shared Read Blocks": (\d+).*?"Execution Time": ([\d.]+)/gs) {
      push @rows, $1; push @buffers, $2 + $3; push @ms, $4 }
    die "no plan in: $said" if @ms < 11;
    my @sorted = sort { $a <=> $b } @ms[2 .. $#ms];
    print join("\t", "row", "search", $title, $rows[-1], sprintf("%.2f (%.2f..%.2f)", $sorted[ @sorted / 2 ], @sorted[0, -1]), $buffers[-1]), "\n"' \
    "$1" "$said" >>"$runs"
}

search() {
  psql -X -q -v ON_ERROR_STOP=1 -c 'CREATE DATABASE search'
  query search 'CREATE EXTENSION brainsait'
  echo "Loading $1 products ..." >&2
  load_search "$1"
  note table search "Finding products among $1 of one tenant, behind the wall" question rows 'milliseconds (min..max)' buffers
  ask_products 'a rare word in English, search_products()' "SELECT * FROM search_products('model 4321')"
  ask_products 'words of Arabic, stemmed' "SELECT * FROM search_products('الرياضية طراز 4320', 'ar')"
  ask_products 'a word that a quarter of all products have' "SELECT * FROM search_products('shoe', 'en')"
  ask_products 'a tag of a hundred products, filter_products()' "SELECT * FROM filter_products(tags => ARRAY['tag-77'])"
  ask_products 'a name in jsonb' "SELECT * FROM filter_products(name => '{\"en\": \"running shoes model 4320\"}')"
  ask_products 'a narrow range of prices' 'SELECT * FROM filter_products(min_price => 500.01, max_price => 500.05)'
  ask_products 'a wide range of prices, newest first' 'SELECT * FROM filter_products(min_price => 100, max_price => 900)'
  ask_products 'the first page of 50, product_page()' 'SELECT * FROM product_page()'
  ask_products 'the page in the middle' "SELECT * FROM product_page('active', (SELECT next_after FROM product_page('active',
    product_cursor(now() - $(($1 / 2)) * interval '1 second', 'ffffffff-ffff-ffff-ffff-ffffffffffff'), 1)))"
  query postgres 'DROP DATABASE search'
}
