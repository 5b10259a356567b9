#pragma once

#include "core/crockford.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace brainsait::core {

inline constexpr unsigned max_code_width = 12;
/// One past the largest index that has a code: 32^12 = 2^60.
inline constexpr std::uint64_t code_index_end = std::uint64_t{1}
                                                << (crockford_bits * max_code_width);
inline constexpr std::size_t code_key_size = 32;
using CodeKey = std::array<std::uint8_t, code_key_size>;

/// A keyed bijection of [0, 32^width) onto itself, `width` from 1 to 12: a balanced Feistel network
/// of ten rounds (Luby and Rackoff 1988), with SipHash-2-4 as round function, over the smallest
/// even number of bits that holds the domain; a value outside the domain is sent through again
/// until it is inside ("cycle walking": Black and Rogaway, "Ciphers with arbitrary finite domains",
/// 2002), twice on average for an odd width, never for an even one.
///
/// It hides how many numbers were given and which comes next. It is not meant to keep secrets: the
/// domain is small, and whoever reads the key from the database reads the indexes.
class CodePermutation {
public:
  CodePermutation(const CodeKey &key, unsigned width) noexcept;
  std::uint64_t operator()(std::uint64_t index) const noexcept;

private:
  std::uint64_t network(std::uint64_t value) const noexcept;

  std::uint64_t key0_;
  std::uint64_t key1_;
  std::uint64_t domain_;
  unsigned half_bits_;
};

/// The text of one code.
struct CodeText {
  std::array<char, max_code_width> characters{};
  std::uint8_t length = 0;
  std::string_view view() const noexcept { return {characters.data(), length}; }
};

/// The permutations of every width under one key, so that a code costs no key set-up. Trivially
/// destructible.
class CodeEncoder {
public:
  explicit CodeEncoder(const CodeKey &key) noexcept;

  /// The code of `index`: max(minimum_width, digits that index needs in base 32) characters. Two
  /// indexes never have the same code, whatever the minimum widths: codes of one length are the
  /// values of one bijection. Throws limit_exceeded for an index of code_index_end or more.
  CodeText encode(std::uint64_t index, unsigned minimum_width) const;

private:
  std::array<CodePermutation, max_code_width> permutations_;
};

} // namespace brainsait::core
