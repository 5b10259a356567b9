#include "pg/store.hpp"

#include "pg/relation_changes.hpp"

extern "C" {
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
}

namespace brainsait::pg {
namespace {

Store current_store;
bool current_store_valid = false;
uint64 generation = 1;

void on_relation_change(Oid relation) {
  if (relation == InvalidOid || relation == current_store.tenants)
    current_store_valid = false;
}

void on_schema_change(Datum, int, uint32) {
  current_store_valid = false;
  ++generation;
}

void read_store(Oid schema) {
  char *name = get_namespace_name(schema);
  if (name == nullptr)
    elog(ERROR, "cache lookup failed for schema %u", schema);

  Store store;
  store.schema = schema;
  strlcpy(store.quoted_schema, quote_identifier(name), sizeof store.quoted_schema);
  store.tenants = get_relname_relid("tenants", schema);
  HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(store.tenants));
  if (!HeapTupleIsValid(tuple))
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("the store's tables do not exist in schema %s", store.quoted_schema),
                    errhint("Run SELECT %s.create_store().", store.quoted_schema)));
  store.owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
  ReleaseSysCache(tuple);

  current_store = store;
  current_store_valid = true;
}

} // namespace

const Store &store_in_schema(Oid schema) {
  if (!current_store_valid || current_store.schema != schema)
    read_store(schema);
  return current_store;
}

const Store &store_of_function(Oid function) {
  Oid schema = get_func_namespace(function);
  if (!OidIsValid(schema))
    elog(ERROR, "cache lookup failed for function %u", function);
  return store_in_schema(schema);
}

bool is_current_store(Oid schema) { return OidIsValid(schema) && current_store.schema == schema; }

uint64 schema_generation() { return generation; }

void init_store() {
  listen_to_relations(on_relation_change);
  CacheRegisterSyscacheCallback(NAMESPACEOID, on_schema_change, Datum(0));
}

} // namespace brainsait::pg
