#pragma once

#include "pg/store.hpp"

extern "C" {
#include "access/tableam.h"
}

namespace brainsait::pg {

/// One row of a table, found by its primary key, a single uuid, without a query: a tenth of what
/// setting one up costs. Right where a query would see no other row, so only for the store's own
/// ordinary tables, which row security does not bound for their owner. Plain data: an error leaves
/// the release of what is open to the abort.
struct RowLookup {
  enum class Outcome { found, missing, unknown };

  Relation table = nullptr;
  TupleTableSlot *row = nullptr; ///< where the row was found; valid until close()

  /// Looks the row up in the latest committed state, this transaction's own changes included.
  /// `unknown`, with nothing open, where the table is not ordinary and a query has to tell; nothing
  /// is open where the row is `missing` either.
  Outcome open(const Store &store, Oid relation, const pg_uuid_t &id);

  /// Whether the table has a column of that name and type.
  bool has(const char *column, Oid type) const;
  Oid collation(const char *column) const;

  /// The value of a column that the table has, which may be toasted.
  Datum value(const char *column, bool &is_null) const;

  void close();
};
static_assert(std::is_trivially_destructible_v<RowLookup>);

} // namespace brainsait::pg
