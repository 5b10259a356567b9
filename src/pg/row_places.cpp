#include "pg/row_places.hpp"

extern "C" {
#include "storage/bufmgr.h"
}

namespace brainsait::pg {

bool RowPlaces::fetch(Relation table, uint32 hash, Snapshot snapshot, TupleTableSlot *row) const {
  const Place &place = places_[hash % count];
  // Vacuum gives back the end of a table without telling.
  if (place.hash != hash || !ItemPointerIsValid(&place.root) ||
      ItemPointerGetBlockNumber(&place.root) >= RelationGetNumberOfBlocks(table))
    return false;
  ItemPointerData root = place.root;
  bool again = false, dead = false;
  IndexFetchTableData *fetch = table_index_fetch_begin(table);
  bool found = table_index_fetch_tuple(fetch, &root, snapshot, row, &again, &dead);
  table_index_fetch_end(fetch);
  return found;
}

bool RowPlaces::find(IndexScanDesc scan, uint32 hash, TupleTableSlot *row) {
  while (ItemPointer root = index_getnext_tid(scan, ForwardScanDirection)) {
    Place place = {hash, *root}; // before the scan follows the row's versions
    if (index_fetch_heap(scan, row)) {
      places_[hash % count] = place;
      return true;
    }
  }
  return false;
}

} // namespace brainsait::pg
