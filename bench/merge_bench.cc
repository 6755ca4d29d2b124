// A backup and the history behind it, merged; and what the other ways to the same cost.
//   merge_bench [MB [REVISIONS]]      merges so many revisions of 200 bytes onto a backup
//   merge_bench make FILE MB          only writes such a backup, for etcdutl and etcd
//   merge_bench replay URL COUNT      puts as many revisions, one by one, into a living etcd
//   merge_bench load URL COUNT N      the same by N writers at once, in no order
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "archive/merge.h"
#include "etcd/api.h"
#include "etcd/bolt/record.h"
#include "etcd/bolt/verify.h"
#include "etcd/bolt/writer.h"
#include "posix/files.h"
#include "posix/process.h"
#include "posix/scratch_file.h"
#include "posix/writer.h"

namespace {

constexpr std::int64_t kBytesEach = 300;  // of a record with what surrounds it
constexpr std::size_t kPiece = std::size_t{1} << 20;

[[noreturn]] void give_up(const base::Error& error) {
  std::fprintf(stderr, "merge_bench: %s\n", error.text().c_str());
  std::exit(1);
}
template <class T>
T must(base::Result<T> result) {
  if (!result) give_up(result.error());
  return *std::move(result);
}
void must(const base::Status& done) {
  if (!done) give_up(done.error());
}

double processor() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}
double peak_mb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

struct Maker {
  std::mt19937_64 random{1};  // NOLINT(cert-msc51-cpp): the same every time
  std::string value = std::string(200, 'v'), key, stored;

  // Four keys in seven are written once, the others twice and more.
  void make(std::int64_t revision, std::uint64_t keys) {
    for (std::size_t at = 0; at < value.size(); at += 8) {
      const auto word = random();
      for (std::size_t byte = 0; byte < 8; ++byte)
        value[at + byte] = static_cast<char>(word >> (8 * byte));
    }
    const auto name = fmt::format("/registry/things/{:012}", random() % keys);
    bolt::Record record;
    record.key = name;
    record.value = value;
    record.create_revision = record.mod_revision = revision;
    record.version = 1;
    key = bolt::revision_key({revision, 0}, false);
    stored = bolt::record_value(record);
  }
};

base::Status contents(std::int64_t records, bolt::Items& items) {
  for (const auto* name : {"alarm", "auth", "authRoles", "authUsers", "cluster"})
    TRY_OK(items.bucket(name));
  TRY_OK(items.item("clusterVersion", "3.6.0"));
  TRY_OK(items.bucket("key"));
  Maker maker;
  for (std::int64_t i = 2; i < records + 2; ++i) {
    maker.make(i, static_cast<std::uint64_t>(records));
    TRY_OK(items.item(maker.key, maker.stored));
  }
  for (const auto* name : {"lease", "members", "members_removed", "meta"})
    TRY_OK(items.bucket(name));
  std::string number(8, '\0');
  number[7] = '\x09';
  TRY_OK(items.item("consistent_index", number));
  return items.item("term", number);
}

void make(const std::string& path, std::int64_t records) {
  auto file = must(posix::FileWriter::create(path));
  must(bolt::write_database([&](bolt::Items& items) { return contents(records, items); },
                            [&](std::string_view bytes) { return file.append(bytes); }));
  must(file.finish());
}

base::Status each_record(const posix::ScratchFile& log, const archive::RecordSink& sink) {
  std::string buffer;
  for (std::uint64_t at = 0; at < log.size();) {
    const auto kept = buffer.size();
    const auto more = std::min<std::uint64_t>(kPiece, log.size() - at);
    buffer.resize(kept + more);
    TRY_OK(log.read(at, std::span(buffer.data() + kept, more)));
    at += more;
    std::string_view rest = buffer;
    while (const auto record = archive::next_record(rest)) TRY_OK(sink(*record));
    buffer.erase(0, buffer.size() - rest.size());
  }
  return {};
}

