// {CODE}: the store's sequence and its key.

#include "order_number_codes.hpp"

#include "pg/guard.hpp"
#include "pg/query.hpp"
#include "pg/relation_changes.hpp"

extern "C" {
#include "commands/sequence.h"
}

namespace brainsait {
namespace {

struct CodeSource {
  Oid schema = InvalidOid;
  Oid sequence = InvalidOid;
  Oid key_table = InvalidOid;
};

CodeSource source;
uint64 generation = 1;                    ///< grows when sequence or key may have changed
uint64 known_generation = 0;              ///< that of `source` and `encoder`
std::optional<core::CodeEncoder> encoder; // trivially destructible, and constant-initialised

pg::StoreQuery read_key("SELECT version, key FROM @store@.order_number_key");

void on_relation_change(Oid relation) {
  if (relation == InvalidOid || relation == source.sequence || relation == source.key_table)
    ++generation;
}

[[noreturn]] void raise_bad_key() {
  ereport(ERROR,
          (errcode(ERRCODE_DATA_CORRUPTED),
           errmsg("table order_number_key does not hold exactly one key of version 1 and %zu "
                  "bytes",
                  core::code_key_size),
           errhint("Bring the row back from a backup: with another key, codes that were "
                   "given before come up again and have to be stepped past.")));
  pg_unreachable();
}

core::CodeKey read_code_key(const pg::Store &store) {
  core::CodeKey key;
  pg::OwnerSession session = pg::begin_owner_session(store);
  read_key.run(store, nullptr);
  bool no_version = true, no_key = true;
  if (SPI_processed != 1)
    raise_bad_key();
  Datum version = pg::result_datum(0, 1, no_version);
  Datum value = pg::result_datum(0, 2, no_key);
  if (no_version || no_key || DatumGetInt32(version) != 1)
    raise_bad_key();
  bytea *bytes = DatumGetByteaPP(value);
  if (VARSIZE_ANY_EXHDR(bytes) != key.size())
    raise_bad_key();
  std::memcpy(key.data(), VARDATA_ANY(bytes), key.size());
  pg::end_owner_session(session);
  return key;
}

Oid relation_of(const pg::Store &store, const char *name) {
  Oid relation = get_relname_relid(name, store.schema);
  if (!OidIsValid(relation))
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                    errmsg("relation %s.%s does not exist", store.quoted_schema, name),
                    errhint("Run SELECT %s.create_store().", store.quoted_schema)));
  return relation;
}

/// Reads sequence and key again as long as they change underneath.
void find_source(const pg::Store &store) {
  do {
    known_generation = generation;
    source = {store.schema, relation_of(store, "order_code_sequence"),
              relation_of(store, "order_number_key")};
    encoder.emplace(read_code_key(store));
  } while (known_generation != generation);
}

} // namespace

core::CodeText next_order_code(const pg::Store &store, unsigned minimum_width) {
  if (known_generation != generation || source.schema != store.schema)
    find_source(store);
  int64 index = nextval_internal(source.sequence, false);
  core::CodeText code;
  pg::run_guarded([&] { code = encoder->encode(std::uint64_t(index), minimum_width); });
  return code;
}

void init_order_number_codes() { pg::listen_to_relations(on_relation_change); }

} // namespace brainsait
