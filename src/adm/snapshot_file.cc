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

// By what never replaces anything; where a file system has neither way, by a look before.
base::Status name_anew(const std::string& from, const std::string& to) {
  auto named = posix::rename_new(from, to);
  if (named || named.error().code != Code::kUnimplemented) return named;
  if (named = posix::add_name(from, to); named) return posix::remove_file(from);
  if (named.error().code == Code::kAlreadyExists) return named;
  if (posix::exists(to) != base::Fact<bool>(false))
    return base::fail(Code::kAlreadyExists, to + " is there already");
  return posix::rename(from, to);
}

// The first of the older names that is free.
base::Result<std::string> keep_as_older(const std::string& what, const std::string& file,
                                        base::Instant now) {
  for (int i = 0;; ++i) {
    std::string older = older_name(file, now, i);
    const auto named = name_anew(what, older);
    if (named) return older;
    if (named.error().code != Code::kAlreadyExists || i == kMostOlder)
      return std::unexpected(named.error());
  }
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

namespace {

base::Result<std::string> try_name(const std::string& part, const std::string& file,
                                   base::Instant now) {
  TRY_OK(check_snapshot_name(file));
  const auto named = name_anew(part, file);
  if (named) return std::string();
  if (named.error().code != Code::kAlreadyExists) return std::unexpected(named.error());
  const auto swapped = posix::exchange(part, file);
  // What had the name is the part now, whosever it was.
  if (swapped) return keep_as_older(part, file, now).value_or(part);
  if (swapped.error().code != Code::kUnimplemented) return std::unexpected(swapped.error());
  // There the name is free for a moment.
  TRY(std::string older, keep_as_older(file, file, now));
  TRY_OK(name_anew(part, file));
  return older;
}

}  // namespace

base::Result<std::string> give_snapshot_name(const std::string& part, const std::string& file,
                                             base::Instant now) {
  for (int i = 0;; ++i) {
    auto older = try_name(part, file, now);
    if (older) return older;
    // Somebody else gave the name, or took it away, between two looks.
    const auto code = older.error().code;
    if ((code == Code::kAlreadyExists || code == Code::kNotFound) && i < kMostOlder) continue;
    (void)posix::remove_file(part);
    return older;
  }
}

}  // namespace adm
