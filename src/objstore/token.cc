#include "objstore/token.h"

#include <utility>

namespace objstore {
namespace {

class Fixed final : public TokenSource {
 public:
  explicit Fixed(std::string token) : token_(std::move(token)) {}
  base::Result<std::string> get(base::Instant, const Call&) override { return token_; }
  bool refused(const std::string&) override { return false; }

 private:
  const std::string token_;
};

class Fetched final : public TokenSource {
 public:
  explicit Fetched(FetchToken fetch) : kept_(std::move(fetch)) {}
  base::Result<std::string> get(base::Instant now, const Call& call) override {
    return kept_.get(now, call);
  }
  bool refused(const std::string& token) override {
    kept_.forget([&](const std::string& kept) { return kept == token; });
    return true;
  }

 private:
  Kept<std::string> kept_;
};

}  // namespace

std::unique_ptr<TokenSource> fixed_token(std::string token) {
  return std::make_unique<Fixed>(std::move(token));
}

std::unique_ptr<TokenSource> fetched_token(FetchToken fetch) {
  return std::make_unique<Fetched>(std::move(fetch));
}

}  // namespace objstore
