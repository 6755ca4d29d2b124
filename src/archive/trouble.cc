#include "archive/trouble.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace archive {
namespace {

using base::Code;

bool says(std::string_view message, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(
      words, [&](auto word) { return message.find(word) != std::string_view::npos; });
}

// By the servers' own words, which no name of a bucket has in it.
std::string_view precondition(std::string_view message) {
  if (says(message, {"machine's clock", "RequestTimeTooSkewed"})) return kind::kClock;
  if (says(message, {"answered 404", "NoSuchBucket", "noSuchBucket", "ContainerNotFound",
                     "No such file or directory"}))
    return kind::kAbsent;
  return kind::kRefused;
}

}  // namespace

std::string_view kind_of(const base::Error& error) {
  switch (error.code) {
    case Code::kPermissionDenied:
      return kind::kCredentials;
    case Code::kResourceExhausted:
      return kind::kFull;
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
    case Code::kAborted:
    case Code::kCancelled:
      return kind::kUnavailable;
    case Code::kFailedPrecondition:
      return precondition(error.message);
    case Code::kDataLoss:
      return kind::kMismatch;
    case Code::kNotFound:
      return kind::kAbsent;
    case Code::kInvalidArgument:
    case Code::kUnimplemented:
      return kind::kInput;
    case Code::kAlreadyExists:
    case Code::kInternal:
      return kind::kInternal;
  }
  std::unreachable();
}

}  // namespace archive
