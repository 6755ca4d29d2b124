// Bearer tokens that are kept fresh.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "objstore/kept.h"

namespace objstore {

// Thread-safe.
class TokenSource {
 public:
  virtual ~TokenSource() = default;
  virtual base::Result<std::string> get(base::Instant now, const Call& call) = 0;
  // The server did not take it. True: the next get() may bring another.
  virtual bool refused(const std::string& token) = 0;
};

std::unique_ptr<TokenSource> fixed_token(std::string token);
// Fetched when it is needed, and anew five minutes before it expires; while that fails, the old one
// is given as long as it holds.
using Token = Kept<std::string>::Fresh;  // secret
using FetchToken = Kept<std::string>::Fetch;
std::unique_ptr<TokenSource> fetched_token(FetchToken fetch);

}  // namespace objstore
