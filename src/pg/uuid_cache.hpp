#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/hsearch.h"
}

namespace brainsait::pg {

/// What a backend keeps of the rows of one relation, by uuid, until the relation is invalidated: a
/// trigger on it says so when rows change. `Entry` is plain data whose first member is the uuid.
/// Constant-initialised, so one may stand at namespace scope; whoever owns it reports invalidations
/// to on_relation_change().
template <typename Entry> class UuidCache {
  static_assert(std::is_trivially_destructible_v<Entry> && std::is_standard_layout_v<Entry>);

public:
  /// `limit` bounds memory: a cache that is full begins anew.
  constexpr UuidCache(const char *name, long limit) : name_(name), limit_(limit) {}

  /// Only marks: freeing here could pull an entry from under a caller in the middle of using it.
  void on_relation_change(Oid relation) {
    if (relation == InvalidOid || relation == relation_)
      ++generation_;
  }

  /// Grows by one whenever rows may have changed.
  uint64 generation() const { return generation_; }

  /// The entry as it was kept, or nullptr. Looks at nothing but memory.
  Entry *find(Oid relation, const pg_uuid_t &id) {
    return static_cast<Entry *>(hash_search(valid_table(relation), &id, HASH_FIND, nullptr));
  }

  /// The entry; `read(MemoryContext)` gives it where it is not kept, and may allocate there. Valid
  /// until the next command or catalog invalidation.
  template <typename Read> Entry &find_or_read(Oid relation, const pg_uuid_t &id, Read read) {
    if (Entry *found = find(relation, id))
      return *found;
    // Read again while rows change underneath: what is kept must be from after the last
    // invalidation.
    Entry entry;
    uint64 read_at;
    do {
      (void)valid_table(relation);
      read_at = generation_;
      entry = read(context_);
    } while (read_at != generation_);
    auto *kept = static_cast<Entry *>(hash_search(table_, &id, HASH_ENTER, nullptr));
    *kept = entry;
    return *kept;
  }

  /// Whether every entry that there is is kept, so that what find() does not give is not there.
  bool is_whole(Oid relation) {
    (void)valid_table(relation);
    return whole_at_ == generation_;
  }

  /// Keeps every entry that there is: `read(keep)` calls keep(entry) with each, once.
  template <typename Read> void read_whole(Oid relation, Read read) {
    uint64 read_at;
    do {
      (void)valid_table(relation);
      read_at = generation_;
      read([this](const Entry &entry) {
        *static_cast<Entry *>(hash_search(table_, &entry, HASH_ENTER, nullptr)) = entry;
      });
    } while (read_at != generation_);
    whole_at_ = read_at;
  }

private:
  HTAB *valid_table(Oid relation) {
    if (table_ != nullptr && table_generation_ == generation_ && relation_ == relation &&
        hash_get_num_entries(table_) < limit_)
      return table_;
    if (context_ == nullptr)
      context_ = AllocSetContextCreateInternal(TopMemoryContext, name_, ALLOCSET_SMALL_SIZES);
    table_ = nullptr;
    MemoryContextReset(context_);
    HASHCTL control = {};
    control.keysize = sizeof(pg_uuid_t);
    control.entrysize = sizeof(Entry);
    control.hcxt = context_;
    table_ = hash_create(name_, 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    table_generation_ = generation_;
    whole_at_ = 0;
    relation_ = relation;
    return table_;
  }

  const char *name_;
  long limit_;
  MemoryContext context_ = nullptr;
  HTAB *table_ = nullptr;
  Oid relation_ = InvalidOid;
  uint64 generation_ = 1;
  uint64 table_generation_ = 0;
  uint64 whole_at_ = 0; ///< the generation at which all was read; 0 where it was not
};

} // namespace brainsait::pg
