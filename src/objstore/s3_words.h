// What S3's answers say. Pure; bytes from outside.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "objstore/protocol.h"

namespace objstore::s3 {

// No value: a good answer. A 200 with an error in its body is none.
std::optional<Failure> judge(const Request& request, const http::Reply& reply, base::Instant now);
// Of ListObjectsV2.
base::Result<Page> parse_page(std::string_view xml);
// Of ListMultipartUploads; `next` is "key-marker&upload-id-marker", escaped.
base::Result<UnfinishedPage> parse_uploads(std::string_view xml);
base::Result<std::string> parse_upload_id(std::string_view xml);
// The region that an answer names; empty: none, or no name of a region.
std::string region_of(const http::Reply& reply);
bool is_region(std::string_view text);

std::string hint(base::Code code);

}  // namespace objstore::s3
