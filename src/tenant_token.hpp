#pragma once

namespace brainsait {

/// Whether set_tenant() is refused, and only set_tenant_token() lets a tenant in.
bool token_is_required();

/// Defines the parameters of tenant tokens.
void init_tenant_token();

} // namespace brainsait
