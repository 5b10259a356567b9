// Foreign keys of the store's tables, checked by direct look-up when a row is inserted.
//
// PostgreSQL checks a reference by a query, SELECT ... FOR KEY SHARE, whose executor is set up and
// torn down for each row: two of them are a fifth of what inserting an order costs, and a checkout
// has ten. The look-up does the same: it finds the referenced row in its unique index by a snapshot
// taken now, and locks it, or its key where the table is guarded (reference_lock.hpp). Only that
// success is decided here. Whatever else comes up, and every case that is not the plain one
// (REPEATABLE READ and above, nulls, other types than the usual, partitioned tables), is left to
// PostgreSQL's own trigger function, which begins anew and raises what is to be raised.
//
// Nothing in the catalogs tells of this. When a query starts, the executor has a place for the
// function of each trigger of the table, empty until the trigger fires first; it is filled here. A
// server that has not loaded this module, COPY, replication and deferred constraints use
// PostgreSQL's function as ever.

#include "reference_check.hpp"

#include "pg/key_scan.hpp"
#include "pg/plain_table.hpp"
#include "pg/relation_changes.hpp"
#include "pg/row_places.hpp"
#include "reference_lock.hpp"

extern "C" {
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_trigger.h"
#include "commands/defrem.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
}

namespace brainsait {
namespace {

constexpr int most_columns = 4;

/// A foreign key as the index of the referenced table has it. Plain data.
struct Reference {
  Oid constraint; ///< InvalidOid where nothing is kept
  Oid referencing, referenced;
  Oid index; ///< InvalidOid where PostgreSQL has to check
  int column_count;
  AttrNumber columns[most_columns]; ///< of the referencing table, in the order of the index
  AttrNumber keys[most_columns];    ///< of the referenced table, likewise
  Oid equality;                     ///< the function that compares two uuids
  bool guarded;                     ///< the key may be locked instead of the row
};

// One place per constraint, found by its OID; those that share one only look things up more often.
constexpr Oid kept_count = 32;
Reference kept[kept_count];

/// A reference that was found and locked: it need not be again while the same command runs, since
/// whatever could undo it here makes the command counter move. Others cannot while the lock lasts.
struct Checked {
  TransactionId transaction; ///< the top one; invalid where nothing is kept
  SubTransactionId subtransaction;
  CommandId command;
  Oid constraint;
  pg_uuid_t key[2];
};
constexpr uint32 checked_count = 64;
Checked checked[checked_count];

ExecutorStart_hook_type previous_start = nullptr;

void on_relation_change(Oid relation) {
  for (Reference &reference : kept)
    if (relation == InvalidOid || relation == reference.referencing ||
        relation == reference.referenced)
      reference.constraint = InvalidOid;
}

/// Where `column` stands in a foreign key's referenced columns, or -1.
int position_of(const ForeignKeyCacheInfo &key, AttrNumber column) {
  for (int i = 0; i < key.nkeys; ++i)
    if (key.confkey[i] == column)
      return i;
  return -1;
}

/// Fills in the order of the columns where the index is unique over just those that the key
/// references, uuids on both sides, compared in the usual way.
bool takes_index(Reference &reference, const ForeignKeyCacheInfo &key, Relation index) {
  const FormData_pg_index &form = *index->rd_index;
  if (!pg::is_plain_index(index) || !form.indisunique || form.indnkeyatts != key.nkeys)
    return false;
  Oid usual = get_opclass_family(GetDefaultOpClass(UUIDOID, BTREE_AM_OID));
  Oid equality = get_opfamily_member(usual, UUIDOID, UUIDOID, BTEqualStrategyNumber);
  reference.equality = get_opcode(equality);
  for (int i = 0; i < key.nkeys; ++i) {
    int place = position_of(key, form.indkey.values[i]);
    if (place < 0 || index->rd_opfamily[i] != usual || index->rd_opcintype[i] != UUIDOID ||
        key.conpfeqop[place] != equality)
      return false;
    reference.columns[i] = key.conkey[place];
    reference.keys[i] = form.indkey.values[i];
  }
  reference.column_count = key.nkeys;
  return true;
}

bool is_plain(Relation referenced) {
  const FormData_pg_class &form = *referenced->rd_rel;
  return form.relkind == RELKIND_RELATION && form.relam == HEAP_TABLE_AM_OID &&
         !form.relhassubclass;
}

/// The index that the constraint depends on; InvalidOid where the constraint is gone.
Oid index_of(Oid constraint) {
  HeapTuple row = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
  if (!HeapTupleIsValid(row))
    return InvalidOid;
  Oid index = reinterpret_cast<Form_pg_constraint>(GETSTRUCT(row))->conindid;
  ReleaseSysCache(row);
  return index;
}

void describe(Reference &reference, Relation referencing, Oid constraint) {
  reference = {};
  reference.constraint = constraint;
  reference.referencing = RelationGetRelid(referencing);
  ListCell *cell;
  foreach (cell, RelationGetFKeyList(referencing)) {
    const ForeignKeyCacheInfo &key = *static_cast<ForeignKeyCacheInfo *>(lfirst(cell));
    if (key.conoid != constraint || key.nkeys > most_columns)
      continue;
    reference.referenced = key.confrelid;
    Relation referenced = table_open(key.confrelid, RowShareLock);
    Oid index_id = is_plain(referenced) ? index_of(constraint) : InvalidOid;
    if (OidIsValid(index_id)) {
      Relation index = index_open(index_id, AccessShareLock);
      if (takes_index(reference, key, index)) {
        reference.index = index_id;
        reference.guarded = is_guarded(referenced, reference.keys, reference.column_count);
      }
      index_close(index, AccessShareLock);
    }
    table_close(referenced, NoLock);
    return;
  }
}

const Reference &reference_of(Relation referencing, Oid constraint) {
  Reference &reference = kept[constraint % kept_count];
  if (reference.constraint != constraint)
    describe(reference, referencing, constraint);
  return reference;
}

bool has_key(const Reference &reference, const Datum *key, TupleTableSlot *row) {
  for (int i = 0; i < reference.column_count; ++i) {
    bool is_null;
    Datum value = slot_getattr(row, reference.keys[i], &is_null);
    if (is_null || std::memcmp(DatumGetUUIDP(value), DatumGetUUIDP(key[i]), UUID_LEN) != 0)
      return false;
  }
  return true;
}

bool find_by_index(const Reference &reference, Relation table, const Datum *key, uint32 hash,
                   TupleTableSlot *row) {
  Relation index = index_open(reference.index, AccessShareLock);
  Oid equalities[most_columns];
  std::fill_n(equalities, most_columns, reference.equality);
  IndexScanDesc scan = pg::begin_key_scan(table, index, GetActiveSnapshot(), equalities, key,
                                          reference.column_count);
  bool found = pg::places_by_uuids.find(scan, hash, row);
  index_endscan(scan);
  index_close(index, AccessShareLock);
  return found;
}

/// Whether this transaction wrote the row: nobody else can delete it, nor what it was before, until
/// the transaction ends, or goes back to before the row and what references it.
bool is_own(const HeapTupleHeaderData &row) {
  return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(&row));
}

/// Whether somebody may be deleting the row, or changing its key: who did not ask the guard, that
/// is, or one that failed.
bool may_leave(const HeapTupleHeaderData &row) {
  return (row.t_infomask & HEAP_XMAX_INVALID) == 0 && !HEAP_XMAX_IS_LOCKED_ONLY(row.t_infomask) &&
         (row.t_infomask2 & HEAP_KEYS_UPDATED) != 0;
}

/// Locks the row that the active snapshot has found.
bool lock_row(Relation table, TupleTableSlot *row) {
  TM_FailureData failure;
  ItemPointerData place = row->tts_tid;
  return table_tuple_lock(table, &place, GetActiveSnapshot(), row, GetCurrentCommandId(false),
                          LockTupleKeyShare, LockWaitBlock, TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS,
                          &failure) == TM_Ok;
}

/// Whether the row that the active snapshot has found stays until the transaction ends.
bool keep_row(Relation table, TupleTableSlot *row, bool key_is_locked) {
  bool should_free;
  const HeapTupleHeaderData &header = *ExecFetchSlotHeapTuple(row, false, &should_free)->t_data;
  Assert(!should_free); // a heap's slot has the tuple itself
  if (is_own(header) || (key_is_locked && !may_leave(header)))
    return true;
  return lock_row(table, row);
}

/// Finds the row with that key as of now and locks it against deletion and change of its key.
bool lock_referenced(const Reference &reference, const Datum *key) {
  Relation table = table_open(reference.referenced, RowShareLock);
  if (reference.constraint == InvalidOid) { // the lock brought news of the table
    table_close(table, NoLock);
    return false;
  }
  bool key_is_locked = reference.guarded && lock_guarded_key(key, reference.column_count);
  // What this very command inserted counts as well.
  CommandCounterIncrement();
  PushActiveSnapshot(GetTransactionSnapshot());
  TupleTableSlot *row = table_slot_create(table, nullptr);
  uint32 hash = pg::RowPlaces::hash_of(reference.referenced, key, reference.column_count);
  bool locked = false;
  if ((pg::places_by_uuids.fetch(table, hash, GetActiveSnapshot(), row) &&
       has_key(reference, key, row)) ||
      find_by_index(reference, table, key, hash, row))
    locked = keep_row(table, row, key_is_locked);
  ExecDropSingleTupleTableSlot(row);
  PopActiveSnapshot();
  table_close(table, NoLock);
  return locked;
}

/// The place where a check of that key is kept, and what would stand there now.
Checked &place_of(const Reference &reference, const Datum *key, Checked &now) {
  now = {};
  now.transaction = GetTopTransactionIdIfAny();
  now.subtransaction = GetCurrentSubTransactionId();
  now.command = GetCurrentCommandId(false);
  now.constraint = reference.constraint;
  for (int i = 0; i < reference.column_count; ++i)
    now.key[i] = *DatumGetUUIDP(key[i]);
  uint32 hash = hash_bytes(reinterpret_cast<const unsigned char *>(now.key), sizeof now.key);
  return checked[(hash ^ reference.constraint) % checked_count];
}

/// Whether the row's reference by that constraint is there, and locked.
bool holds(Relation referencing, Oid constraint, TupleTableSlot *row) {
  const Reference &reference = reference_of(referencing, constraint);
  if (!OidIsValid(reference.index))
    return false;
  Datum key[most_columns];
  for (int i = 0; i < reference.column_count; ++i) {
    bool is_null;
    key[i] = slot_getattr(row, reference.columns[i], &is_null);
    if (is_null)
      return false;
  }
  Checked now;
  bool keeps = reference.column_count <= int(std::size(now.key));
  if (keeps && std::memcmp(&place_of(reference, key, now), &now, sizeof now) == 0)
    return true;
  if (!lock_referenced(reference, key))
    return false;
  if (keeps)
    place_of(reference, key, now) = now;
  return true;
}

bool is_satisfied(const TriggerData &data) {
  // A row that is there no more references nothing.
  return !IsolationUsesXactSnapshot() &&
         table_tuple_satisfies_snapshot(data.tg_relation, data.tg_trigslot, SnapshotSelf) &&
         holds(data.tg_relation, data.tg_trigger->tgconstraint, data.tg_trigslot);
}

/// In the place of RI_FKey_check_ins.
Datum check_reference(FunctionCallInfo fcinfo) {
  if (CALLED_AS_TRIGGER(fcinfo) && is_satisfied(*reinterpret_cast<TriggerData *>(fcinfo->context)))
    return PointerGetDatum(nullptr);
  return RI_FKey_check_ins(fcinfo);
}

void watch_references(const EState &state, ResultRelInfo &table) {
  const TriggerDesc *triggers = table.ri_TrigDesc;
  if (triggers == nullptr || !triggers->trig_insert_after_row ||
      !pg::is_current_store(RelationGetNamespace(table.ri_RelationDesc)))
    return;
  for (int i = 0; i < triggers->numtriggers; ++i) {
    const Trigger &trigger = triggers->triggers[i];
    FmgrInfo &function = table.ri_TrigFunctions[i];
    if (trigger.tgfoid != F_RI_FKEY_CHECK_INS || trigger.tgdeferrable ||
        OidIsValid(function.fn_oid))
      continue;
    fmgr_info_cxt(trigger.tgfoid, &function, state.es_query_cxt);
    function.fn_addr = check_reference;
  }
}

void start_executor(QueryDesc *query, int flags) {
  if (previous_start != nullptr)
    previous_start(query, flags);
  else
    standard_ExecutorStart(query, flags);
  if (query->operation != CMD_INSERT || query->estate == nullptr)
    return;
  ListCell *cell;
  foreach (cell, query->estate->es_opened_result_relations)
    watch_references(*query->estate, *static_cast<ResultRelInfo *>(lfirst(cell)));
}

} // namespace

bool references_hold(Relation table, TupleTableSlot *row) {
  if (IsolationUsesXactSnapshot())
    return false;
  const TriggerDesc *triggers = table->trigdesc;
  for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i) {
    const Trigger &trigger = triggers->triggers[i];
    if (trigger.tgfoid == F_RI_FKEY_CHECK_INS &&
        (trigger.tgdeferrable || !holds(table, trigger.tgconstraint, row)))
      return false;
  }
  return true;
}

void init_reference_check() {
  pg::listen_to_relations(on_relation_change);
  previous_start = ExecutorStart_hook;
  ExecutorStart_hook = start_executor;
}

} // namespace brainsait
