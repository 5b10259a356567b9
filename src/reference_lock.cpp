#include "reference_lock.hpp"

#include "core/pending_revenue_map.hpp"
#include "pg/key_lock.hpp"
#include "pg/trigger.hpp"
#include "revenue_rows.hpp"

extern "C" {
#include "catalog/pg_trigger.h"
#include "storage/lmgr.h"
}

extern "C" {
PG_FUNCTION_INFO_V1(brainsait_guard_references);
}

namespace brainsait {
namespace {

using pg::LockClass;
using pg::LockStrength;

/// How many keys a transaction locks for what it inserts.
constexpr int most_inserted = 16;

/// How many keys a transaction locks for what it deletes, before it locks tenants' instead, and how
/// many of those, before it locks the table.
constexpr int most_deleted = 64;
constexpr int most_tenants = 1000;

/// How many keys a transaction has locked. Those that a savepoint gave back count on.
class KeyCount {
public:
  int &here() {
    TransactionId now = GetTopTransactionId();
    if (now != transaction_) {
      transaction_ = now;
      count_ = 0;
    }
    return count_;
  }

private:
  TransactionId transaction_ = InvalidTransactionId;
  int count_ = 0;
};
KeyCount inserted, deleted;

/// The name of the key's lock. Who may choose the later columns chooses among his tenant's.
uint64 name_of(const Datum *key, int count) {
  uint64 tenant = core::hash_of(to_core(*DatumGetUUIDP(key[0])));
  uint64 row = core::hash_of(to_core(*DatumGetUUIDP(key[count - 1])));
  return (tenant & 0xFFFFFFFF00000000U) | (row & 0xFFFFFFFFU);
}

bool lock_shared(uint64 name) {
  int &count = inserted.here();
  if (count >= most_inserted)
    return pg::holds_key(LockClass::reference, name, LockStrength::shared);
  count += pg::lock_key(LockClass::reference, name, LockStrength::shared);
  return true;
}

/// Locks the key exclusively. Who references a row has locked its tenant as well, and holds a lock
/// on the table that lets nobody have EXCLUSIVE.
void lock_against_references(Relation table, const Datum *key, int count) {
  uint64 tenant = name_of(key, 1);
  if (pg::holds_key(LockClass::reference, tenant, LockStrength::exclusive))
    return;
  int &locked = deleted.here();
  if (locked >= most_tenants)
    LockRelationOid(RelationGetRelid(table), ExclusiveLock);
  else
    locked +=
        pg::lock_key(LockClass::reference, locked < most_deleted ? name_of(key, count) : tenant);
}

/// Whether the trigger guards every row that is deleted or gets another key, for whoever does it.
/// It is known by what it runs, since a name may be anybody's.
bool is_guard(const Trigger &trigger) {
  constexpr int16 type =
      TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_DELETE | TRIGGER_TYPE_UPDATE;
  if ((trigger.tgtype & type) != type || trigger.tgenabled != TRIGGER_FIRES_ALWAYS ||
      trigger.tgqual != nullptr || trigger.tgnattr != 0)
    return false;
  FmgrInfo function;
  fmgr_info(trigger.tgfoid, &function);
  return function.fn_addr == brainsait_guard_references;
}

/// Whether the trigger's arguments name just these columns.
bool names(const Trigger &trigger, Relation table, const AttrNumber *columns, int count) {
  if (trigger.tgnargs != count || count > most_guarded_columns)
    return false;
  for (int i = 0; i < count; ++i)
    if (std::strcmp(trigger.tgargs[i],
                    NameStr(TupleDescAttr(RelationGetDescr(table), columns[i] - 1)->attname)) != 0)
      return false;
  return true;
}

/// The key columns of `row`; false where one is null, since nothing references such a row.
bool read_key(Relation table, HeapTuple row, const AttrNumber *columns, int count, Datum *key) {
  for (int i = 0; i < count; ++i) {
    bool is_null;
    key[i] = heap_getattr(row, columns[i], RelationGetDescr(table), &is_null);
    if (is_null)
      return false;
  }
  return true;
}

bool same_key(const Datum *left, const Datum *right, int count) {
  for (int i = 0; i < count; ++i)
    if (std::memcmp(DatumGetUUIDP(left[i]), DatumGetUUIDP(right[i]), UUID_LEN) != 0)
      return false;
  return true;
}

} // namespace

bool is_guarded(Relation referenced, const AttrNumber *keys, int count) {
  const TriggerDesc *triggers = referenced->trigdesc;
  for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i)
    if (is_guard(triggers->triggers[i]) && names(triggers->triggers[i], referenced, keys, count))
      return true;
  return false;
}

bool lock_guarded_key(const Datum *key, int count) {
  return lock_shared(name_of(key, 1)) && (count == 1 || lock_shared(name_of(key, count)));
}

} // namespace brainsait

extern "C" {

/// guard_references(tenant's column [, column]): BEFORE UPDATE OR DELETE, waits until no running
/// transaction references the row by that key, and lets none begin to until this one has ended.
/// Errors: 22023 for other than one or two columns, 42703 and 42804 for columns that are missing or
/// no uuids; those of a wait for a lock.
Datum brainsait_guard_references(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  TriggerData &data = pg::trigger_data(
      fcinfo, "guard_references", "BEFORE UPDATE OR DELETE FOR EACH ROW", [](TriggerEvent event) {
        return TRIGGER_FIRED_BEFORE(event) && TRIGGER_FIRED_FOR_ROW(event) &&
               !TRIGGER_FIRED_BY_INSERT(event);
      });
  const Trigger &trigger = *data.tg_trigger;
  int count = trigger.tgnargs;
  if (count < 1 || count > most_guarded_columns)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("guard_references() takes one or two columns, the tenant's first")));
  AttrNumber columns[most_guarded_columns];
  for (int i = 0; i < count; ++i)
    columns[i] = AttrNumber(pg::column_of_type(data.tg_relation, trigger.tgargs[i], UUIDOID));
  bool updates = TRIGGER_FIRED_BY_UPDATE(data.tg_event);
  HeapTuple result = updates ? data.tg_newtuple : data.tg_trigtuple;
  Datum key[most_guarded_columns], next[most_guarded_columns];
  if (!read_key(data.tg_relation, data.tg_trigtuple, columns, count, key))
    return PointerGetDatum(result);
  if (updates && read_key(data.tg_relation, data.tg_newtuple, columns, count, next) &&
      same_key(key, next, count))
    return PointerGetDatum(result);
  lock_against_references(data.tg_relation, key, count);
  return PointerGetDatum(result);
}
}
