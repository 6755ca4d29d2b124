#include "http/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <stop_token>
#include <utility>

#include "base/text.h"
#include "http/curl.h"
#include "posix/wakeup.h"

namespace http {
namespace {

using base::Code;

constexpr size_t kIdleConnections = 16;  // beyond, a connection ends with its exchange
constexpr size_t kMaxHeaderBytes = 64 << 10;

// One connection at most, and the handle that uses it.
struct Slot {
  explicit Slot(const Curl& library) : curl(library) {
    multi = curl.multi_init();
    easy = curl.init();
    if (multi != nullptr) curl.multi_setopt(multi, CURLMOPT_MAXCONNECTS, 1L);
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot() {
    if (easy != nullptr) curl.cleanup(easy);
    if (multi != nullptr) curl.multi_cleanup(multi);
  }
  [[nodiscard]] bool good() const { return multi != nullptr && easy != nullptr; }

  const Curl& curl;
  CURLM* multi = nullptr;
  CURL* easy = nullptr;
};

struct State {
  const Exchange& exchange;
  const Curl& curl;
  CURL* easy = nullptr;
  Reply reply = {};
  size_t header_bytes = 0, received = 0, taken = 0;  // bytes
  base::Tick last_byte = posix::deadline_in(base::Duration(0));
  bool begun = false;        // the sink got something
  base::Status failed = {};  // why we ended it ourselves
  std::array<char, CURL_ERROR_SIZE> text = {};
};

size_t on_header(const char* data, size_t, size_t size, void* user) {
  auto& state = *static_cast<State*>(user);
  state.header_bytes += size;
  if (state.header_bytes > kMaxHeaderBytes) {
    state.failed = base::fail(Code::kResourceExhausted, "the answer's headers are too long");
    return 0;
  }
  const auto line = base::trim({data, size});
  if (line.starts_with("HTTP/")) state.reply.headers.clear();  // after an interim answer
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  state.reply.headers[name] = base::trim(line.substr(colon + 1));
  return size;
}

size_t on_body(const char* data, size_t, size_t size, void* user) {
  auto& state = *static_cast<State*>(user);
  state.last_byte = posix::deadline_in(base::Duration(0));
  long status = 0;
  state.curl.getinfo(state.easy, CURLINFO_RESPONSE_CODE, &status);
  if (state.exchange.sink && status >= 200 && status <= 299) {
    state.reply.status = static_cast<int>(status);
    if (!std::exchange(state.begun, true) && state.exchange.before_sink)
      state.failed = state.exchange.before_sink(state.reply);
    if (state.failed) state.failed = state.exchange.sink({data, size});
  } else if ((state.received += size) > state.exchange.max_bytes) {
    state.failed =
        base::fail(Code::kResourceExhausted,
                   fmt::format("the answer is longer than {} bytes", state.exchange.max_bytes));
  } else {
    state.reply.body.append(data, size);
  }
  return state.failed ? size : 0;
}

// The body is given out once: without a way to rewind, libcurl cannot send it a second time when a
// kept connection turns out to be dead.
size_t on_read(char* out, size_t, size_t room, void* user) {
  auto& state = *static_cast<State*>(user);
  const auto rest = std::string_view(state.exchange.body).substr(state.taken);
  const size_t size = std::min(room, rest.size());
  std::memcpy(out, rest.data(), size);
  state.taken += size;
  return size;
}

curl_blob blob_of(const std::string& bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size(), CURL_BLOB_COPY};  // copied, not written
}

Code code_of(CURLcode result) {
  switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
      return Code::kDeadlineExceeded;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return Code::kInvalidArgument;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
      return Code::kFailedPrecondition;
    default:
      return Code::kUnavailable;
  }
}

struct Place {  // of a URL
  std::string scheme, host, port, prefix;
};

base::Result<Place> place_of(const std::string& url) {
  const auto bad = [&] {
    return base::fail(Code::kInvalidArgument,
                      fmt::format("\"{}\" is no URL of a server: http[s]://HOST[:PORT]", url));
  };
  Place place;
  std::string_view rest = url;
  for (const std::string_view scheme : {"https://", "http://"})
    if (rest.starts_with(scheme)) {
      place.scheme = scheme;
      rest.remove_prefix(scheme.size());
      break;
    }
  // User names and queries have no place in it, and a secret there would come into messages.
  if (place.scheme.empty() || rest.find_first_of("@?# \t\r\n") != std::string_view::npos)
    return base::fail(Code::kInvalidArgument, "no URL of a server: http[s]://HOST[:PORT][/PATH]");
  const auto slash = std::min(rest.find('/'), rest.size());
  place.prefix = rest.substr(slash);
  while (place.prefix.ends_with('/')) place.prefix.pop_back();
  rest = rest.substr(0, slash);
  const auto colon = rest.rfind(':');
  const bool has_port = colon != std::string_view::npos && rest.find(']', colon) == rest.npos;
  place.host = rest.substr(0, has_port ? colon : rest.size());
  place.port =
      has_port ? std::string(rest.substr(colon + 1)) : (place.scheme == "https://" ? "443" : "80");
  const auto number = base::parse_int(place.port);
  if (place.host.empty() || !number || *number < 1 || *number > 65535) return bad();
  return place;
}

class CurlSession final : public Session {
 public:
  CurlSession(SessionOptions options, Place place, const Curl& curl)
      : options_(std::move(options)), place_(std::move(place)), curl_(curl) {}

