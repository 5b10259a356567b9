#include "core/value_hash.hpp"

#include <bit>
#include <cstring>

namespace brainsait::core {
namespace {

constexpr std::uint64_t prime1 = 0x9E3779B185EBCA87U;
constexpr std::uint64_t prime2 = 0xC2B2AE3D27D4EB4FU;
constexpr std::uint64_t prime3 = 0x165667B19E3779F9U;
constexpr std::uint64_t prime4 = 0x85EBCA77C2B2AE63U;
constexpr std::uint64_t prime5 = 0x27D4EB2F165667C5U;

template <typename Word> Word read_little_endian(const std::uint8_t *bytes) noexcept {
  Word word{};
  std::memcpy(&word, bytes, sizeof word);
  if constexpr (std::endian::native == std::endian::little)
    return word;
  Word swapped = 0;
  for (std::size_t i = 0; i < sizeof word; ++i)
    swapped |= static_cast<Word>(bytes[i]) << 8 * i;
  return swapped;
}

constexpr std::uint64_t lane_round(std::uint64_t lane, std::uint64_t input) noexcept {
  return std::rotl(lane + input * prime2, 31) * prime1;
}

constexpr std::uint64_t merge_lane(std::uint64_t hash, std::uint64_t lane) noexcept {
  return (hash ^ lane_round(0, lane)) * prime1 + prime4;
}

} // namespace

std::uint64_t hash_bytes(std::span<const std::uint8_t> bytes) noexcept {
  const std::uint8_t *at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t hash = prime5;
  if (left >= 32) {
    std::uint64_t lane1 = prime1 + prime2, lane2 = prime2, lane3 = 0, lane4 = 0 - prime1;
    for (; left >= 32; left -= 32, at += 32) {
      lane1 = lane_round(lane1, read_little_endian<std::uint64_t>(at));
      lane2 = lane_round(lane2, read_little_endian<std::uint64_t>(at + 8));
      lane3 = lane_round(lane3, read_little_endian<std::uint64_t>(at + 16));
      lane4 = lane_round(lane4, read_little_endian<std::uint64_t>(at + 24));
    }
    hash = std::rotl(lane1, 1) + std::rotl(lane2, 7) + std::rotl(lane3, 12) + std::rotl(lane4, 18);
    for (std::uint64_t lane : {lane1, lane2, lane3, lane4})
      hash = merge_lane(hash, lane);
  }
  hash += bytes.size();
  for (; left >= 8; left -= 8, at += 8)
    hash = std::rotl(hash ^ lane_round(0, read_little_endian<std::uint64_t>(at)), 27) * prime1 +
           prime4;
  if (left >= 4) {
    hash ^= read_little_endian<std::uint32_t>(at) * prime1;
    hash = std::rotl(hash, 23) * prime2 + prime3;
    left -= 4;
    at += 4;
  }
  for (; left > 0; --left, ++at)
    hash = std::rotl(hash ^ *at * prime5, 11) * prime1;
  hash = (hash ^ hash >> 33) * prime2;
  hash = (hash ^ hash >> 29) * prime3;
  return hash ^ hash >> 32;
}

} // namespace brainsait::core
