#include "objstore/local_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "objstore/context.h"
#include "pki/digest.h"
#include "posix/files.h"
#include "posix/input_file.h"
#include "posix/lock.h"
#include "posix/output_file.h"
#include "posix/wakeup.h"

namespace objstore {
namespace {

using base::Code;

constexpr size_t kPiece = size_t{1} << 20;   // bytes that are read at once
constexpr size_t kHashed = size_t{1} << 20;  // up to here the tag is made of the bytes themselves
constexpr size_t kDeepest = 64;              // folders in folders
// For each page the folders are read from their beginning.
constexpr unsigned kLargestPage = 100'000;

std::string hint_of(Code code) {
  switch (code) {
    case Code::kPermissionDenied:
      return "check who owns the directory, and whether its file system is mounted read-only";
    case Code::kResourceExhausted:
      return "check the space and the quota of its file system";
    case Code::kUnavailable:
      return "check the disk, or the server of the network file system";
    default:
      return "";
  }
}

bool is_temporary(const std::string& name) {
  return name.starts_with('.') && name.find(".tmp-") != std::string::npos;
}

// Renames of a version that is looked at first need more than an inode and a time: both come again.
base::Result<std::string> tag_of(const posix::InputFile& file) {
  const auto& info = file.info();
  if (info.size > kHashed)
    return fmt::format("{:x}-{:x}-{:x}", info.inode, info.size,
                       info.modified.time_since_epoch().count());
  TRY(const auto bytes, file.read_at(0, info.size));
  return pki::to_hex(pki::sha256(bytes)).substr(0, 32);
}

class LocalStore;

class LocalUpload final : public Upload {
 public:
  LocalUpload(LocalStore& store, std::string key, PutOptions options, posix::OutputFile file)
      : store_(store), key_(std::move(key)), options_(std::move(options)), file_(std::move(file)) {}
  base::Status write(std::string_view bytes, const Call& call) override;
  base::Result<Object> commit(const Call& call) override;
  void discard(const Call&) override { file_.reset(); }

 private:
  LocalStore& store_;
  const std::string key_;
  const PutOptions options_;
  std::optional<posix::OutputFile> file_;  // none: it has ended
};

class LocalStore final : public Store {
 public:
  explicit LocalStore(std::string root) : root_(std::move(root)) {}

  [[nodiscard]] std::string name() const override { return "file://" + root_; }

  base::Result<Object> put(const std::string& key, std::string_view bytes,
                           const PutOptions& options, const Call& call) override {
    TRY(auto writing, upload(key, options, call));
    TRY_OK(writing->write(bytes, call));
    return writing->commit(call);
  }

  base::Result<std::unique_ptr<Upload>> upload(const std::string& key, const PutOptions& options,
                                               const Call& call) override {
    const auto in = context("put", key);
    TRY_OK(in(check_key(key)));
    TRY_OK(in(check_time(call)));
    const auto path = path_of(key);
    TRY_OK(in(posix::make_dirs(path.substr(0, path.rfind('/')))));
    auto file = in(posix::OutputFile::create(path));
    if (!file) return std::unexpected(file.error());
    return std::make_unique<LocalUpload>(*this, key, options, *std::move(file));
  }

  base::Result<Object> get(const std::string& key, const Range& range, const Sink& sink,
                           const Call& call) override {
    const auto in = context("get", key);
    TRY_OK(in(check_key(key)));
    TRY_OK(in(check_range(range)));
    TRY(const auto file, in(open_object(key)));
    TRY(auto object, in(object_of(key, file)));
    if (!range.tag.empty() && range.tag != object.tag)
      return in(base::Result<Object>(base::fail(Code::kAborted, "it is another one by now")));
    if (range.offset > 0 && range.offset >= object.size)
      return in(base::Result<Object>(base::fail(
          Code::kInvalidArgument,
          fmt::format("the range begins at {} of {} bytes", range.offset, object.size))));
    auto left = std::min(range.length.value_or(UINT64_MAX), object.size - range.offset);
    for (auto at = range.offset; left > 0;) {
      TRY_OK(in(check_time(call)));
      const size_t want = std::min<std::uint64_t>(left, kPiece);
      TRY(const auto bytes, in(file.read_at(at, want)));
      if (bytes.size() < want)
        return in(base::Result<Object>(base::fail(Code::kDataLoss, "the file became shorter")));
      TRY_OK(in(sink(bytes)));
      at += want;
      left -= want;
    }
    return object;
  }

