#include "pg/numeric.hpp"

namespace brainsait::pg {
namespace {

using Wide = core::Decimal128::Wide;

// The stored form: a word that tells the form, the sign and the scale; in the long form a word for
// the weight, which the short form has in the first word; then digits of base 10,000, the first
// one worth 10,000^weight.
constexpr std::uint16_t form_mask = 0xC000, special = 0xC000, short_form = 0x8000;
constexpr std::uint16_t long_negative = 0x4000, long_scale = 0x3FFF;
constexpr std::uint16_t short_negative = 0x2000, short_scale = 0x1F80, short_weight_sign = 0x0040,
                        short_weight = 0x003F;
constexpr int short_scale_shift = 7;

std::uint16_t word_at(const char *data, std::size_t index) {
  std::uint16_t word = 0; // short headers leave words unaligned
  std::memcpy(&word, data + index * sizeof word, sizeof word);
  return word;
}

} // namespace

Decimal decimal_of(Numeric number) {
  auto *stored = reinterpret_cast<varlena *>(number);
  const char *data = VARDATA_ANY(stored);
  std::size_t words = VARSIZE_ANY_EXHDR(stored) / sizeof(std::uint16_t);
  std::uint16_t header = word_at(data, 0);
  if ((header & form_mask) == special)
    throw core::Error(core::ErrorKind::invalid_parameter, "weights must be finite numbers");
  bool is_short = (header & short_form) != 0;
  bool negative = (header & (is_short ? short_negative : long_negative)) != 0;
  int scale = is_short ? (header & short_scale) >> short_scale_shift : header & long_scale;
  int weight = is_short ? int(header & short_weight) - (header & short_weight_sign)
                        : std::int16_t(word_at(data, 1));
  std::size_t first = is_short ? 1 : 2;

  int kept_scale = std::min(scale, core::Decimal128::max_digits);
  Wide value = 0;
  for (std::size_t i = first; i < words; ++i)
    if (__builtin_mul_overflow(value, Wide{10'000}, &value) ||
        __builtin_add_overflow(value, Wide{word_at(data, i)}, &value))
      core::Decimal128::overflow();
  // value counts units of 10,000^(weight - digits + 1).
  int shift = 4 * (weight - int(words - first) + 1) + kept_scale;
  if (shift >= 0)
    value = core::Decimal128(value).scaled(shift).value();
  for (; shift < 0 && value != 0; ++shift) {
    if (value % 10 != 0) // a digit beyond the 38th after the point
      core::Decimal128::overflow();
    value /= 10;
  }
  return {core::Decimal128(negative ? -value : value), kept_scale};
}

Datum numeric_datum(core::Decimal128 value, int scale) {
  char text[64];
  char *at = text + sizeof text;
  Wide rest = value.value();
  bool negative = rest < 0;
  *--at = '\0';
  for (int digits = 0; rest != 0 || digits <= scale; ++digits) {
    if (digits == scale && scale > 0)
      *--at = '.';
    int digit = int(rest % 10);
    *--at = char('0' + (digit < 0 ? -digit : digit));
    rest /= 10;
  }
  if (negative)
    *--at = '-';
  return DirectFunctionCall3(numeric_in, CStringGetDatum(at), ObjectIdGetDatum(InvalidOid),
                             Int32GetDatum(-1));
}

} // namespace brainsait::pg
