#include "archive/trouble.h"

#include <utility>

namespace archive {
namespace {

using base::Code;

std::string_view precondition(std::string_view message) {
  if (message.find("machine's clock") != std::string_view::npos) return kind::kClock;
  for (const auto* word : {"NoSuchBucket", "ContainerNotFound", "bucket", "container", "directory"})
    if (message.find(word) != std::string_view::npos) return kind::kAbsent;
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
