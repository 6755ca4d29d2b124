// The little XML that object stores answer with: elements and text. Attributes are passed over,
// prefixes of names dropped; no document types, so nothing expands. Bytes from outside.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace objstore {

struct Element {
  std::string name = {}, text = {};  // the text of its own, without that of its children
  std::vector<Element> children = {};

  [[nodiscard]] const Element* child(std::string_view child_name) const;  // the first; null: none
  // Of a way of names through the first children: "Error/Code". Empty: there is none.
  [[nodiscard]] std::string_view text_at(std::string_view way) const;
};

struct XmlLimits {
  size_t bytes = size_t{16} << 20, depth = 16, elements = 100'000;
};
// The root. InvalidArgument "byte 41: …"; ResourceExhausted when a limit is passed.
base::Result<Element> parse_xml(std::string_view text, const XmlLimits& limits = {});
std::string escape_xml(std::string_view text);

}  // namespace objstore
