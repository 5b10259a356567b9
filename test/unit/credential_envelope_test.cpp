// AES-256-GCM against published vectors, base64 against RFC 4648's, and envelopes: what is sealed
// opens in its place alone, and not after any change.

#include "core/base64.hpp"
#include "core/credential_envelope.hpp"
#include "core/error.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace brainsait::core;
using Bytes = std::vector<std::uint8_t>;

Bytes from_hex(std::string_view hex) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(
        static_cast<std::uint8_t>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

Bytes from_text(std::string_view text) { return {text.begin(), text.end()}; }

std::string base64(std::string_view text) {
  std::string written(base64_size(text.size()), '?');
  const Bytes bytes = from_text(text);
  EXPECT_EQ(write_base64(bytes, written.data()), written.data() + written.size());
  return written;
}

// What base64 stands for, or "refused".
std::string decoded(std::string_view text) {
  const auto size = base64_bytes(text);
  if (!size)
    return "refused";
  Bytes bytes(*size);
  return read_base64(text, bytes) ? std::string(bytes.begin(), bytes.end()) : "refused";
}

// RFC 4648, section 10.
TEST(Base64, PublishedVectors) {
  const std::pair<const char *, const char *> vectors[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
  for (const auto &[text, notation] : vectors) {
    EXPECT_EQ(base64(text), notation);
    EXPECT_EQ(decoded(notation), text);
  }
  EXPECT_EQ(base64("\xfb\xff\xbf"), "+/+/");
}

TEST(Base64, WhatIsRefused) {
  for (const char *text :
       {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg===", "====", "Z===", "=Zg=", "Zg=a", "Zm9v\n",
        "Zm9vZg==Zm9v", " Zm9", "Zm-v", "Zm_v", "Zm9\xff", "Zg== "})
    EXPECT_EQ(decoded(text), "refused") << text;
}

struct GcmVector {
  const char *key, *nonce, *associated, *plain, *cipher, *tag;
};

// McGrew and Viega, The Galois/Counter Mode of Operation, appendix B, test cases 13 to 16: those of
// AES-256 with a nonce of 96 bits.
constexpr const char *key_of_zeros =
    "0000000000000000000000000000000000000000000000000000000000000000";
constexpr const char *published_key =
    "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
const GcmVector vectors[] = {
    {key_of_zeros, "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {key_of_zeros, "000000000000000000000000", "", "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
    {published_key, "cafebabefacedbaddecaf888", "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
     "b094dac5d93471bdec1a502270e3cc6c"},
    {published_key, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"}};

TEST(AesGcm, PublishedVectors) {
  for (const GcmVector &vector : vectors) {
    const Bytes key = from_hex(vector.key), nonce = from_hex(vector.nonce);
    const Bytes associated = from_hex(vector.associated), plain = from_hex(vector.plain);
    const Bytes expected_tag = from_hex(vector.tag);
    Bytes cipher(plain.size()), opened(plain.size(), 0xAA);
    std::array<std::uint8_t, gcm_tag_size> tag = {};
    const GcmKey key_span(key.data(), gcm_key_size);
    const GcmNonce nonce_span(nonce.data(), gcm_nonce_size);
    encrypt_gcm(key_span, nonce_span, associated, plain, cipher, tag);
    EXPECT_EQ(cipher, from_hex(vector.cipher));
    EXPECT_TRUE(std::ranges::equal(tag, expected_tag));
    EXPECT_TRUE(decrypt_gcm(key_span, nonce_span, associated, cipher, tag, opened));
    EXPECT_EQ(opened, plain);
    tag[0] ^= 1;
    EXPECT_FALSE(decrypt_gcm(key_span, nonce_span, associated, cipher, tag, opened));
    EXPECT_EQ(opened, Bytes(plain.size(), 0)) << "what did not authenticate is not to be seen";
  }
}

FileKey a_key(std::uint32_t id, std::uint8_t first) {
  FileKey key;
  key.id = id;
  key.size = gcm_key_size;
  std::iota(key.bytes.begin(), key.bytes.begin() + gcm_key_size, first);
  return key;
}

EnvelopePlace a_place() {
  EnvelopePlace place = {.column = "webhooks.secret", .tenant = {}, .row = {}};
  std::iota(place.tenant.begin(), place.tenant.end(), std::uint8_t{1});
  std::iota(place.row.begin(), place.row.end(), std::uint8_t{101});
  return place;
}

// An envelope and the bytes that it looks into.
struct Sealed {
  Envelope envelope;
  Bytes ciphertext;

  Sealed(const FileKey &key, const EnvelopePlace &place, const Bytes &plain, std::mt19937 &random)
      : ciphertext(plain.size()) {
    for (auto &byte : envelope.nonce)
      byte = static_cast<std::uint8_t>(random());
    envelope.ciphertext = ciphertext;
    seal_envelope(key, place, plain, envelope);
  }
};

std::string as_text(const Envelope &envelope) {
  std::string text(largest_envelope_text(envelope.ciphertext.size()), '?');
  const std::size_t size = write_envelope_text(envelope, text);
  EXPECT_LE(size, text.size());
  text.resize(size);
  return text;
}

// What a text envelope opens to; "refused" where it is none, "shut" where it does not open.
std::string opened(const FileKey &key, const EnvelopePlace &place, const std::string &text) {
  Bytes buffer(text.size());
  try {
    const Envelope envelope = read_envelope_text(text, buffer);
    Bytes plain(envelope.ciphertext.size());
    if (!open_envelope(key, place, envelope, plain))
      return "shut";
    return {plain.begin(), plain.end()};
  } catch (const Error &error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupted);
    return "refused";
  }
}

TEST(Envelope, OpensWhereItWasSealed) {
  std::mt19937 random(7);
  const FileKey key = a_key(2147483647, 3);
  for (std::size_t size = 0; size < 200; ++size) {
    Bytes plain(size);
    std::ranges::generate(plain, [&] { return static_cast<std::uint8_t>(random()); });
    const Sealed sealed(key, a_place(), plain, random);
    const std::string text = as_text(sealed.envelope);
    EXPECT_EQ(opened(key, a_place(), text), std::string(plain.begin(), plain.end()));
    if (size > 3) {
      EXPECT_EQ(std::search(text.begin(), text.end(), plain.begin(), plain.end()), text.end())
          << "the text itself is in it";
    }
  }
}

// The associated data as it is documented, put together by hand.
TEST(Envelope, AssociatedData) {
  std::mt19937 random(8);
  const FileKey key = a_key(0x01020304, 9);
  const Bytes plain = from_text("whsec_x");
  Sealed sealed(key, a_place(), plain, random);
  Bytes associated = {15};
  const Bytes column = from_text("webhooks.secret");
  associated.insert(associated.end(), column.begin(), column.end());
  for (const std::uint8_t byte : {1, 0, 0, 0, 4, 3, 2, 1})
    associated.push_back(byte);
  for (int i = 1; i <= 16; ++i)
    associated.push_back(static_cast<std::uint8_t>(i));
  for (int i = 101; i <= 116; ++i)
    associated.push_back(static_cast<std::uint8_t>(i));
  Bytes cipher(plain.size());
  std::array<std::uint8_t, gcm_tag_size> tag = {};
  encrypt_gcm(GcmKey(key.bytes.data(), gcm_key_size), sealed.envelope.nonce, associated, plain,
              cipher, tag);
  EXPECT_EQ(cipher, sealed.ciphertext);
  EXPECT_EQ(tag, sealed.envelope.tag);
}

TEST(Envelope, StaysShutElsewhere) {
  std::mt19937 random(9);
  const FileKey key = a_key(5, 1);
  const std::string text = as_text(Sealed(key, a_place(), from_text("secret"), random).envelope);
  ASSERT_EQ(opened(key, a_place(), text), "secret");
  EnvelopePlace place = a_place();
  place.row[15] ^= 1;
  EXPECT_EQ(opened(key, place, text), "shut") << "another row";
  place = a_place();
  place.tenant[0] ^= 0x80;
  EXPECT_EQ(opened(key, place, text), "shut") << "another tenant";
  std::swap(place.tenant, place.row);
  EXPECT_EQ(opened(key, place, text), "shut") << "tenant and row exchanged";
  place = a_place();
  place.column = "integrations.credentials";
  EXPECT_EQ(opened(key, place, text), "shut") << "another column";
  EXPECT_EQ(opened(a_key(5, 2), a_place(), text), "shut") << "another key of that id";
  std::string renamed = text;
  renamed.replace(text.find(":5:"), 3, ":6:");
  EXPECT_EQ(opened(a_key(6, 1), a_place(), renamed), "shut") << "the same key by another id";
}

TEST(Envelope, EveryFlippedBitShutsIt) {
  std::mt19937 random(10);
  const FileKey key = a_key(123, 77);
  const EnvelopePlace place = a_place();
  for (int round = 0; round < 20; ++round) {
    Bytes plain(random() % 40);
    std::ranges::generate(plain, [&] { return static_cast<std::uint8_t>(random()); });
    Sealed sealed(key, place, plain, random);
    Bytes into(plain.size());
    ASSERT_TRUE(open_envelope(key, place, sealed.envelope, into));
    const auto flip_each = [&](std::span<std::uint8_t> bytes, const char *part) {
      for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
        bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
        EXPECT_FALSE(open_envelope(key, place, sealed.envelope, into)) << part << " bit " << bit;
        bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      }
    };
    flip_each(sealed.envelope.nonce, "nonce");
    flip_each(sealed.envelope.ciphertext, "ciphertext");
    flip_each(sealed.envelope.tag, "tag");
    for (std::uint32_t bit = 0; bit < 31; ++bit) {
      Envelope changed = sealed.envelope;
      changed.key_id ^= 1U << bit;
      EXPECT_FALSE(open_envelope(key, place, changed, into)) << "key id, bit " << bit;
    }
    // The same in the notation: no change of a character gives the text, nor does a cut.
    const std::string text = as_text(sealed.envelope);
    const std::string whole(plain.begin(), plain.end());
    for (std::size_t i = 0; i < text.size(); ++i) {
      std::string changed = text;
      changed[i] = static_cast<char>(changed[i] ^ (1 << random() % 8));
      const std::string found = opened(key, place, changed);
      EXPECT_TRUE(found == "shut" || found == "refused") << changed;
      const std::string cut = opened(key, place, text.substr(0, i));
      EXPECT_TRUE(cut == "shut" || cut == "refused") << i;
    }
  }
}

TEST(Envelope, TextNotation) {
  std::mt19937 random(11);
  const std::string text =
      as_text(Sealed(a_key(17, 1), a_place(), from_text("secret"), random).envelope);
  EXPECT_TRUE(text.starts_with("sealed:1:17:"));
  EXPECT_EQ(text.size(), 12 + base64_size(12 + 6 + 16));
  const std::string end = text.substr(12);
  Bytes buffer(4096);
  for (const std::string &wrong : std::vector<std::string>{"",
                                                           "sealed:",
                                                           "sealed:1:17:",
                                                           "Sealed:1:17:" + end,
                                                           "sealed:2:17:" + end,
                                                           "sealed:01:17:" + end,
                                                           "sealed:+1:17:" + end,
                                                           "sealed:1:0:" + end,
                                                           "sealed:1:017:" + end,
                                                           "sealed:1:-17:" + end,
                                                           "sealed:1:2147483648:" + end,
                                                           "sealed:1:99999999999:" + end,
                                                           "sealed:1::" + end,
                                                           "sealed:1:17" + end,
                                                           "sealed::17:" + end,
                                                           " " + text,
                                                           text + " ",
                                                           text + "\n",
                                                           text + "AAAA",
                                                           "sealed:1:17 :" + end,
                                                           "sealed:1:17:" + end.substr(0, 36),
                                                           "sealed:1:1x:" + end})
    EXPECT_THROW(read_envelope_text(wrong, buffer), Error) << wrong;
  EXPECT_EQ(largest_envelope_text(146), 7 + 2 + 11 + 232U) << "what a varchar(255) holds";
}

std::string as_json(const Envelope &envelope) {
  std::string json(largest_envelope_json(envelope.ciphertext.size()), '?');
  const std::size_t size = write_envelope_json(envelope, json);
  EXPECT_LE(size, json.size());
  json.resize(size);
  return json;
}

TEST(Envelope, JsonNotation) {
  Envelope envelope;
  envelope.key_id = 2147483647;
  std::iota(envelope.nonce.begin(), envelope.nonce.end(), std::uint8_t{0});
  std::iota(envelope.tag.begin(), envelope.tag.end(), std::uint8_t{0xF0});
  Bytes ciphertext = from_text("foobar");
  envelope.ciphertext = ciphertext;
  EXPECT_EQ(as_json(envelope), R"({"version": 1, "key": 2147483647, "nonce": "AAECAwQFBgcICQoL", )"
                               R"("ciphertext": "Zm9vYmFy", "tag": "8PHy8/T19vf4+fr7/P3+/w=="})");

  const EnvelopeFields fields = {"1", "2147483647", "AAECAwQFBgcICQoL", "Zm9vYmFy",
                                 "8PHy8/T19vf4+fr7/P3+/w=="};
  Bytes buffer(64);
  const Envelope read = read_envelope_fields(fields, buffer);
  EXPECT_EQ(read.key_id, envelope.key_id);
  EXPECT_EQ(read.nonce, envelope.nonce);
  EXPECT_EQ(read.tag, envelope.tag);
  EXPECT_TRUE(std::ranges::equal(read.ciphertext, ciphertext));

  const auto refuses = [&](const std::function<void(EnvelopeFields &)> &change) {
    EnvelopeFields changed = fields;
    change(changed);
    EXPECT_THROW(read_envelope_fields(changed, buffer), Error);
  };
  for (const char *number : {"", "0", "2", "1.0", "-1", "1e0", "01", "x"})
    refuses([&](EnvelopeFields &changed) { changed.version = number; });
  for (const char *number : {"", "0", "1.0", "-1", "2147483648", "1e3", "NaN"})
    refuses([&](EnvelopeFields &changed) { changed.key = number; });
  for (const char *text : {"", "AAECAwQFBgcICQ==", "AAECAwQFBgcICQoLAA==", "AAECAwQFBgcICQo!"})
    refuses([&](EnvelopeFields &changed) { changed.nonce = text; });
  for (const char *text : {"Zm9vYmFyy", "Zm9vYmF", "Zm9vYm F", "\xff\xff\xff\xff"})
    refuses([&](EnvelopeFields &changed) { changed.ciphertext = text; });
  for (const char *text : {"", "8PHy8/T19vf4+fr7/P3+", "8PHy8/T19vf4+fr7/P3+/w=", "Zg=="})
    refuses([&](EnvelopeFields &changed) { changed.tag = text; });
}

TEST(Envelope, Bounds) {
  std::mt19937 random(12);
  const Bytes largest(envelope_longest_text, 'x');
  const Sealed sealed(a_key(1, 1), a_place(), largest, random);
  EXPECT_EQ(opened(a_key(1, 1), a_place(), as_text(sealed.envelope)),
            std::string(largest.begin(), largest.end()));
  EXPECT_THROW(Sealed(a_key(1, 1), a_place(), Bytes(envelope_longest_text + 1), random), Error);
  FileKey short_key = a_key(1, 1);
  short_key.size = 31;
  EXPECT_THROW(Sealed(short_key, a_place(), {}, random), Error);
}

} // namespace