  base::Result<Object> stat(const std::string& key, const Call& call) override {
    const auto in = context("stat", key);
    TRY_OK(in(check_key(key)));
    TRY_OK(in(check_time(call)));
    TRY(const auto file, in(open_object(key)));
    return in(object_of(key, file));
  }

  base::Result<Page> list(const ListOptions& options, const Call& call) override {
    const auto in = context("list", options.prefix);
    std::vector<Object> found;
    TRY_OK(in(walk(options.prefix, call, [&](const std::string& key, const auto& info, bool temp) {
      if (!temp && key > options.page)
        found.push_back({.key = key, .size = info.size, .modified = info.modified});
      return base::Status();
    })));
    std::ranges::sort(found, {}, &Object::key);
    Page page;
    const size_t limit = std::clamp(options.limit, 1U, kLargestPage);
    if (found.size() > limit) {
      found.resize(limit);
      page.next = found.back().key;
    }
    page.objects = std::move(found);
    return page;
  }

  base::Status remove(const std::string& key, const Call& call) override {
    const auto in = context("remove", key);
    TRY_OK(in(check_key(key)));
    TRY(const auto lock, in(lock_root(call)));
    return in(posix::remove_file(path_of(key)));
  }

  base::Result<unsigned> clean_up(const std::string& prefix, base::Instant before,
                                  const Call& call) override {
    const auto in = context("clean up", prefix);
    unsigned count = 0;
    TRY_OK(in(walk(prefix, call, [&](const std::string& key, const auto& info, bool temp) {
      if (!temp || info.modified >= before) return base::Status();
      ++count;
      return posix::remove_file(root_ + "/" + key);
    })));
    return count;
  }

  // The file gets its name.
  base::Result<Object> place(const std::string& key, posix::OutputFile file,
                             const Condition& condition, const Call& call) {
    const auto in = context("put", key);
    TRY_OK(in(check_time(call)));
    if (condition.when == When::kAbsent) {
      TRY_OK(in(file.commit_new()));
    } else {
      TRY_OK(in(file.sync()));  // the slow part, before others have to wait for us
      TRY(const auto lock, in(lock_root(call)));
      if (condition.when == When::kSame) TRY_OK(in(check_same(key, condition.tag)));
      TRY_OK(in(file.commit()));
    }
    TRY(const auto placed, in(open_object(key)));
    return in(object_of(key, placed));
  }

  [[nodiscard]] Context context(std::string_view operation, const std::string& key) const {
    return {.operation = operation, .key = key, .store = name(), .hint = hint_of};
  }
  static base::Status check_time(const Call& call) {
    if (call.stop.stop_requested()) return base::fail(Code::kCancelled, "stopped");
    if (posix::deadline_in(base::Duration(0)) >= call.deadline)
      return base::fail(Code::kUnavailable, "no time is left for it");
    return {};
  }

 private:
  [[nodiscard]] std::string path_of(const std::string& key) const { return root_ + "/" + key; }

  // A folder is no object, and a file holds none.
  [[nodiscard]] base::Result<posix::InputFile> open_object(const std::string& key) const {
    auto file = posix::InputFile::open(path_of(key));
    if (file || file.error().code != Code::kFailedPrecondition) return file;
    return base::fail(Code::kNotFound, file.error().message);
  }

  static base::Result<Object> object_of(const std::string& key, const posix::InputFile& file) {
    TRY(auto tag, tag_of(file));
    return Object{.key = key,
                  .size = file.info().size,
                  .modified = file.info().modified,
                  .tag = std::move(tag)};
  }

  [[nodiscard]] base::Status check_same(const std::string& key, const std::string& tag) const {
    const auto file = open_object(key);
    if (!file && file.error().code != Code::kNotFound) return std::unexpected(file.error());
    if (file) {
      TRY(const auto now, tag_of(*file));
      if (now == tag) return {};
    }
    return base::fail(Code::kAborted, "it is another one by now");
  }

