#include "pg/key_scan.hpp"

extern "C" {
#include "access/skey.h"
#include "access/stratnum.h"
#include "utils/rel.h"
}

namespace brainsait::pg {

IndexScanDesc begin_key_scan(Relation table, Relation index, Snapshot snapshot,
                             const Oid *equalities, const Datum *key, int count) {
  ScanKeyData conditions[INDEX_MAX_KEYS];
  for (int i = 0; i < count; ++i)
    ScanKeyEntryInitialize(&conditions[i], 0, AttrNumber(i + 1), BTEqualStrategyNumber,
                           index->rd_opcintype[i], index->rd_indcollation[i], equalities[i],
                           key[i]);
  IndexScanDesc scan = BRAINSAIT_INDEX_BEGINSCAN(table, index, snapshot, count);
  index_rescan(scan, conditions, count, nullptr, 0); // copies the conditions
  return scan;
}

} // namespace brainsait::pg
