// Keeps a store like the server's objects: a list, then a watch of what changes after it, and a
// list again when the server no longer knows the point where we stopped. A state machine without
// I/O: the caller sends, this decides.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/backoff.h"
#include "base/time.h"
#include "kube/answer.h"
#include "kube/request.h"
#include "kube/store.h"

namespace kube {

struct WatchTarget {
  Resource resource;
  std::string ns = {};  // empty: all
  Selection selection = {};
  unsigned page = 500;
};

// For one thread. The store must outlive it.
class Watcher {
 public:
  Watcher(WatchTarget target, Store& store, base::Random& random);

  enum class Doing {
    kList,  // send `request`, give the answer to listed()
    kWatch  // stream `request`, give its bytes to heard() and its end to ended()
  };
  struct Next {
    Doing doing = Doing::kList;
    base::Tick not_before{};
    Request request;
    base::Duration timeout{};  // of a watch: the server ends it then
  };
  Next next();

  std::vector<Change> listed(const Answer<json::Value>& answer, base::Tick now);
  // Bytes as they come, cut anywhere. After it check ended_early().
  std::vector<Change> heard(std::string_view bytes, base::Tick now);
  // True: nothing more is to be learnt from this stream; end it.
  [[nodiscard]] bool ended_early() const { return doing_ == Doing::kList; }
  void ended(const Answer<void>& how, base::Tick now);

  // For people and metrics.
  [[nodiscard]] size_t bad_objects() const { return bad_; }  // passed over, since the start
  [[nodiscard]] size_t lists() const { return lists_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }  // empty: all is well
  [[nodiscard]] const std::string& version() const { return version_; }

 private:
  void list_again(std::string why, base::Tick now, base::Duration at_least);
  void failed(const Failure& failure, base::Tick now);
  void well();
  [[nodiscard]] base::Duration pause(const Failure* failure);
  void take(std::string_view line, base::Tick now, std::vector<Change>& changes);
  void take_error(const json::Value& status, base::Tick now);

  const WatchTarget target_;
  Store& store_;
  base::Random& random_;

  Doing doing_ = Doing::kList;
  base::Tick not_before_{};
  unsigned failures_ = 0;  // since all was well
  std::string problem_;

  Objects staged_;          // of the pages so far
  std::string page_token_;  // empty: the first page
  bool whole_ = false;      // pages expired before they were all read: ask without pages

  std::string version_;  // what the store is up to
  std::string line_;     // its beginning, of the stream
  bool something_came_ = false;
  Request sent_;  // for messages
  size_t bad_ = 0, lists_ = 0;
};

}  // namespace kube
