#include "pg/query.hpp"

extern "C" {
#include "jit/jit.h"
}

namespace brainsait::pg {
namespace {

/// The query text with the schema's name in every place of `@store@`, in the current memory
/// context.
char *with_schema(const char *text, const char *quoted_schema) {
  static constexpr char placeholder[] = "@store@";
  StringInfoData filled;
  initStringInfo(&filled);
  for (const char *rest = text;;) {
    const char *place = std::strstr(rest, placeholder);
    if (place == nullptr) {
      appendStringInfoString(&filled, rest);
      return filled.data;
    }
    appendBinaryStringInfo(&filled, rest, int(place - rest));
    appendStringInfoString(&filled, quoted_schema);
    rest = place + sizeof placeholder - 1;
  }
}

/// Runs one of SPI's functions, which plans where it has to; raises XX000 for its error codes.
/// Nothing is compiled: that takes longer than any of these queries, and a plan that is kept from
/// scanning a table from end to end, and has no other way, looks as if it were worth it.
template <typename Execute> void execute_uncompiled(Execute execute) {
  const bool compiles = jit_enabled;
  int code = 0;
  jit_enabled = false;
  PG_TRY();
  { code = execute(); }
  PG_FINALLY();
  { jit_enabled = compiles; }
  PG_END_TRY();
  if (code < 0)
    elog(ERROR, "query on the store's tables failed: %s", SPI_result_code_string(code));
}

} // namespace

OwnerSession begin_owner_session(const Store &store) {
  OwnerSession session;
  GetUserIdAndSecContext(&session.saved_user, &session.saved_security_context);
  if (SPI_connect() != SPI_OK_CONNECT)
    elog(ERROR, "SPI_connect failed");
  SetUserIdAndSecContext(store.owner, session.saved_security_context |
                                          SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
  return session;
}

void end_owner_session(const OwnerSession &session) {
  SetUserIdAndSecContext(session.saved_user, session.saved_security_context);
  if (SPI_finish() != SPI_OK_FINISH)
    elog(ERROR, "SPI_finish failed");
}

bool StoreQuery::is_ready(const Store &store) const {
  return plan_ != nullptr && schema_ == store.schema && generation_ == schema_generation();
}

void StoreQuery::prepare(const Store &store, int cursor_options) {
  if (plan_ != nullptr) {
    SPI_freeplan(plan_);
    plan_ = nullptr;
  }
  SPIPlanPtr plan = SPI_prepare_cursor(with_schema(text_, store.quoted_schema), argument_count_,
                                       argument_types_.data(), cursor_options);
  if (plan == nullptr)
    elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
  SPI_keepplan(plan);
  plan_ = plan;
  planned_ = false;
  schema_ = store.schema;
  generation_ = schema_generation();
}

void StoreQuery::run(const Store &store, Datum *arguments, const char *nulls, long limit) {
  if (!is_ready(store))
    prepare(store);
  // Parallel queries bar GetLatestSnapshot(), which moves a snapshot that their workers share. One
  // for reading catalogs is as new, since it is taken anew for a table that is no catalog.
  Snapshot latest = IsInParallelMode() ? GetCatalogSnapshot(store.tenants) : GetLatestSnapshot();
  // The snapshot is pushed only to keep it registered while SPI takes its own copy.
  PushActiveSnapshot(latest);
  execute_uncompiled([&] {
    return SPI_execute_snapshot(plan_, arguments, nulls, GetActiveSnapshot(), InvalidSnapshot,
                                false, true, limit);
  });
  PopActiveSnapshot();
}

void StoreQuery::run_at(const Store &store, Snapshot snapshot, Datum *arguments) {
  if (!is_ready(store))
    prepare(store);
  execute_uncompiled([&] {
    return SPI_execute_snapshot(plan_, arguments, nullptr, snapshot, InvalidSnapshot, false, true,
                                0);
  });
}

void StoreQuery::run_by_index(const Store &store, Datum *arguments) {
  if (!is_ready(store))
    prepare(store, CURSOR_OPT_GENERIC_PLAN);
  else if (planned_ && SPI_plan_is_valid(plan_))
    return run(store, arguments);
  // It is planned now, for every run until a table changes.
  int guc_level = NewGUCNestLevel();
  (void)set_config_option("enable_seqscan", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                          true, 0, false);
  run(store, arguments);
  AtEOXact_GUC(true, guc_level);
  planned_ = true;
}

void StoreQuery::read(const Store &store, Datum *arguments) {
  if (!is_ready(store))
    prepare(store);
  execute_uncompiled([&] { return SPI_execute_plan(plan_, arguments, nullptr, true, 0); });
}

void StoreQuery::read_planned_for(const Store &store, Datum *arguments, const char *nulls) {
  if (!is_ready(store))
    prepare(store, CURSOR_OPT_CUSTOM_PLAN);
  execute_uncompiled([&] { return SPI_execute_plan(plan_, arguments, nulls, true, 0); });
}

Datum result_datum(uint64 row, int number, bool &is_null) {
  return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number, &is_null);
}

Datum result_scalar() {
  bool is_null = true;
  if (SPI_processed == 0)
    elog(ERROR, "query on the store's tables returned no row");
  Datum value = result_datum(0, 1, is_null);
  if (is_null)
    elog(ERROR, "query on the store's tables returned null");
  return value;
}

} // namespace brainsait::pg
