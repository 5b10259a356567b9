#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

namespace brainsait::dispatcher {

struct UrlCleanup {
  void operator()(CURLU *url) const noexcept { curl_url_cleanup(url); }
};
using UrlHandle = std::unique_ptr<CURLU, UrlCleanup>;

/// Where a webhook's URL leads, read by the same parser that the request is made with.
struct EndpointUrl {
  UrlHandle handle;              ///< null where the URL is refused
  std::string host;              ///< with its port, in lower case
  bool is_secure = true;         ///< https
  const char *refusal = nullptr; ///< why it is refused: a constant, without any of the URL's text
};

/// Reads a URL. Refused are what is no URL of https, or of http where `allow_local`; a name or
/// password in it; and ports below 1024 other than 443, which belong to services that are no
/// webhook's, except where `allow_local`. Throws std::bad_alloc only.
EndpointUrl read_endpoint_url(const std::string &text, bool allow_local);

} // namespace brainsait::dispatcher
