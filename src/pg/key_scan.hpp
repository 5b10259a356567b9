#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/genam.h"
}

namespace brainsait::pg {

/// Begins a scan of a btree index for what its first `count` columns have in common with `key`.
/// `equalities` are the functions of the columns' equality, which the caller has looked up once;
/// `count` is at most INDEX_MAX_KEYS. The caller ends the scan with index_endscan().
IndexScanDesc begin_key_scan(Relation table, Relation index, Snapshot snapshot,
                             const Oid *equalities, const Datum *key, int count);

} // namespace brainsait::pg