  std::expected<Reply, Broken> perform(const Exchange& exchange,
                                       const std::stop_token& stop) override {
    auto slot = take();
    if (slot == nullptr)
      return std::unexpected(
          Broken{{Code::kResourceExhausted, "no memory for libcurl"}, /*sent=*/false});
    auto result = perform(*slot, exchange, stop);
    give_back(std::move(slot));
    return result;
  }

 private:
  struct List {  // of headers and the like
    explicit List(const Curl& library) : curl(library) {}
    List(const List&) = delete;
    List& operator=(const List&) = delete;
    ~List() { curl.list_free(head); }
    void add(const std::string& text) {
      if (auto* longer = curl.list_append(head, text.c_str())) head = longer;
    }
    const Curl& curl;
    curl_slist* head = nullptr;
  };

  std::unique_ptr<Slot> take() {
    {
      const std::scoped_lock lock(mutex_);
      if (!idle_.empty()) {
        auto slot = std::move(idle_.back());  // the newest: its connection lives most likely
        idle_.pop_back();
        return slot;
      }
    }
    auto slot = std::make_unique<Slot>(curl_);
    return slot->good() ? std::move(slot) : nullptr;
  }

  void give_back(std::unique_ptr<Slot> slot) {
    const std::scoped_lock lock(mutex_);
    if (idle_.size() < kIdleConnections) idle_.push_back(std::move(slot));
  }

  void set_server(CURL* easy, List& connect_to) const {
    const bool renamed = !options_.server_name.empty() && place_.scheme == "https://";
    if (renamed)
      connect_to.add(
          fmt::format("{}:{}:{}:{}", options_.server_name, place_.port, place_.host, place_.port));
    curl_.setopt(easy, CURLOPT_CONNECT_TO, connect_to.head);
    curl_.setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_.setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_.setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (!options_.proxy.empty()) curl_.setopt(easy, CURLOPT_PROXY, options_.proxy.c_str());
    if (!options_.user_agent.empty())
      curl_.setopt(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
    curl_.setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                 static_cast<long>(options_.connect_deadline.count()));
    // A machine that is gone without a word is noticed within a minute.
    curl_.setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_.setopt(easy, CURLOPT_TCP_KEEPIDLE, 15L);
    curl_.setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
  }

  void set_tls(CURL* easy, const Identity& identity) const {
    curl_.setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!options_.verify) {
      curl_.setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
      curl_.setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    } else if (!options_.ca.empty()) {
      // libcurl would take the system's roots beside ours.
      curl_.setopt(easy, CURLOPT_CAINFO, nullptr);
      curl_.setopt(easy, CURLOPT_CAPATH, nullptr);
      auto ca = blob_of(options_.ca);
      curl_.setopt(easy, CURLOPT_CAINFO_BLOB, &ca);
    }
    if (identity.cert.empty()) return;
    auto cert = blob_of(identity.cert), key = blob_of(identity.key);
    curl_.setopt(easy, CURLOPT_SSLCERT_BLOB, &cert);
    curl_.setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
  }

