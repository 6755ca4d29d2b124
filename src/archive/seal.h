// A snapshot as it lies in a store: compressed, and encrypted where there is a key. Both ways are
// streams of bounded memory.
#pragma once

#include <memory>
#include <string_view>

#include "archive/crypt.h"
#include "archive/manifest.h"
#include "base/result.h"
#include "objstore/store.h"

namespace archive {

// For one thread. What a sink says as an error is given on and ends it.
class Sealer {
 public:
  // `key` may be null, and outlives it.
  static base::Result<std::unique_ptr<Sealer>> make(const Key* key, objstore::Sink out);
  ~Sealer();
  base::Status write(std::string_view plain);
  base::Status finish();  // once
  // After finish().
  [[nodiscard]] const Digest& plain() const;
  [[nodiscard]] const Digest& sealed() const;

 private:
  struct State;
  explicit Sealer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Whether it can be unsealed with this key, which may be null. FailedPrecondition: a key is needed,
// or another one. Unimplemented: a newer program made it.
base::Status check_key(const Manifest& manifest, const Key* key);

// What finish() does not complain about is what was sealed, byte for byte. Errors of the bytes are
// DataLoss; make() also gives those of check_key().
class Unsealer {
 public:
  static base::Result<std::unique_ptr<Unsealer>> make(const Manifest& manifest, const Key* key,
                                                      objstore::Sink out);
  ~Unsealer();
  base::Status write(std::string_view sealed);
  base::Status finish();

 private:
  struct State;
  explicit Unsealer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace archive
