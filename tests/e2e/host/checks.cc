#include "e2e/host/checks.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "base/text.h"
#include "e2e/host/wait.h"

namespace e2e {
namespace {

using namespace std::chrono_literals;
constexpr base::Duration kCall{5'000};

struct Link {
  std::string name;
  std::unique_ptr<etcd::EtcdApi> api;
};

std::vector<Link> link_all(const Sandbox& sandbox, const std::string& cluster) {
  std::vector<Link> links;
  const auto access = sandbox.access(cluster);
  if (!access) return links;
  for (const auto& member : listed(sandbox, cluster))
    if (!member.client_urls.empty())
      links.push_back({member.name, etcd::connect(member.client_urls.front(), access->tls)});
  return links;
}

void expect_keys(const Link& link, const Written& written, std::int64_t bound) {
  std::map<std::string, etcd::KeyValue> found;
  std::set<std::string> prefixes;
  for (const auto& [key, revision] : written.acknowledged)
    prefixes.insert(key.substr(0, key.rfind('/') + 1));
  for (const auto& prefix : prefixes) {
    std::string end = prefix;
    ++end.back();
    base::Result<etcd::RangeResult> range;
    const bool read = eventually(
        60s, [&] { return (range = link.api->range(prefix, end, true, 0, kCall)).has_value(); });
    ASSERT_TRUE(read) << link.name << ": " << range.error().text();
    for (const auto& kv : range->kvs) found[kv.key] = kv;
  }
  size_t missing = 0;
  for (const auto& [key, revision] : written.acknowledged) {
    if (bound != 0 && revision > bound) continue;
    const auto it = found.find(key);
    // A repeated try may have written the same key once more, later.
    const bool good = it != found.end() && it->second.value == key &&
                      it->second.create_revision <= revision && it->second.mod_revision >= revision;
    if (!good && ++missing <= 5)
      ADD_FAILURE() << link.name << " lost acknowledged " << key << " of revision " << revision;
  }
  EXPECT_EQ(missing, 0U) << "acknowledged writes lost on " << link.name;
}

void expect_equal_hashes(const std::vector<Link>& links) {
  std::string seen;
  const bool equal = eventually(60s, [&] {
    seen.clear();
    std::int64_t revision = 0;
    for (const auto& link : links)
      if (const auto status = link.api->status(kCall); status)
        revision = std::max(revision, status->revision);
    std::set<std::pair<std::uint32_t, std::int64_t>> hashes;
    for (const auto& link : links) {
      const auto hash = link.api->hash_kv(revision, kCall);
      if (!hash) {
        seen += fmt::format(" {}: {}", link.name, hash.error().text());
        return false;
      }
      seen +=
          fmt::format(" {}: {:x}@{}/{}", link.name, hash->hash, revision, hash->compact_revision);
      hashes.insert({hash->hash, hash->compact_revision});
    }
    return hashes.size() == 1;
  });
  EXPECT_TRUE(equal) << "HashKV differs:" << seen;
}

}  // namespace

std::vector<etcd::Member> listed(const Sandbox& sandbox, const std::string& cluster) {
  const auto access = sandbox.access(cluster);
  if (!access) return {};
  for (const auto& endpoint : access->endpoints) {
    const auto list = etcd::connect(endpoint, access->tls)->member_list(true, kCall);
    if (list) return list->members;
  }
  return {};
}

void expect_nothing_lost(const Sandbox& sandbox, const std::string& cluster, const Written& written,
                         std::int64_t bound) {
  const auto links = link_all(sandbox, cluster);
  ASSERT_FALSE(links.empty()) << "no member of " << cluster << " answers";
  for (const auto& link : links) {
    const bool caught_up = eventually(60s, [&] {
      const auto status = link.api->status(kCall);
      return status && status->revision >= (bound != 0 ? bound : written.highest_revision);
    });
    EXPECT_TRUE(caught_up) << link.name << " does not reach the acknowledged revision";
    expect_keys(link, written, bound);
  }
  expect_equal_hashes(links);
  EXPECT_GT(written.acknowledged.size(), 0U)
      << "the writer wrote nothing: the check proves nothing";
}

void expect_only_tls(const Sandbox& sandbox, const std::string& cluster) {
  const auto access = sandbox.access(cluster);
  ASSERT_TRUE(access);
  for (const auto& endpoint : access->endpoints) {
    EXPECT_TRUE(endpoint.starts_with("https://")) << endpoint;
    etcd::Tls no_certificate = access->tls;
    no_certificate.cert.clear();
    no_certificate.key.clear();
    EXPECT_FALSE(etcd::connect(endpoint, no_certificate)->status(base::Duration(2'000)));
    const std::string plain = "http://" + endpoint.substr(std::string("https://").size());
    EXPECT_FALSE(etcd::connect(plain, {})->status(base::Duration(2'000)));
    EXPECT_TRUE(eventually(60s, [&] {
      return etcd::connect(endpoint, access->tls)->status(kCall).has_value();
    })) << endpoint;
  }
}

void expect_one_process_each(const Sandbox& sandbox) {
  std::map<std::string, int> runs;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string pid = entry.path().filename();
    if (!base::parse_int(pid)) continue;
    std::ifstream in(entry.path() / "cmdline", std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    const std::string line = text.str();
    const size_t at = line.find("--data-dir");
    if (at == std::string::npos || line.find(sandbox.state().string()) == std::string::npos)
      continue;
    std::string value = line.substr(at + std::string("--data-dir").size() + 1);
    value = value.substr(0, value.find('\0'));
    ++runs[value];
  }
  for (const auto& [data, count] : runs) EXPECT_EQ(count, 1) << "etcd processes on " << data;
}

}  // namespace e2e
