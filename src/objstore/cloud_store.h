// A store at the other end of a network: everything that does not depend on the kind of server.
#pragma once

#include <memory>
#include <string>

#include "objstore/context.h"
#include "objstore/protocol.h"

namespace objstore {

class CloudStore final : public Store {
 public:
  // `prefix`: where in the bucket the store's root is; empty: the bucket itself.
  CloudStore(std::unique_ptr<Protocol> protocol, std::string prefix, Outside outside,
             Courier::Options options);

  [[nodiscard]] std::string name() const override;
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

 private:
  friend class CloudUpload;
  struct Found {
    Object object;
    std::string nonce;
  };
  [[nodiscard]] std::string whole(const std::string& key) const {
    return prefix_.empty() ? key : prefix_ + "/" + key;
  }
  [[nodiscard]] Context context(std::string_view operation, const std::string& key) const;
  std::expected<Answer, Failure> send(const Request& request, const Call& call,
                                      const Sink& sink = {});
  std::expected<Found, Failure> find(const std::string& key, const Call& call);
  // A refusal that our own earlier try may have caused.
  base::Result<Object> settle(const std::string& key, const Failure& failure,
                              const std::string& nonce, const Call& call);
  base::Result<Object> put_checked(const std::string& key, std::string_view bytes,
                                   const NewObject& object, const Call& call);
  base::Status stream(const std::string& key, const Object& object, const Range& range,
                      const Sink& sink, bool& given, const Call& call);
  base::Result<NewObject> new_object(const std::string& key, const PutOptions& options) const;

  const std::unique_ptr<Protocol> protocol_;
  const std::string prefix_;
  Courier courier_;
};

}  // namespace objstore
