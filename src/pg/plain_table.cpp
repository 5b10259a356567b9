#include "pg/plain_table.hpp"

#include "pg/key_scan.hpp"

extern "C" {
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_trigger.h"
#include "commands/defrem.h"
#include "commands/sequence.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/numeric.h"
}

namespace brainsait::pg {
namespace {

/// A value of a column as text columns of any length take it.
bool fits_column(const FormData_pg_attribute &column, const PlainColumn &wanted) {
  if (column.atttypid != wanted.type || column.attgenerated != '\0' || column.attidentity != '\0')
    return false;
  return wanted.type != VARCHAROID || column.atttypmod < 0 || column.atttypmod >= VARHDRSZ + 3;
}

} // namespace

bool is_plain_index(Relation index) {
  const FormData_pg_index &form = *index->rd_index;
  return index->rd_rel->relam == BTREE_AM_OID && form.indisvalid && form.indisready &&
         form.indimmediate && !form.indisexclusion && RelationGetIndexExpressions(index) == NIL &&
         RelationGetIndexPredicate(index) == NIL;
}

bool PlainTable::open(const Store &store) {
  index_ = nullptr;
  found_ = written_ = nullptr;
  changed_ = false;
  relation_ = nullptr;
  // What is known may be out of date until the lock is there.
  if (OidIsValid(known_) && schema_ == store.schema)
    relation_ = try_table_open(known_, RowExclusiveLock);
  if (relation_ == nullptr || known_ != RelationGetRelid(relation_)) {
    if (relation_ != nullptr)
      table_close(relation_, NoLock);
    Oid table = get_relname_relid(name_, store.schema);
    relation_ = OidIsValid(table) ? try_table_open(table, RowExclusiveLock) : nullptr;
    if (relation_ == nullptr)
      return false;
    describe(store);
  }
  if (plain_)
    return true;
  table_close(relation_, NoLock);
  return false;
}

void PlainTable::describe(const Store &store) {
  places_.forget();
  // Set first: an invalidation that is heard of on the way takes it back.
  known_ = RelationGetRelid(relation_);
  schema_ = store.schema;
  plain_ = is_ordinary(store) && find_columns() && references_only_by_key() && find_key_index();
}

bool PlainTable::is_ordinary(const Store &store) const {
  const FormData_pg_class &form = *relation_->rd_rel;
  const TupleConstr *constraints = RelationGetDescr(relation_)->constr;
  return form.relkind == RELKIND_RELATION && form.relam == HEAP_TABLE_AM_OID &&
         form.relpersistence != RELPERSISTENCE_TEMP && !form.relhasrules && !form.relhassubclass &&
         !form.relispartition && form.relowner == store.owner &&
         (constraints == nullptr || constraints->num_check == 0) &&
         pg_class_aclcheck(RelationGetRelid(relation_), store.owner, ACL_SELECT) == ACLCHECK_OK &&
         pg_class_aclcheck(RelationGetRelid(relation_), store.owner, ACL_INSERT) == ACLCHECK_OK &&
         pg_class_aclcheck(RelationGetRelid(relation_), store.owner, ACL_UPDATE) == ACLCHECK_OK;
}

bool PlainTable::find_columns() {
  TupleDesc descriptor = RelationGetDescr(relation_);
  int found = 0;
  for (int i = 0; i < descriptor->natts; ++i) {
    const FormData_pg_attribute &attribute = *TupleDescAttr(descriptor, i);
    if (attribute.attisdropped)
      continue;
    int column = 0;
    while (column < column_count_ &&
           std::strcmp(columns_[column].name, NameStr(attribute.attname)) != 0)
      ++column;
    if (column == column_count_ || !fits_column(attribute, columns_[column]))
      return false;
    numbers_[column] = attribute.attnum;
    bool serial = columns_[column].filled == PlainColumn::Filled::by_sequence;
    sequences_[column] = serial ? default_sequence(attribute.attnum) : InvalidOid;
    if (serial && !OidIsValid(sequences_[column]))
      return false;
    ++found;
  }
  return found == column_count_;
}

/// The sequence whose nextval() is the column's default; InvalidOid where that is something else.
Oid PlainTable::default_sequence(int number) const {
  Node *expression = build_column_default(relation_, number);
  if (expression == nullptr || !IsA(expression, FuncExpr))
    return InvalidOid;
  const FuncExpr &call = *reinterpret_cast<FuncExpr *>(expression);
  if (call.funcid != F_NEXTVAL || list_length(call.args) != 1 || !IsA(linitial(call.args), Const))
    return InvalidOid;
  return DatumGetObjectId(reinterpret_cast<Const *>(linitial(call.args))->constvalue);
}

/// Whether all that happens on a change is that foreign keys of the key's columns are checked.
bool PlainTable::references_only_by_key() const {
  const TriggerDesc *triggers = relation_->trigdesc;
  for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i)
    if (RI_FKey_trigger_type(triggers->triggers[i].tgfoid) != RI_TRIGGER_FK)
      return false;
  ListCell *cell;
  foreach (cell, RelationGetFKeyList(relation_)) {
    const ForeignKeyCacheInfo &reference = *static_cast<ForeignKeyCacheInfo *>(lfirst(cell));
    for (int i = 0; i < reference.nkeys; ++i) {
      bool in_key = false;
      for (int column = 0; column < key_count_; ++column)
        in_key = in_key || numbers_[column] == reference.conkey[i];
      if (!in_key)
        return false;
    }
  }
  return true;
}

