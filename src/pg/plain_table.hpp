#pragma once

#include "pg/row_places.hpp"
#include "pg/store.hpp"

extern "C" {
#include "access/genam.h"
#include "access/tableam.h"
}

namespace brainsait::pg {

/// Whether an index is a btree on columns alone, of every row, in force at every moment.
bool is_plain_index(Relation index);

/// A column that a PlainTable knows.
struct PlainColumn {
  enum class Filled : std::uint8_t {
    by_caller,
    by_sequence, ///< by nextval() where a row is inserted
    by_default   ///< by the column's default, whatever it is
  };
  const char *name;
  Oid type;
  Filled filled = Filled::by_caller;
};

/// The values of a row's columns, in the order in which the PlainTable names them.
struct PlainRow {
  static constexpr int max_columns = 16;
  Datum values[max_columns];
  bool nulls[max_columns];
};

/// One of the store's own tables, whose rows are read and written by the table access method
/// instead of a query, at a quarter of its cost. That is right only where a query would do nothing
/// else: an ordinary heap table of the store's owner with the very columns that are named here,
/// btree indexes on columns, and no trigger (a foreign key aside whose columns are never updated),
/// rule, CHECK, generated column, child or parent. open() says whether it is so; where it is not,
/// because the application changed the table or another extension distributes it, the caller runs
/// its query. What the access method does by itself is not lost: WAL, heap-only updates, toast,
/// serializable conflicts, replica identity, statistics.
///
/// Constant-initialised, so it may stand at namespace scope, where forget() must hear of the
/// invalidations of relations. No destructor: on an error the (sub)transaction's abort releases
/// what is open, and the next open() starts anew.
class PlainTable {
public:
  /// `columns` begin with the `key_count` ones over which the table has a unique index.
  template <std::size_t count>
  constexpr PlainTable(const char *name, const PlainColumn (&columns)[count], int key_count)
      : name_(name), columns_(columns), column_count_(int(count)), key_count_(key_count) {
    static_assert(count <= PlainRow::max_columns);
  }

  /// Opens the table and locks it against other than row changes; false, with nothing open, where
  /// it is not plain. Raises nothing where it is missing: false as well.
  bool open(const Store &store);

  /// Looks the row up whose key columns are `key`, as of everything committed until now and this
  /// transaction's own changes, under every isolation level. Leaves its values in `row`, valid
  /// until close().
  bool find(const Datum *key, PlainRow &row);

  /// Replaces the row that find() found. False where nothing was done, and the query has to:
  /// another transaction changed the row meanwhile, a column may not be null, or a reference would
  /// have to be checked.
  bool update(const PlainRow &row);

  /// Whether the foreign keys of a row that is to be inserted are known to hold.
  using ReferenceCheck = bool (*)(Relation table, TupleTableSlot *row);

  /// Inserts a row; what the caller does not give is filled in. False where nothing was done, and
  /// the query has to: a column may not be null, a foreign key is not known to hold, or a row
  /// with that key seems to be there already. Costs less than find() where there is no such
  /// row yet, and leaves a dead one behind where there is.
  bool insert(PlainRow &row, ReferenceCheck references);

  /// Ends what find() began, makes what was written visible to the transaction's next commands, and
  /// closes the table; its lock stays.
  void close();

  /// `value` rounded to what the numeric column holds; raises 22003 where it does not fit.
  Datum fit(int column, Datum value) const;

  /// Called with what a relation's invalidation names.
  void forget(Oid relation) {
    if (relation == InvalidOid || relation == known_)
      known_ = InvalidOid;
  }

private:
  void describe(const Store &store);
  bool is_ordinary(const Store &store) const;
  bool references_only_by_key() const;
  bool find_columns();
  uint32 hash_of(const Datum *key) const;
  bool has_key(const Datum *key) const;
  bool find_by_index(const Datum *key, uint32 hash);
  bool find_key_index();
  bool is_key_index(Relation index) const;
  bool has_needed_values(const PlainRow &row) const;
  Oid default_sequence(int number) const;
  Datum default_value(int column, bool &is_null) const;
  void fill_in(PlainRow &row) const;
  bool insert_alone();
  bool insert_index_entries(TupleTableSlot *slot, bool updated);
  void withdraw(ItemPointer place);
  void drop_written();

  const char *name_;
  const PlainColumn *columns_;
  int column_count_, key_count_;

  // What is known of the table; nothing while known_ is InvalidOid.
  Oid known_ = InvalidOid;
  Oid schema_ = InvalidOid;
  bool plain_ = false;
  bool references_ = false; ///< has foreign keys
  AttrNumber numbers_[PlainRow::max_columns] = {};
  Oid sequences_[PlainRow::max_columns] = {};
  Oid key_index_ = InvalidOid;
  Oid equalities_[PlainRow::max_columns] = {}; ///< functions of the key's columns
  RowPlaces places_;

  // What is open.
  Relation relation_ = nullptr;
  Relation index_ = nullptr;
  TupleTableSlot *found_ = nullptr;
  TupleTableSlot *written_ = nullptr;
  bool changed_ = false;
};
static_assert(std::is_trivially_destructible_v<PlainTable>);

} // namespace brainsait::pg
