#include "core/webhook_address.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>

#include <array>
#include <string>
#include <vector>

namespace {

using namespace brainsait::core;

AddressKind kind_of(const std::string &text) {
  in_addr v4 = {};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1)
    return classify_ipv4(ntohl(v4.s_addr));
  std::array<std::uint8_t, 16> v6 = {};
  EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), v6.data()), 1) << text;
  return classify_ipv6(v6);
}

void expect_all(AddressKind kind, const std::vector<std::string> &addresses) {
  for (const std::string &address : addresses)
    EXPECT_EQ(kind_of(address), kind) << address;
}

// First and last address of every block of IANA's IPv4 Special-Purpose Address Registry, of
// multicast (RFC 5771) and of class E.
TEST(WebhookAddress, Ipv4RegistryIsSpecial) {
  expect_all(
      AddressKind::special,
      {"0.0.0.0",         "0.255.255.255",  "10.0.0.0",        "10.255.255.255",  "100.64.0.0",
       "100.127.255.255", "169.254.0.0",    "169.254.169.254", "169.254.255.255", "172.16.0.0",
       "172.31.255.255",  "192.0.0.0",      "192.0.0.8",       "192.0.0.9",       "192.0.0.10",
       "192.0.0.170",     "192.0.0.171",    "192.0.0.255",     "192.0.2.0",       "192.0.2.255",
       "192.31.196.0",    "192.31.196.255", "192.52.193.0",    "192.52.193.255",  "192.88.99.0",
       "192.88.99.255",   "192.168.0.0",    "192.168.255.255", "192.175.48.0",    "192.175.48.255",
       "198.18.0.0",      "198.19.255.255", "198.51.100.0",    "198.51.100.255",  "203.0.113.0",
       "203.0.113.255",   "224.0.0.0",      "239.255.255.255", "240.0.0.0",       "255.255.255.254",
       "255.255.255.255"});
}

TEST(WebhookAddress, Ipv4BesideTheRegistryIsGlobal) {
  expect_all(
      AddressKind::global,
      {"1.0.0.0",         "9.255.255.255",   "11.0.0.0",        "100.63.255.255", "100.128.0.0",
       "126.255.255.255", "128.0.0.0",       "169.253.255.255", "169.255.0.0",    "172.15.255.255",
       "172.32.0.0",      "191.255.255.255", "192.0.1.0",       "192.0.1.255",    "192.0.3.0",
       "192.31.195.255",  "192.31.197.0",    "192.52.192.255",  "192.52.194.0",   "192.88.98.255",
       "192.88.100.0",    "192.167.255.255", "192.169.0.0",     "192.175.47.255", "192.175.49.0",
       "198.17.255.255",  "198.20.0.0",      "198.51.99.255",   "198.51.101.0",   "203.0.112.255",
       "203.0.114.0",     "223.255.255.255", "8.8.8.8",         "93.184.215.14"});
}

TEST(WebhookAddress, Loopback) {
  expect_all(AddressKind::loopback,
             {"127.0.0.0", "127.0.0.1", "127.1.2.3", "127.255.255.255", "::1"});
}

// First and last address of every block of IANA's IPv6 Special-Purpose Address Registry, of
// multicast, of what was site-local and of what is assigned to nobody.
TEST(WebhookAddress, Ipv6RegistryIsSpecial) {
  expect_all(AddressKind::special, {"::",
                                    "::2",
                                    "::ffff:0.0.0.0",
                                    "::ffff:127.0.0.1",
                                    "::ffff:8.8.8.8",
                                    "::ffff:255.255.255.255",
                                    "::8.8.8.8",
                                    "64:ff9b:1::",
                                    "64:ff9b:1:ffff::1",
                                    "100::",
                                    "100::ffff:ffff:ffff:ffff",
                                    "100:0:0:1::",
                                    "1fff:ffff::",
                                    "2001::",
                                    "2001::1",
                                    "2001:0:ffff::1",
                                    "2001:1::1",
                                    "2001:1::2",
                                    "2001:1::3",
                                    "2001:2::",
                                    "2001:3::",
                                    "2001:4:112::",
                                    "2001:10::",
                                    "2001:1f:ffff::",
                                    "2001:20::",
                                    "2001:2f:ffff::",
                                    "2001:30::",
                                    "2001:1ff:ffff::1",
                                    "2001:db8::",
                                    "2001:db8:ffff::ffff",
                                    "2002::",
                                    "2002:7f00:1::",
                                    "2002:ffff:ffff::",
                                    "2620:4f:8000::",
                                    "2620:4f:8000:ffff::1",
                                    "3fff::",
                                    "3fff:fff:ffff::1",
                                    "4000::",
                                    "5f00::",
                                    "5f00:ffff::1",
                                    "fbff::1",
                                    "fc00::",
                                    "fdff:ffff::1",
                                    "fd00::1",
                                    "fe80::",
                                    "fe80::1",
                                    "febf:ffff::1",
                                    "fec0::1",
                                    "feff:ffff::1",
                                    "ff00::",
                                    "ff02::1",
                                    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"});
}

TEST(WebhookAddress, Ipv6BesideTheRegistryIsGlobal) {
  expect_all(AddressKind::global,
             {"2000::", "2001:200::", "2001:db7:ffff::1", "2001:db9::", "2001:ffff::1",
              "2003::", "2001:4860:4860::8888", "2606:4700::1111", "2620:4f:7fff::1",
              "2620:4f:8001::", "2a00:1450::1", "3ffe:ffff::1", "3fff:1000::", "3fff:ffff::1"});
}

TEST(WebhookAddress, Nat64IsWhatItLeadsTo) {
  expect_all(AddressKind::global, {"64:ff9b::8.8.8.8", "64:ff9b::93.184.215.14"});
  expect_all(AddressKind::special, {"64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1",
                                    "64:ff9b::169.254.169.254", "64:ff9b::0:1:808:808"});
}

} // namespace
