// What an answer of etcd means. Pure: (call, gRPC code, text) to (canonical code, outcome).
#pragma once

#include <string_view>

#include "base/result.h"
#include "etcd/api.h"

namespace etcd {

// The numbers of gRPC's status codes, as far as they are told apart here.
enum class GrpcCode {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16
};

enum class Call {
  kRead,
  kPut,
  kMemberAdd,
  kMemberRemove,
  kMemberPromote,
  kMemberUpdate,
  kMoveLeader,
  kDefragment,
  kCompact,
  kDisarm,
  kDowngrade
};

struct Judgement {
  Outcome outcome = Outcome::kRefused;
  base::Error error;  // of no meaning after kDone
};

// Where the text is not known, the code decides, and what is unclear may have happened.
// Unavailable means "later"; DeadlineExceeded that etcd or the network gave no answer in time.
Judgement judge(Call call, GrpcCode code, std::string_view text);

}  // namespace etcd
