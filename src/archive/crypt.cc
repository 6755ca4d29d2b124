#include "archive/crypt.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "pki/digest.h"

namespace archive {
namespace {

using base::Code;

constexpr std::string_view kMagic = "EOSS1\n";
constexpr size_t kHead = kMagic.size() + crypto_secretstream_xchacha20poly1305_HEADERBYTES;
constexpr size_t kPiece = size_t{64} << 10;  // of plain bytes
constexpr size_t kSealedPiece = kPiece + crypto_secretstream_xchacha20poly1305_ABYTES;
static_assert(kKeyBytes == crypto_secretstream_xchacha20poly1305_KEYBYTES);

const unsigned char* data_of(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* data_of(std::string& bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

std::string from_hex(std::string_view text) {
  std::string out;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    const auto byte = base::parse_hex(text.substr(i, 2));
    if (!byte) return {};
    out += static_cast<char>(*byte);
  }
  return out;
}

base::Status ready() {
  if (sodium_init() < 0) return base::fail(Code::kInternal, "libsodium does not start");
  return {};
}

}  // namespace

base::Result<Key> Key::parse(std::string_view text, const std::string& path) {
  if (text.size() == kKeyBytes) return Key(std::string(text));
  const auto trimmed = base::trim(text);
  if (trimmed.size() == 2 * kKeyBytes)
    if (auto bytes = from_hex(trimmed); bytes.size() == kKeyBytes) return Key(std::move(bytes));
  if (auto bytes = base::decode_base64(trimmed); bytes && bytes->size() == kKeyBytes)
    return Key(*std::move(bytes));
  return base::fail(Code::kInvalidArgument,
                    fmt::format("{}: no key of {} bytes, neither as they are nor as {} hex digits "
                                "nor in base64",
                                path, kKeyBytes, 2 * kKeyBytes));
}

Encryption Key::encryption() const {
  const auto digest = pki::to_hex(pki::sha256("etcd-operator: id of a backup key\n" + bytes_));
  return {.method = std::string(kSecretStream), .key_id = digest.substr(0, 16)};
}

struct Encrypter::State {
  crypto_secretstream_xchacha20poly1305_state stream{};
};

Encrypter::Encrypter(std::unique_ptr<State> state, objstore::Sink out)
    : state_(std::move(state)), out_(std::move(out)) {}
Encrypter::~Encrypter() = default;

base::Result<std::unique_ptr<Encrypter>> Encrypter::make(const Key& key, objstore::Sink out) {
  TRY_OK(ready());
  auto state = std::make_unique<State>();
  std::string head(kHead - kMagic.size(), '\0');
  crypto_secretstream_xchacha20poly1305_init_push(&state->stream, data_of(head),
                                                  data_of(std::string_view(key.bytes())));
  TRY_OK(out(std::string(kMagic) + head));
  return std::unique_ptr<Encrypter>(new Encrypter(std::move(state), std::move(out)));
}

base::Status Encrypter::write(std::string_view bytes) {
  // The last piece is marked, so one always waits.
  while (!bytes.empty()) {
    if (waiting_.size() == kPiece) TRY_OK(push(std::exchange(waiting_, {}), /*last=*/false));
    const auto some = bytes.substr(0, kPiece - waiting_.size());
    waiting_ += some;
    bytes.remove_prefix(some.size());
  }
  return {};
}

base::Status Encrypter::finish() {
  return push(std::exchange(waiting_, {}), /*last=*/true);
}

base::Status Encrypter::push(std::string_view piece, bool last) {
  std::string sealed(piece.size() + crypto_secretstream_xchacha20poly1305_ABYTES, '\0');
  crypto_secretstream_xchacha20poly1305_push(
      &state_->stream, data_of(sealed), nullptr, data_of(piece), piece.size(), nullptr, 0,
      last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0);
  return out_(sealed);
}

struct Decrypter::State {
  crypto_secretstream_xchacha20poly1305_state stream{};
  std::string key;
};

Decrypter::Decrypter(std::unique_ptr<State> state, objstore::Sink out)
    : state_(std::move(state)), out_(std::move(out)) {}
Decrypter::~Decrypter() = default;

base::Result<std::unique_ptr<Decrypter>> Decrypter::make(const Key& key, objstore::Sink out) {
  TRY_OK(ready());
  auto state = std::make_unique<State>();
  state->key = key.bytes();
  return std::unique_ptr<Decrypter>(new Decrypter(std::move(state), std::move(out)));
}

base::Status Decrypter::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t want = begun_ ? kSealedPiece : kHead;
    if (begun_ && waiting_.size() == want) TRY_OK(pull(std::exchange(waiting_, {})));
    const auto some = bytes.substr(0, want - waiting_.size());
    waiting_ += some;
    bytes.remove_prefix(some.size());
    if (begun_ || waiting_.size() < kHead) continue;
    if (!waiting_.starts_with(kMagic))
      return base::fail(Code::kDataLoss, "it is not encrypted as its manifest says");
    if (crypto_secretstream_xchacha20poly1305_init_pull(
            &state_->stream, data_of(std::string_view(waiting_).substr(kMagic.size())),
            data_of(std::string_view(state_->key))) != 0)
      return base::fail(Code::kDataLoss, "the head of its encryption is damaged");
    waiting_.clear();
    begun_ = true;
  }
  return {};
}

base::Status Decrypter::finish() {
  if (!begun_) return base::fail(Code::kDataLoss, "it ends within the head of its encryption");
  TRY_OK(pull(std::exchange(waiting_, {})));
  if (!ended_) return base::fail(Code::kDataLoss, "it is cut");
  return {};
}

base::Status Decrypter::pull(std::string_view piece) {
  constexpr size_t kOver = crypto_secretstream_xchacha20poly1305_ABYTES;
  std::string plain(piece.size() < kOver ? 0 : piece.size() - kOver, '\0');
  unsigned char tag = 0;
  if (ended_ || piece.size() < kOver ||
      crypto_secretstream_xchacha20poly1305_pull(&state_->stream, data_of(plain), nullptr, &tag,
                                                 data_of(piece), piece.size(), nullptr, 0) != 0)
    return base::fail(Code::kDataLoss, "it does not decrypt: damaged, or made with another key");
  ended_ = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
  return out_(plain);
}

}  // namespace archive
