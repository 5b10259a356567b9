// The guard: statements that row security does not reach, denied to sessions of the application.
// All tenants share one login, and behind a pooler one session after the other: so what tells of
// rows that a tenant does not see, stops other tenants, or outlives the transaction, is denied.

#include "utility_guard.hpp"

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/parsenodes.h"
#include "optimizer/planner.h"
#include "parser/parse_type.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
}

namespace brainsait {
namespace {

bool guard = true;
bool in_place = false;
ProcessUtility_hook_type previous_utility = nullptr;
planner_hook_type previous_planner = nullptr;

bool is_in(Oid member, const char *role) {
  Oid oid = get_role_oid(role, true);
  return OidIsValid(oid) && is_member_of_role_nosuper(member, oid);
}

/// Who may act as owner or operator can do more than anything that is denied here.
bool is_administrator(Oid role) {
  return superuser_arg(role) || is_in(role, "brainsait_owner") || is_in(role, "brainsait_operator");
}

/// Whether this session logged in as the application. SET ROLE does not change that: an
/// administrator who acts as the application stays one. Inside a security definer function its
/// owner counts.
bool session_is_application() {
  if (!guard || !is_in(GetSessionUserId(), "brainsait_app"))
    return false;
  bool in_definer_function = GetUserId() != GetOuterUserId();
  return !is_administrator(GetSessionUserId()) &&
         !(in_definer_function && is_administrator(GetUserId()));
}

struct Denial {
  const char *what; ///< nullptr: not denied
  const char *hint;
};

constexpr Denial allowed = {nullptr, nullptr};
constexpr Denial temporary = {
    "temporary objects",
    "They outlive the transaction, and are found before the store's own tables and types."};

/// Whether something of that name would be made in the session's temporary schema.
bool is_temporary_name(List *names) {
  char *name = nullptr;
  // Naming the schema of another session fails here as it would later.
  return names != NIL && isTempNamespace(QualifiedNameGetCreationNamespace(names, &name));
}

bool is_temporary_relation(const RangeVar *relation) {
  return relation != nullptr && (relation->relpersistence == RELPERSISTENCE_TEMP ||
                                 isTempNamespace(RangeVarGetCreationNamespace(relation)));
}

bool makes_temporary_object(Node *statement) {
  switch (nodeTag(statement)) {
  case T_CreateStmt:
    return is_temporary_relation(reinterpret_cast<CreateStmt *>(statement)->relation);
  case T_CreateTableAsStmt:
    return is_temporary_relation(reinterpret_cast<CreateTableAsStmt *>(statement)->into->rel);
  case T_ViewStmt:
    return is_temporary_relation(reinterpret_cast<ViewStmt *>(statement)->view);
  case T_CreateSeqStmt:
    return is_temporary_relation(reinterpret_cast<CreateSeqStmt *>(statement)->sequence);
  case T_CompositeTypeStmt:
    return is_temporary_relation(reinterpret_cast<CompositeTypeStmt *>(statement)->typevar);
  case T_CreateEnumStmt:
    return is_temporary_name(reinterpret_cast<CreateEnumStmt *>(statement)->typeName);
  case T_CreateRangeStmt:
    return is_temporary_name(reinterpret_cast<CreateRangeStmt *>(statement)->typeName);
  case T_CreateDomainStmt:
    return is_temporary_name(reinterpret_cast<CreateDomainStmt *>(statement)->domainname);
  case T_CreateFunctionStmt:
    return is_temporary_name(reinterpret_cast<CreateFunctionStmt *>(statement)->funcname);
  case T_DefineStmt:
    return is_temporary_name(reinterpret_cast<DefineStmt *>(statement)->defnames);
  default:
    return false;
  }
}

Denial denial_of(Node *statement) {
  switch (nodeTag(statement)) {
  case T_ExplainStmt:
    return {"EXPLAIN", "Its row estimates tell of other tenants' rows. Ask as an operator."};
  case T_LockStmt:
    return {"LOCK TABLE", "It stops every tenant. Lock rows with SELECT ... FOR UPDATE."};
  case T_NotifyStmt:
  case T_ListenStmt:
    return {"NOTIFY and LISTEN", "Every tenant hears them."};
  case T_AlterRoleStmt:
  case T_AlterRoleSetStmt:
    return {"ALTER ROLE", "Every tenant's session is of this role."};
  case T_VariableSetStmt: {
    const char *name = reinterpret_cast<VariableSetStmt *>(statement)->name;
    if (name != nullptr && pg_strcasecmp(name, "row_security") == 0)
      return {"SET row_security", "It outlives the transaction and fails every query."};
    return allowed;
  }
  case T_DeclareCursorStmt:
    if ((reinterpret_cast<DeclareCursorStmt *>(statement)->options & CURSOR_OPT_HOLD) != 0)
      return {"a cursor WITH HOLD", "Its rows outlive the transaction. Declare it without."};
    return allowed;
  default:
    return makes_temporary_object(statement) ? temporary : allowed;
  }
}

/// Statements that denial_of() may deny: for the others nobody asks who runs them.
bool concerns_guard(Node *statement) {
  switch (nodeTag(statement)) {
  case T_ExplainStmt:
  case T_LockStmt:
  case T_NotifyStmt:
  case T_ListenStmt:
  case T_AlterRoleStmt:
  case T_AlterRoleSetStmt:
  case T_VariableSetStmt:
  case T_DeclareCursorStmt:
  case T_CreateStmt:
  case T_CreateTableAsStmt:
  case T_ViewStmt:
  case T_CreateSeqStmt:
  case T_CompositeTypeStmt:
  case T_CreateEnumStmt:
  case T_CreateRangeStmt:
  case T_CreateDomainStmt:
  case T_CreateFunctionStmt:
  case T_DefineStmt:
    return true;
  default:
    return false;
  }
}

void deny(const Denial &denial) {
  ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                  errmsg("%s: denied to members of brainsait_app", denial.what),
                  errdetail("brainsait.guard is on."), errhint("%s", denial.hint)));
}

