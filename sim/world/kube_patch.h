// What patches and selectors do to an object, for the fake API server.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/value.h"

namespace sim {

// RFC 7386.
void merge_patch(json::Value& into, const json::Value& patch);
// RFC 6902 with add, remove, replace and test. FailedPrecondition: a test failed.
base::Result<json::Value> json_patch(json::Value object, const json::Value& operations);

// Where the values that are no objects stand; arrays count as one value.
using Path = std::vector<std::string>;
std::map<Path, json::Value> leaves(const json::Value& object);
const json::Value* at_path(const json::Value& object, const Path& path);
void set_path(json::Value& object, const Path& path, json::Value value);
// Objects that become empty by it go too.
void erase_path(json::Value& object, const Path& path);

// "a=b,c!=d,e in (f,g),h,!i". InvalidArgument: not understood.
base::Result<bool> matches_labels(const json::Value& object, std::string_view selector);
// metadata.name, metadata.namespace, spec.nodeName, and of events reason, regarding.kind and
// regarding.name, by = and !=.
base::Result<bool> matches_fields(const json::Value& object, std::string_view selector);

}  // namespace sim
