// Encryption of what is stored, with a key that the store never sees: libsodium's secretstream
// (XChaCha20-Poly1305), in pieces, so that a changed, lost or swapped piece is found.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "archive/manifest.h"
#include "base/result.h"
#include "objstore/store.h"

namespace archive {

constexpr std::string_view kSecretStream = "secretstream-xchacha20poly1305";
constexpr std::size_t kKeyBytes = 32;

// Never printed, never in an error.
class Key {
 public:
  // A file with 32 bytes as they are, or as 64 hex digits, or in base64. `path` is for errors.
  static base::Result<Key> parse(std::string_view text, const std::string& path);
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] Encryption encryption() const;

 private:
  explicit Key(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string bytes_;
};

// Each writes to its sink. For one thread; an error ends it.
class Encrypter {
 public:
  static base::Result<std::unique_ptr<Encrypter>> make(const Key& key, objstore::Sink out);
  ~Encrypter();
  base::Status write(std::string_view bytes);
  base::Status finish();  // once

 private:
  struct State;
  Encrypter(std::unique_ptr<State> state, objstore::Sink out);
  base::Status push(std::string_view piece, bool last);
  std::unique_ptr<State> state_;
  objstore::Sink out_;
  std::string waiting_;
};

// DataLoss: changed or cut bytes, or another key.
class Decrypter {
 public:
  static base::Result<std::unique_ptr<Decrypter>> make(const Key& key, objstore::Sink out);
  ~Decrypter();
  base::Status write(std::string_view bytes);
  base::Status finish();

 private:
  struct State;
  Decrypter(std::unique_ptr<State> state, objstore::Sink out);
  base::Status pull(std::string_view piece);
  std::unique_ptr<State> state_;
  objstore::Sink out_;
  std::string waiting_;
  bool begun_ = false, ended_ = false;
};

}  // namespace archive
