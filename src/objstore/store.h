// Where backups are kept: objects with names, each whole or absent. One interface for S3, Azure
// Blob, Google Cloud Storage, a directory, and memory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace objstore {

// Until when somebody waits. A part of a larger work gets the rest of its time, never more.
struct Call {
  base::Tick deadline{};
  std::stop_token stop = {};
  [[nodiscard]] Call within(base::Tick now, base::Duration longest) const;
};

struct Object {
  std::string key = {};
  std::uint64_t size = 0;
  base::Instant modified{};
  std::string tag = {};  // another one after each write; opaque; lists may leave it empty
};

enum class When { kAlways, kAbsent, kSame };
struct Condition {
  When when = When::kAlways;
  std::string tag = {};  // of kSame: what is replaced must still be this
};
struct PutOptions {
  Condition condition = {};
  std::string content_type = "application/octet-stream";
  // Of a stream: what it will come to, as far as is known; the size of its parts follows from it.
  std::uint64_t expected_bytes = 0;
};

struct Range {
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length = {};  // none: to the end. What is beyond the end is left out
  std::string tag = {};                      // not empty: of this version only
};
using Sink = std::function<base::Status(std::string_view)>;

struct ListOptions {
  std::string prefix = {};  // "a/b" finds a/b, a/bc and a/b/c
  std::string page = {};    // Page::next of the page before
  unsigned limit = 1000;
};
struct Page {
  std::vector<Object> objects = {};  // by key, in the order of bytes
  std::string next = {};             // empty: this was the last page
};

// Bytes on their way to become an object. For one thread at a time. An upload that ends without
// commit() leaves no object; what else it may leave is removed by discard() or Store::clean_up().
class Upload {
 public:
  virtual ~Upload() = default;
  virtual base::Status write(std::string_view bytes, const Call& call) = 0;
  virtual base::Result<Object> commit(const Call& call) = 0;  // once; nothing after it
  virtual void discard(const Call& call) = 0;                 // as far as it can
};

// Thread-safe. What fails is tried again until the call's deadline, where that can help. Errors say
// which store, operation and key, and what to check:
//   NotFound            the object is proven absent. A bucket that is absent is FailedPrecondition:
//                       "could not look" is never "nothing there"
//   AlreadyExists       kAbsent, and there is one
//   Aborted             kSame or Range::tag, and it is another one by now; two writers at once
//   PermissionDenied    the credentials do not hold or may not do this
//   FailedPrecondition  no such bucket, a wrong clock, a certificate that does not hold, a lock on
//   the
//                       object, a key that is a folder
//   ResourceExhausted   full
//   DataLoss            the bytes that came are not the ones that were stored
//   Unimplemented       the server cannot do this at all
//   Unavailable         nothing was changed, and nothing came until the deadline
//   DeadlineExceeded    a change may have happened: look before repeating
class Store {
 public:
  virtual ~Store() = default;
  [[nodiscard]] virtual std::string name() const = 0;  // "s3://bucket/prefix", without secrets

  virtual base::Result<Object> put(const std::string& key, std::string_view bytes,
                                   const PutOptions& options, const Call& call) = 0;
  virtual base::Result<std::unique_ptr<Upload>> upload(const std::string& key,
                                                       const PutOptions& options,
                                                       const Call& call) = 0;
  // Gives the bytes to `sink` in order, each once; a stream that breaks goes on where it broke, if
  // the object is still the same. InvalidArgument: the range begins at or after the end.
  virtual base::Result<Object> get(const std::string& key, const Range& range, const Sink& sink,
                                   const Call& call) = 0;
  virtual base::Result<Object> stat(const std::string& key, const Call& call) = 0;
  virtual base::Result<Page> list(const ListOptions& options, const Call& call) = 0;
  virtual base::Status remove(const std::string& key, const Call& call) = 0;  // absent is fine
  // Removes what uploads below `prefix` left that began before `before`. Where the server does that
  // by itself it does nothing. How many there were.
  virtual base::Result<unsigned> clean_up(const std::string& prefix, base::Instant before,
                                          const Call& call) = 0;
};

// All pages; ResourceExhausted beyond `limit` objects.
base::Result<std::vector<Object>> list_all(Store& store, const std::string& prefix, size_t limit,
                                           const Call& call);
// The whole object; ResourceExhausted beyond `limit` bytes.
base::Result<std::string> read_all(Store& store, const std::string& key, size_t limit,
                                   const Call& call);
// Whether kAbsent holds here: writes `key` twice, then removes it. True: the second was refused.
base::Result<bool> probe_create_only(Store& store, const std::string& key, const Call& call);

// What every store takes: 1 to 900 bytes of UTF-8 without control characters and backslashes, in
// segments of 1 to 200 bytes between slashes, none of which begins with a dot.
base::Status check_key(std::string_view key);
base::Status check_range(const Range& range);

}  // namespace objstore
