#include "core/order_number_code.hpp"

#include "core/error.hpp"
#include "core/siphash.hpp"

#include <algorithm>
#include <utility>

namespace brainsait::core {
namespace {

constexpr unsigned rounds = 10;

std::uint64_t word_at(const CodeKey &key, std::size_t offset) noexcept {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < sizeof word; ++i)
    word |= std::uint64_t{key[offset + i]} << (8 * i);
  return word;
}

template <std::size_t... Widths>
std::array<CodePermutation, max_code_width> every_width(const CodeKey &key,
                                                        std::index_sequence<Widths...>) noexcept {
  return {CodePermutation(key, Widths + 1)...};
}

} // namespace

// Each width has keys of its own, so that codes of two lengths tell nothing of one another.
CodePermutation::CodePermutation(const CodeKey &key, unsigned width) noexcept
    : key0_(siphash(word_at(key, 0), word_at(key, 8), width)),
      key1_(siphash(word_at(key, 16), word_at(key, 24), width)),
      domain_(std::uint64_t{1} << (crockford_bits * width)),
      half_bits_((crockford_bits * width + 1) / 2) {}

std::uint64_t CodePermutation::network(std::uint64_t value) const noexcept {
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  std::uint64_t left = value >> half_bits_;
  std::uint64_t right = value & mask;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const std::uint64_t mixed = left ^ (siphash(key0_, key1_, round << 32 | right) & mask);
    left = right;
    right = mixed;
  }
  return left << half_bits_ | right;
}

std::uint64_t CodePermutation::operator()(std::uint64_t index) const noexcept {
  std::uint64_t value = index;
  do
    value = network(value);
  while (value >= domain_);
  return value;
}

CodeEncoder::CodeEncoder(const CodeKey &key) noexcept
    : permutations_(every_width(key, std::make_index_sequence<max_code_width>())) {}

CodeText CodeEncoder::encode(std::uint64_t index, unsigned minimum_width) const {
  if (index >= code_index_end || minimum_width > max_code_width)
    throw Error(ErrorKind::limit_exceeded, "all order number codes are used up");
  const unsigned width = std::max(minimum_width, crockford_length(index));
  std::uint64_t value = permutations_[width - 1](index);
  CodeText code;
  code.length = static_cast<std::uint8_t>(width);
  for (unsigned i = width; i-- > 0; value >>= crockford_bits)
    code.characters[i] = crockford_alphabet[value & 31U];
  return code;
}

} // namespace brainsait::core
