#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
#include "access/tableam.h"
}

namespace brainsait::pg {

/// Where rows were found lately, by a hash of their key, so that a row that is asked for again and
/// again is not looked for in its index each time. A place is a guess: the row may have moved, or
/// another one may be there, so whoever fetches from it compares the key. For heap tables. Plain
/// data; constant-initialised.
class RowPlaces {
public:
  /// Stores in `row` what the snapshot sees of the row that was found under this hash; false where
  /// none was, or nothing is to be seen there any more.
  bool fetch(Relation table, uint32 hash, Snapshot snapshot, TupleTableSlot *row) const;

  /// Stores the scan's first row in `row`, and where it is under the hash; false where there is no
  /// row.
  bool find(IndexScanDesc scan, uint32 hash, TupleTableSlot *row);

  /// The hash of a key of uuids in a table.
  static uint32 hash_of(Oid table, const Datum *uuids, int uuid_count);

  void forget() {
    for (Place &place : places_)
      ItemPointerSetInvalid(&place.root);
  }

private:
  struct Place {
    uint32 hash = 0;
    ItemPointerData root = {{0xFFFF, 0xFFFF}, 0}; ///< where the index points to; invalid for none
  };
  static constexpr uint32 count = 512;
  Place places_[count] = {};
};

/// Of rows that are found by keys of uuids, under RowPlaces::hash_of(): whoever looks for them
/// shares it. A tenant's row is read when the tenant is set, and referenced by all that is inserted
/// then.
extern RowPlaces places_by_uuids;

} // namespace brainsait::pg
