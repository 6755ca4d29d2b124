// The shapes of our objects as structural OpenAPI schemas, with the bounds, defaults and rules that
// an API server can check by itself. What only we can judge (flags by version, known faults) stays
// with the decoders. A test holds these schemas and the decoders to each other.
#pragma once

#include "api/cluster.h"
#include "json/value.h"

namespace api {

// openAPIV3Schema of one kind; descriptions are those of the table of fields.
json::Value cluster_schema(Group group);
json::Value backup_schema(Group group);
json::Value restore_schema(Group group);

}  // namespace api
