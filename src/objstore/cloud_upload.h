// A stream to a server, in parts of one size; what is smaller than one part is a plain put.
#pragma once

#include <memory>
#include <string>

#include "objstore/cloud_store.h"

namespace objstore {

class CloudUpload final : public Upload {
 public:
  // `store` must outlive it. Holds at most one part and what one write() brings.
  CloudUpload(CloudStore& store, std::string key, NewObject object, std::uint64_t part_bytes)
      : store_(store), key_(std::move(key)), object_(std::move(object)), part_bytes_(part_bytes) {}

  base::Status write(std::string_view bytes, const Call& call) override;
  base::Result<Object> commit(const Call& call) override;
  void discard(const Call& call) override;

 private:
  base::Status send_part(const Call& call);
  base::Result<Object> finish(const Call& call);
  base::Result<Object> check(const Call& call);

  CloudStore& store_;
  const std::string key_;
  const NewObject object_;
  const std::uint64_t part_bytes_;
  std::string buffer_;            // what was not sent yet
  std::uint64_t sent_ = 0;        // bytes before it
  std::unique_ptr<Parts> parts_;  // null: nothing was sent
  bool ended_ = false;
};

}  // namespace objstore
