// set_tenant() and current_tenant(): the tenant of a transaction. The truth is this file's struct
// and no configuration parameter, so nothing a session can SET or RESET changes it.

#include "tenant_context.hpp"

#include "pg/store.hpp"
#include "tenant_settings.hpp"
#include "tenant_token.hpp"

extern "C" {
#include "executor/executor.h"
}

namespace brainsait {
namespace {

struct TenantContext {
  bool sealed = false; ///< some tenant was set in this transaction, maybe in a savepoint since gone
  bool set = false;    ///< that tenant is in force
  int nesting_level = 0; ///< the (sub)transaction in which it came in force
  pg_uuid_t tenant = {}; ///< meaningful while sealed
};

TenantContext context;

// Parallel workers start from the leader's parameters, so this one carries the tenant to them. Only
// publish() may write it, when a parallel plan is about to run: few are, and a parameter that a
// transaction sets costs it a look at every parameter when it ends. In the leader nobody reads it.
char *transport = nullptr;
bool publishing = false;

ExecutorRun_hook_type previous_run = nullptr;

bool same_tenant(const pg_uuid_t &left, const pg_uuid_t &right) {
  return std::memcmp(&left, &right, sizeof left) == 0;
}

bool parse_transport(const char *text, pg_uuid_t &tenant) {
  if (std::strlen(text) != 2 * UUID_LEN)
    return false;
  for (int i = 0; i < UUID_LEN; ++i) {
    unsigned value = 0;
    for (int j = 0; j < 2; ++j) {
      char digit = text[2 * i + j];
      if (digit >= '0' && digit <= '9')
        value = value * 16 + unsigned(digit - '0');
      else if (digit >= 'a' && digit <= 'f')
        value = value * 16 + unsigned(digit - 'a' + 10);
      else
        return false;
    }
    tenant.data[i] = static_cast<unsigned char>(value);
  }
  return true;
}

bool check_transport(char **value, void **, GucSource source) {
  if (source == PGC_S_DEFAULT && (*value)[0] == '\0')
    return true;
  pg_uuid_t tenant;
  if (publishing || InitializingParallelWorker)
    return (*value)[0] == '\0' || parse_transport(*value, tenant);
  GUC_check_errcode(ERRCODE_INSUFFICIENT_PRIVILEGE);
  GUC_check_errmsg("brainsait.tenant_transport cannot be set");
  GUC_check_errhint("Call set_tenant() inside a transaction block.");
  return false;
}

void assign_transport(const char *value, void *) {
  if (!InitializingParallelWorker || value == nullptr)
    return;
  // The empty value clears: stored role and database settings are applied before the leader's.
  context.sealed = context.set = parse_transport(value, context.tenant);
  context.nesting_level = 1;
}

/// Lets parallel workers see `tenant`; undone with the (sub)transaction, which is that of
/// set_tenant() or one inside it.
void publish(const pg_uuid_t &tenant) {
  static constexpr char digits[] = "0123456789abcdef";
  char text[2 * UUID_LEN + 1];
  for (int i = 0; i < UUID_LEN; ++i) {
    text[2 * i] = digits[tenant.data[i] >> 4];
    text[2 * i + 1] = digits[tenant.data[i] & 15];
  }
  text[2 * UUID_LEN] = '\0';
  // A query inside a parallel one, where nothing can be set, finds it done.
  if (std::strcmp(transport, text) == 0)
    return;
  publishing = true;
  PG_TRY();
  {
    (void)set_config_option("brainsait.tenant_transport", text, PGC_SUSET, PGC_S_SESSION,
                            GUC_ACTION_LOCAL, true, ERROR, false);
  }
  PG_FINALLY();
  { publishing = false; }
  PG_END_TRY();
}

void run_executor(QueryDesc *query, ScanDirection direction,
                  uint64 count BRAINSAIT_EXECUTE_ONCE(bool once)) {
  if (context.set && query->plannedstmt->parallelModeNeeded && !InitializingParallelWorker &&
      !IsParallelWorker())
    publish(context.tenant);
  if (previous_run != nullptr)
    previous_run(query, direction, count BRAINSAIT_EXECUTE_ONCE(once));
  else
    standard_ExecutorRun(query, direction, count BRAINSAIT_EXECUTE_ONCE(once));
}

char *text_of(const pg_uuid_t &tenant) {
  return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&tenant)));
}

