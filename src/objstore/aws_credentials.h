// Who asks AWS: keys that are kept fresh.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "objstore/kept.h"
#include "objstore/sigv4.h"

namespace objstore {

// Thread-safe.
class AwsCredentials {
 public:
  virtual ~AwsCredentials() = default;
  // No value: requests go out unsigned.
  virtual base::Result<std::optional<AwsKeys>> get(base::Instant now, const Call& call) = 0;
  // The server did not take the keys of this id. True: the next get() may bring others.
  virtual bool refused(const std::string& id) = 0;
};

using FetchKeys = Kept<AwsKeys>::Fetch;
std::unique_ptr<AwsCredentials> fetched_aws_keys(FetchKeys fetch);
std::unique_ptr<AwsCredentials> fixed_aws_keys(AwsKeys keys);
std::unique_ptr<AwsCredentials> no_aws_keys();

}  // namespace objstore
