#include "archive/upload.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "archive/prune.h"
#include "archive/seal.h"
#include "base/mutants.h"

namespace archive {
namespace {

using base::Code;
using objstore::When;

constexpr size_t kPiece = size_t{1} << 20;

// The change may have happened, so only a look can tell.
bool doubtful(const base::Error& error) {
  return error.code == Code::kDeadlineExceeded || error.code == Code::kAlreadyExists ||
         error.code == Code::kAborted;
}

base::Status seal_into(Sealer& sealer, const posix::ScratchFile& from) {
  std::string piece(std::min<std::uint64_t>(kPiece, from.size()), '\0');
  for (std::uint64_t at = 0; at < from.size();) {
    piece.resize(std::min<std::uint64_t>(kPiece, from.size() - at));
    TRY_OK(from.read(at, std::span(piece.data(), piece.size())));
    TRY_OK(sealer.write(piece));
    at += piece.size();
  }
  return sealer.finish();
}

Outcome<void> put_data(const Shelf& shelf, const Snapshot& snapshot, Manifest& manifest,
                       const World& world, const objstore::Call& call) {
  const auto key = shelf.key(manifest.name, Part::kData);
  world.pass("upload.before");
  // Without a condition, which some stores refuse only when all of it was sent: nobody else has the
  // nonce of its name.
  TRY(const auto to,
      shelf.store().upload(key, {.condition = {}, .expected_bytes = snapshot.file.size()}, call));
  bool half = false;
  TRY(const auto sealer, Sealer::make(world.key, [&](std::string_view bytes) {
        if (!std::exchange(half, true)) world.pass("upload.half");
        return to->write(bytes, call);
      }));
  if (const auto done = seal_into(*sealer, snapshot.file); !done) {
    to->discard(call);
    return std::unexpected(done.error());
  }
  manifest.snapshot = sealer->plain();
  manifest.data = sealer->sealed();
  if (world.key != nullptr) manifest.encryption = world.key->encryption();
  world.pass("commit.before");
  const auto committed = to->commit(call);
  world.pass("commit.after");
  if (!committed && !doubtful(committed.error())) {
    to->discard(call);
    return std::unexpected(committed.error());
  }
  if (base::mutant(base::Mutant::kStoredUnseen)) return {};
  const auto there =
      download(shelf, manifest, world.key, [](std::string_view) { return base::Status(); }, call);
  if (there) return {};
  if (!committed && there.error().code == Code::kNotFound)
    return std::unexpected(committed.error());
  if (there.error().code == Code::kNotFound || there.error().code == Code::kDataLoss)
    return std::unexpected(
        Trouble(kind::kMismatch, there.error().in("the store said that it has it; read back")));
  return std::unexpected(there.error());
}

Outcome<void> put_manifest(const Shelf& shelf, const Manifest& manifest, const World& world,
                           const objstore::Call& call) {
  const auto key = shelf.key(manifest.name, Part::kManifest);
  const auto text = to_json(manifest);
  objstore::PutOptions options{.condition = {.when = When::kAbsent},
                               .content_type = "application/json"};
  world.pass("manifest.before");
  auto put = shelf.store().put(key, text, options, call);
  if (!put && put.error().code == Code::kUnimplemented) {
    options.condition = {};
    put = shelf.store().put(key, text, options, call);
  }
  world.pass("manifest.after");
  if (!put && !doubtful(put.error())) return std::unexpected(put.error());
  if (base::mutant(base::Mutant::kStoredUnseen)) return {};
  const auto there = objstore::read_all(shelf.store(), key, kLargestManifest, call);
  if (there && *there == text) return {};
  if (!put && (there || there.error().code == Code::kNotFound)) return std::unexpected(put.error());
  if (there || there.error().code == Code::kNotFound)
    return trouble(kind::kMismatch, fmt::format("{}: the store said that it has it, and gives {}",
                                                key, there ? "other bytes" : "nothing"));
  return std::unexpected(there.error());
}

}  // namespace

Outcome<Manifest> upload(const Shelf& shelf, const Snapshot& snapshot, Manifest manifest,
                         const World& world, base::Tick deadline) {
  const auto call = world.call(deadline);
  auto done = put_data(shelf, snapshot, manifest, world, call);
  if (done) done = put_manifest(shelf, manifest, world, call);
  if (done) return manifest;
  // As far as it can; the next job sweeps.
  constexpr base::Duration kUndo{10'000};
  static_cast<void>(
      remove_backup(shelf, manifest.name, world, {.deadline = world.clock->tick() + kUndo}));
  return std::unexpected(done.error());
}

base::Status download(const Shelf& shelf, const Manifest& manifest, const Key* key,
                      const objstore::Sink& out, const objstore::Call& call) {
  TRY(const auto unsealer, Unsealer::make(manifest, key, out));
  TRY_OK(shelf.store().get(
      shelf.key(manifest.name, Part::kData), {},
      [&](std::string_view bytes) { return unsealer->write(bytes); }, call));
  return unsealer->finish();
}

}  // namespace archive
