// What schemas are built of; used by the schema_*.cc only.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "api/fields.h"
#include "json/value.h"

namespace api::schema {

using json::Value;
using Members = std::vector<json::Member>;

// "bucket" or "bucket/prefix"; without the parts . and .. (see bucket_path()).
inline constexpr std::string_view kObjectName =
    R"(^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$)";
inline constexpr std::string_view kLabelValue = R"(^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$)";
inline constexpr std::string_view kVersion =
    R"(^v?[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$)";
inline constexpr std::int64_t kLongestText = 1024;
inline constexpr std::int64_t kLongestList = 200;

Value text(std::int64_t longest = kLongestText);
Value pattern(std::string_view regex, std::int64_t longest = kLongestText);
Value choice(std::initializer_list<std::string_view> values);
Value boolean();
Value integer(Range range);
Value quantity();  // a number or "10Gi"
Value time();
Value list(Value item, std::int64_t longest = kLongestList);
Value map_of(Value item);
Value object(Members properties, std::vector<std::string> required = {});
Value anything();  // an object whose fields are Kubernetes' own
Value secret_name();
Value path_in_bucket();

// The same with more keywords, in place of those of the same name.
Value with(Value node, Members keywords);
Value or_else(Value node, Value fallback);  // with a default
// One more CEL rule; the message names what is allowed.
Value rule(Value node, std::string_view cel, std::string_view message);
Members join(std::initializer_list<Members> parts);

// Parts of both groups.
Value resources();
Value tolerations();
Value affinity();
Value spread();
Value environment();
Value labels();
Value claim();  // PersistentVolumeClaimSpec
Value static_tls();
Members stores();  // s3, gcs, abs, oss, local, pvc
// CEL: how many of the stores `self` has.
inline constexpr std::string_view kStoreCount =
    "[has(self.s3), has(self.gcs), has(self.abs), has(self.oss), has(self.local), "
    "has(self.pvc)].filter(x, x).size()";
Value backup_block(bool coreos);
Value restore_block();
Value cluster_status(bool coreos);
Value backup_status();
Value restore_status();
// The whole document.
Value document(Value spec, Value status, std::string_view description);

}  // namespace api::schema
