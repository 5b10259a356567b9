#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace brainsait::core {

/// What went wrong, in the core's own terms; the boundary maps each kind to an SQLSTATE.
enum class ErrorKind {
  invalid_parameter, ///< a caller's argument makes no sense (22023)
  invalid_text,      ///< text input of a stored format is malformed (22P02)
  invalid_binary,    ///< binary input of a stored format is malformed (22P03)
  corrupted,         ///< bytes that were stored earlier do not validate (XX001)
  limit_exceeded,    ///< a documented bound was reached (54000)
  out_of_range,      ///< a number or a date left its range (22003)
};

/// The only exception the core throws on purpose. `hint` is empty where the user has no action.
class Error : public std::runtime_error {
public:
  Error(ErrorKind kind, const std::string &message, std::string hint = {})
      : std::runtime_error(message), kind_(kind), hint_(std::move(hint)) {}

  ErrorKind kind() const noexcept { return kind_; }
  const std::string &hint() const noexcept { return hint_; }

private:
  ErrorKind kind_;
  std::string hint_;
};

} // namespace brainsait::core