bool PlainTable::is_key_index(Relation index) const {
  const FormData_pg_index &form = *index->rd_index;
  if (!form.indisunique || form.indnkeyatts != key_count_)
    return false;
  for (int i = 0; i < key_count_; ++i)
    if (form.indkey.values[i] != numbers_[i])
      return false;
  return true;
}

/// Finds the key's index and looks at all others.
bool PlainTable::find_key_index() {
  references_ = relation_->trigdesc != nullptr;
  key_index_ = InvalidOid;
  bool all_plain = true;
  ListCell *cell;
  foreach (cell, RelationGetIndexList(relation_)) {
    Relation index = index_open(lfirst_oid(cell), AccessShareLock);
    all_plain = all_plain && is_plain_index(index);
    if (all_plain && is_key_index(index)) {
      key_index_ = RelationGetRelid(index);
      for (int i = 0; i < key_count_; ++i) {
        Oid type = index->rd_opcintype[i];
        Oid usual = GetDefaultOpClass(columns_[i].type, BTREE_AM_OID);
        all_plain = all_plain && get_opclass_family(usual) == index->rd_opfamily[i];
        equalities_[i] = get_opcode(
            get_opfamily_member(index->rd_opfamily[i], type, type, BTEqualStrategyNumber));
      }
    }
    index_close(index, AccessShareLock);
  }
  return all_plain && OidIsValid(key_index_);
}

uint32 PlainTable::hash_of(const Datum *key) const {
  uint32 hash = 0;
  for (int i = 0; i < key_count_; ++i) {
    auto bytes = reinterpret_cast<const unsigned char *>(key[i]);
    uint32 of_column = 0;
    switch (columns_[i].type) {
    case UUIDOID:
      of_column = hash_bytes(bytes, UUID_LEN);
      break;
    case VARCHAROID:
      of_column = hash_bytes(reinterpret_cast<const unsigned char *>(VARDATA_ANY(bytes)),
                             int(VARSIZE_ANY_EXHDR(bytes)));
      break;
    default: // by value
      of_column = hash_bytes_uint32(uint32(key[i]));
    }
    hash = hash_combine(hash, of_column);
  }
  return hash;
}

/// Whether the row in found_ has that key, byte by byte.
bool PlainTable::has_key(const Datum *key) const {
  for (int i = 0; i < key_count_; ++i) {
    const auto &attribute = *TupleDescAttr(RelationGetDescr(relation_), numbers_[i] - 1);
    bool is_null;
    Datum value = slot_getattr(found_, numbers_[i], &is_null);
    if (is_null || !datum_image_eq(value, key[i], attribute.attbyval, attribute.attlen))
      return false;
  }
  return true;
}

