#include "archive/seal.h"

#include <fmt/format.h>
#include <zstd.h>

#include <string>
#include <utility>

#include "pki/digest.h"

namespace archive {
namespace {

using base::Code;

constexpr int kLevel = 1;           // speed before size
constexpr int kLargestWindow = 23;  // 8 MiB: of what others made
constexpr size_t kOut = size_t{256} << 10;

struct Counter {
  pki::Sha256 hash;
  Digest digest;
  void add(std::string_view bytes) {
    hash.update(bytes);
    digest.size_bytes += bytes.size();
  }
  void end() { digest.sha256 = pki::to_hex(hash.finish()); }
};

base::Status compare(std::string_view what, const Digest& is, const Digest& should) {
  if (is.size_bytes != should.size_bytes)
    return base::fail(Code::kDataLoss, fmt::format("{} has {} bytes, not {}", what, is.size_bytes,
                                                   should.size_bytes));
  if (is.sha256 != should.sha256)
    return base::fail(Code::kDataLoss,
                      fmt::format("{} has the SHA-256 {}, not {}", what, is.sha256, should.sha256));
  return {};
}

}  // namespace

struct Sealer::State {
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> zstd{ZSTD_createCCtx(), ZSTD_freeCCtx};
  std::unique_ptr<Encrypter> encrypter;  // none: not encrypted
  objstore::Sink out;
  Counter plain, sealed;
  std::string buffer = std::string(kOut, '\0');

  base::Status emit(std::string_view bytes) {
    sealed.add(bytes);
    return out(bytes);
  }
  base::Status run(std::string_view bytes, ZSTD_EndDirective how) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer to{buffer.data(), buffer.size(), 0};
      const size_t left = ZSTD_compressStream2(zstd.get(), &to, &in, how);
      if (ZSTD_isError(left) != 0)
        return base::fail(Code::kInternal, fmt::format("zstd: {}", ZSTD_getErrorName(left)));
      const auto some = std::string_view(buffer).substr(0, to.pos);
      if (!some.empty()) TRY_OK(encrypter ? encrypter->write(some) : emit(some));
      if (how == ZSTD_e_end ? left == 0 : in.pos == in.size) return {};
    }
  }
};

Sealer::Sealer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sealer::~Sealer() = default;

base::Result<std::unique_ptr<Sealer>> Sealer::make(const Key* key, objstore::Sink out) {
  auto state = std::make_unique<State>();
  auto* zstd = state->zstd.get();
  if (zstd == nullptr ||
      ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, kLevel)) != 0 ||
      ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1)) != 0)
    return base::fail(Code::kInternal, "zstd does not start");
  state->out = std::move(out);
  if (key != nullptr) {
    auto* raw = state.get();  // which owns the encrypter
    TRY(state->encrypter,
        Encrypter::make(*key, [raw](std::string_view bytes) { return raw->emit(bytes); }));
  }
  return std::unique_ptr<Sealer>(new Sealer(std::move(state)));
}

base::Status Sealer::write(std::string_view plain) {
  state_->plain.add(plain);
  return state_->run(plain, ZSTD_e_continue);
}

base::Status Sealer::finish() {
  TRY_OK(state_->run({}, ZSTD_e_end));
  if (state_->encrypter) TRY_OK(state_->encrypter->finish());
  state_->plain.end();
  state_->sealed.end();
  return {};
}

const Digest& Sealer::plain() const {
  return state_->plain.digest;
}
const Digest& Sealer::sealed() const {
  return state_->sealed.digest;
}

base::Status check_key(const Manifest& manifest, const Key* key) {
  if (!manifest.encryption) return {};
  const auto& how = *manifest.encryption;
  if (how.method != kSecretStream)
    return base::fail(
        Code::kUnimplemented,
        fmt::format("it is encrypted by \"{}\", which this program does not know", how.method));
  if (key == nullptr)
    return base::fail(
        Code::kFailedPrecondition,
        fmt::format("it is encrypted with the key {}, and no key was given", how.key_id));
  if (key->encryption().key_id != how.key_id)
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("it is encrypted with the key {}; the one that was given is {}",
                                  how.key_id, key->encryption().key_id));
  return {};
}

struct Unsealer::State {
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> zstd{ZSTD_createDCtx(), ZSTD_freeDCtx};
  std::unique_ptr<Decrypter> decrypter;
  objstore::Sink out;
  Counter plain, sealed;
  Digest should_plain, should_sealed;
  std::string buffer = std::string(kOut, '\0');
  bool whole = false;  // the frame has ended

  base::Status expand(std::string_view bytes) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (bool more = in.size > 0; more;) {
      if (whole) return base::fail(Code::kDataLoss, "bytes come after its end");
      ZSTD_outBuffer to{buffer.data(), buffer.size(), 0};
      const size_t left = ZSTD_decompressStream(zstd.get(), &to, &in);
      if (ZSTD_isError(left) != 0)
        return base::fail(Code::kDataLoss,
                          fmt::format("it does not decompress: {}", ZSTD_getErrorName(left)));
      whole = left == 0;
      plain.add(std::string_view(buffer).substr(0, to.pos));
      if (plain.digest.size_bytes > should_plain.size_bytes)
        return base::fail(Code::kDataLoss,
                          fmt::format("it has more than {} bytes", should_plain.size_bytes));
      if (to.pos > 0) TRY_OK(out(std::string_view(buffer).substr(0, to.pos)));
      more = in.pos < in.size || to.pos == to.size;
      if (whole && in.pos == in.size) more = false;
    }
    return {};
  }
};

Unsealer::Unsealer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Unsealer::~Unsealer() = default;

base::Result<std::unique_ptr<Unsealer>> Unsealer::make(const Manifest& manifest, const Key* key,
                                                       objstore::Sink out) {
  TRY_OK(check_key(manifest, key));
  auto state = std::make_unique<State>();
  if (state->zstd == nullptr || ZSTD_isError(ZSTD_DCtx_setParameter(
                                    state->zstd.get(), ZSTD_d_windowLogMax, kLargestWindow)) != 0)
    return base::fail(Code::kInternal, "zstd does not start");
  state->out = std::move(out);
  state->should_plain = manifest.snapshot;
  state->should_sealed = manifest.data;
  if (manifest.encryption) {
    auto* raw = state.get();  // which owns the decrypter
    TRY(state->decrypter,
        Decrypter::make(*key, [raw](std::string_view bytes) { return raw->expand(bytes); }));
  }
  return std::unique_ptr<Unsealer>(new Unsealer(std::move(state)));
}

base::Status Unsealer::write(std::string_view sealed) {
  state_->sealed.add(sealed);
  if (state_->sealed.digest.size_bytes > state_->should_sealed.size_bytes)
    return base::fail(Code::kDataLoss, fmt::format("its data has more than {} bytes",
                                                   state_->should_sealed.size_bytes));
  return state_->decrypter ? state_->decrypter->write(sealed) : state_->expand(sealed);
}

base::Status Unsealer::finish() {
  state_->sealed.end();
  TRY_OK(compare("its data", state_->sealed.digest, state_->should_sealed));
  if (state_->decrypter) TRY_OK(state_->decrypter->finish());
  if (!state_->whole) return base::fail(Code::kDataLoss, "it ends before its last frame");
  state_->plain.end();
  return compare("the snapshot in it", state_->plain.digest, state_->should_plain);
}

}  // namespace archive
