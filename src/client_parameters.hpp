#pragma once

namespace brainsait {

/// Refuses to load where the client's connection request sets one of the parameters that
/// only administrators set, and its role is not a superuser's. While the library is not loaded,
/// PostgreSQL takes any value for them; when it is loaded, it drops that value and with it the
/// administrator's, which it had replaced. Raises 42501.
void refuse_client_parameters();

} // namespace brainsait
