// What a follower says of itself to whoever asks over the network. There is no secret in it.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "archive/follow_job.h"
#include "base/time.h"
#include "http/server.h"

namespace bin {

// Told by one thread, asked by several.
class FollowPage {
 public:
  // To be made before the files that the job names are used: what they hold then is compared with
  // what they hold when somebody asks. `clock` must outlive it.
  FollowPage(const archive::FollowJob& job, const base::Clock& clock);

  // On every address, until it is destroyed.
  base::Status serve(unsigned port);
  void tell(const archive::FollowStatus& status);
  [[nodiscard]] http::Response page() const;

 private:
  const base::Clock& clock_;
  const archive::FollowJob job_;
  const std::string begun_with_;  // a digest; empty: they could not be read
  mutable std::mutex mutex_;
  archive::FollowStatus said_;
  std::optional<base::Tick> said_at_;
  std::unique_ptr<http::Server> server_;  // the last: it asks the rest
};

}  // namespace bin
