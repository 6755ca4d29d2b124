// What the continuous mode is asked for, what it tells meanwhile, and how it ended: JSON files.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "archive/job.h"
#include "base/result.h"
#include "base/time.h"

namespace archive {

struct FollowJob {
  // Of the backups that it takes where it needs one; the deadline is that of one of them.
  RunJob run = {};
  // What came is in the store when it is this old, as far as the store answers.
  std::chrono::milliseconds max_lag{1000};
  std::chrono::seconds seal_after{60};   // of data
  std::uint64_t seal_bytes = 16u << 20;  // of frames, before compression
  std::chrono::seconds heartbeat_after{
      300};                  // a segment without records says that nothing happened
  std::string status = {};   // a file, written anew at least each second
  unsigned status_port = 0;  // its status is served there, on every address, to GET /; 0: nowhere
  bool operator==(const FollowJob&) const = default;
};
base::Result<FollowJob> parse_follow_job(std::string_view json);
std::string to_json(const FollowJob& job);

enum class FollowState { kStarting, kFollowing, kWaiting };
std::string_view name_of(FollowState state);  // "starting", "following", "waiting"
bool parse_name(std::string_view text, FollowState& state);

struct FollowStatus {
  FollowState state = FollowState::kStarting;
  base::Instant time{};       // of this status
  std::int64_t received = 0;  // the last revision that came
  std::int64_t saved = 0;     // the last one that the store has
  // How old the oldest change is that the cluster has and the store does not; 0: none. It is no
  // younger than that: a change counts from when the follower last knew that it was not there.
  std::int64_t lag_ms = 0;
  bool catching_up = false;    // there is what happened before it began; how old it is nobody knows
  std::uint64_t segments = 0;  // sealed by this process
  std::string member = {};     // that is watched
  std::string base = {};       // the backup that a restore begins from
  // The store does not create without replacing: of two writers at once neither finds out by it.
  bool weak_fence = false;
  std::string weak_why = {};
  std::string problem = {};  // what it waits for
  // Only where it is served: how old it is by the clock of who says it, and that a file which it
  // read when it began (credentials, certificates, keys) holds something else now.
  std::optional<std::int64_t> age_ms = {};
  bool outdated = false;
  std::uint64_t holes = 0;     // found by this process: history that no member had any more
  std::string last_hole = {};  // "revisions 7 to 19"
  bool operator==(const FollowStatus&) const = default;
};
std::string to_json(const FollowStatus& status);
base::Result<FollowStatus> parse_follow_status(std::string_view json);

// How it ended; no error: it was stopped, and what it had is in the store.
struct FollowReport {
  std::int64_t saved = 0;
  std::string error = {}, error_kind = {};
  bool operator==(const FollowReport&) const = default;
};
std::string to_json(const FollowReport& report);  // at most 2 KiB
base::Result<FollowReport> parse_follow_report(std::string_view json);

}  // namespace archive
