#pragma once

#include "core/order_number_code.hpp"
#include "pg/store.hpp"

namespace brainsait {

/// The next code of at least `minimum_width` characters: the next value of order_code_sequence
/// under the store's key. Takes no lock that another session could wait for. Raises 2200H where the
/// sequence has reached its end, XX001 where the key is missing or malformed.
core::CodeText next_order_code(const pg::Store &store, unsigned minimum_width);

void init_order_number_codes();

} // namespace brainsait
