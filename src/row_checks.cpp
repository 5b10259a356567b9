// check_columns(): the conditions on single columns that every order, item, payment and product
// meets.
//
// They are no CHECK constraints, because PostgreSQL reads those from the catalogs' text anew in
// every statement: on orders that was an eighth of what inserting one costs, in a checkout a fifth.
// Here they are looked up once per session and relation.

#include "pg/relation_changes.hpp"
#include "pg/trigger.hpp"

#include "row_checks.hpp"

extern "C" {
#include "utils/numeric.h"
}

namespace brainsait {
namespace {

enum class Rule { not_negative, positive, shape, not_empty };

struct Check {
  int column;
  Rule rule;
  int argument; ///< where in the trigger's arguments its column stands
};

/// What one trigger's arguments ask for.
struct TriggerChecks {
  static constexpr int max_count = 8;
  Oid trigger; ///< InvalidOid where nothing is kept
  Oid relation;
  int count;
  Check checks[max_count];
};

// One place per trigger, found by its OID; triggers that share one only look things up more often.
constexpr Oid kept_count = 16;
TriggerChecks kept[kept_count];

Numeric zero = nullptr; // in TopMemoryContext

void on_relation_change(Oid relation) {
  for (TriggerChecks &entry : kept)
    if (relation == InvalidOid || relation == entry.relation)
      entry.trigger = InvalidOid;
}

Rule rule_of(const char *name) {
  if (std::strcmp(name, "not_negative") == 0)
    return Rule::not_negative;
  if (std::strcmp(name, "positive") == 0)
    return Rule::positive;
  if (std::strcmp(name, "shape") == 0)
    return Rule::shape;
  if (std::strcmp(name, "not_empty") == 0)
    return Rule::not_empty;
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                  errmsg("check_columns() knows no rule \"%s\"", name),
                  errhint("Rules are not_negative, positive, shape and not_empty.")));
  pg_unreachable();
}

/// A column of a type that the rule is not for, which an application may have given it, is not
/// checked.
bool rule_fits(Rule rule, Oid type) {
  switch (rule) {
  case Rule::not_negative:
    return type == NUMERICOID;
  case Rule::positive:
    return type == INT4OID;
  case Rule::shape:
  case Rule::not_empty:
    return type == VARCHAROID || type == TEXTOID;
  }
  return false;
}

TriggerChecks read_arguments(Relation relation, const Trigger &trigger) {
  if (trigger.tgnargs % 2 != 0 || trigger.tgnargs > 2 * TriggerChecks::max_count)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("check_columns() takes up to %d pairs of a column and a rule",
                           TriggerChecks::max_count)));
  TriggerChecks found = {};
  for (int i = 0; i < trigger.tgnargs; i += 2) {
    Rule rule = rule_of(trigger.tgargs[i + 1]);
    int column = SPI_fnumber(RelationGetDescr(relation), trigger.tgargs[i]);
    if (column <= 0) // the application dropped it
      continue;
    Oid type = getBaseType(TupleDescAttr(RelationGetDescr(relation), column - 1)->atttypid);
    if (rule_fits(rule, type))
      found.checks[found.count++] = {column, rule, i};
  }
  if (zero == nullptr) {
    MemoryContext previous = MemoryContextSwitchTo(TopMemoryContext);
    zero = int64_to_numeric(0);
    MemoryContextSwitchTo(previous);
  }
  found.relation = RelationGetRelid(relation);
  found.trigger = trigger.tgoid;
  return found;
}

const TriggerChecks &checks_of(Relation relation, const Trigger &trigger) {
  TriggerChecks &entry = kept[trigger.tgoid % kept_count];
  if (entry.trigger != trigger.tgoid)
    entry = read_arguments(relation, trigger);
  return entry;
}

/// 'NaN' is above every number and no amount.
bool is_amount(Datum value) {
  Numeric amount = DatumGetNumeric(value); // unpacked once for both
  return !numeric_is_nan(amount) &&
         DatumGetBool(
             DirectFunctionCall2(numeric_ge, NumericGetDatum(amount), NumericGetDatum(zero)));
}

/// As ISO 4217 writes currencies.
bool is_three_capitals(const text *value) {
  const char *letters = VARDATA_ANY(value);
  if (VARSIZE_ANY_EXHDR(value) != 3)
    return false;
  for (int i = 0; i < 3; ++i)
    if (letters[i] < 'A' || letters[i] > 'Z')
      return false;
  return true;
}

bool holds(Rule rule, Datum value) {
  switch (rule) {
  case Rule::not_negative:
    return is_amount(value);
  case Rule::positive:
    return DatumGetInt32(value) > 0;
  case Rule::shape:
    return is_three_capitals(DatumGetTextPP(value));
  case Rule::not_empty:
    return VARSIZE_ANY_EXHDR(DatumGetTextPP(value)) > 0;
  }
  return true;
}

[[noreturn]] void raise_violation(Relation relation, const Trigger &trigger, const Check &check) {
  const char *table = RelationGetRelationName(relation);
  const char *name = psprintf("%s_%s_%s", table, trigger.tgargs[check.argument],
                              trigger.tgargs[check.argument + 1]);
  ereport(ERROR,
          (errcode(ERRCODE_CHECK_VIOLATION),
           errmsg("new row for relation \"%s\" violates check constraint \"%s\"", table, name),
           errtablecol(relation, check.column), errtableconstraint(relation, name)));
  pg_unreachable();
}

} // namespace

void init_row_checks() { pg::listen_to_relations(on_relation_change); }

} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_check_columns);

/// check_columns(column, rule, ...): BEFORE INSERT OR UPDATE for each row; raises 23514 as a CHECK
/// named table_column_rule would, with table, column and constraint. Null passes. Errors in its
/// arguments: 22023.
Datum brainsait_check_columns(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  TriggerData &data = pg::trigger_data(
      fcinfo, "check_columns", "BEFORE INSERT OR UPDATE FOR EACH ROW", [](TriggerEvent event) {
        return TRIGGER_FIRED_BEFORE(event) && TRIGGER_FIRED_FOR_ROW(event) &&
               !TRIGGER_FIRED_BY_DELETE(event);
      });
  bool updated = TRIGGER_FIRED_BY_UPDATE(data.tg_event);
  TupleTableSlot *row = updated ? data.tg_newslot : data.tg_trigslot;
  const TriggerChecks &found = checks_of(data.tg_relation, *data.tg_trigger);
  for (int i = 0; i < found.count; ++i) {
    const Check check = found.checks[i];
    bool is_null;
    Datum value = slot_getattr(row, check.column, &is_null);
    if (!is_null && !holds(check.rule, value))
      raise_violation(data.tg_relation, *data.tg_trigger, check);
  }
  return PointerGetDatum(updated ? data.tg_newtuple : data.tg_trigtuple);
}
}
