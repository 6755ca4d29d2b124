// For tests of this module: a store that cannot create without replacing.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "objstore/store.h"

namespace archive::testing {

// As some servers are: they say so only when all bytes were sent, or they do not say so.
enum class Condition { kRefused, kIgnored };
class NoCreateOnly final : public objstore::Store {
 public:
  using Call = objstore::Call;
  explicit NoCreateOnly(objstore::Store& store, Condition condition = Condition::kRefused)
      : store_(store), condition_(condition) {}
  [[nodiscard]] std::string name() const override { return store_.name(); }
  base::Result<objstore::Object> put(const std::string& key, std::string_view bytes,
                                     const objstore::PutOptions& options,
                                     const Call& call) override {
    if (options.condition.when != objstore::When::kAbsent)
      return store_.put(key, bytes, options, call);
    if (condition_ == Condition::kRefused) return cannot();
    return store_.put(key, bytes, {.content_type = options.content_type}, call);
  }
  base::Result<std::unique_ptr<objstore::Upload>> upload(const std::string& key,
                                                         const objstore::PutOptions& options,
                                                         const Call& call) override {
    if (options.condition.when == objstore::When::kAbsent) return std::make_unique<Refusing>();
    return store_.upload(key, options, call);
  }
  base::Result<objstore::Object> get(const std::string& key, const objstore::Range& range,
                                     const objstore::Sink& sink, const Call& call) override {
    return store_.get(key, range, sink, call);
  }
  base::Result<objstore::Object> stat(const std::string& key, const Call& call) override {
    return store_.stat(key, call);
  }
  base::Result<objstore::Page> list(const objstore::ListOptions& options,
                                    const Call& call) override {
    return store_.list(options, call);
  }
  base::Status remove(const std::string& key, const Call& call) override {
    return store_.remove(key, call);
  }
  base::Result<unsigned> clean_up(const std::string& prefix, base::Instant before,
                                  const Call& call) override {
    return store_.clean_up(prefix, before, call);
  }

 private:
  static std::unexpected<base::Error> cannot() {
    return base::fail(base::Code::kUnimplemented, "the server answered 501 NotImplemented");
  }
  class Refusing final : public objstore::Upload {
   public:
    base::Status write(std::string_view, const Call&) override { return {}; }
    base::Result<objstore::Object> commit(const Call&) override { return cannot(); }
    void discard(const Call&) override {}
  };

  objstore::Store& store_;
  const Condition condition_;
};

}  // namespace archive::testing
