#include "objstore/memory_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace objstore {

using base::Code;

class MemoryStore::Writing final : public Upload {
 public:
  Writing(MemoryStore& store, std::string key, PutOptions options, std::uint64_t id)
      : store_(store), key_(std::move(key)), options_(std::move(options)), id_(id) {}

  base::Status write(std::string_view bytes, const Call& call) override {
    TRY(const auto trouble, store_.enter("write", key_, call));
    if (ended_)
      return std::unexpected(store_.error(Code::kInternal, "write", key_, "it has ended"));
    if (trouble && *trouble != Trouble::kLiedHalf && *trouble != Trouble::kLiedNothing)
      return std::unexpected(store_.error(Code::kUnavailable, "write", key_, "nothing was heard"));
    if (trouble) bytes = bytes.substr(0, *trouble == Trouble::kLiedHalf ? bytes.size() / 2 : 0);
    bytes_ += bytes;
    return {};
  }
  base::Result<Object> commit(const Call& call) override {
    TRY(const auto trouble, store_.enter("commit", key_, call));
    if (std::exchange(ended_, true))
      return std::unexpected(store_.error(Code::kInternal, "commit", key_, "it has ended"));
    if (!store_.is_begun(id_))
      return std::unexpected(store_.error(Code::kAborted, "commit", key_, "it was cleaned up"));
    auto done = store_.settle("commit", key_, std::move(bytes_), options_.condition, trouble);
    if (done) forget();
    return done;
  }
  void discard(const Call&) override {
    ended_ = true;
    forget();
  }

 private:
  void forget() {
    const std::scoped_lock lock(store_.mutex_);
    store_.begun_.erase(id_);
  }

  MemoryStore& store_;
  const std::string key_;
  const PutOptions options_;
  const std::uint64_t id_;
  std::string bytes_;
  bool ended_ = false;
};

MemoryStore::MemoryStore(const base::Clock& clock, Faults faults)
    : clock_(clock), faults_(std::move(faults)) {}
MemoryStore::~MemoryStore() = default;

base::Error MemoryStore::error(Code code, std::string_view operation, const std::string& key,
                               std::string_view why) const {
  return {code, fmt::format("{} {} in {}: {}", operation, key, name(), why)};
}

// What goes wrong this time, beside what is refused at once.
base::Result<std::optional<Trouble>> MemoryStore::enter(std::string_view operation,
                                                        const std::string& key, const Call& call) {
  if (call.stop.stop_requested())
    return std::unexpected(error(Code::kCancelled, operation, key, "stopped"));
  if (clock_.tick() >= call.deadline)
    return std::unexpected(error(Code::kUnavailable, operation, key, "no time is left for it"));
  const auto fault = faults_ ? faults_(operation, key) : std::nullopt;
  if (!fault) return std::nullopt;
  if (fault->trouble == Trouble::kRefused)
    return std::unexpected(error(fault->code, operation, key, "refused, as it was told"));
  return fault->trouble;
}

base::Result<Object> MemoryStore::place(const std::string& key, std::string bytes,
                                        const Condition& condition) {
  const std::scoped_lock lock(mutex_);
  const auto old = objects_.find(key);
  if (condition.when == When::kAbsent && old != objects_.end())
    return std::unexpected(error(Code::kAlreadyExists, "put", key, "there is one"));
  if (condition.when == When::kSame && (old == objects_.end() || old->second.tag != condition.tag))
    return std::unexpected(error(Code::kAborted, "put", key, "it is another one by now"));
  // Some servers cannot hold such keys beside each other, and others hide one of them.
  const auto below = objects_.lower_bound(key + "/");
  bool folder = below != objects_.end() && below->first.starts_with(key + "/");
  for (size_t at = key.find('/'); at != std::string::npos; at = key.find('/', at + 1))
    folder = folder || objects_.contains(key.substr(0, at));
  if (folder)
    return std::unexpected(
        error(Code::kFailedPrecondition, "put", key, "a key would be a folder as well"));
  Stored stored{
      .bytes = std::move(bytes), .modified = clock_.now(), .tag = fmt::format("v{}", ++count_)};
  Object object{
      .key = key, .size = stored.bytes.size(), .modified = stored.modified, .tag = stored.tag};
  objects_.insert_or_assign(key, std::move(stored));
  return object;
}

base::Result<Object> MemoryStore::settle(std::string_view operation, const std::string& key,
                                         std::string bytes, const Condition& condition,
                                         const std::optional<Trouble>& trouble) {
  if (!trouble) return place(key, std::move(bytes), condition);
  const auto unknown = [&] {
    return std::unexpected(
        error(Code::kDeadlineExceeded, operation, key, "no answer came; it may have happened"));
  };
  Object told{.key = key, .size = bytes.size(), .modified = clock_.now(), .tag = "v0"};
  switch (*trouble) {
    case Trouble::kRefused:  // told by enter()
    case Trouble::kLost:
      return unknown();
    case Trouble::kLostAnswer: {
      [[maybe_unused]] const auto done = place(key, std::move(bytes), condition);
      return unknown();
    }
    case Trouble::kLiedNothing:
      return told;
    case Trouble::kLiedHalf: {
      bytes.resize(bytes.size() / 2);
      TRY(auto done, place(key, std::move(bytes), condition));
      done.size = told.size;
      return done;
    }
  }
  return told;
}

base::Result<Object> MemoryStore::put(const std::string& key, std::string_view bytes,
                                      const PutOptions& options, const Call& call) {
  TRY_OK(check_key(key));
  TRY(const auto trouble, enter("put", key, call));
  return settle("put", key, std::string(bytes), options.condition, trouble);
}

