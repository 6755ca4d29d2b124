// Where in which bucket: what users write into manifests.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace objstore {

// "bucket/some/prefix" in two.
struct BucketPath {
  std::string bucket, prefix;
};
// InvalidArgument: no name of a bucket, or no prefix that a key could begin with.
base::Result<BucketPath> parse_bucket_path(std::string_view path);

// 3 to 222 letters, digits, '.', '-' and '_', as one or the other kind of server takes them.
base::Status check_bucket(std::string_view bucket);

}  // namespace objstore
