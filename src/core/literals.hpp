#pragma once

#include <span>
#include <string_view>

namespace brainsait::core {

// Taking out of the server's log what a statement says literally. In place and without memory of
// its own, since it runs while errors are being reported.

/// Stars in place of what stands in the text's string constants: in single quotes, as SQL and lists
/// of parameters write them, and in dollar quotes. Comments and quoted names are read as such and
/// stay. A constant that is cut short is starred to the end.
void star_literals(std::span<char> text) noexcept;

/// Stars from the first double quote on, where messages quote input: it may hold quotes itself.
void star_quoted(std::span<char> text) noexcept;

/// Whether a statement is one that may write credentials: it names integrations or webhooks, and a
/// command that writes, or their column.
bool may_write_credentials(std::string_view statement) noexcept;

} // namespace brainsait::core
