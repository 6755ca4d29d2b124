#include "objstore/bucket_path.h"

#include <fmt/format.h>

#include <algorithm>

#include "objstore/courier.h"
#include "objstore/store.h"

namespace objstore {

using base::Code;

base::Status check_bucket(std::string_view bucket) {
  const bool good =
      bucket.size() >= 3 && bucket.size() <= 222 && std::ranges::all_of(bucket, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '-' || c == '_';
      });
  if (good && bucket.find("..") == std::string_view::npos) return {};
  return base::fail(Code::kInvalidArgument,
                    fmt::format("\"{}\" is no name of a bucket: 3 to 222 letters, digits, '.', '-' "
                                "and '_'",
                                quoted(bucket)));
}

base::Result<BucketPath> parse_bucket_path(std::string_view path) {
  BucketPath parsed;
  const auto slash = std::min(path.find('/'), path.size());
  parsed.bucket = path.substr(0, slash);
  path.remove_prefix(std::min(slash + 1, path.size()));
  while (path.ends_with('/')) path.remove_suffix(1);
  parsed.prefix = path;
  TRY_OK(check_bucket(parsed.bucket));
  if (!parsed.prefix.empty()) TRY_OK(check_key(parsed.prefix));
  return parsed;
}

}  // namespace objstore
