// A store in memory, stricter than any server, that can fail and lie as it is told: for tests and
// simulations.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "objstore/store.h"

namespace objstore {

enum class Trouble {
  kRefused,      // nothing happens, `code`
  kLost,         // nothing happens, and nobody knows: DeadlineExceeded, of a read Unavailable
  kLostAnswer,   // it happens, and nobody knows
  kLiedNothing,  // done, it says, and nothing happens
  kLiedHalf,     // done, it says, of the whole; half of the bytes are there, or come
};
struct Fault {
  Trouble trouble = Trouble::kRefused;
  base::Code code = base::Code::kUnavailable;
};

class MemoryStore final : public Store {
 public:
  // Asked before each operation ("put", "upload", "write", "commit", "get", "stat", "list",
  // "remove", "clean_up") with its key or prefix. May be empty.
  using Faults =
      std::function<std::optional<Fault>(std::string_view operation, const std::string& key)>;
  // `clock` must outlive it.
  explicit MemoryStore(const base::Clock& clock, Faults faults = {});
  ~MemoryStore() override;

  [[nodiscard]] std::string name() const override { return "memory://store"; }
  base::Result<Object> put(const std::string& key, std::string_view bytes,
                           const PutOptions& options, const Call& call) override;
  base::Result<std::unique_ptr<Upload>> upload(const std::string& key, const PutOptions& options,
                                               const Call& call) override;
  base::Result<Object> get(const std::string& key, const Range& range, const Sink& sink,
                           const Call& call) override;
  base::Result<Object> stat(const std::string& key, const Call& call) override;
  base::Result<Page> list(const ListOptions& options, const Call& call) override;
  base::Status remove(const std::string& key, const Call& call) override;
  base::Result<unsigned> clean_up(const std::string& prefix, base::Instant before,
                                  const Call& call) override;

  [[nodiscard]] size_t unfinished() const;  // uploads without an end
  // Changes what is stored, as a bad disk does. False: there is no such object.
  bool damage(const std::string& key, const std::function<void(std::string&)>& change);

 private:
  struct Stored {
    std::string bytes;
    base::Instant modified{};
    std::string tag;
  };
  struct Begun {
    std::string key;
    base::Instant at{};
  };
  class Writing;

  base::Result<std::optional<Trouble>> enter(std::string_view operation, const std::string& key,
                                             const Call& call);
  base::Result<Object> place(const std::string& key, std::string bytes, const Condition& condition);
  base::Result<Object> settle(std::string_view operation, const std::string& key, std::string bytes,
                              const Condition& condition, const std::optional<Trouble>& trouble);
  [[nodiscard]] bool is_begun(std::uint64_t id) const;
  [[nodiscard]] base::Error error(base::Code code, std::string_view operation,
                                  const std::string& key, std::string_view why) const;

  const base::Clock& clock_;
  const Faults faults_;
  mutable std::mutex mutex_;
  std::map<std::string, Stored, std::less<>> objects_;  // this and the rest: guarded by mutex_
  std::map<std::uint64_t, Begun> begun_;
  std::uint64_t count_ = 0;
};

}  // namespace objstore
