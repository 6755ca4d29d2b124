#include "objstore/aws_credentials.h"

#include <utility>

namespace objstore {
namespace {

class Fixed final : public AwsCredentials {
 public:
  explicit Fixed(std::optional<AwsKeys> keys) : keys_(std::move(keys)) {}
  base::Result<std::optional<AwsKeys>> get(base::Instant, const Call&) override { return keys_; }
  bool refused(const std::string&) override { return false; }

 private:
  const std::optional<AwsKeys> keys_;
};

class Fetched final : public AwsCredentials {
 public:
  explicit Fetched(FetchKeys fetch) : kept_(std::move(fetch)) {}
  base::Result<std::optional<AwsKeys>> get(base::Instant now, const Call& call) override {
    return kept_.get(now, call);
  }
  bool refused(const std::string& id) override {
    kept_.forget([&](const AwsKeys& keys) { return keys.id == id; });
    return true;
  }

 private:
  Kept<AwsKeys> kept_;
};

}  // namespace

std::unique_ptr<AwsCredentials> fetched_aws_keys(FetchKeys fetch) {
  return std::make_unique<Fetched>(std::move(fetch));
}

std::unique_ptr<AwsCredentials> fixed_aws_keys(AwsKeys keys) {
  return std::make_unique<Fixed>(std::move(keys));
}

std::unique_ptr<AwsCredentials> no_aws_keys() {
  return std::make_unique<Fixed>(std::nullopt);
}

}  // namespace objstore
