// A JSON value as YAML text, for `-o yaml`.
#pragma once

#include <string>

#include "json/value.h"

namespace manager {

// Block style; strings that YAML would read as something else are quoted as in JSON.
std::string to_yaml(const json::Value& value);

}  // namespace manager