void require_admitted(const pg::Store &store, const pg_uuid_t &tenant) {
  const TenantSettings &settings = tenant_settings(store, tenant);
  if (!settings.exists)
    ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
                    errmsg("tenant %s does not exist", text_of(tenant))));
  if (!settings.admitted)
    ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
                    errmsg("tenant %s is not active", text_of(tenant))));
}

void on_transaction_event(XactEvent event, void *) {
  // Not at PRE_COMMIT: work deferred to the end of the transaction still belongs to the tenant.
  // Parallel workers end with events of their own and keep theirs for as long as they live.
  // One that is starting commits the transaction in which it received the leader's parameters.
  if (InitializingParallelWorker)
    return;
  if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
    context = {};
}

void on_subtransaction_event(SubXactEvent event, SubTransactionId, SubTransactionId, void *) {
  if (!context.set)
    return;
  int level = GetCurrentTransactionNestLevel();
  if (event == SUBXACT_EVENT_ABORT_SUB && context.nesting_level >= level)
    context.set = false; // still sealed: the savepoint must not open a way to another tenant
  else if (event == SUBXACT_EVENT_COMMIT_SUB && context.nesting_level >= level)
    context.nesting_level = level - 1;
}

} // namespace

void set_tenant(const pg::Store &store, const pg_uuid_t &tenant) {
  if (context.sealed && !same_tenant(context.tenant, tenant))
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("this transaction belongs to another tenant already"),
                    errhint("End the transaction before you set another tenant.")));
  if (context.set)
    return;
  // Workers of this query may be running without the tenant, or this may be one of them.
  if (IsInParallelMode())
    ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_STATE),
                    errmsg("set_tenant() cannot run during a parallel operation")));
  // The transaction may have begun, and this cache may have been filled, before a suspension.
  AcceptInvalidationMessages();
  require_admitted(store, tenant);
  context = {true, true, GetCurrentTransactionNestLevel(), tenant};
}

const pg_uuid_t *current_tenant() { return context.set ? &context.tenant : nullptr; }

void init_tenant_context() {
  DefineCustomStringVariable("brainsait.tenant_transport",
                             "Carries the tenant from a session to its parallel workers.",
                             "Written by set_tenant() only.", &transport, "", PGC_SUSET,
                             GUC_NO_SHOW_ALL | GUC_NO_RESET_ALL | GUC_NOT_IN_SAMPLE |
                                 GUC_DISALLOW_IN_FILE | GUC_SUPERUSER_ONLY,
                             check_transport, assign_transport, nullptr);
  RegisterXactCallback(on_transaction_event, nullptr);
  RegisterSubXactCallback(on_subtransaction_event, nullptr);
  previous_run = ExecutorRun_hook;
  ExecutorRun_hook = run_executor;
}

} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_set_tenant);
PG_FUNCTION_INFO_V1(brainsait_current_tenant);

/// set_tenant(uuid): makes a tenant the transaction's own until its end, and seals it. Errors:
/// 22004 null, 25P01 outside a transaction block, 25000 in a parallel query, 42501 another tenant
/// is set, 28000 unknown or not active, or a token is required.
Datum brainsait_set_tenant(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0))
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("tenant must not be null")));
  RequireTransactionBlock(true, "set_tenant()");
  if (brainsait::token_is_required())
    ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
                    errmsg("a signed token is required"),
                    errhint("Call set_tenant_token() with a token for the tenant.")));
  brainsait::set_tenant(brainsait::pg::store_of_function(fcinfo->flinfo->fn_oid),
                        *PG_GETARG_UUID_P(0));
  PG_RETURN_VOID();
}

/// current_tenant(): the transaction's tenant, or null, which every policy takes for "no row".
Datum brainsait_current_tenant(PG_FUNCTION_ARGS) {
  const pg_uuid_t *tenant = brainsait::current_tenant();
  if (tenant == nullptr)
    PG_RETURN_NULL();
  // The struct outlives the call, and the executor copies what it keeps.
  PG_RETURN_UUID_P(tenant);
}
}
