// purchase_stats(): what one customer bought, in PostgreSQL's own numeric.

#include "core/bytes.hpp"
#include "pg/expanded_state.hpp"
#include "pg/interval.hpp"
#include "pg/row_result.hpp"

extern "C" {
#include "utils/numeric.h"
}

namespace brainsait {
namespace {

/// Whether it could be what numeric prints.
bool is_number(std::string_view text) {
  if (text == "NaN" || text == "Infinity" || text == "-Infinity")
    return true;
  if (text.starts_with('-'))
    text.remove_prefix(1);
  std::size_t point = text.find('.');
  auto are_digits = [](std::string_view digits) {
    return !digits.empty() && digits.find_first_not_of("0123456789") == digits.npos;
  };
  return are_digits(text.substr(0, point)) &&
         (point == text.npos || are_digits(text.substr(point + 1)));
}

/// Stored form: version 1, orders (i64), first and last time (i64), and the sum as numeric prints
/// it, to the end.
class PurchaseState {
public:
  static constexpr const char *type_name = "purchase_stats_state";
  static constexpr bool raises = true;

  explicit PurchaseState(MemoryContext context) : context_(context) {}

  void add(int64 orders, TimestampTz first, TimestampTz last, Numeric amount) {
    if (orders_ == 0) {
      first_ = first;
      last_ = last;
      set_sum(amount);
    } else {
      first_ = Min(first_, first);
      last_ = Max(last_, last);
      set_sum(DatumGetNumeric(
          DirectFunctionCall2(numeric_add, NumericGetDatum(sum_), NumericGetDatum(amount))));
    }
    if (pg_add_s64_overflow(orders_, orders, &orders_))
      ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                      errmsg("the number of orders is out of range")));
  }
  void merge(const PurchaseState &other) {
    if (other.orders_ > 0)
      add(other.orders_, other.first_, other.last_, other.sum_);
  }

  int64 orders() const { return orders_; }
  TimestampTz first() const { return first_; }
  TimestampTz last() const { return last_; }
  Numeric sum() const { return sum_; }

  void load(std::span<const std::uint8_t> bytes, int sqlstate) {
    std::int64_t orders = 0, first = 0, last = 0;
    std::string_view text;
    pg::Failure failure;
    if (!pg::guarded(failure, [&] {
          core::ByteReader reader(bytes);
          if (reader.u8() != version)
            core::refuse_bytes("The version is not known.");
          orders = reader.i64();
          first = reader.i64();
          last = reader.i64();
          text = reader.text(reader.left());
          if (orders < 1 || TIMESTAMP_NOT_FINITE(first) || TIMESTAMP_NOT_FINITE(last) ||
              first > last || (orders == 1 && first < last))
            core::refuse_bytes("Orders and times do not agree.");
          if (text.size() > longest_numeric || !is_number(text))
            core::refuse_bytes("The sum is no number.");
        }))
      pg::raise_invalid(failure, sqlstate, type_name);
    orders_ = orders;
    first_ = first;
    last_ = last;
    set_sum(DatumGetNumeric(DirectFunctionCall3(numeric_in,
                                                CStringGetDatum(pnstrdup(text.data(), text.size())),
                                                ObjectIdGetDatum(0), Int32GetDatum(-1))));
  }
  std::size_t flat_size() const { return header_size + std::strlen(sum_text()); }
  void flatten(std::uint8_t *bytes) const {
    core::ByteWriter writer(bytes);
    writer.u8(version);
    writer.i64(orders_);
    writer.i64(first_);
    writer.i64(last_);
    writer.text(sum_text());
  }

private:
  static constexpr std::uint8_t version = 1;
  static constexpr std::size_t header_size = 25;
  static constexpr std::size_t longest_numeric = 131072 + 16383 + 2;

  const char *sum_text() const {
    return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(sum_)));
  }

  /// Keeps a copy, in the place of the old one where it fits.
  void set_sum(Numeric sum) {
    Size size = VARSIZE(sum);
    if (size > capacity_) {
      capacity_ = size + 16;
      void *place = MemoryContextAlloc(context_, capacity_);
      if (sum_ != nullptr)
        pfree(sum_);
      sum_ = static_cast<Numeric>(place);
    }
    std::memcpy(static_cast<void *>(sum_), sum, size);
  }

  MemoryContext context_;
  int64 orders_ = 0;
  TimestampTz first_ = 0;
  TimestampTz last_ = 0;
  Numeric sum_ = nullptr;
  Size capacity_ = 0;
};

/// The mean pause between orders, to the nearest microsecond.
Interval *mean_interval(const PurchaseState &state) {
  uint64 span = uint64(state.last()) - uint64(state.first());
  uint64 pauses = uint64(state.orders() - 1);
  uint64 mean = span / pauses + (span % pauses >= pauses - pauses / 2 ? 1 : 0);
  if (mean > uint64(PG_INT64_MAX))
    ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
                    errmsg("the mean interval is out of range")));
  return pg::make_fixed_interval(int64(mean));
}

} // namespace
} // namespace brainsait

using namespace brainsait;

extern "C" {

BRAINSAIT_STATE_TYPE(purchase_stats_state, PurchaseState)
BRAINSAIT_COMBINE(purchase_stats, PurchaseState)

PG_FUNCTION_INFO_V1(brainsait_purchase_stats_add);

/// purchase_stats_add(state, ts timestamptz, amount numeric): a row without time or amount is
/// ignored; raises 22008 for an infinite time.
Datum brainsait_purchase_stats_add(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
    return pg::unchanged_state(fcinfo);
  TimestampTz time = PG_GETARG_TIMESTAMPTZ(1);
  pg::require_finite(time);
  auto *object = pg::transition_state<PurchaseState>(fcinfo);
  object->state.add(1, time, time, PG_GETARG_NUMERIC(2));
  return object->datum();
}

PG_FUNCTION_INFO_V1(brainsait_purchase_stats_final);

/// purchase_stats_final(state) -> purchase_stats_result: no orders where no row counted.
Datum brainsait_purchase_stats_final(PG_FUNCTION_ARGS) {
  Datum values[5] = {Int64GetDatum(0), 0, 0, 0, 0};
  bool nulls[5] = {false, false, true, true, true};
  if (PG_ARGISNULL(0)) {
    values[1] = NumericGetDatum(int64_to_numeric(0));
    return pg::make_row(fcinfo, values, nulls);
  }
  auto &state = pg::read_state<PurchaseState>(PG_GETARG_DATUM(0));
  values[0] = Int64GetDatum(state.orders());
  values[1] = NumericGetDatum(state.sum());
  values[2] = TimestampTzGetDatum(state.first());
  values[3] = TimestampTzGetDatum(state.last());
  nulls[2] = nulls[3] = false;
  nulls[4] = state.orders() < 2;
  if (!nulls[4])
    values[4] = IntervalPGetDatum(mean_interval(state));
  return pg::make_row(fcinfo, values, nulls);
}
}