base::Result<std::unique_ptr<Upload>> MemoryStore::upload(const std::string& key,
                                                          const PutOptions& options,
                                                          const Call& call) {
  TRY_OK(check_key(key));
  TRY(const auto trouble, enter("upload", key, call));
  if (trouble)
    return std::unexpected(error(Code::kUnavailable, "upload", key, "nothing was heard"));
  const std::scoped_lock lock(mutex_);
  begun_[++count_] = {.key = key, .at = clock_.now()};
  return std::make_unique<Writing>(*this, key, options, count_);
}

base::Result<Object> MemoryStore::get(const std::string& key, const Range& range, const Sink& sink,
                                      const Call& call) {
  TRY_OK(check_key(key));
  TRY_OK(check_range(range));
  TRY(const auto trouble, enter("get", key, call));
  if (trouble && *trouble != Trouble::kLiedHalf && *trouble != Trouble::kLiedNothing)
    return std::unexpected(error(Code::kUnavailable, "get", key, "nothing was heard"));
  Stored found;
  {
    const std::scoped_lock lock(mutex_);
    const auto at = objects_.find(key);
    if (at == objects_.end())
      return std::unexpected(error(Code::kNotFound, "get", key, "there is none"));
    found = at->second;
  }
  if (!range.tag.empty() && range.tag != found.tag)
    return std::unexpected(error(Code::kAborted, "get", key, "it is another one by now"));
  if (range.offset > 0 && range.offset >= found.bytes.size())
    return std::unexpected(
        error(Code::kInvalidArgument, "get", key, "the range begins after its end"));
  auto bytes = std::string_view(found.bytes).substr(range.offset);
  if (range.length) bytes = bytes.substr(0, *range.length);
  if (trouble) bytes = bytes.substr(0, *trouble == Trouble::kLiedHalf ? bytes.size() / 2 : 0);
  // In pieces, so that nobody comes to lean on one.
  for (size_t piece = 1; !bytes.empty(); piece = piece * 2 + 1) {
    TRY_OK(sink(bytes.substr(0, piece)));
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  return Object{
      .key = key, .size = found.bytes.size(), .modified = found.modified, .tag = found.tag};
}

base::Result<Object> MemoryStore::stat(const std::string& key, const Call& call) {
  TRY_OK(check_key(key));
  TRY(const auto trouble, enter("stat", key, call));
  if (trouble) return std::unexpected(error(Code::kUnavailable, "stat", key, "nothing was heard"));
  const std::scoped_lock lock(mutex_);
  const auto at = objects_.find(key);
  if (at == objects_.end())
    return std::unexpected(error(Code::kNotFound, "stat", key, "there is none"));
  return Object{.key = key,
                .size = at->second.bytes.size(),
                .modified = at->second.modified,
                .tag = at->second.tag};
}

base::Result<Page> MemoryStore::list(const ListOptions& options, const Call& call) {
  TRY(const auto trouble, enter("list", options.prefix, call));
  if (trouble && *trouble != Trouble::kLiedHalf && *trouble != Trouble::kLiedNothing)
    return std::unexpected(error(Code::kUnavailable, "list", options.prefix, "nothing was heard"));
  Page page;
  if (trouble) return page;
  const size_t limit = std::clamp(options.limit, 1U, 1000U);
  const std::scoped_lock lock(mutex_);
  auto at = options.page.empty() ? objects_.lower_bound(options.prefix)
                                 : objects_.upper_bound(options.page);
  for (; at != objects_.end() && at->first.starts_with(options.prefix); ++at) {
    if (page.objects.size() == limit) {
      page.next = page.objects.back().key;
      break;
    }
    // Without a tag: lists of some stores have none.
    page.objects.push_back(
        {.key = at->first, .size = at->second.bytes.size(), .modified = at->second.modified});
  }
  return page;
}

base::Status MemoryStore::remove(const std::string& key, const Call& call) {
  TRY_OK(check_key(key));
  TRY(const auto trouble, enter("remove", key, call));
  const std::scoped_lock lock(mutex_);
  if (!trouble || *trouble == Trouble::kLostAnswer) objects_.erase(key);
  if (trouble == Trouble::kLost || trouble == Trouble::kLostAnswer)
    return std::unexpected(
        error(Code::kDeadlineExceeded, "remove", key, "no answer came; it may have happened"));
  return {};
}

base::Result<unsigned> MemoryStore::clean_up(const std::string& prefix, base::Instant before,
                                             const Call& call) {
  TRY(const auto trouble, enter("clean_up", prefix, call));
  if (trouble) return std::unexpected(error(Code::kUnavailable, "clean up", prefix, "not heard"));
  const std::scoped_lock lock(mutex_);
  return static_cast<unsigned>(std::erase_if(begun_, [&](const auto& begun) {
    return begun.second.at < before && begun.second.key.starts_with(prefix);
  }));
}

bool MemoryStore::is_begun(std::uint64_t id) const {
  const std::scoped_lock lock(mutex_);
  return begun_.contains(id);
}

size_t MemoryStore::unfinished() const {
  const std::scoped_lock lock(mutex_);
  return begun_.size();
}

bool MemoryStore::damage(const std::string& key, const std::function<void(std::string&)>& change) {
  const std::scoped_lock lock(mutex_);
  const auto at = objects_.find(key);
  if (at == objects_.end()) return false;
  change(at->second.bytes);
  return true;
}

}  // namespace objstore
