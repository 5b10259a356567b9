#include "dispatcher/http_client.hpp"

#include "core/webhook_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <span>
#include <stdexcept>

#if LIBCURL_VERSION_NUM < 0x075500
#error "the dispatcher needs libcurl 7.85 or later"
#endif

namespace brainsait::dispatcher {
namespace {

constexpr long connect_timeout = 5000; ///< milliseconds
/// What is read of an answer's body before the connection is closed.
constexpr std::size_t body_read = std::size_t{64} * 1024;
/// Kept a little longer than needed, so that a character at the end is whole.
constexpr std::size_t body_kept = HttpOutcome::body_kept + 4;

/// All signals blocked while it lives, and in the threads that start meanwhile for good.
class SignalsBlocked {
public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked &) = delete;
  SignalsBlocked &operator=(const SignalsBlocked &) = delete;

private:
  sigset_t before_;
};

struct EasyCleanup {
  void operator()(CURL *easy) const noexcept { curl_easy_cleanup(easy); }
};
struct HeadersCleanup {
  void operator()(curl_slist *list) const noexcept { curl_slist_free_all(list); }
};

void check(CURLcode code) {
  if (code == CURLE_OUT_OF_MEMORY)
    throw std::bad_alloc();
  if (code != CURLE_OK)
    throw std::runtime_error(std::string("libcurl: ") + curl_easy_strerror(code));
}

void check(CURLMcode code) {
  if (code == CURLM_OUT_OF_MEMORY)
    throw std::bad_alloc();
  if (code != CURLM_OK)
    throw std::runtime_error(std::string("libcurl: ") + curl_multi_strerror(code));
}

core::AddressKind kind_of(const curl_sockaddr &address) {
  if (address.family == AF_INET && address.addrlen >= sizeof(sockaddr_in)) {
    sockaddr_in in = {};
    std::memcpy(&in, &address.addr, sizeof in);
    return core::classify_ipv4(ntohl(in.sin_addr.s_addr));
  }
  if (address.family == AF_INET6 && address.addrlen >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in = {};
    // curl_sockaddr ends in a sockaddr that is longer than its type.
    std::memcpy(&in, reinterpret_cast<const char *>(&address) + offsetof(curl_sockaddr, addr),
                sizeof in);
    return core::classify_ipv6(std::span<const std::uint8_t, 16>(in.sin6_addr.s6_addr));
  }
  return core::AddressKind::special;
}

const char *explanation(CURLcode code) {
  switch (code) {
  case CURLE_OPERATION_TIMEDOUT:
    return "no answer in time";
  case CURLE_COULDNT_RESOLVE_HOST:
    return "the host's name cannot be resolved";
  case CURLE_COULDNT_CONNECT:
    return "no connection to the host";
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CONNECT_ERROR:
    return "no secure connection: the certificate or the protocol is not accepted";
  case CURLE_GOT_NOTHING:
  case CURLE_RECV_ERROR:
  case CURLE_SEND_ERROR:
  case CURLE_PARTIAL_FILE:
    return "the connection was closed before an answer";
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_WEIRD_SERVER_REPLY:
    return "the answer is not one of HTTP";
  default:
    return curl_easy_strerror(code);
  }
}

} // namespace

struct HttpClient::Transfer {
  std::uint64_t id = 0;
  HttpRequest request;
  std::unique_ptr<curl_slist, HeadersCleanup> headers;
  std::string body;           ///< of the answer
  std::size_t body_bytes = 0; ///< that came, kept or not
  bool allow_local = false;
  bool address_refused = false;
  std::unique_ptr<CURL, EasyCleanup> easy; ///< last, so that it goes first

  void add_header(const char *line) {
    curl_slist *longer = curl_slist_append(headers.get(), line);
    if (longer == nullptr)
      throw std::bad_alloc();
    (void)headers.release();
    headers.reset(longer);
  }

  bool may_connect(const curl_sockaddr &address) const {
    const core::AddressKind kind = kind_of(address);
    if (!request.url.is_secure)
      return allow_local && kind == core::AddressKind::loopback;
    return allow_local || kind == core::AddressKind::global;
  }

  static curl_socket_t open_socket(void *self, curlsocktype purpose, curl_sockaddr *address) {
    auto *transfer = static_cast<Transfer *>(self);
    if (purpose != CURLSOCKTYPE_IPCXN || !transfer->may_connect(*address)) {
      transfer->address_refused = true;
      return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  }

  static std::size_t take_body(char *data, std::size_t, std::size_t size, void *self) {
    auto *transfer = static_cast<Transfer *>(self);
    transfer->body_bytes += size;
    if (transfer->body_bytes > body_read)
      return 0; // ends the transfer
    try {
      transfer->body.append(data, std::min(size, body_kept - transfer->body.size()));
    } catch (const std::bad_alloc &) {
      return 0;
    }
    return size;
  }

  void set_up(const HttpPolicy &policy);
  HttpOutcome outcome(CURLcode code) const;
};

void HttpClient::Transfer::set_up(const HttpPolicy &policy) {
  CURL *handle = easy.get();
  const auto set = [handle](CURLoption option, auto value) {
    check(curl_easy_setopt(handle, option, value));
  };
  for (const std::string &line : request.headers)
    add_header(line.c_str());
  add_header("Expect:"); // the body is sent at once
  allow_local = policy.allow_local;
  set(CURLOPT_CURLU, request.url.handle.get());
  set(CURLOPT_PROTOCOLS_STR, request.url.is_secure ? "https" : "http");
  set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROXY, ""); // the environment's too
  set(CURLOPT_NETRC, long{CURL_NETRC_IGNORED});
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  if (!policy.ca_file.empty())
    set(CURLOPT_CAINFO, policy.ca_file.c_str());
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TIMEOUT_MS, policy.timeout);
  set(CURLOPT_CONNECTTIMEOUT_MS, std::min(policy.timeout, connect_timeout));
  // A connection that was allowed must not serve requests that come after it is not any more.
  set(CURLOPT_FORBID_REUSE, long{policy.allow_local});
  set(CURLOPT_OPENSOCKETFUNCTION, &Transfer::open_socket);
  set(CURLOPT_OPENSOCKETDATA, static_cast<void *>(this));
  set(CURLOPT_WRITEFUNCTION, &Transfer::take_body);
  set(CURLOPT_WRITEDATA, static_cast<void *>(this));
  set(CURLOPT_POST, 1L);
  set(CURLOPT_POSTFIELDS, request.body.c_str());
  set(CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.size()));
  set(CURLOPT_HTTPHEADER, headers.get());
}

