#include "pg/row_places.hpp"

extern "C" {
#include "access/heapam.h"
#include "common/hashfn.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/smgr.h"
}

#include <algorithm>

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

/// Removes dead versions where a page runs short of room. PostgreSQL does so wherever it reads a
/// page that has used any of the room that its fillfactor keeps for new versions, which is with
/// every update of a page that is full: here half of that room is used first. As there, what is
/// read without a lock is a hint.
void make_room(Relation table, Buffer buffer) {
  Size kept = RelationGetTargetPageFreeSpace(table, HEAP_DEFAULT_FILLFACTOR);
  if (PageGetHeapFreeSpace(BufferGetPage(buffer)) < std::max<Size>(kept / 2, BLCKSZ / 10))
    heap_page_prune_opt(table, buffer);
}

/// Stores in `row` which of the versions that begin at `root` the snapshot sees, as an index scan's
/// fetch from a heap does; false where it sees none. `all_dead` tells that nobody sees any more.
bool fetch_version(Relation table, ItemPointerData root, Snapshot snapshot, TupleTableSlot *row,
                   bool &all_dead) {
  ExecClearTuple(row);
  Buffer buffer = ReadBuffer(table, ItemPointerGetBlockNumber(&root));
  make_room(table, buffer);
  HeapTupleData &version = reinterpret_cast<BufferHeapTupleTableSlot *>(row)->base.tupdata;
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  bool found = heap_hot_search_buffer(&root, table, buffer, snapshot, &version, &all_dead, true);
  LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
  if (!found) {
    ReleaseBuffer(buffer);
    return false;
  }
  version.t_self = root; // which the search has moved on to the version
  ExecStorePinnedBufferHeapTuple(&version, row, buffer);
  row->tts_tableOid = RelationGetRelid(table);
  pgstat_count_heap_fetch(table);
  return true;
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
  bool all_dead;
  return fetch_version(table, place.root, snapshot, row, all_dead);
}

bool RowPlaces::find(IndexScanDesc scan, uint32 hash, TupleTableSlot *row) {
  while (ItemPointer root = index_getnext_tid(scan, ForwardScanDirection)) {
    bool all_dead;
    if (fetch_version(scan->heapRelation, *root, scan->xs_snapshot, row, all_dead)) {
      places_[hash % count] = {hash, *root};
      return true;
    }
    scan->kill_prior_tuple = all_dead && !scan->xactStartedInRecovery; // lets the index forget it
  }
  return false;
}

} // namespace brainsait::pg
