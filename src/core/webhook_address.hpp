#pragma once

#include <cstdint>
#include <span>

namespace brainsait::core {

/// What an endpoint's address is to a sender that other people tell where to send.
enum class AddressKind {
  global,   ///< unicast of the Internet
  loopback, ///< this machine, 127.0.0.0/8 or ::1
  special,  ///< anything else: private, shared, link-local, multicast, documentation, reserved, ...
};

/// The kind of an IPv4 address (big-endian bytes as a number), after IANA's IPv4 Special-Purpose
/// Address Registry: whatever stands in it is special, the few blocks that are reachable globally
/// too, since none of them is a server's; so are multicast and class E.
AddressKind classify_ipv4(std::uint32_t address) noexcept;

/// The kind of an IPv6 address, after IANA's IPv6 Special-Purpose Address Registry: global unicast
/// (2000::/3) without the blocks of the registry. An address behind NAT64's well-known prefix
/// (64:ff9b::/96) is what the IPv4 address in it is, except that loopback there is special;
/// IPv4-mapped, 6to4 and Teredo addresses are special.
AddressKind classify_ipv6(std::span<const std::uint8_t, 16> address) noexcept;

} // namespace brainsait::core
