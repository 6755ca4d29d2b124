// Database files of etcd: writing one, judging it, HashKV of it, beside etcdutl on the same file.
//   bolt_bench [MB]
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>

#include "etcd/bolt/record.h"
#include "etcd/bolt/verify.h"
#include "etcd/bolt/writer.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/process.h"
#include "posix/writer.h"

namespace {

constexpr std::int64_t kBytesEach = 300;  // of a record with what surrounds it
constexpr const char* kVersion = "3.6.16";

[[noreturn]] void give_up(const base::Error& error) {
  std::fprintf(stderr, "bolt_bench: %s\n", error.text().c_str());
  std::exit(1);
}

struct Took {
  double seconds = 0, processor = 0;  // the second holds whatever else runs
};

rusage usage_of(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  return usage;
}

double processor_of(int who) {
  const auto usage = usage_of(who);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

Took took(const std::function<void()>& work, int who = RUSAGE_SELF) {
  const auto begin = std::chrono::steady_clock::now();
  const double before = processor_of(who);
  work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
          processor_of(who) - before};
}

double peak_mb(int who = RUSAGE_SELF) {
  return static_cast<double>(usage_of(who).ru_maxrss) / 1024;
}

// Four keys in seven are written once, the others twice and more; compacted in the middle, in name.
base::Status contents(std::int64_t records, bolt::Items& items) {
  std::mt19937_64 random(1);  // NOLINT(cert-msc51-cpp): the same every time
  TRY_OK(items.bucket("key"));
  std::string value(200, 'v');
  std::string key;
  for (std::int64_t i = 2; i < records + 2; ++i) {
    for (std::size_t at = 0; at < value.size(); at += 8) {
      const auto word = random();
      for (std::size_t byte = 0; byte < 8; ++byte)
        value[at + byte] = static_cast<char>(word >> (8 * byte));
    }
    key = fmt::format("/registry/things/{:012}", random() % static_cast<std::uint64_t>(records));
    bolt::Record record;
    record.key = key;
    record.value = value;
    record.create_revision = record.mod_revision = i;
    record.version = 1;
    TRY_OK(items.item(bolt::revision_key({i, 0}, false), bolt::record_value(record)));
  }
  TRY_OK(items.bucket("meta"));
  const auto mark = bolt::revision_key({records / 2, 0}, false);
  TRY_OK(items.item("finishedCompactRev", mark));
  return items.item("scheduledCompactRev", mark);
}

void line(std::string_view what, const Took& spent, double mb, double memory = peak_mb()) {
  fmt::print("| {} | {:.2f} s | {:.2f} s | {:.0f} MB/s | {:.0f} MB |\n", what, spent.seconds,
             spent.processor, mb / spent.processor, memory);
  std::fflush(stdout);
}

void bench(const std::string& path, std::int64_t megabytes) {
  const std::int64_t records = megabytes * 1'000'000 / kBytesEach;
  auto file = posix::FileWriter::create(path);
  if (!file) give_up(file.error());
  base::Result<bolt::Written> written;
  const Took writing = took([&] {
    written = bolt::write_database([&](bolt::Items& items) { return contents(records, items); },
                                   [&](std::string_view bytes) { return file->append(bytes); });
  });
  if (!written) give_up(written.error());
  if (const auto done = file->finish(); !done) give_up(done.error());
  const double mb = static_cast<double>(written->bytes) / 1e6;
  fmt::print("{:.0f} MB, {} records\n\n", mb, records);
  fmt::print(
      "| what | time | of the processor | rate by that | peak memory so far |\n"
      "|---|---|---|---|---|\n");
  line("written in two passes, its input made meanwhile", writing, mb);

  const auto source = bolt::FileSource::open(path);
  if (!source) give_up(source.error());
  const auto judge = [&](bool hash) {
    const auto facts = bolt::verify(*source, {.trailer_required = true, .hash_kv = hash});
    if (!facts) give_up(facts.error());
  };
  line("verify: SHA-256, tree, every record, live keys", took([&] { judge(false); }), mb);
  line("the same with HashKV of a compacted history", took([&] { judge(true); }), mb);
  line("HashKV alone", took([&] {
         const auto database = bolt::Database::open(*source, written->bytes);
         const auto hash = bolt::hash_kv(*database, {});
         if (!hash) give_up(hash.error());
       }),
       mb);

  const auto cache = posix::cache_dir();
  const auto etcdutl =
      cache.value_or("") + fmt::format("/etcd-operator/etcd/v{}/etcdutl", kVersion);
  if (const auto there = posix::exists(etcdutl); there.known() && *there) {
    const Took theirs = took(
        [&] {
          const auto ran = posix::run({.argv = {etcdutl, "snapshot", "status", path}, .env = {}},
                                      {.deadline = base::Duration(600'000)}, {});
          if (!ran || ran->exit_code != 0) fmt::print("etcdutl failed\n");
        },
        RUSAGE_CHILDREN);
    line(fmt::format("etcdutl {} snapshot status (no SHA-256)", kVersion), theirs, mb,
         peak_mb(RUSAGE_CHILDREN));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t megabytes = argc > 1 ? std::atoll(argv[1]) : 500;
  const std::string path = fmt::format("/tmp/eo-bolt-bench-{}.db", posix::own_pid());
  bench(path, megabytes > 0 ? megabytes : 500);
  static_cast<void>(posix::remove_file(path));
  return 0;
}
