// Downloads. libcurl is loaded when the first one begins, so that a program that never downloads
// does not pay for it.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace http {

struct Download {
  std::string url;   // http, https or file
  std::string file;  // appears under this name only when it is whole
  unsigned mode = 0644;
  std::string sha256 = {};  // 64 hex digits; empty: not checked
  std::uint64_t max_bytes = std::uint64_t{1} << 30;
  base::Duration connect_deadline{5'000}, deadline{600'000};
  // Bytes so far, and in all (0: not known). May be empty.
  std::function<void(std::uint64_t, std::uint64_t)> progress = {};
};

// NotFound: 404 or 410. PermissionDenied: 401 or 403. Unavailable: no connection, or 429 or 5xx.
// DataLoss: the digest differs. FailedPrecondition: no libcurl here, or a certificate that does not
// hold. Cancelled: `stop`. Whatever fails leaves no file and an older one whole.
base::Status download(const Download& what, const std::stop_token& stop);

// The same into memory, for small texts.
struct Fetch {
  std::string url;
  std::uint64_t max_bytes = std::uint64_t{1} << 20;
  base::Duration connect_deadline{5'000}, deadline{30'000};
};
base::Result<std::string> fetch(const Fetch& what, const std::stop_token& stop);

}  // namespace http
