#include "pg/row_places.hpp"

extern "C" {
#include "common/hashfn.h"
#include "storage/bufmgr.h"
#include "storage/smgr.h"
}

namespace brainsait::pg {
namespace {

/// Whether the table, which is locked, has that block; vacuum gives back the end of a table without
/// telling. To ask for the number of blocks is a system call. The storage manager remembers the
/// last answer until a truncation anywhere, of which everybody hears before the table's lock is
/// free; meanwhile the table only grows.
bool has_block(Relation table, BlockNumber block) {
  BlockNumber known = RelationGetSmgr(table)->smgr_cached_nblocks[MAIN_FORKNUM];
  return (known != InvalidBlockNumber && block < known) || block < RelationGetNumberOfBlocks(table);
}

} // namespace

RowPlaces places_by_uuids;

uint32 RowPlaces::hash_of(Oid table, const Datum *uuids, int uuid_count) {
  uint32 hash = hash_bytes_uint32(table);
  for (int i = 0; i < uuid_count; ++i)
    hash = hash_combine(hash, hash_bytes(DatumGetUUIDP(uuids[i])->data, UUID_LEN));
  return hash;
}

bool RowPlaces::fetch(Relation table, uint32 hash, Snapshot snapshot, TupleTableSlot *row) const {
  const Place &place = places_[hash % count];
  if (place.hash != hash || !ItemPointerIsValid(&place.root) ||
      !has_block(table, ItemPointerGetBlockNumber(&place.root)))
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
