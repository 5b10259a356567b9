#pragma once

#include "core/pending_revenue.hpp"
#include "pg/postgres.hpp"

namespace brainsait {

/// The key under which an order's customer is counted: the user's id, else the first 16 bytes of
/// SHA-256 over "email:" and the lower-case e-mail (letters folded by `collation`, as lower()
/// does), else the order's own id. `user` and `email` are nullptr where null.
core::Uuid revenue_customer(const pg_uuid_t *user, const text *email, Oid collation,
                            const pg_uuid_t &order);

} // namespace brainsait
