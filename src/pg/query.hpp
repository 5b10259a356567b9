#pragma once

#include "pg/store.hpp"

namespace brainsait::pg {

/// A stretch of work on the store's own tables, done through SPI as the tables' owner and past
/// FORCE ROW LEVEL SECURITY, the way foreign-key checks work. Trivially destructible: on an error
/// the (sub)transaction's abort restores user and security context, so no PG_TRY is needed.
///
/// Text of queries run here trusts no search_path: every table is named through @store@ and every
/// operator and function through pg_catalog (`OPERATOR(pg_catalog.=)`).
struct OwnerSession {
  Oid saved_user;
  int saved_security_context;
};
static_assert(std::is_trivially_destructible_v<OwnerSession>);

/// Begins such a stretch; raises nothing but out of memory. Sessions nest; each must be ended.
OwnerSession begin_owner_session(const Store &store);
/// Gives the user back and frees what the session's queries returned.
void end_owner_session(const OwnerSession &session);

/// A query over the store's tables, prepared once per backend; `@store@` in its text becomes the
/// quoted schema name. Constant-initialised, so it may stand at namespace scope.
class StoreQuery {
public:
  static constexpr int max_arguments = 16;

  template <typename... Types>
  constexpr explicit StoreQuery(const char *text, Types... argument_types)
      : text_(text), argument_count_(sizeof...(Types)), argument_types_{Oid(argument_types)...} {
    static_assert(sizeof...(Types) <= max_arguments);
  }

  /// Runs the query inside an owner session; SPI_processed and SPI_tuptable hold the result.
  /// Nothing is compiled (JIT). Reads see everything committed until now, under every isolation
  /// level, and the transaction's own changes (`GetLatestSnapshot`, as foreign-key checks do): a
  /// REPEATABLE READ transaction must not maintain shared state from an old snapshot.
  /// `nulls` as in SPI_execute_plan, or nullptr where no argument is null.
  void run(const Store &store, Datum *arguments, const char *nulls = nullptr, long limit = 0);

  /// The same with a snapshot that the caller took and registered, so that several queries see one
  /// moment (and the transaction's own changes so far).
  void run_at(const Store &store, Snapshot snapshot, Datum *arguments);

  /// As run(), by an index alone where there is one: a small table's only page would be read faster
  /// whole, but that reads every version that updates leave behind, and under SERIALIZABLE it
  /// conflicts with every writer. One plan for all arguments.
  void run_by_index(const Store &store, Datum *arguments);

  /// Runs a query that only reads inside an owner session, with the snapshot of the query that
  /// called us: it sees what that one sees, and nothing newer.
  void read(const Store &store, Datum *arguments);

  /// As read(), planned anew for these very arguments, so that conditions on a null argument
  /// vanish and estimates know the values. `nulls` as in SPI_execute_plan.
  void read_planned_for(const Store &store, Datum *arguments, const char *nulls);

private:
  bool is_ready(const Store &store) const;
  void prepare(const Store &store, int cursor_options = 0);

  const char *text_;
  int argument_count_;
  std::array<Oid, max_arguments> argument_types_;
  SPIPlanPtr plan_ = nullptr;
  bool planned_ = false; ///< by run_by_index()
  Oid schema_ = InvalidOid;
  uint64 generation_ = 0;
};

/// Column `number` (from 1) of row `row` (from 0) of the last result.
Datum result_datum(uint64 row, int number, bool &is_null);

/// The first column of the first row, which must be there and not null.
Datum result_scalar();

} // namespace brainsait::pg
