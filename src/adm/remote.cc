#include "adm/remote.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "objstore/open.h"
#include "pki/random.h"
#include "posix/clock.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/input_file.h"
#include "posix/output_file.h"
#include "posix/wakeup.h"

namespace adm {
namespace {

using base::Code;

constexpr base::Duration kLook = std::chrono::minutes(2), kBytes = std::chrono::hours(6);
constexpr size_t kPiece = size_t{1} << 20, kMost = 10'000, kCa = size_t{1} << 20;

// The store keeps pointers to both.
struct Opened {
  posix::SystemClock clock;
  posix::SystemRandom random;
  std::unique_ptr<objstore::Store> store;
  std::string key;  // empty: all of it
  std::stop_token stop;

  [[nodiscard]] objstore::Call call(base::Duration time) const {
    return {posix::deadline_in(time), stop};
  }
};

// The bucket is the store, the rest the key.
base::Result<std::unique_ptr<Opened>> open(const Context& context, const std::string& url,
                                           bool folder) {
  const auto& f = context.flags;
  const auto scheme = url.find("://");
  const auto kind = url.substr(0, scheme);
  if (kind != "s3" && kind != "gs" && kind != "azblob" && kind != "oss")
    return base::fail(Code::kInvalidArgument,
                      fmt::format("'{}' is neither a file nor s3://, gs:// or azblob:// with a "
                                  "bucket and a name",
                                  url.substr(0, 200)));
  const auto slash = std::min(url.find('/', scheme + 3), url.size());
  auto out = std::make_unique<Opened>();
  out->stop = context.stop;
  out->key = url.substr(std::min(slash + 1, url.size()));
  if (!folder) {
    if (out->key.empty())
      return base::fail(Code::kInvalidArgument,
                        fmt::format("'{}' names a bucket and no file in it", url.substr(0, 200)));
    if (const auto good = objstore::check_key(out->key); !good)
      return base::fail(Code::kInvalidArgument, good.error().in(url.substr(0, 200)).message);
  }
  objstore::Where where{.url = url.substr(0, slash),
                        .secret = f.store_secret,
                        .endpoint = f.store_endpoint,
                        .region = f.store_region,
                        .path_style = f.store_path_style,
                        .storage_class = f.store_class,
                        .encryption = f.store_encryption,
                        .kms_key = f.store_kms_key};
  if (!f.store_ca.empty()) {
    TRY_IN("--store-ca", where.ca, posix::read_file(f.store_ca, kCa));
  }
  TRY(out->store, objstore::open_store(where, objstore::real_surroundings(),
                                       objstore::real_outside(out->clock, out->random)));
  return out;
}

base::Status must_be_absent(const Opened& at, const std::string& url) {
  const auto there = at.store->stat(at.key, at.call(kLook));
  if (there)
    return base::fail(Code::kAlreadyExists, url + " is there already, and nothing was changed");
  if (there.error().code != Code::kNotFound) return std::unexpected(there.error());
  return {};
}

base::Status copy(const std::string& file, objstore::Upload& upload, const Opened& at) {
  TRY(const auto info, posix::file_info(file));
  TRY(const auto in, posix::InputFile::open(file));
  std::string piece;
  for (std::uint64_t done = 0; done < info.size; done += piece.size()) {
    piece.resize(static_cast<size_t>(std::min<std::uint64_t>(kPiece, info.size - done)));
    TRY_OK(in.fill(done, piece));
    TRY_OK(upload.write(piece, at.call(kBytes)));
  }
  return {};
}

}  // namespace

bool is_remote(const std::string& subject) {
  return subject.find("://") != std::string::npos;
}

Scratch::~Scratch() {
  if (!path_.empty()) (void)posix::remove_file(path_);
}

base::Result<Scratch> new_scratch(const Context& context) {
  TRY(const auto digits, pki::random_hex(8));
  const std::string folder = context.flags.scratch.empty()
                                 ? posix::get_env("TMPDIR").value_or("/var/tmp")
                                 : context.flags.scratch;
  return Scratch(fmt::format("{}/etcdadm-{}.db", folder, digits));
}

base::Status check_remote(const Context& context, const std::string& url) {
  TRY(const auto at, open(context, url, false));
  return must_be_absent(*at, url);
}

base::Status put_remote(const Context& context, const std::string& file, const std::string& url) {
  TRY(const auto at, open(context, url, false));
  TRY_OK(must_be_absent(*at, url));
  TRY(const auto info, posix::file_info(file));
  objstore::PutOptions options;
  options.expected_bytes = info.size;
  // Another one may come between; where the server can refuse that, it does.
  options.condition.when = objstore::When::kAbsent;
  TRY(const auto upload, at->store->upload(at->key, options, at->call(kBytes)));
  if (const auto copied = copy(file, *upload, *at); !copied) {
    upload->discard(at->call(kLook));
    return copied;
  }
  TRY(const auto stored, upload->commit(at->call(kBytes)));
  if (stored.size != info.size && stored.size != 0)
    return base::fail(Code::kDataLoss,
                      fmt::format("{} has {} bytes of {}", url, stored.size, info.size));
  return {};
}

base::Result<Scratch> get_remote(const Context& context, const std::string& url) {
  TRY(const auto at, open(context, url, false));
  TRY(auto scratch, new_scratch(context));
  context.say(fmt::format("gets {}", url));
  TRY(auto out, posix::OutputFile::create(scratch.path()));
  TRY_OK(at->store->get(
      at->key, {}, [&](std::string_view bytes) { return out.write(bytes); }, at->call(kBytes)));
  TRY_OK(out.commit());
  return scratch;
}

Reply list_remote(const Context& context, const std::string& url) {
  TRY(const auto at, open(context, url, true));
  TRY(auto objects, objstore::list_all(*at->store, at->key, kMost, at->call(kLook)));
  Answer out;
  json::Array list;
  out.text = fmt::format("{:<50} {:>12} {}\n", "FILE", "BYTES", "TIME");
  const std::string bucket =
      url.substr(0, std::min(url.find('/', url.find("://") + 3), url.size()));
  for (const auto& object : objects) {
    if (!object.key.ends_with(".db")) continue;
    const std::string time =
        base::to_rfc3339(std::chrono::floor<std::chrono::seconds>(object.modified)).substr(0, 19) +
        "Z";
    list.emplace_back(
        json::Object{{"file", bucket + "/" + object.key}, {"bytes", object.size}, {"time", time}});
    out.text += fmt::format("{:<50} {:>12} {}\n", bucket + "/" + object.key, object.size, time);
  }
  out.value["snapshots"] = std::move(list);
  return out;
}

}  // namespace adm
