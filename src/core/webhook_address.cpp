#include "core/webhook_address.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace brainsait::core {
namespace {

struct Ipv4Block {
  std::uint32_t first;
  int bits;
};

constexpr std::uint32_t ipv4(std::uint32_t a, std::uint32_t b, std::uint32_t c,
                             std::uint32_t d) noexcept {
  return a << 24 | b << 16 | c << 8 | d;
}

constexpr Ipv4Block loopback_block = {ipv4(127, 0, 0, 0), 8};

constexpr Ipv4Block special_ipv4[] = {
    {ipv4(0, 0, 0, 0), 8},       // this network
    {ipv4(10, 0, 0, 0), 8},      // private
    {ipv4(100, 64, 0, 0), 10},   // shared by carriers (CGNAT)
    {ipv4(169, 254, 0, 0), 16},  // link-local, metadata services of clouds among them
    {ipv4(172, 16, 0, 0), 12},   // private
    {ipv4(192, 0, 0, 0), 24},    // IETF protocol assignments
    {ipv4(192, 0, 2, 0), 24},    // documentation
    {ipv4(192, 31, 196, 0), 24}, // AS112
    {ipv4(192, 52, 193, 0), 24}, // AMT
    {ipv4(192, 88, 99, 0), 24},  // 6to4 relays
    {ipv4(192, 168, 0, 0), 16},  // private
    {ipv4(192, 175, 48, 0), 24}, // AS112
    {ipv4(198, 18, 0, 0), 15},   // benchmarks
    {ipv4(198, 51, 100, 0), 24}, // documentation
    {ipv4(203, 0, 113, 0), 24},  // documentation
    {ipv4(224, 0, 0, 0), 4},     // multicast
    {ipv4(240, 0, 0, 0), 4},     // reserved, limited broadcast
};

constexpr bool holds(const Ipv4Block &block, std::uint32_t address) noexcept {
  return (address ^ block.first) >> (32 - block.bits) == 0;
}

struct Ipv6Block {
  std::array<std::uint8_t, 16> first;
  int bits;
};

constexpr Ipv6Block loopback_address = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128};
constexpr Ipv6Block nat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};
constexpr Ipv6Block global_unicast = {{0x20}, 3};

// Those inside global unicast; whatever is outside of it is special anyway.
constexpr Ipv6Block special_ipv6[] = {
    {{0x20, 0x01}, 23},                         // IETF protocol assignments, Teredo, ORCHID
    {{0x20, 0x01, 0x0d, 0xb8}, 32},             // documentation
    {{0x20, 0x02}, 16},                         // 6to4
    {{0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, 48}, // AS112
    {{0x3f, 0xff}, 20},                         // documentation
};

bool holds(const Ipv6Block &block, std::span<const std::uint8_t, 16> address) noexcept {
  const auto whole = std::size_t(block.bits / 8);
  if (!std::equal(block.first.begin(), block.first.begin() + whole, address.begin()))
    return false;
  const int rest = block.bits % 8;
  return rest == 0 || (block.first[whole] ^ address[whole]) >> (8 - rest) == 0;
}

} // namespace

AddressKind classify_ipv4(std::uint32_t address) noexcept {
  if (holds(loopback_block, address))
    return AddressKind::loopback;
  const bool special = std::ranges::any_of(
      special_ipv4, [address](const Ipv4Block &block) { return holds(block, address); });
  return special ? AddressKind::special : AddressKind::global;
}

AddressKind classify_ipv6(std::span<const std::uint8_t, 16> address) noexcept {
  if (holds(loopback_address, address))
    return AddressKind::loopback;
  if (holds(nat64, address))
    return classify_ipv4(ipv4(address[12], address[13], address[14], address[15])) ==
                   AddressKind::global
               ? AddressKind::global
               : AddressKind::special;
  const bool special = !holds(global_unicast, address) ||
                       std::ranges::any_of(special_ipv6, [address](const Ipv6Block &block) {
                         return holds(block, address);
                       });
  return special ? AddressKind::special : AddressKind::global;
}

} // namespace brainsait::core
