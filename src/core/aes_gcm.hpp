#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace brainsait::core {

// AES-256 in Galois/counter mode (NIST SP 800-38D) with nonces of 96 bits and tags of 128, done by
// OpenSSL's libcrypto. One nonce must never encrypt twice under one key.

inline constexpr std::size_t gcm_key_size = 32;
inline constexpr std::size_t gcm_nonce_size = 12;
inline constexpr std::size_t gcm_tag_size = 16;
/// The longest text and associated data that are taken.
inline constexpr std::size_t gcm_longest_text = std::size_t{1} << 30;

using GcmKey = std::span<const std::uint8_t, gcm_key_size>;
using GcmNonce = std::span<const std::uint8_t, gcm_nonce_size>;

/// Encrypts `plain` into `cipher`, of the same size, and makes the tag that authenticates it and
/// `associated`. Throws std::runtime_error where libcrypto fails, Error (limit_exceeded) for texts
/// that are too long.
void encrypt_gcm(GcmKey key, GcmNonce nonce, std::span<const std::uint8_t> associated,
                 std::span<const std::uint8_t> plain, std::span<std::uint8_t> cipher,
                 std::span<std::uint8_t, gcm_tag_size> tag);

/// Decrypts `cipher` into `plain`, of the same size. False, with zeros in `plain`, where key,
/// nonce, associated data, ciphertext or tag are not those of one encryption. Throws as above.
bool decrypt_gcm(GcmKey key, GcmNonce nonce, std::span<const std::uint8_t> associated,
                 std::span<const std::uint8_t> cipher,
                 std::span<const std::uint8_t, gcm_tag_size> tag, std::span<std::uint8_t> plain);

} // namespace brainsait::core
