// S3 and what speaks like it: AWS, MinIO, Ceph, R2, OSS, Google's interoperable side.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "objstore/aws_credentials.h"
#include "objstore/courier.h"
#include "objstore/protocol.h"

namespace objstore {

enum class Addressing {
  kAuto,  // AWS and OSS by host, except for buckets with a dot over TLS; others by path
  kPath,  // https://host/bucket/key
  kHost   // https://bucket.host/key
};

struct S3Options {
  std::string bucket = {};
  std::string prefix = {};    // the store's root in it
  std::string region = {};    // empty: the server tells
  std::string endpoint = {};  // "https://host[:port]"; empty: AWS
  Addressing addressing = Addressing::kAuto;
  // What is written is written with these; empty: as the bucket says.
  std::string storage_class = {};  // "STANDARD_IA"; none that is not read at once
  std::string encryption = {};     // "AES256", "aws:kms", "aws:kms:dsse"
  std::string kms_key = {};        // only with "aws:kms" and "aws:kms:dsse"
  std::uint64_t part_bytes = std::uint64_t{8} << 20;  // at least; 5 MiB is the least they take
  Courier::Options courier = {};
};

// InvalidArgument names the option.
base::Result<std::unique_ptr<Protocol>> make_s3(const S3Options& options,
                                                std::unique_ptr<AwsCredentials> credentials);
base::Result<std::unique_ptr<Store>> open_s3(const S3Options& options,
                                             std::unique_ptr<AwsCredentials> credentials,
                                             Outside outside);

}  // namespace objstore
