#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "guard/disk.h"
#include "guard/wal.h"

namespace guard {
namespace {

class FileSource final : public ByteSource {
 public:
  explicit FileSource(int fd) : fd_(fd) {}
  std::uint64_t size() override {
    struct stat st{};
    // Unknown is not empty, which would be a torn tail: the reads tell.
    if (::fstat(fd_, &st) != 0) return std::numeric_limits<std::uint64_t>::max();
    return st.st_size > 0 ? static_cast<std::uint64_t>(st.st_size) : 0;
  }
  std::optional<std::size_t> read(std::uint64_t offset, std::span<char> out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t n =
          ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return std::nullopt;
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

 private:
  int fd_;
};

Fd open_segment(const std::string& data_dir, const SegmentName& name) {
  return Fd(::open((data_dir + "/member/wal/" + segment_name(name)).c_str(), O_RDONLY | O_CLOEXEC));
}

// The newest raft snapshot file's index; 0 if there surely is none.
base::Result<std::uint64_t> newest_snapshot(const std::string& data_dir) {
  const auto names = list_dir(data_dir + "/member/snap");
  if (!names && names.error().code == base::Code::kNotFound) return 0;
  if (!names) return std::unexpected(names.error());
  std::uint64_t newest = 0;
  for (const auto& name : *names)
    if (const auto snap = parse_snapshot_name(name)) newest = std::max(newest, snap->index);
  return newest;
}

}  // namespace

// False if the log cannot be read from its beginning or from a snapshot.
bool WalCursor::pick_first(const std::vector<SegmentName>& segments) {
  const auto incomplete = [&](std::string why) {
    seen_.state = WalSeen::State::kIncomplete;
    seen_.why = std::move(why);
    return false;
  };
  for (std::size_t i = 1; i < segments.size(); ++i)
    if (segments[i].seq != segments[i - 1].seq + 1)
      return incomplete(fmt::format("segment {} of the log is missing", segments[i - 1].seq + 1));
  const SegmentName& first = segments.front();
  const auto snapshot = newest_snapshot(data_dir_);
  if (!snapshot) {
    seen_.state = WalSeen::State::kUnreadable;
    seen_.why = snapshot.error().message;
    return false;
  }
  if (first.index > *snapshot)
    return incomplete(fmt::format(
        "the log begins at index {} and no snapshot holds what was before", first.index));
  current_ = first;
  decoder_ = WalDecoder();
  return true;
}

const WalSeen& WalCursor::advance() {
  const auto names = list_dir(data_dir_ + "/member/wal");
  std::vector<SegmentName> segments;
  if (names)
    for (const auto& name : *names)
      if (const auto segment = parse_segment_name(name)) segments.push_back(*segment);
  if (!names && names.error().code != base::Code::kNotFound) {
    seen_.state = WalSeen::State::kUnreadable;
    seen_.why = names.error().message;
    return seen_;
  }
  if (segments.empty()) {
    seen_ = WalSeen();
    current_.reset();
    return seen_;
  }
  if (!current_ || !std::ranges::binary_search(segments, *current_)) {
    seen_ = WalSeen();
    if (!pick_first(segments)) return seen_;
  }
  read_on(segments);
  return seen_;
}

void WalCursor::read_on(const std::vector<SegmentName>& segments) {
  using Step = WalDecoder::Step;
  for (auto at = std::ranges::lower_bound(segments, *current_); at != segments.end();) {
    const Fd fd = open_segment(data_dir_, *at);
    FileSource source(fd.get());
    decoder_.forget_window();
    Step step = Step::kUnreadable;
    if (fd) do
        step = decoder_.step(source, seen_);
      while (step == Step::kRecord);
    const bool last = std::next(at) == segments.end();
    if (step == Step::kEnd && !last) {
      current_ = *++at;
      decoder_.next_segment();
      continue;
    }
    const bool whole = decoder_.has_head();
    seen_.why = step == Step::kEnd && whole
                    ? std::string()
                    : fmt::format("{}: {}", segment_name(*at),
                                  whole || step != Step::kEnd ? decoder_.why() : "it is empty");
    if (step == Step::kUnreadable)
      seen_.state = WalSeen::State::kUnreadable;
    else if (step == Step::kEnd && whole)
      seen_.state = WalSeen::State::kSound;
    else if (step == Step::kTorn && last && whole)
      seen_.state = WalSeen::State::kTorn;
    else
      seen_.state = WalSeen::State::kCorrupt;
    return;
  }
}

bool WalCursor::sync() {
  if (!current_) return false;
  const Fd fd = open_segment(data_dir_, *current_);
  return fd && ::fdatasync(fd.get()) == 0;
}

}  // namespace guard
