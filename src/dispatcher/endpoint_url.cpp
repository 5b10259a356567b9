#include "dispatcher/endpoint_url.hpp"

#include <algorithm>
#include <charconv>
#include <new>

namespace brainsait::dispatcher {
namespace {

constexpr int first_free_port = 1024;
constexpr int https_port = 443;

struct CurlFree {
  void operator()(char *text) const noexcept { curl_free(text); }
};

/// A part of the URL; empty where it has none.
std::string part_of(CURLU *url, CURLUPart part, unsigned flags = 0) {
  char *text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK)
    return {};
  const std::unique_ptr<char, CurlFree> owner(text);
  return text;
}

bool has_part(CURLU *url, CURLUPart part) {
  char *text = nullptr;
  const CURLUcode code = curl_url_get(url, part, &text, 0);
  const std::unique_ptr<char, CurlFree> owner(text);
  return code == CURLUE_OK;
}

const char *refusal_of(CURLU *url, const std::string &scheme, const std::string &port_text,
                       bool allow_local) {
  if (scheme != "https" && !(allow_local && scheme == "http"))
    return "the URL is not one of https";
  if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
    return "the URL has a name or a password in it";
  int port = 0;
  std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (port < 1 || (port < first_free_port && port != https_port && !allow_local))
    return "the URL's port is not one for webhooks";
  return nullptr;
}

void lower(std::string &text) {
  std::ranges::transform(text, text.begin(), [](char character) {
    return character >= 'A' && character <= 'Z' ? char(character - 'A' + 'a') : character;
  });
}

} // namespace

EndpointUrl read_endpoint_url(const std::string &text, bool allow_local) {
  EndpointUrl endpoint;
  UrlHandle url(curl_url());
  if (!url)
    throw std::bad_alloc();
  const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0);
  if (code == CURLUE_OUT_OF_MEMORY)
    throw std::bad_alloc();
  if (code != CURLUE_OK) {
    endpoint.refusal = "the URL cannot be read";
    return endpoint;
  }
  const std::string scheme = part_of(url.get(), CURLUPART_SCHEME);
  const std::string port = part_of(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  endpoint.refusal = refusal_of(url.get(), scheme, port, allow_local);
  if (endpoint.refusal != nullptr)
    return endpoint;
  endpoint.is_secure = scheme == "https";
  endpoint.host = part_of(url.get(), CURLUPART_HOST) + ":" + port;
  lower(endpoint.host);
  endpoint.handle = std::move(url);
  return endpoint;
}

} // namespace brainsait::dispatcher
