#include "objstore/cloud_upload.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace objstore {

using base::Code;

namespace {

constexpr int kMoreIsExpected = 308;  // the status of an upload that goes on

}  // namespace

base::Status CloudUpload::write(std::string_view bytes, const Call& call) {
  const auto in = store_.context("put", key_);
  if (ended_) return in(base::Status(base::fail(Code::kInternal, "it has ended")));
  while (!bytes.empty()) {
    // The last byte stays here until more comes, so that there is always a last part.
    if (buffer_.size() == part_bytes_) TRY_OK(in(send_part(call)));
    const auto taken = bytes.substr(0, part_bytes_ - buffer_.size());
    buffer_ += taken;
    bytes.remove_prefix(taken.size());
  }
  return {};
}

// Sends what the buffer holds; keeps of it what the server did not take.
base::Status CloudUpload::send_part(const Call& call) {
  if (parts_ == nullptr) {
    parts_ = store_.protocol_->parts(object_);
    if (const auto request = parts_->begin()) {
      const auto answer = store_.send(*request, call);
      if (!answer) return std::unexpected(answer.error());
      TRY_OK(parts_->begun(answer->reply));
    }
  }
  constexpr int kTries = 10;
  for (int tries = 0; !buffer_.empty(); ++tries) {
    if (tries == kTries)
      return base::fail(Code::kUnavailable, "the server takes parts of a part only");
    const auto answer = store_.send(parts_->part(sent_, buffer_), call);
    if (!answer) {
      auto failure = answer.error();
      if (failure.code == Code::kNotFound) failure.code = Code::kAborted;  // it was cleaned up
      return std::unexpected(std::move(failure));
    }
    TRY(const auto has, parts_->sent(answer->reply));
    if (has < sent_ || has > sent_ + buffer_.size())
      return base::fail(Code::kDataLoss, fmt::format("the server says that it has {} bytes of {}",
                                                     has, sent_ + buffer_.size()));
    buffer_.erase(0, has - sent_);
    sent_ = has;
  }
  return {};
}

base::Result<Object> CloudUpload::check(const Call& call) {
  auto found = store_.find(key_, call);
  if (!found) {
    auto error = found.error();
    // It was told to be there.
    if (error.code == Code::kNotFound) error.code = Code::kDataLoss;
    return std::unexpected(base::Error(error).in("after the upload"));
  }
  if (found->nonce != object_.nonce)
    return base::fail(Code::kAborted, "another writer has replaced it since");
  if (found->object.size != sent_)
    return base::fail(Code::kDataLoss, fmt::format("{} bytes were sent, and the server has {}",
                                                   sent_, found->object.size));
  return std::move(found->object);
}

base::Result<Object> CloudUpload::finish(const Call& call) {
  auto request = parts_->last_part(sent_, buffer_);
  if (!request) {
    TRY_OK(send_part(call));
    request = parts_->finish();
  }
  constexpr int kTries = 10;
  auto answer = store_.send(*request, call);
  for (int tries = 1; answer && answer->reply.status == kMoreIsExpected; ++tries) {
    TRY(const auto has, parts_->sent(answer->reply));
    if (has < sent_ || has >= sent_ + buffer_.size() || tries == kTries)
      return base::fail(Code::kUnavailable, "the server does not take the last part whole");
    buffer_.erase(0, has - sent_);
    sent_ = has;
    answer = store_.send(*parts_->last_part(sent_, buffer_), call);
  }
  sent_ += std::exchange(buffer_, std::string()).size();
  if (!answer) {
    auto failure = answer.error();
    // Where the condition was said at the begin, the last request does not hold it.
    if (failure.status == 412 && object_.condition.when == When::kAbsent) {
      failure.code = Code::kAlreadyExists;
      failure.message = "there is one";
    }
    // It may have ended by an earlier try; or somebody cleaned it up.
    if (failure.code == Code::kNotFound) failure.code = Code::kAborted;
    TRY_OK(store_.settle(key_, failure, object_.nonce, call));
  }
  return check(call);
}

base::Result<Object> CloudUpload::commit(const Call& call) {
  const auto in = store_.context("put", key_);
  if (std::exchange(ended_, true))
    return in(base::Result<Object>(base::fail(Code::kInternal, "it has ended")));
  if (parts_ == nullptr) return in(store_.put_checked(key_, buffer_, object_, call));
  return in(finish(call));
}

void CloudUpload::discard(const Call& call) {
  ended_ = true;
  buffer_.clear();
  if (parts_ == nullptr) return;
  // What cannot be removed now is removed by clean_up() later.
  if (const auto request = parts_->abandon()) static_cast<void>(store_.send(*request, call));
  parts_.reset();
}

}  // namespace objstore
