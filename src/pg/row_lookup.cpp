#include "pg/row_lookup.hpp"

#include "pg/key_scan.hpp"
#include "pg/plain_table.hpp"
#include "pg/row_places.hpp"
#include "pg/trigger.hpp"

extern "C" {
#include "access/nbtree.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
}

namespace brainsait::pg {
namespace {

bool is_ordinary(Relation table, const Store &store) {
  const FormData_pg_class &form = *table->rd_rel;
  return form.relkind == RELKIND_RELATION && form.relam == HEAP_TABLE_AM_OID &&
         !form.relhassubclass && form.relowner == store.owner;
}

/// The primary key's index, opened, where that is a btree over one uuid; else nullptr.
Relation open_uuid_key(Relation table) {
  if (!table->rd_indexvalid)
    list_free(RelationGetIndexList(table));
  if (!OidIsValid(table->rd_pkindex))
    return nullptr;
  Relation index = index_open(table->rd_pkindex, AccessShareLock);
  if (is_plain_index(index) && index->rd_index->indnkeyatts == 1 &&
      index->rd_opcintype[0] == UUIDOID && index_getprocid(index, 1, BTORDER_PROC) == F_UUID_CMP)
    return index;
  index_close(index, AccessShareLock);
  return nullptr;
}

/// Every commit until now, as StoreQuery::run() takes it; in a parallel query, whose workers share
/// the latest snapshot, the one for reading catalogs, which is as new.
Snapshot latest_snapshot(Oid table) {
  if (IsInParallelMode())
    return GetCatalogSnapshot(table);
  CommandCounterIncrement();
  return GetLatestSnapshot();
}

} // namespace

RowLookup::Outcome RowLookup::open(const Store &store, Oid relation, const pg_uuid_t &id) {
  table = try_table_open(relation, AccessShareLock);
  if (table == nullptr)
    return Outcome::unknown;
  Relation index = is_ordinary(table, store) ? open_uuid_key(table) : nullptr;
  if (index == nullptr) {
    table_close(table, NoLock);
    return Outcome::unknown;
  }
  Oid equality = F_UUID_EQ;
  Datum key = UUIDPGetDatum(&id);
  row = table_slot_create(table, nullptr);
  PushActiveSnapshot(latest_snapshot(relation));
  IndexScanDesc scan = begin_key_scan(table, index, GetActiveSnapshot(), &equality, &key, 1);
  bool found = places_by_uuids.find(scan, RowPlaces::hash_of(relation, &key, 1), row);
  if (found)
    slot_getallattrs(row);
  index_endscan(scan);
  index_close(index, AccessShareLock);
  if (!found)
    close();
  return found ? Outcome::found : Outcome::missing;
}

bool RowLookup::has(const char *column, Oid type) const {
  int number = SPI_fnumber(RelationGetDescr(table), column);
  return number > 0 && TupleDescAttr(RelationGetDescr(table), number - 1)->atttypid == type;
}

Oid RowLookup::collation(const char *column) const {
  return TupleDescAttr(RelationGetDescr(table), column_number(table, column) - 1)->attcollation;
}

Datum RowLookup::value(const char *column, bool &is_null) const {
  return slot_getattr(row, column_number(table, column), &is_null);
}

void RowLookup::close() {
  PopActiveSnapshot();
  ExecDropSingleTupleTableSlot(row);
  table_close(table, AccessShareLock);
}

} // namespace brainsait::pg
