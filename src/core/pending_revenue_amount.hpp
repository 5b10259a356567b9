#pragma once

#include <cstdint>
#include <string_view>

namespace brainsait::core {

/// The hundredths of a decimal number in plain notation, as PostgreSQL's numeric prints it
/// ("-12.50" gives -1250). Exact: throws invalid_parameter where digits beyond the second decimal
/// are not zero or the text is no finite number, out_of_range beyond 64 bits.
std::int64_t parse_hundredths(std::string_view text);

} // namespace brainsait::core