  // Whoever replaces or removes a file holds it, so that kSame means something.
  [[nodiscard]] base::Result<posix::FileLock> lock_root(const Call& call) const {
    for (;;) {
      TRY_OK(check_time(call));
      auto lock = posix::FileLock::try_lock(root_ + "/.lock");
      if (lock || lock.error().code != Code::kFailedPrecondition) return lock;
    }
  }

  // Every file whose key begins with the prefix: its key, what it is, whether it is unfinished.
  template <class Visit>
  base::Status walk(const std::string& prefix, const Call& call, const Visit& visit) const {
    const auto slash = prefix.rfind('/');
    const auto folder = slash == std::string::npos ? std::string() : prefix.substr(0, slash);
    if (!folder.empty()) TRY_OK(check_key(folder));
    return walk(folder, prefix, call, visit, 0);
  }
  template <class Visit>
  base::Status walk(const std::string& folder, const std::string& prefix, const Call& call,
                    const Visit& visit, size_t depth) const {
    if (depth > kDeepest)
      return base::fail(Code::kResourceExhausted, "too many folders in folders");
    TRY_OK(check_time(call));
    auto names = posix::list_dir(folder.empty() ? root_ : path_of(folder));
    // A folder that is not there, or went away, holds nothing; without the root nothing is known.
    if (!names && names.error().code == Code::kNotFound) {
      if (!folder.empty()) names = posix::list_dir(root_);
      if (names) return {};
      if (names.error().code == Code::kNotFound)
        return base::fail(Code::kFailedPrecondition, names.error().message);
    }
    if (!names) return std::unexpected(names.error());
    for (const auto& entry : *names) {
      TRY_OK(check_time(call));
      const bool temporary = is_temporary(entry);
      if (entry.starts_with('.') && !temporary) continue;
      const auto key = folder.empty() ? entry : folder + "/" + entry;
      const auto known =
          temporary ? folder.empty() ? entry.substr(1) : folder + "/" + entry.substr(1) : key;
      if (!known.starts_with(prefix) && !(prefix.starts_with(known + "/"))) continue;
      const auto info = posix::file_info(root_ + "/" + key, /*follow=*/false);
      if (!info && info.error().code == Code::kNotFound) continue;
      if (!info) return std::unexpected(info.error());
      if (info->directory) TRY_OK(walk(key, prefix, call, visit, depth + 1));
      if (info->regular && known.starts_with(prefix)) TRY_OK(visit(key, *info, temporary));
    }
    return {};
  }

  const std::string root_;
};

base::Status LocalUpload::write(std::string_view bytes, const Call& call) {
  const auto in = store_.context("write", key_);
  TRY_OK(in(LocalStore::check_time(call)));
  if (!file_) return in(base::Status(base::fail(Code::kInternal, "it has ended")));
  return in(file_->write(bytes));
}

base::Result<Object> LocalUpload::commit(const Call& call) {
  if (!file_)
    return store_.context("put",
                          key_)(base::Result<Object>(base::fail(Code::kInternal, "it has ended")));
  auto file = *std::exchange(file_, std::nullopt);
  return store_.place(key_, std::move(file), options_.condition, call);
}

}  // namespace

base::Result<std::unique_ptr<Store>> open_local(const LocalOptions& options) {
  std::string root = options.root;
  while (root.size() > 1 && root.ends_with('/')) root.pop_back();
  if (!root.starts_with('/'))
    return base::fail(Code::kInvalidArgument,
                      fmt::format("\"{}\" is no absolute path of a directory", options.root));
  auto store = std::make_unique<LocalStore>(root);
  const auto in = store->context("open", "");
  if (!options.must_exist) {
    TRY_OK(in(posix::make_dirs(root)));
  } else if (const auto names = posix::list_dir(root); !names) {
    auto error = names.error();
    if (error.code == Code::kNotFound) error.code = Code::kFailedPrecondition;
    return in(base::Result<std::unique_ptr<Store>>(std::unexpected(error)));
  }
  return store;
}

}  // namespace objstore
