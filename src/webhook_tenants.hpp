#pragma once

#include "pg/store.hpp"

extern "C" {
#include "utils/uuid.h"
}

namespace brainsait {

/// Tenants' ids, in memory of the caller's.
struct Tenants {
  pg_uuid_t *ids;
  int count;
};

/// As uuids are compared: negative, zero, positive.
inline int order_of(const pg_uuid_t &a, const pg_uuid_t &b) {
  return std::memcmp(&a, &b, sizeof a);
}

inline bool precedes(const pg_uuid_t &a, const pg_uuid_t &b) { return order_of(a, b) < 0; }

/// The uuid after `id`; the first one after the last.
pg_uuid_t successor(pg_uuid_t id);

/// Up to `most` tenants with open deliveries, in order, from `start` on. Within an owner's session.
Tenants find_open_tenants(const pg::Store &store, const pg_uuid_t &start, int most);

/// A tenant with open deliveries by chance: of the next ones after a place between the first and
/// the last, so that each has the same chance where they are few, and where their ids are spread
/// evenly. Where there is none, any id. `window`: as many as are looked at.
pg_uuid_t any_open_tenant(const pg::Store &store, int window);

} // namespace brainsait
