#include "order_number_probe.hpp"

#include "pg/key_scan.hpp"
#include "pg/relation_changes.hpp"
#include "pg/trigger.hpp"

extern "C" {
#include "access/genam.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "executor/tuptable.h"
}

namespace brainsait {
namespace {

OrdersTable known_table;

void on_relation_change(Oid relation) {
  if (relation == InvalidOid || relation == known_table.relation ||
      relation == known_table.number_index)
    known_table.relation = InvalidOid;
}

/// Whether `index` alone makes column `number` unique at every moment.
bool is_unique_over(Relation index, int number) {
  const FormData_pg_index &form = *index->rd_index;
  return form.indisunique && form.indimmediate && form.indisready && form.indisvalid &&
         form.indnkeyatts == 1 && form.indkey.values[0] == number &&
         index->rd_rel->relam == BTREE_AM_OID && RelationGetIndexPredicate(index) == NIL;
}

void find_number_index(OrdersTable &table, Relation orders) {
  ListCell *cell;
  foreach (cell, RelationGetIndexList(orders)) {
    Relation index = index_open(lfirst_oid(cell), AccessShareLock);
    if (is_unique_over(index, table.number)) {
      table.number_index = RelationGetRelid(index);
      Oid equality = get_opfamily_member(index->rd_opfamily[0], index->rd_opcintype[0],
                                         index->rd_opcintype[0], BTEqualStrategyNumber);
      table.equality = get_opcode(equality);
    }
    index_close(index, AccessShareLock);
    if (OidIsValid(table.number_index))
      return;
  }
}

} // namespace

const OrdersTable &orders_table(const pg::Store &store, Relation orders) {
  if (known_table.relation == RelationGetRelid(orders))
    return known_table;
  if (orders->rd_rel->relowner != store.owner)
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("relation \"%s\" is no table of the store's",
                           RelationGetRelationName(orders))));
  OrdersTable table;
  table.tenant_id = pg::column_of_type(orders, "tenant_id", UUIDOID);
  table.number = pg::column_of_type(orders, "number", VARCHAROID);
  table.created_at = pg::column_of_type(orders, "created_at", TIMESTAMPTZOID);
  find_number_index(table, orders);
  table.relation = RelationGetRelid(orders);
  known_table = table;
  return known_table;
}

bool order_number_taken(const OrdersTable &table, Relation orders, std::string_view number) {
  if (!OidIsValid(table.number_index))
    return false;
  // The lock that an insert has on its indexes already.
  Relation index = index_open(table.number_index, RowExclusiveLock);
  SnapshotData dirty;
  InitDirtySnapshot(dirty);
  Datum key = PointerGetDatum(cstring_to_text_with_len(number.data(), int(number.size())));
  IndexScanDesc scan = pg::begin_key_scan(orders, index, &dirty, &table.equality, &key, 1);
  // Nearly always the index has no such number, and no row needs to be read.
  TupleTableSlot *slot = nullptr;
  bool taken = false;
  while (!taken &&
         (scan->xs_heap_continue || index_getnext_tid(scan, ForwardScanDirection) != nullptr)) {
    if (slot == nullptr)
      slot = table_slot_create(orders, nullptr);
    taken = index_fetch_heap(scan, slot);
  }
  index_endscan(scan);
  if (slot != nullptr)
    ExecDropSingleTupleTableSlot(slot);
  index_close(index, NoLock);
  return taken;
}

void init_order_number_probe() { pg::listen_to_relations(on_relation_change); }

} // namespace brainsait
