#include "adm/snapshot_file.h"

#include <fmt/format.h>

#include "pki/random.h"
#include "posix/files.h"
#include "posix/link.h"

namespace adm {
namespace {

using base::Code;

constexpr int kMostOlder = 100;
constexpr size_t kPartBytes = 8;

// "20270115T080000Z"
std::string stamp(base::Instant at) {
  std::string out;
  for (const char c : base::to_rfc3339(at).substr(0, 19))
    if (c != '-' && c != ':') out += c;
  return out + "Z";
}

std::string older_name(const std::string& file, base::Instant now, int attempt) {
  if (attempt == 0) return file + ".old";
  const std::string at = fmt::format("{}.old-{}", file, stamp(now));
  return attempt == 1 ? at : fmt::format("{}-{}", at, attempt);
}

// Not every file system has second names; there the name is free for a moment.
base::Status keep_as(const std::string& file, const std::string& older) {
  auto linked = posix::add_name(file, older);
  if (linked || linked.error().code == Code::kAlreadyExists) return linked;
  if (posix::exists(older) != base::Fact<bool>(false))
    return base::fail(Code::kAlreadyExists, older + " is there already");
  return posix::rename(file, older);
}

}  // namespace

base::Status check_snapshot_name(const std::string& file) {
  const auto info = posix::file_info(file, false);
  if (!info && info.error().code == Code::kNotFound) return {};
  if (!info) return std::unexpected(info.error());
  if (info->regular) return {};
  if (info->directory)
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("{0} is a directory: name the file as well, as in {0}{1}"
                                  "etcd-snapshot.db",
                                  file, file.ends_with('/') ? "" : "/"));
  return base::fail(Code::kFailedPrecondition,
                    file + " is there and is no regular file: choose another name");
}

base::Result<std::string> part_of(const std::string& file) {
  TRY(const auto digits, pki::random_hex(kPartBytes));
  const auto slash = file.rfind('/');
  const size_t name = slash == std::string::npos ? 0 : slash + 1;
  return fmt::format("{}.{}.part-{}", file.substr(0, name), file.substr(name), digits);
}

base::Result<std::string> give_snapshot_name(const std::string& part, const std::string& file,
                                             base::Instant now) {
  TRY_OK(check_snapshot_name(file));
  std::string older;
  for (int i = 0; posix::exists(file) != base::Fact<bool>(false); ++i) {
    older = older_name(file, now, i);
    const auto kept = keep_as(file, older);
    if (kept) break;
    if (kept.error().code != Code::kAlreadyExists || i == kMostOlder)
      return std::unexpected(kept.error());
  }
  TRY_OK(posix::rename(part, file));
  return older;
}

}  // namespace adm
