// A JSON value as YAML text, for `-o yaml` and for manifests that we write.
#pragma once

#include <string>
#include <vector>

#include "json/value.h"

namespace api {

// Block style; strings that YAML would read as something else are quoted as in JSON.
std::string to_yaml(const json::Value& value);
// Several documents of one file, each behind its "---".
std::string to_yaml(const std::vector<json::Value>& documents);

}  // namespace api