bool PlainTable::find_by_index(const Datum *key, uint32 hash) {
  if (index_ == nullptr)
    index_ = index_open(key_index_, RowExclusiveLock);
  IndexScanDesc scan =
      begin_key_scan(relation_, index_, GetActiveSnapshot(), equalities_, key, key_count_);
  bool found = places_.find(scan, hash, found_);
  index_endscan(scan);
  return found;
}

bool PlainTable::find(const Datum *key, PlainRow &row) {
  if (found_ == nullptr)
    found_ = table_slot_create(relation_, nullptr);
  CommandCounterIncrement();
  PushActiveSnapshot(GetLatestSnapshot());
  uint32 hash = hash_of(key);
  bool found = (places_.fetch(relation_, hash, GetActiveSnapshot(), found_) && has_key(key)) ||
               find_by_index(key, hash);
  if (found)
    slot_getallattrs(found_);
  PopActiveSnapshot();
  if (!found)
    return false;
  for (int i = 0; i < column_count_; ++i) {
    row.values[i] = found_->tts_values[numbers_[i] - 1];
    row.nulls[i] = found_->tts_isnull[numbers_[i] - 1];
  }
  return true;
}

bool PlainTable::has_needed_values(const PlainRow &row) const {
  TupleDesc descriptor = RelationGetDescr(relation_);
  for (int i = 0; i < column_count_; ++i)
    if (row.nulls[i] && TupleDescAttr(descriptor, numbers_[i] - 1)->attnotnull)
      return false;
  return true;
}

namespace {

/// A slot with the values of `row`, and null in columns that were dropped.
TupleTableSlot *slot_of(Relation relation, const AttrNumber *numbers, int count,
                        const PlainRow &row) {
  TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(relation), &TTSOpsVirtual);
  int columns = RelationGetNumberOfAttributes(relation);
  std::memset(slot->tts_values, 0, sizeof(Datum) * std::size_t(columns));
  std::memset(slot->tts_isnull, 1, sizeof(bool) * std::size_t(columns));
  for (int i = 0; i < count; ++i) {
    slot->tts_values[numbers[i] - 1] = row.values[i];
    slot->tts_isnull[numbers[i] - 1] = row.nulls[i];
  }
  return ExecStoreVirtualTuple(slot);
}

} // namespace

bool PlainTable::update(const PlainRow &row) {
  if (!has_needed_values(row))
    return false;
  // The check of a reference may be still to come, and would pass over a row that is not the one
  // that was inserted: then the update has to ask for it.
  bool is_null;
  if (references_ && TransactionIdIsCurrentTransactionId(DatumGetTransactionId(
                         slot_getsysattr(found_, MinTransactionIdAttributeNumber, &is_null))))
    return false;
  CheckCmdReplicaIdentity(relation_, CMD_UPDATE);
  written_ = slot_of(relation_, numbers_, column_count_, row);
  TM_FailureData failure;
  LockTupleMode lock;
  BRAINSAIT_UPDATED_INDEXES indexes;
  TM_Result result =
      table_tuple_update(relation_, &found_->tts_tid, written_, GetCurrentCommandId(true),
                         InvalidSnapshot, InvalidSnapshot, true, &failure, &lock, &indexes);
  if (result != TM_Ok)
    return false;
  changed_ = true;
  if (indexes)
    (void)insert_index_entries(written_, true);
  return true;
}

/// The value of the column's default, null where it has none.
Datum PlainTable::default_value(int column, bool &is_null) const {
  Node *expression = build_column_default(relation_, numbers_[column]);
  is_null = expression == nullptr;
  if (is_null)
    return Datum(0);
  EState *state = CreateExecutorState();
  ExprState *evaluation = ExecPrepareExpr(reinterpret_cast<Expr *>(expression), state);
  Datum value = ExecEvalExpr(evaluation, GetPerTupleExprContext(state), &is_null);
  if (!is_null) {
    const auto &attribute = *TupleDescAttr(RelationGetDescr(relation_), numbers_[column] - 1);
    value = datumCopy(value, attribute.attbyval, attribute.attlen);
  }
  FreeExecutorState(state);
  return value;
}

