#pragma once

namespace brainsait {

/// Defines the parameter of order numbers and registers the callbacks of their parts.
void init_order_number();

} // namespace brainsait