void line(std::string_view what, double seconds, double of_processor, std::int64_t revisions) {
  fmt::print("| {} | {:.2f} s | {:.2f} s | {:.0f} revisions/s | {:.0f} MB |\n", what, seconds,
             of_processor, static_cast<double>(revisions) / seconds, peak_mb());
  std::fflush(stdout);
}

double timed(std::string_view what, std::int64_t revisions, const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  const double before = processor();
  work();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  line(what, seconds, processor() - before, revisions);
  return seconds;
}

void merge(std::int64_t megabytes, std::int64_t revisions) {
  const std::string path = fmt::format("/tmp/eo-merge-bench-{}.db", posix::own_pid());
  const std::int64_t records = megabytes * 1'000'000 / kBytesEach;
  make(path, records);
  const auto source = must(bolt::FileSource::open(path));
  const auto facts = must(bolt::verify(source));
  const auto database = must(bolt::Database::open(source, facts.database_bytes));
  auto log = must(posix::ScratchFile::create("/tmp"));
  Maker maker;
  std::string block;
  for (std::int64_t i = 1; i <= revisions; ++i) {
    maker.make(facts.revision + i, static_cast<std::uint64_t>(records));
    archive::append_record(block, {maker.key, maker.stored});
    if (block.size() < kPiece && i < revisions) continue;
    must(log.append(block));
    block.clear();
  }
  fmt::print("{} revisions onto {:.0f} MB\n\n", revisions,
             static_cast<double>(facts.database_bytes) / 1e6);
  fmt::print(
      "| what | time | of the processor | rate | peak memory so far |\n|---|---|---|---|---|\n");
  for (const bool exact : {true, false}) {
    const auto to = path + ".merged";
    timed(exact ? "exact" : "raised, history dropped", revisions, [&] {
      auto file = must(posix::FileWriter::create(to));
      must(archive::merge(
          database, facts, [&](const archive::RecordSink& sink) { return each_record(log, sink); },
          {.revision = facts.revision + revisions, .exact = exact},
          [&](std::string_view bytes) { return file.append(bytes); }));
      must(file.finish());
    });
    must(posix::remove_file(to));
  }
  must(posix::remove_file(path));
}

void put_all(const std::string& url, std::int64_t from, std::int64_t to) {
  const auto api = etcd::connect(url, {});
  Maker maker;
  for (std::int64_t i = from; i < to; ++i) {
    maker.make(i, 1'000'000);
    const auto put =
        api->put(fmt::format("/registry/things/{:012}", i), maker.value, base::Duration(10'000));
    if (!put) give_up(put.error().error);
  }
}

void write(const std::string& url, std::int64_t count, std::int64_t writers) {
  fmt::print("| what | time | of the processor | rate | peak memory so far |\n");
  fmt::print("|---|---|---|---|---|\n");
  timed(writers == 1 ? std::string("replayed through a living etcd, one by one")
                     : fmt::format("put into a living etcd by {} writers", writers),
        count, [&] {
          std::vector<std::jthread> all;
          const auto each = count / writers;
          for (std::int64_t i = 0; i < writers; ++i)
            all.emplace_back([&url, i, each] { put_all(url, i * each, (i + 1) * each); });
        });
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "make" && argc == 4) {
    make(argv[2], std::atoll(argv[3]) * 1'000'000 / kBytesEach);
  } else if (verb == "replay" && argc == 4) {
    write(argv[2], std::atoll(argv[3]), 1);
  } else if (verb == "load" && argc == 5) {
    write(argv[2], std::atoll(argv[3]), std::max<std::int64_t>(1, std::atoll(argv[4])));
  } else {
    const auto megabytes = argc > 1 ? std::atoll(argv[1]) : 556;
    merge(megabytes > 0 ? megabytes : 556, argc > 2 ? std::atoll(argv[2]) : 1'000'000);
  }
  return 0;
}
