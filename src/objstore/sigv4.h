// AWS Signature Version 4: who asks, proved by a key that is not sent. Pure.
#pragma once

#include <string>

#include "base/time.h"
#include "objstore/request.h"

namespace objstore {

struct AwsKeys {
  std::string id = {};      // not secret
  std::string secret = {};  // secret, as is the session token
  std::string session_token = {};
  bool operator==(const AwsKeys&) const = default;
};

struct AwsScope {
  std::string region, service;  // "us-east-1", "s3"
};

// Adds x-amz-date, x-amz-content-sha256, x-amz-security-token where there is one, and Authorization
// over every header that the request has by then, Host and the hash of the body.
void sign_v4(Request& request, const AwsKeys& keys, const AwsScope& scope, base::Instant at);

}  // namespace objstore
