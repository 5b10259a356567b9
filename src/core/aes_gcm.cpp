#include "core/aes_gcm.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <memory>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdexcept>

namespace brainsait::core {
namespace {

struct FreeContext {
  // Clears the key's schedule as well.
  void operator()(EVP_CIPHER_CTX *context) const noexcept { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

void require(bool succeeded) {
  if (succeeded)
    return;
  // Nothing of ours stays in the queue that other users of the library read.
  ERR_clear_error();
  throw std::runtime_error("AES-256-GCM failed in libcrypto");
}

Context begin(bool encrypts, GcmKey key, GcmNonce nonce, std::span<const std::uint8_t> associated,
              std::size_t text_size) {
  if (std::max(associated.size(), text_size) > gcm_longest_text)
    throw Error(ErrorKind::limit_exceeded, "a text of more than 1 GB is not encrypted");
  Context context(EVP_CIPHER_CTX_new());
  require(context != nullptr);
  // A nonce of 12 bytes is the default.
  require(EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data(),
                            encrypts ? 1 : 0) == 1);
  int written = 0;
  if (!associated.empty())
    require(EVP_CipherUpdate(context.get(), nullptr, &written, associated.data(),
                             static_cast<int>(associated.size())) == 1);
  return context;
}

void transform(EVP_CIPHER_CTX *context, std::span<const std::uint8_t> from,
               std::span<std::uint8_t> to) {
  int written = 0;
  // No text is no call: a null output would make it associated data.
  if (!from.empty())
    require(EVP_CipherUpdate(context, to.data(), &written, from.data(),
                             static_cast<int>(from.size())) == 1);
}

} // namespace

void encrypt_gcm(GcmKey key, GcmNonce nonce, std::span<const std::uint8_t> associated,
                 std::span<const std::uint8_t> plain, std::span<std::uint8_t> cipher,
                 std::span<std::uint8_t, gcm_tag_size> tag) {
  const Context context = begin(true, key, nonce, associated, plain.size());
  transform(context.get(), plain, cipher);
  int written = 0;
  std::uint8_t nothing = 0;
  require(EVP_CipherFinal_ex(context.get(), &nothing, &written) == 1);
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(tag.size()),
                              tag.data()) == 1);
}

bool decrypt_gcm(GcmKey key, GcmNonce nonce, std::span<const std::uint8_t> associated,
                 std::span<const std::uint8_t> cipher,
                 std::span<const std::uint8_t, gcm_tag_size> tag, std::span<std::uint8_t> plain) {
  const Context context = begin(false, key, nonce, associated, cipher.size());
  transform(context.get(), cipher, plain);
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(tag.size()),
                              const_cast<std::uint8_t *>(tag.data())) == 1);
  int written = 0;
  std::uint8_t nothing = 0;
  if (EVP_CipherFinal_ex(context.get(), &nothing, &written) == 1)
    return true;
  ERR_clear_error();
  OPENSSL_cleanse(plain.data(), plain.size());
  return false;
}

} // namespace brainsait::core