void guard_utility(PlannedStmt *plan, const char *query, bool read_only_tree,
                   ProcessUtilityContext context, ParamListInfo parameters,
                   QueryEnvironment *environment, DestReceiver *destination,
                   QueryCompletion *completion) {
  Node *statement = plan->utilityStmt;
  if (guard && concerns_guard(statement) && session_is_application()) {
    Denial denial = denial_of(statement);
    if (denial.what != nullptr)
      deny(denial);
  }
  auto next = previous_utility != nullptr ? previous_utility : standard_ProcessUtility;
  next(plan, query, read_only_tree, context, parameters, environment, destination, completion);
}

/// debug_print_plan sends the whole plan, row estimates included, to a client that asks for
/// messages of level LOG. Anybody may set it, and set_config() is no utility statement.
PlannedStmt *guard_planner(Query *parse, const char *query, int cursor_options,
                           ParamListInfo parameters) {
  if (Debug_print_plan && session_is_application())
    deny({"debug_print_plan", "Its row estimates tell of other tenants' rows."});
  auto next = previous_planner != nullptr ? previous_planner : standard_planner;
  return next(parse, query, cursor_options, parameters);
}

/// Tells the truth where the library was loaded too late.
const char *show_guard() { return guard && in_place ? "on" : "off"; }

} // namespace

void init_utility_guard() {
  DefineCustomBoolVariable(
      "brainsait.guard", "Denies the application what row security does not reach.",
      "In force where the library is in shared_preload_libraries or session_preload_libraries.",
      &guard, true, PGC_SUSET, 0, nullptr, nullptr, show_guard);
  // Loaded by a statement, it would come after statements that it should have seen.
  in_place = process_shared_preload_libraries_in_progress ||
             (debug_query_string == nullptr && !IsParallelWorker());
  if (!in_place)
    return;
  previous_utility = ProcessUtility_hook;
  ProcessUtility_hook = guard_utility;
  previous_planner = planner_hook;
  planner_hook = guard_planner;
}

} // namespace brainsait