HttpOutcome HttpClient::Transfer::outcome(CURLcode code) const {
  constexpr int first_answer = 200;
  constexpr int last_answer = 599;
  HttpOutcome outcome;
  outcome.id = id;
  curl_off_t microseconds = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_TOTAL_TIME_T, &microseconds);
  outcome.milliseconds = long(std::min<curl_off_t>(microseconds / 1000, 3'600'000));
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status < first_answer || status > last_answer) {
    outcome.error = address_refused && code != CURLE_OK ? "the host's address is not allowed"
                    : code == CURLE_OK                  ? "the answer has no status of HTTP"
                                                        : explanation(code);
    return outcome;
  }
  outcome.status = int(status);
  outcome.body = body;
  curl_header *header = nullptr;
  if (curl_easy_header(easy.get(), "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
    outcome.retry_after = header->value;
  return outcome;
}

HttpClient::HttpClient() : multi_(nullptr) {
  const SignalsBlocked blocked;
  check(curl_global_init(CURL_GLOBAL_DEFAULT));
  multi_ = curl_multi_init();
  if (multi_ == nullptr)
    throw std::bad_alloc();
  check(curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &HttpClient::on_socket));
  check(curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this));
  check(curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &HttpClient::on_timer));
  check(curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this));
}

HttpClient::~HttpClient() {
  const SignalsBlocked blocked;
  for (const auto &transfer : transfers_)
    curl_multi_remove_handle(multi_, transfer.first);
  transfers_.clear();
  curl_multi_cleanup(multi_);
}

int HttpClient::on_socket(CURL *, curl_socket_t socket, int what, void *client, void *) {
  auto &sockets = static_cast<HttpClient *>(client)->sockets_;
  try {
    if (what == CURL_POLL_REMOVE)
      sockets.erase(socket);
    else
      sockets[socket] = what;
    return 0;
  } catch (const std::bad_alloc &) {
    return -1;
  }
}

int HttpClient::on_timer(CURLM *, long milliseconds, void *client) {
  auto &deadline = static_cast<HttpClient *>(client)->deadline_;
  if (milliseconds < 0)
    deadline.reset();
  else
    deadline = Clock::now() + std::chrono::milliseconds(milliseconds);
  return 0;
}

void HttpClient::begin(std::uint64_t id, HttpRequest request, const HttpPolicy &policy) {
  const SignalsBlocked blocked;
  auto transfer = std::make_unique<Transfer>();
  transfer->id = id;
  transfer->request = std::move(request);
  transfer->easy.reset(curl_easy_init());
  if (!transfer->easy)
    throw std::bad_alloc();
  transfer->set_up(policy);
  CURL *easy = transfer->easy.get();
  transfers_[easy] = std::move(transfer);
  const CURLMcode code = curl_multi_add_handle(multi_, easy);
  if (code != CURLM_OK)
    transfers_.erase(easy);
  check(code);
}

std::vector<HttpClient::Watched> HttpClient::watched() const {
  std::vector<Watched> result;
  result.reserve(sockets_.size());
  for (const auto &[socket, what] : sockets_)
    result.push_back({socket, (what & CURL_POLL_IN) != 0, (what & CURL_POLL_OUT) != 0});
  return result;
}

long HttpClient::due_in() const {
  using namespace std::chrono;
  if (!deadline_)
    return -1;
  const auto rest = ceil<milliseconds>(*deadline_ - Clock::now()).count();
  return long(std::clamp<std::int64_t>(rest, 0, std::numeric_limits<int>::max()));
}

void HttpClient::act(curl_socket_t socket, int events) {
  const SignalsBlocked blocked;
  int running = 0;
  check(curl_multi_socket_action(multi_, socket, events, &running));
  collect_finished();
}

void HttpClient::ready(int socket, bool read, bool write) {
  act(socket, (read ? CURL_CSELECT_IN : 0) | (write ? CURL_CSELECT_OUT : 0));
}

void HttpClient::advance() {
  if (due_in() != 0)
    return;
  deadline_.reset(); // set again by libcurl where more is to come
  act(CURL_SOCKET_TIMEOUT, 0);
}

void HttpClient::collect_finished() {
  int rest = 0;
  while (const CURLMsg *message = curl_multi_info_read(multi_, &rest)) {
    if (message->msg != CURLMSG_DONE)
      continue;
    CURL *easy = message->easy_handle;
    const CURLcode code = message->data.result;
    const auto found = transfers_.find(easy);
    if (found == transfers_.end())
      continue;
    finished_.push_back(found->second->outcome(code));
    curl_multi_remove_handle(multi_, easy);
    transfers_.erase(found);
  }
}

bool HttpClient::take_finished(HttpOutcome &outcome) {
  if (finished_.empty())
    return false;
  outcome = std::move(finished_.front());
  finished_.pop_front();
  return true;
}

} // namespace brainsait::dispatcher
