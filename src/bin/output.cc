#include <cstdio>
#include <iostream>
#include <iterator>
#include <utility>

#include "api/yaml_text.h"
#include "bin/commands.h"
#include "json/json.h"
#include "posix/files.h"

namespace bin {

int report(const base::Error& error, const char* program) {
  std::fprintf(stderr, "%s: %s\n", program, error.message.c_str());
  switch (error.code) {
    case base::Code::kInvalidArgument:
      return kBadInput;
    case base::Code::kNotFound:
      return kNotThere;
    case base::Code::kFailedPrecondition:
    case base::Code::kAlreadyExists:
    case base::Code::kAborted:
    case base::Code::kPermissionDenied:
    case base::Code::kUnimplemented:
      return kRefused;
    case base::Code::kUnavailable:
    case base::Code::kDeadlineExceeded:
      return kNoAnswer;
    case base::Code::kResourceExhausted:
    case base::Code::kDataLoss:
    case base::Code::kCancelled:
    case base::Code::kInternal:
      return kFailed;
  }
  std::unreachable();
}

void print_text(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void print_value(const json::Value& value, Output output) {
  print_text(output == Output::kYaml ? api::to_yaml(value)
                                     : json::print(value, json::Style::kPretty) + "\n");
}

base::Result<std::string> read_input(const std::string& file) {
  constexpr size_t kLimit = size_t{4} << 20;
  if (file != "-") return posix::read_file(file, kLimit);
  std::string text{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  if (text.size() > kLimit)
    return base::fail(base::Code::kResourceExhausted, "standard input: longer than 4 MiB");
  return text;
}

}  // namespace bin
