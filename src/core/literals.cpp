#include "core/literals.hpp"

#include <algorithm>

namespace brainsait::core {
namespace {

bool is_word(char character) noexcept {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
         (character >= '0' && character <= '9') || character == '_' ||
         static_cast<unsigned char>(character) >= 0x80;
}

bool is_digit(char character) noexcept { return character >= '0' && character <= '9'; }

char lower(char character) noexcept {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character | 0x20) : character;
}

bool mentions(std::string_view text, std::string_view word) noexcept {
  return std::search(text.begin(), text.end(), word.begin(), word.end(),
                     [](char found, char wanted) { return lower(found) == wanted; }) != text.end();
}

/// Walks over a text, starring its constants.
class Walker {
public:
  explicit Walker(std::span<char> text) noexcept : text_(text), view_(text.data(), text.size()) {}

  void walk() noexcept {
    while (at_ < text_.size()) {
      if (view_[at_] == '\'')
        constant(at_ > 0 && lower(view_[at_ - 1]) == 'e' && (at_ == 1 || !is_word(view_[at_ - 2])));
      else if (view_[at_] == '"')
        skip_past("\"", 1);
      else if (view_.substr(at_).starts_with("--"))
        skip_past("\n", 2);
      else if (view_.substr(at_).starts_with("/*"))
        comment();
      else if (view_[at_] == '$' && (at_ == 0 || !is_word(view_[at_ - 1])))
        dollar_quoted();
      else
        ++at_;
    }
  }

private:
  /// At the opening quote; a doubled quote, and one after a backslash in E'', is part of it.
  void constant(bool has_escapes) noexcept {
    for (++at_; at_ < text_.size(); ++at_) {
      if (view_[at_] == '\'') {
        if (at_ + 1 == text_.size() || view_[at_ + 1] != '\'') {
          ++at_;
          return;
        }
        text_[at_++] = '*';
      } else if (has_escapes && view_[at_] == '\\' && at_ + 1 < text_.size()) {
        text_[at_++] = '*';
      }
      text_[at_] = '*';
    }
  }

  void dollar_quoted() noexcept {
    std::size_t end = at_ + 1;
    while (end < text_.size() && is_word(view_[end]))
      ++end;
    const bool is_parameter = end > at_ + 1 && is_digit(view_[at_ + 1]);
    if (end == text_.size() || view_[end] != '$' || is_parameter) {
      ++at_;
      return;
    }
    const std::string_view tag = view_.substr(at_, end + 1 - at_);
    const std::size_t start = at_ + tag.size();
    const std::size_t close = std::min(view_.find(tag, start), text_.size());
    at_ = std::min(close + tag.size(), text_.size());
    std::fill(text_.begin() + static_cast<std::ptrdiff_t>(start),
              text_.begin() + static_cast<std::ptrdiff_t>(close), '*');
  }

  void comment() noexcept {
    std::size_t depth = 0;
    while (at_ < text_.size()) {
      const std::string_view rest = view_.substr(at_);
      const bool opens = rest.starts_with("/*");
      const bool closes = rest.starts_with("*/");
      at_ += opens || closes ? 2 : 1;
      depth += opens ? 1 : 0;
      if (closes && --depth == 0)
        return;
    }
  }

  void skip_past(std::string_view end, std::size_t opening) noexcept {
    const std::size_t found = view_.find(end, at_ + opening);
    at_ = found == std::string_view::npos ? text_.size() : found + end.size();
  }

  std::span<char> text_;
  std::string_view view_; ///< the same
  std::size_t at_ = 0;
};

} // namespace

void star_literals(std::span<char> text) noexcept { Walker(text).walk(); }

void star_quoted(std::span<char> text) noexcept {
  bool inside = false;
  for (char &character : text) {
    if (character == '"')
      inside = true;
    else if (inside)
      character = '*';
  }
}

bool may_write_credentials(std::string_view statement) noexcept {
  if (!mentions(statement, "integrations") && !mentions(statement, "webhooks"))
    return false;
  return std::ranges::any_of(std::initializer_list<std::string_view>{"insert", "update", "merge",
                                                                     "copy", "credentials",
                                                                     "secret"},
                             [&](std::string_view word) { return mentions(statement, word); });
}

} // namespace brainsait::core
