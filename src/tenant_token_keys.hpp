#pragma once

#include "core/tenant_token_keys.hpp"

namespace brainsait {

/// The live keys of brainsait.token_key_file, read at first use and again after every reload of the
/// configuration. Where the file cannot be read, is open to others or malformed, no key is live,
/// and the server's log says why. Raises nothing but out of memory.
const core::TokenKeys &live_token_keys();

/// Defines brainsait.token_key_file.
void init_tenant_token_keys();

} // namespace brainsait
