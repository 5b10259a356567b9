// Searches by text, tag, jsonb or price. Row security lets only leakproof operators become index
// conditions, and these are not; so the search runs past it, as the tables' owner, with the
// transaction's tenant as a condition of its own, and gives ids alone. The reports that call it
// look those up behind the wall.

#include "pg/query.hpp"
#include "tenant_context.hpp"

extern "C" {
#include "tsearch/ts_type.h"
}

namespace brainsait {
namespace {

// The expression of idx_products_name_gin.
#define PRODUCT_TEXT                                                                               \
  "(pg_catalog.to_tsvector('pg_catalog.english'::pg_catalog.regconfig, "                           \
  "coalesce(name OPERATOR(pg_catalog.->>) 'en', '') OPERATOR(pg_catalog.||) ' ' "                  \
  "OPERATOR(pg_catalog.||) coalesce(description OPERATOR(pg_catalog.->>) 'en', '')) "              \
  "OPERATOR(pg_catalog.||) "                                                                       \
  "pg_catalog.to_tsvector('pg_catalog.arabic'::pg_catalog.regconfig, "                             \
  "coalesce(name OPERATOR(pg_catalog.->>) 'ar', '') OPERATOR(pg_catalog.||) ' ' "                  \
  "OPERATOR(pg_catalog.||) coalesce(description OPERATOR(pg_catalog.->>) 'ar', '')))"

// Matching without the index and ranking compute a row's words anew, some 15 us each, so of a
// common word's matches the first ones are ranked that the plan comes to.
pg::StoreQuery
    find_by_text("SELECT id, rank FROM (SELECT id, created_at, pg_catalog.ts_rank(" PRODUCT_TEXT
                 ", $2) AS rank "
                 "FROM @store@.products WHERE tenant_id OPERATOR(pg_catalog.=) $1 "
                 "AND " PRODUCT_TEXT " OPERATOR(pg_catalog.@@) $2 "
                 "AND ($3 IS NULL OR status OPERATOR(pg_catalog.=) $3) LIMIT $4) AS matched "
                 "ORDER BY rank DESC, created_at DESC NULLS LAST, id LIMIT $5",
                 UUIDOID, TSQUERYOID, TEXTOID, INT8OID, INT8OID);

#define PRODUCT_FILTERS                                                                            \
  "FROM @store@.products WHERE tenant_id OPERATOR(pg_catalog.=) $1 "                               \
  "AND ($2 IS NULL OR tags OPERATOR(pg_catalog.@>) $2) "                                           \
  "AND ($3 IS NULL OR name OPERATOR(pg_catalog.@>) $3) "                                           \
  "AND ($4 IS NULL OR metadata OPERATOR(pg_catalog.@>) $4) "                                       \
  "AND ($5 IS NULL OR price OPERATOR(pg_catalog.>=) $5) "                                          \
  "AND ($6 IS NULL OR price OPERATOR(pg_catalog.<=) $6) "                                          \
  "AND ($7 IS NULL OR currency OPERATOR(pg_catalog.=) $7) "                                        \
  "AND ($8 IS NULL OR status OPERATOR(pg_catalog.=) $8) "

// Newest first, from after (created_at, id); products without created_at come last, by id.
pg::StoreQuery
    find_by_filters("(SELECT id, NULL::pg_catalog.float4 " PRODUCT_FILTERS
                    "AND created_at IS NOT NULL "
                    "AND ($10 IS NULL OR ($9 IS NOT NULL "
                    "AND ROW(created_at, id) OPERATOR(pg_catalog.<) ROW($9, $10))) "
                    "ORDER BY created_at DESC, id DESC LIMIT $11) UNION ALL "
                    "(SELECT id, NULL::pg_catalog.float4 " PRODUCT_FILTERS "AND created_at IS NULL "
                    "AND ($10 IS NULL OR $9 IS NOT NULL OR id OPERATOR(pg_catalog.<) $10) "
                    "ORDER BY id DESC LIMIT $11) LIMIT $11",
                    UUIDOID, TEXTARRAYOID, JSONBOID, JSONBOID, NUMERICOID, NUMERICOID, TEXTOID,
                    TEXTOID, TIMESTAMPTZOID, UUIDOID, INT8OID);

pg::StoreQuery find_orders_by_metadata(
    "SELECT id, NULL::pg_catalog.float4 FROM @store@.orders "
    "WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND metadata OPERATOR(pg_catalog.@>) $2 "
    "ORDER BY created_at DESC NULLS LAST, id DESC LIMIT $3",
    UUIDOID, JSONBOID, INT8OID);

constexpr int most_parameters = pg::StoreQuery::max_arguments;

/// Puts the rows that `query` finds, for the transaction's tenant and the function's arguments,
/// into the function's result: (id uuid, rank real). Without a tenant there are none.
Datum return_matches(FunctionCallInfo fcinfo, pg::StoreQuery &query) {
  InitMaterializedSRF(fcinfo, 0);
  const pg_uuid_t *tenant = current_tenant();
  if (tenant == nullptr)
    return Datum(0);
  auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
  const pg::Store &store = pg::store_of_function(fcinfo->flinfo->fn_oid);

  pg_uuid_t own = *tenant;
  Datum arguments[most_parameters] = {UUIDPGetDatum(&own)};
  char nulls[most_parameters + 1] = {' '};
  for (int i = 0; i < PG_NARGS(); ++i) {
    arguments[i + 1] = PG_GETARG_DATUM(i);
    nulls[i + 1] = PG_ARGISNULL(i) ? 'n' : ' ';
  }

  pg::OwnerSession session = pg::begin_owner_session(store);
  query.read_planned_for(store, arguments, nulls);
  for (uint64 row = 0; row < SPI_processed; ++row) {
    Datum values[2];
    bool are_null[2];
    for (int column = 0; column < 2; ++column)
      values[column] = pg::result_datum(row, column + 1, are_null[column]);
    tuplestore_putvalues(result->setResult, result->setDesc, values, are_null);
  }
  pg::end_owner_session(session);
  return Datum(0);
}

} // namespace
} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_products_by_text);
PG_FUNCTION_INFO_V1(brainsait_products_by_filters);
PG_FUNCTION_INFO_V1(brainsait_orders_by_metadata);

/// products_by_text(query tsquery, status text, candidates bigint, k bigint): the k best of at most
/// `candidates` products that match.
Datum brainsait_products_by_text(PG_FUNCTION_ARGS) {
  return brainsait::return_matches(fcinfo, brainsait::find_by_text);
}

/// products_by_filters(tags, name, metadata, min_price, max_price, currency, status, after_time,
/// after_id, k): the k newest products that meet every condition which is not null.
Datum brainsait_products_by_filters(PG_FUNCTION_ARGS) {
  return brainsait::return_matches(fcinfo, brainsait::find_by_filters);
}

/// orders_by_metadata(metadata jsonb, k bigint): the k newest orders whose metadata contains it.
Datum brainsait_orders_by_metadata(PG_FUNCTION_ARGS) {
  return brainsait::return_matches(fcinfo, brainsait::find_orders_by_metadata);
}
}
