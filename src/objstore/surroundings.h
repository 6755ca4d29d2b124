// Where credentials are found on a machine: files and the environment, as functions, so that tests
// have their own.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "objstore/courier.h"

namespace objstore {

struct Surroundings {
  std::function<std::optional<std::string>(const std::string&)> env;
  // NotFound: no such file. Up to 1 MiB.
  std::function<base::Result<std::string>(const std::string&)> read;
};
Surroundings real_surroundings();
// The variable, or empty; one that is set to nothing counts as absent.
std::string env_of(const Surroundings& around, const std::string& name);
// Without the white space around it. The error names the file and never what is in it.
base::Result<std::string> read_trimmed(const Surroundings& around, const std::string& path);

// "[section]", "key = value"; a value's indented lines come as "key.subkey". Comments begin with
// '#' or ';'. Errors name the line, never its text.
using Ini = std::map<std::string, std::map<std::string, std::string, std::less<>>, std::less<>>;
base::Result<Ini> parse_ini(std::string_view text);

// Asks services that give credentials. Thread-safe.
class Asker final : private Correspondent {
 public:
  Asker(Outside outside, Courier::Options options)
      : courier_(std::move(outside), std::move(options)) {}
  // `what` names the service in errors. Of a refusal only the codes that are no secrets are told.
  base::Result<http::Reply> ask(const Request& request, std::string_view what, const Call& call);

 private:
  base::Status sign(Request& request, base::Instant now, const Call& call) override;
  std::optional<Failure> judge(const Request& request, const http::Reply& reply,
                               base::Instant now) override;
  Courier courier_;
};

// "https://host/path?a=b" as a request; InvalidArgument "X is no URL", which does not show it.
base::Result<Request> request_of(const std::string& url, std::string_view name);

}  // namespace objstore
