// Google Cloud Storage by its JSON API.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "objstore/courier.h"
#include "objstore/protocol.h"
#include "objstore/token.h"

namespace objstore {

struct GcsOptions {
  std::string bucket = {};
  std::string prefix = {};  // the store's root in it
  std::string endpoint = "https://storage.googleapis.com";
  std::string storage_class = {};
  std::string kms_key = {};
  std::uint64_t part_bytes = std::uint64_t{8} << 20;  // made a multiple of 256 KiB
  Courier::Options courier = {};
};

// `tokens` may be null: requests go out without one.
base::Result<std::unique_ptr<Protocol>> make_gcs(const GcsOptions& options,
                                                 std::unique_ptr<TokenSource> tokens);
base::Result<std::unique_ptr<Store>> open_gcs(const GcsOptions& options,
                                              std::unique_ptr<TokenSource> tokens, Outside outside);

namespace gcs {

std::optional<Failure> judge(const Request& request, const http::Reply& reply, base::Instant now);
base::Result<Page> parse_page(std::string_view text);
base::Result<Object> parse_object(std::string_view text);

}  // namespace gcs
}  // namespace objstore
