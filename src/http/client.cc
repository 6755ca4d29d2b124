#include "http/client.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <memory>

#include "http/curl.h"
#include "posix/env.h"
#include "posix/output_file.h"

namespace http {
namespace {

using base::Code;

struct Transfer {
  std::string url;
  base::Duration connect_deadline{}, deadline{};
  std::uint64_t max_bytes = 0;
  std::function<base::Status(std::string_view)> sink;
  std::function<void(std::uint64_t, std::uint64_t)> progress;
  std::stop_token stop;
  std::uint64_t received = 0;
  base::Status failed = {};  // why we ended it ourselves
};

size_t on_bytes(const char* data, size_t, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.received += size;
  if (transfer.received > transfer.max_bytes)
    transfer.failed =
        base::fail(Code::kResourceExhausted, fmt::format("more than {} bytes", transfer.max_bytes));
  else
    transfer.failed = transfer.sink({data, size});
  return transfer.failed ? size : 0;
}

int on_progress(void* user, curl_off_t total, curl_off_t now, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.progress)
    transfer.progress(static_cast<std::uint64_t>(now), static_cast<std::uint64_t>(total));
  if (!transfer.stop.stop_requested()) return 0;
  transfer.failed = base::fail(Code::kCancelled, "stopped");
  return 1;
}

Code code_of(CURLcode result, long status) {
  switch (result) {
    case CURLE_HTTP_RETURNED_ERROR:
      if (status == 404 || status == 410) return Code::kNotFound;
      if (status == 401 || status == 403) return Code::kPermissionDenied;
      return status == 429 || status >= 500 ? Code::kUnavailable : Code::kInvalidArgument;
    case CURLE_FILE_COULDNT_READ_FILE:
      return Code::kNotFound;
    case CURLE_OPERATION_TIMEDOUT:
      return Code::kDeadlineExceeded;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return Code::kInvalidArgument;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return Code::kFailedPrecondition;
    default:
      return Code::kUnavailable;
  }
}

void set_options(const Curl& curl, CURL* handle, Transfer& transfer, char* error_text) {
  curl.setopt(handle, CURLOPT_URL, transfer.url.c_str());
  curl.setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https,file");
  curl.setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl.setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl.setopt(handle, CURLOPT_MAXREDIRS, 5L);
  curl.setopt(handle, CURLOPT_FAILONERROR, 1L);
  curl.setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl.setopt(handle, CURLOPT_USERAGENT, "etcd-operator/" EO_VERSION);
  curl.setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
              static_cast<long>(transfer.connect_deadline.count()));
  curl.setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(transfer.deadline.count()));
  // A transfer that has all but stopped ends before its deadline.
  curl.setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1'000L);
  curl.setopt(handle, CURLOPT_LOW_SPEED_TIME, 20L);
  // As the curl program does; proxies are libcurl's own matter.
  for (const char* name : {"CURL_CA_BUNDLE", "SSL_CERT_FILE"})
    if (const auto file = posix::get_env(name); file && !file->empty()) {
      curl.setopt(handle, CURLOPT_CAINFO, file->c_str());
      break;
    }
  curl.setopt(handle, CURLOPT_ERRORBUFFER, error_text);
  curl.setopt(handle, CURLOPT_WRITEFUNCTION, on_bytes);
  curl.setopt(handle, CURLOPT_WRITEDATA, &transfer);
  curl.setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl.setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl.setopt(handle, CURLOPT_XFERINFODATA, &transfer);
}

base::Status perform(Transfer& transfer) {
  if (!curl_library()) return std::unexpected(curl_library().error());
  const Curl& curl = *curl_library();
  const std::unique_ptr<CURL, decltype(curl.cleanup)> handle(curl.init(), curl.cleanup);
  if (handle == nullptr) return base::fail(Code::kResourceExhausted, "no memory for libcurl");
  std::array<char, CURL_ERROR_SIZE> text{};
  set_options(curl, handle.get(), transfer, text.data());
  const auto result = curl.perform(handle.get());
  if (!transfer.failed) return std::unexpected(transfer.failed.error().in(transfer.url));
  if (result == CURLE_OK) return {};
  long status = 0;
  curl.getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  const std::string why = text[0] == '\0' ? curl.text_of(result) : text.data();
  return base::fail(code_of(result, status), fmt::format("{}: {}", transfer.url, why));
}

class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void update(std::string_view bytes) {
    EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
  }
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), out.data(), &size);
    std::string text;
    for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", out[i]);
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

base::Status download(const Download& what, const std::stop_token& stop) {
  TRY(auto file, posix::OutputFile::create(what.file, what.mode));
  Digest digest;
  Transfer transfer{.url = what.url,
                    .connect_deadline = what.connect_deadline,
                    .deadline = what.deadline,
                    .max_bytes = what.max_bytes,
                    .sink =
                        [&](std::string_view bytes) {
                          digest.update(bytes);
                          return file.write(bytes);
                        },
                    .progress = what.progress,
                    .stop = stop};
  TRY_OK(perform(transfer));
  if (const auto found = digest.hex(); !what.sha256.empty() && found != what.sha256)
    return base::fail(Code::kDataLoss,
                      fmt::format("{}: its SHA-256 is {}, not {}", what.url, found, what.sha256));
  return file.commit();
}

base::Result<std::string> fetch(const Fetch& what, const std::stop_token& stop) {
  std::string bytes;
  Transfer transfer{.url = what.url,
                    .connect_deadline = what.connect_deadline,
                    .deadline = what.deadline,
                    .max_bytes = what.max_bytes,
                    .sink =
                        [&](std::string_view part) {
                          bytes += part;
                          return base::Status();
                        },
                    .progress = {},
                    .stop = stop};
  TRY_OK(perform(transfer));
  return bytes;
}

}  // namespace http
