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

}  // namespace

std::unique_ptr<AwsCredentials> fixed_aws_keys(AwsKeys keys) {
  return std::make_unique<Fixed>(std::move(keys));
}

std::unique_ptr<AwsCredentials> no_aws_keys() {
  return std::make_unique<Fixed>(std::nullopt);
}

}  // namespace objstore
