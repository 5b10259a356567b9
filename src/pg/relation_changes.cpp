#include "pg/relation_changes.hpp"

#include <iterator>

namespace brainsait::pg {
namespace {

RelationListener listeners[16];
std::size_t listener_count = 0;

void tell_listeners(Datum, Oid relation) {
  for (std::size_t i = 0; i < listener_count; ++i)
    listeners[i](relation);
}

} // namespace

void listen_to_relations(RelationListener listener) {
  if (listener_count == std::size(listeners))
    elog(ERROR, "too many listeners to relations");
  if (listener_count == 0)
    CacheRegisterRelcacheCallback(tell_listeners, Datum(0));
  listeners[listener_count++] = listener;
}

} // namespace brainsait::pg
