// One kind of server: what it is asked, and what its answers mean. Keys are whole here, with the
// prefix that a store is rooted at.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "objstore/courier.h"
#include "objstore/request.h"
#include "objstore/store.h"

namespace objstore {

struct NewObject {
  std::string key;
  Condition condition = {};
  std::string content_type = {};
  std::string nonce = {};  // kept beside the object: tells who wrote it
};

struct Unfinished {  // an upload that never ended
  std::string key, id;
  base::Instant begun{};
};
struct UnfinishedPage {
  std::vector<Unfinished> uploads = {};
  std::string next = {};
};

// The talk of one upload in parts. The caller sends what it says, one after the other.
class Parts {
 public:
  virtual ~Parts() = default;
  virtual std::optional<Request> begin() = 0;  // no value: a part may be sent at once
  virtual base::Status begun(const http::Reply& reply) = 0;
  virtual Request part(std::uint64_t offset, std::string_view bytes) = 0;
  // How many bytes from the beginning of the object the server has by now.
  virtual base::Result<std::uint64_t> sent(const http::Reply& reply) = 0;
  // No value: `bytes`, the last ones, are a part like the others.
  virtual std::optional<Request> last_part(std::uint64_t offset, std::string_view bytes) = 0;
  virtual std::optional<Request> finish() = 0;  // no value: the last part did it
  virtual std::optional<Request> abandon() = 0;
};

class Protocol : public Correspondent {
 public:
  [[nodiscard]] virtual std::string name() const = 0;  // "s3://bucket"
  [[nodiscard]] virtual std::string (*hint() const)(base::Code) = 0;
  [[nodiscard]] virtual std::uint64_t part_bytes(std::uint64_t expected) const = 0;

  [[nodiscard]] virtual Request stat(const std::string& key) const = 0;
  // `range` lies within the object; without offset and length: the whole.
  [[nodiscard]] virtual Request get(const std::string& key, const Range& range) const = 0;
  [[nodiscard]] virtual Request put(const NewObject& object, std::string_view bytes) const = 0;
  [[nodiscard]] virtual Request remove(const std::string& key) const = 0;
  [[nodiscard]] virtual Request list(const ListOptions& options) const = 0;
  [[nodiscard]] virtual std::unique_ptr<Parts> parts(const NewObject& object) const = 0;
  // No value: the server removes by itself what is unfinished.
  [[nodiscard]] virtual std::optional<Request> unfinished(const std::string& prefix,
                                                          const std::string& page) const = 0;
  [[nodiscard]] virtual Request abandon(const Unfinished& upload) const = 0;

  // Of answers to stat and put; what a put does not say is filled in by the caller.
  [[nodiscard]] virtual base::Result<Object> object_of(const http::Reply& reply) const = 0;
  [[nodiscard]] virtual std::string nonce_of(const http::Reply& stat_reply) const = 0;
  [[nodiscard]] virtual base::Result<Page> page_of(const http::Reply& reply) const = 0;
  [[nodiscard]] virtual base::Result<UnfinishedPage> unfinished_of(
      const http::Reply& reply) const = 0;
};

// The headers that all of them use for it.
void set_condition(Request& request, const Condition& condition);
void set_range(Request& request, const Range& range);
// Of Last-Modified, ETag and Content-Length; DataLoss where they are no such things.
base::Result<Object> object_of_headers(const http::Reply& reply);

}  // namespace objstore
