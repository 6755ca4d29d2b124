// YAML text to JSON values, by the core schema: plain null, true, 3 and 1.5 are typed, everything
// quoted is a string. Only what JSON can say is taken; input is untrusted.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/value.h"

namespace api {

struct YamlLimits {
  size_t bytes = size_t{1} << 20;  // of the file
  size_t documents = 100;
  size_t depth = 64;
  size_t nodes = 20'000;  // of one document, aliases counted as often as they are used
};

struct YamlDocument {
  int line = 1;  // of the file, where the document begins
  base::Result<json::Value> value;
};

// Documents that hold nothing but comments are left out. One that cannot be read has an error
// ("line 7, column 3: …") and does not hide the others. An error of the whole: the text is too
// long, has too many documents, or is not UTF-8 text.
base::Result<std::vector<YamlDocument>> read_yaml(std::string_view text,
                                                  const YamlLimits& limits = {});

}  // namespace api
