// What each tenant's endpoints want to hear of, kept per backend: a tenant without webhooks costs
// an order one look into a hash table. Where there are few endpoints all are read at once, so that
// a backend that serves many tenants does not ask for each.

#include "webhook_subscriptions.hpp"

#include "pg/query.hpp"
#include "pg/relation_changes.hpp"
#include "pg/uuid_cache.hpp"

extern "C" {
#include "access/table.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/rel.h"
}

namespace brainsait {
namespace {

// As many tenants as a backend serves between two changes of webhooks, and a bound on memory.
constexpr long cache_limit = 20'000;

pg::UuidCache<WebhookSubscriptions> cache("brainsait webhook subscriptions", cache_limit);

/// Where the webhooks of the store in `schema` are; InvalidOid where that is not known.
struct KnownTable {
  Oid schema;
  Oid webhooks;
};
KnownTable known_table;

// As many pages as are read as fast as one tenant's endpoints are found.
constexpr BlockNumber few_pages = 4;

pg::StoreQuery read_endpoints("SELECT events FROM @store@.webhooks "
                              "WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND "
                              "status OPERATOR(pg_catalog.=) 'active'",
                              UUIDOID);

pg::StoreQuery read_all_endpoints("SELECT events, tenant_id FROM @store@.webhooks "
                                  "WHERE status OPERATOR(pg_catalog.=) 'active' "
                                  "ORDER BY tenant_id");

void on_relation_change(Oid relation) {
  cache.on_relation_change(relation);
  if (relation == InvalidOid || relation == known_table.webhooks)
    known_table.webhooks = InvalidOid;
}

Oid webhooks_table(Oid schema) {
  if (known_table.schema == schema && OidIsValid(known_table.webhooks))
    return known_table.webhooks;
  Oid webhooks = get_relname_relid("webhooks", schema);
  if (!OidIsValid(get_relname_relid("webhook_deliveries", schema)))
    webhooks = InvalidOid;
  known_table = {schema, webhooks};
  return webhooks;
}

std::string_view view_of(const text *value) {
  return {VARDATA_ANY(value), std::size_t(VARSIZE_ANY_EXHDR(value))};
}

/// Calls `body(std::string_view)` with each pattern of an array of text, nulls aside.
template <typename Body> void for_each_pattern(ArrayType *patterns, Body body) {
  Datum *elements;
  bool *nulls;
  int count;
  deconstruct_array(patterns, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
  for (int i = 0; i < count; ++i)
    if (!nulls[i])
      body(view_of(DatumGetTextPP(elements[i])));
}

/// Adds what the endpoint in that row of the last result subscribed to.
void add_endpoint(WebhookSubscriptions &subscriptions, uint64 row) {
  subscriptions.any = true;
  bool is_null;
  Datum patterns = pg::result_datum(row, 1, is_null);
  if (!is_null)
    for_each_pattern(DatumGetArrayTypeP(patterns), [&](std::string_view pattern) {
      subscriptions.wanted |= core::webhook_events_matching(pattern);
    });
}

WebhookSubscriptions read_subscriptions(const pg::Store &store, const pg_uuid_t &tenant) {
  WebhookSubscriptions subscriptions = {tenant, false, 0};
  pg::OwnerSession session = pg::begin_owner_session(store);
  Datum arguments[] = {UUIDPGetDatum(&tenant)};
  read_endpoints.run(store, arguments);
  for (uint64 row = 0; row < SPI_processed; ++row)
    add_endpoint(subscriptions, row);
  pg::end_owner_session(session);
  return subscriptions;
}

/// Calls keep(subscriptions) once for each tenant that has an active endpoint.
template <typename Keep> void read_all_subscriptions(const pg::Store &store, Keep keep) {
  pg::OwnerSession session = pg::begin_owner_session(store);
  read_all_endpoints.run(store, nullptr);
  WebhookSubscriptions subscriptions = {};
  for (uint64 row = 0; row < SPI_processed; ++row) {
    bool is_null;
    const pg_uuid_t &tenant = *DatumGetUUIDP(pg::result_datum(row, 2, is_null));
    if (std::memcmp(&subscriptions.tenant, &tenant, sizeof tenant) != 0) {
      if (subscriptions.any)
        keep(subscriptions);
      subscriptions = {tenant, false, 0};
    }
    add_endpoint(subscriptions, row);
  }
  if (subscriptions.any)
    keep(subscriptions);
  pg::end_owner_session(session);
}

/// Whether the table is an ordinary one of few pages.
bool is_small(Oid webhooks) {
  Relation table = try_table_open(webhooks, AccessShareLock);
  if (table == nullptr)
    return false;
  bool small = table->rd_rel->relkind == RELKIND_RELATION && !table->rd_rel->relhassubclass &&
               RelationGetNumberOfBlocks(table) <= few_pages;
  table_close(table, NoLock);
  return small;
}

} // namespace

WebhookSubscriptions webhook_subscriptions(const pg::Store &store, const pg_uuid_t &tenant) {
  Oid webhooks = webhooks_table(store.schema);
  if (!OidIsValid(webhooks))
    return {tenant, false, 0};
  if (const WebhookSubscriptions *kept = cache.find(webhooks, tenant))
    return *kept;
  if (!cache.is_whole(webhooks) && is_small(webhooks))
    cache.read_whole(webhooks, [&](auto keep) { read_all_subscriptions(store, keep); });
  if (cache.is_whole(webhooks)) {
    const WebhookSubscriptions *kept = cache.find(webhooks, tenant);
    return kept != nullptr ? *kept : WebhookSubscriptions{tenant, false, 0};
  }
  return cache.find_or_read(webhooks, tenant,
                            [&](MemoryContext) { return read_subscriptions(store, tenant); });
}

void init_webhook_subscriptions() { pg::listen_to_relations(on_relation_change); }

} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_webhook_wants);

/// webhook_wants(text[], text): whether one of the patterns that an endpoint subscribed to matches
/// the type of event.
Datum brainsait_webhook_wants(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  std::string_view type = view_of(PG_GETARG_TEXT_PP(1));
  bool wants = false;
  for_each_pattern(PG_GETARG_ARRAYTYPE_P(0), [&](std::string_view pattern) {
    wants |= core::webhook_pattern_matches(pattern, type);
  });
  PG_RETURN_BOOL(wants);
}
}
