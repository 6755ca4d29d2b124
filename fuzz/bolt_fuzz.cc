// Any bytes as a database file of etcd: no crash, memory within the file's own size, and a reason
// for each that is refused. What is taken for good is written anew and must then say the same. The
// first byte says what the rest is: even, the file as it is; odd, a file whose two metas get what a
// mutation cannot guess, the check sum above all.
#include <algorithm>

#include "etcd/bolt/verify.h"
#include "etcd/bolt/writer.h"
#include "fuzz/check.h"

namespace {

using namespace bolt;

constexpr std::uint32_t kPageSize = 1024;

std::string with_metas(std::string file) {
  for (std::size_t page = 0; page < 2; ++page) {
    const std::size_t at = page * kPageSize + kPageHead;
    if (file.size() < at + kMetaBytes) return file;
    Meta meta{.page_size = kPageSize,
              .root = load<std::uint64_t>(file, at + 16),
              .sequence = 0,
              .freelist = load<std::uint64_t>(file, at + 32),
              .high_water = load<std::uint64_t>(file, at + 40),
              .txid = load<std::uint64_t>(file, at + 48)};
    meta.high_water = std::min<std::uint64_t>(meta.high_water, file.size() / kPageSize);
    file.replace(at, kMetaBytes, meta_bytes(meta));
  }
  return file;
}

base::Status give_all(const Database& database, Items& items) {
  PageSet pages = database.no_pages();
  TRY(const auto buckets, database.buckets(pages));
  for (const auto& bucket : buckets) {
    TRY_OK(items.bucket(bucket.name));
    TRY_OK(database.walk(bucket, pages, [&](std::string_view key, std::string_view value) {
      return items.item(key, value);
    }));
  }
  return {};
}

void write_anew(const std::string& file, const SnapshotFacts& facts) {
  const StringSource source(file);
  const auto database = Database::open(source, facts.database_bytes);
  fuzz::require(database.has_value(), "a good file opens");
  const auto hash = hash_kv(*database, {});
  fuzz::require(hash && *hash == *facts.hash, "both ways to HashKV agree");
  std::string anew;
  const auto written = write_database([&](Items& items) { return give_all(*database, items); },
                                      [&](std::string_view bytes) -> base::Status {
                                        anew += bytes;
                                        return {};
                                      },
                                      {.page_size = kPageSize});
  if (!written) {  // bolt's own limits, which a reader need not mind
    fuzz::require(written.error().code == base::Code::kInvalidArgument, "why it is not written");
    return;
  }
  const auto again = verify(StringSource(anew));
  fuzz::require(again.has_value(), "what was written is good");
  fuzz::require(again->crc == facts.crc && again->items == facts.items &&
                    again->hash == facts.hash && again->live_keys == facts.live_keys,
                "what was written is what was read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string file(fuzz::text_of(data + 1, size - 1));
  if (data[0] % 2 == 1) file = with_metas(std::move(file));
  const StringSource source(file);
  const auto facts = verify(source, {.trailer_required = false});
  if (!facts) {
    fuzz::require(facts.error().code == base::Code::kDataLoss, "only the bytes are at fault");
    fuzz::require(!facts.error().message.empty(), "there is a reason");
    return 0;
  }
  fuzz::require(facts->database_bytes <= file.size(), "no database beyond the file");
  write_anew(file, *facts);
  return 0;
}
