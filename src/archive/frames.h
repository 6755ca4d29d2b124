// The frames of one segment, judged as they come; for segment.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "archive/segment.h"

namespace archive {

class FrameReader {
 public:
  FrameReader(const SegmentHead& head, const FrameSink& sink)
      : head_(head), sink_(sink), next_(head.first), time_(head.begin) {}
  base::Status write(std::string_view bytes);
  base::Status finish();  // that nothing of what the head says is missing

 private:
  base::Status frame(std::string_view payload);
  [[nodiscard]] base::Status revisions(const Frame& frame) const;

  const SegmentHead& head_;
  const FrameSink& sink_;
  std::string waiting_;  // less than a frame
  std::int64_t next_;    // revision
  base::Instant time_;
  std::uint64_t records_ = 0;
};

}  // namespace archive