  void set_request(State& state, List& headers) const {
    CURL* easy = state.easy;
    const auto& exchange = state.exchange;
    const bool renamed = !options_.server_name.empty() && place_.scheme == "https://";
    const auto url =
        fmt::format("{}{}:{}{}{}", place_.scheme, renamed ? options_.server_name : place_.host,
                    place_.port, place_.prefix, exchange.target);
    curl_.setopt(easy, CURLOPT_URL, url.c_str());
    curl_.setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    if (renamed) headers.add(fmt::format("Host: {}:{}", place_.host, place_.port));
    for (const auto& header : exchange.headers) headers.add(header);
    if (!exchange.body.empty()) {
      headers.add("Expect:");  // no waiting for "100 Continue"
      curl_.setopt(easy, CURLOPT_POST, 1L);
      curl_.setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(exchange.body.size()));
      curl_.setopt(easy, CURLOPT_READFUNCTION, on_read);
      curl_.setopt(easy, CURLOPT_READDATA, &state);
    }
    // Whatever length it names, nothing comes.
    if (exchange.method == "HEAD") curl_.setopt(easy, CURLOPT_NOBODY, 1L);
    curl_.setopt(easy, CURLOPT_CUSTOMREQUEST, exchange.method.c_str());
    curl_.setopt(easy, CURLOPT_HTTPHEADER, headers.head);
    curl_.setopt(easy, CURLOPT_TIMEOUT_MS,
                 static_cast<long>(std::max<long long>(exchange.deadline.count(), 1)));
    curl_.setopt(easy, CURLOPT_ERRORBUFFER, state.text.data());
    curl_.setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_.setopt(easy, CURLOPT_HEADERDATA, &state);
    curl_.setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_.setopt(easy, CURLOPT_WRITEDATA, &state);
  }

  std::expected<Reply, Broken> perform(Slot& slot, const Exchange& exchange,
                                       const std::stop_token& stop) const {
    State state{.exchange = exchange, .curl = curl_, .easy = slot.easy};
    List connect_to(curl_), headers(curl_);
    curl_.reset(slot.easy);
    set_server(slot.easy, connect_to);
    set_tls(slot.easy, exchange.identity);
    set_request(state, headers);
    curl_.multi_add(slot.multi, slot.easy);
    const auto result = drive(slot, state, stop);
    long status = 0, request_bytes = 0;
    curl_.getinfo(slot.easy, CURLINFO_RESPONSE_CODE, &status);
    curl_.getinfo(slot.easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    curl_.multi_remove(slot.multi, slot.easy);  // an exchange that is not whole closes here
    curl_.reset(slot.easy);                     // nothing points to this frame any more
    if (state.failed && result == CURLE_OK) {
      state.reply.status = static_cast<int>(status);
      return std::move(state.reply);
    }
    Broken broken{.error = {}, .sent = request_bytes > 0 || state.taken > 0};
    const std::string why = state.text[0] == '\0' ? curl_.text_of(result) : state.text.data();
    broken.error = state.failed
                       ? base::Error{code_of(result), fmt::format("{}{}:{}: {}", place_.scheme,
                                                                  place_.host, place_.port, why)}
                       : state.failed.error();
    return std::unexpected(std::move(broken));
  }

  // Until the transfer has ended or state.failed says why not.
  CURLcode drive(Slot& slot, State& state, const std::stop_token& stop) const {
    const std::stop_callback wake(stop, [&] { curl_.multi_wakeup(slot.multi); });
    for (;;) {
      int running = 0;
      if (curl_.multi_perform(slot.multi, &running) != CURLM_OK) return CURLE_FAILED_INIT;
      int left = 0;
      while (const auto* message = curl_.multi_info(slot.multi, &left))
        if (message->msg == CURLMSG_DONE) return message->data.result;
      if (running == 0) return CURLE_FAILED_INIT;
      if (stop.stop_requested()) {
        state.failed = base::fail(Code::kCancelled, "stopped");
        return CURLE_ABORTED_BY_CALLBACK;
      }
      const auto& silence = state.exchange.silence;
      const auto quiet = posix::deadline_in(base::Duration(0)) - state.last_byte;
      if (silence.count() > 0 && quiet >= silence) {
        state.failed = base::fail(Code::kDeadlineExceeded,
                                  fmt::format("nothing came for {}", base::to_text(silence)));
        return CURLE_OPERATION_TIMEDOUT;
      }
      curl_.multi_poll(slot.multi, nullptr, 0, 1000, nullptr);
    }
  }

  const SessionOptions options_;
  const Place place_;
  const Curl& curl_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Slot>> idle_;  // guarded by mutex_
};

}  // namespace

base::Result<std::unique_ptr<Session>> Session::open(SessionOptions options) {
  TRY(auto place, place_of(options.base_url));
  if (!curl_library()) return std::unexpected(curl_library().error());
  return std::make_unique<CurlSession>(std::move(options), std::move(place), *curl_library());
}

}  // namespace http