/// Fills in what is not the caller's.
void PlainTable::fill_in(PlainRow &row) const {
  for (int i = 0; i < column_count_; ++i)
    switch (columns_[i].filled) {
    case PlainColumn::Filled::by_caller:
      break;
    case PlainColumn::Filled::by_sequence:
      row.values[i] = Int64GetDatum(nextval_internal(sequences_[i], true));
      row.nulls[i] = false;
      break;
    case PlainColumn::Filled::by_default:
      row.values[i] = default_value(i, row.nulls[i]);
      break;
    }
}

bool PlainTable::insert(PlainRow &row, ReferenceCheck references) {
  if (references_ && references == nullptr)
    return false;
  fill_in(row);
  if (!has_needed_values(row))
    return false;
  written_ = slot_of(relation_, numbers_, column_count_, row);
  if (references_ && !references(relation_, written_)) {
    drop_written();
    return false;
  }
  if (insert_alone())
    return true;
  drop_written();
  return false;
}

/// Inserts the row in written_ unless another one with its key seems to be there. Where rows are
/// published, a subscriber must not hear of one that is withdrawn, since it would meet the other
/// one: there it is inserted as ON CONFLICT does it, which tells when it stays, and costs a record
/// more.
bool PlainTable::insert_alone() {
  CommandId command = GetCurrentCommandId(true);
  changed_ = true;
  if (!RelationIsLogicallyLogged(relation_)) {
    table_tuple_insert(relation_, written_, command, 0, nullptr);
    bool alone = insert_index_entries(written_, false);
    if (!alone)
      withdraw(&written_->tts_tid);
    return alone;
  }
  uint32 token = SpeculativeInsertionLockAcquire(GetCurrentTransactionId());
  table_tuple_insert_speculative(relation_, written_, command, 0, nullptr, token);
  bool alone = insert_index_entries(written_, false);
  table_tuple_complete_speculative(relation_, written_, token, alone);
  SpeculativeInsertionLockRelease(GetCurrentTransactionId());
  return alone;
}

/// Enters the row into every index. An inserted row whose key another one seems to have stays, for
/// the moment, and false is returned: the one who waits for the other transaction, and goes by what
/// it did, is the query.
bool PlainTable::insert_index_entries(TupleTableSlot *slot, bool updated) {
  bool unique = true;
  ListCell *cell;
  foreach (cell, RelationGetIndexList(relation_)) {
    Relation index = index_open(lfirst_oid(cell), RowExclusiveLock);
    IndexInfo *info = BuildIndexInfo(index);
    Datum values[INDEX_MAX_KEYS];
    bool nulls[INDEX_MAX_KEYS];
    FormIndexDatum(info, slot, nullptr, values, nulls);
    IndexUniqueCheck check = !info->ii_Unique ? UNIQUE_CHECK_NO
                             : updated        ? UNIQUE_CHECK_YES
                                              : UNIQUE_CHECK_PARTIAL;
    bool alone =
        index_insert(index, values, nulls, &slot->tts_tid, relation_, check, updated, info);
    unique = unique && (alone || check != UNIQUE_CHECK_PARTIAL);
    index_close(index, NoLock);
  }
  return unique;
}

/// Deletes the row that this command inserted.
void PlainTable::withdraw(ItemPointer place) {
  CommandCounterIncrement();
  simple_table_tuple_delete(relation_, place, InvalidSnapshot);
}

void PlainTable::drop_written() {
  if (written_ != nullptr)
    ExecDropSingleTupleTableSlot(written_);
  written_ = nullptr;
}

void PlainTable::close() {
  if (found_ != nullptr)
    ExecDropSingleTupleTableSlot(found_);
  drop_written();
  if (index_ != nullptr)
    index_close(index_, NoLock);
  table_close(relation_, NoLock);
  if (changed_)
    CommandCounterIncrement();
}

Datum PlainTable::fit(int column, Datum value) const {
  int32 modifier = TupleDescAttr(RelationGetDescr(relation_), numbers_[column] - 1)->atttypmod;
  return modifier < 0 ? value : DirectFunctionCall2(numeric, value, Int32GetDatum(modifier));
}

} // namespace brainsait::pg
