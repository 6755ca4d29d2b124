// What is said to a server of objects, as a value: built by pure functions, signed, then sent. Only
// signing puts secrets into it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace objstore {

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method = "GET";
  std::string server = {};  // "https://host[:port]"
  std::string path = "/";   // escaped
  Pairs query = {};         // not escaped
  Pairs headers = {};
  std::string body = {};
  std::string asked_by = {};  // the id of the key that signed it, which is no secret

  [[nodiscard]] std::string host() const;        // as the header Host says it
  [[nodiscard]] std::string query_text() const;  // "a=b&c="
  [[nodiscard]] std::string target() const;
  // By its name in any letters; empty: absent.
  [[nodiscard]] std::string_view header(std::string_view name) const;
  void set(std::string name, std::string value);  // instead of one that is there
  [[nodiscard]] bool changes() const { return method != "GET" && method != "HEAD"; }
};

std::string in_small_letters(std::string_view text);

// "name=value&…", escaped: the body of a form.
std::string to_form(const Pairs& fields);

}  // namespace objstore
