#include "adm/gauges.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/text.h"
#include "drivers/live/metrics_text.h"
#include "http/session.h"

namespace adm {
namespace {

constexpr base::Duration kConnect{1'500}, kPage{3'000};
constexpr size_t kLimit = size_t{8} << 20;

std::optional<double> number(std::string_view text) {
  double out = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return out;
}

// "value" of name="value" among a line's labels.
std::string_view label(std::string_view labels, std::string_view name) {
  const std::string key = std::string(name) + "=\"";
  const auto at = labels.find(key);
  if (at == std::string_view::npos) return {};
  const auto from = at + key.size();
  return labels.substr(from, labels.find('"', from) - from);
}

struct Bucket {
  double upper = 0, count = 0;  // count: of all up to `upper`
};

// Within the bucket that holds it, as Prometheus has it; of what lies beyond the last bound, that
// bound. None: nothing was counted.
std::optional<double> p99(const std::vector<Bucket>& buckets, double all) {
  if (all <= 0) return std::nullopt;
  const double rank = 0.99 * all;
  Bucket below;
  for (const auto& bucket : buckets) {
    if (bucket.count >= rank) {
      const double in = bucket.count - below.count;
      if (in <= 0) return bucket.upper;
      return below.upper + (bucket.upper - below.upper) * (rank - below.count) / in;
    }
    below = bucket;
  }
  return below.upper;
}

// The worst of a histogram's series.
class Histogram {
 public:
  void add(std::string_view labels, std::string_view value) {
    const auto count = number(value);
    const auto le = label(labels, "le");
    if (!count || le.empty()) return;
    Series& series = series_[std::string(label(labels, "To"))];
    if (le == "+Inf")
      series.all = *count;
    else if (const auto upper = number(le))
      series.buckets.push_back({*upper, *count});
  }
  [[nodiscard]] std::optional<double> worst() const {
    std::optional<double> out;
    for (const auto& [to, series] : series_)
      if (const auto one = p99(series.buckets, series.all)) out = std::max(out.value_or(0), *one);
    return out;
  }

 private:
  struct Series {
    std::vector<Bucket> buckets;
    double all = 0;
  };
  std::map<std::string, Series> series_;
};

struct Asked {
  const etcd::Member* member;
  base::Result<Gauges> answer;
};

base::Result<Gauges> ask(const std::string& url, const Cluster& cluster,
                         const std::stop_token& stop) {
  const etcd::Tls& tls = cluster.tls();
  http::SessionOptions options;
  options.base_url = url;
  options.ca = tls.ca;
  options.connect_deadline = kConnect;
  TRY(const auto session, http::Session::open(options));
  http::Exchange exchange;
  exchange.target = "/metrics";
  exchange.identity = {tls.cert, tls.key};
  exchange.deadline = kPage;
  exchange.max_bytes = kLimit;
  const auto reply = session->perform(exchange, stop);
  if (!reply) return std::unexpected(reply.error().error);
  if (reply->status != 200)
    return base::fail(base::Code::kUnavailable, fmt::format("/metrics answers {}", reply->status));
  Gauges out = read_gauges(reply->body);
  if (const auto date = reply->headers.find("date"); date != reply->headers.end())
    if (const auto theirs = parse_http_date(date->second))
      // It tells whole seconds, half of one too few on average.
      out.clock_ahead = *theirs + base::Duration(500) - cluster.clock().now();
  return out;
}

}  // namespace

std::optional<base::Instant> parse_http_date(std::string_view text) {
  constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto parts = base::split(text, ' ');
  if (parts.size() != 6 || parts[5] != "GMT") return std::nullopt;
  const auto month = std::ranges::find(kMonths, parts[2]);
  if (month == kMonths.end()) return std::nullopt;
  const auto at = base::parse_rfc3339(
      fmt::format("{}-{:02}-{}T{}Z", parts[3], month - kMonths.begin() + 1, parts[1], parts[4]));
  return at ? std::optional(*at) : std::nullopt;
}

Gauges read_gauges(std::string_view page) {
  Gauges out;
  Histogram fsync, rtt;
  for (const auto line : base::split(page, '\n')) {
    const auto blank = line.rfind(' ');
    if (line.empty() || line.front() == '#' || blank == std::string_view::npos) continue;
    const auto brace = line.find('{');
    const auto name = line.substr(0, std::min(brace, blank));
    const auto labels = brace < blank ? line.substr(brace, blank - brace) : std::string_view();
    const auto value = line.substr(blank + 1);
    if (name == "etcd_disk_wal_fsync_duration_seconds_bucket") fsync.add(labels, value);
    if (name == "etcd_network_peer_round_trip_time_seconds_bucket") rtt.add(labels, value);
    if (name == "etcd_server_quota_backend_bytes")
      if (const auto quota = number(value)) out.quota = static_cast<std::int64_t>(*quota);
  }
  out.cluster_version = live::cluster_version_in(page);
  out.fsync_p99_s = fsync.worst();
  out.rtt_p99_s = rtt.worst();
  return out;
}

GaugesOf ask_gauges(const Cluster& cluster, const Sight& sight, const std::stop_token& stop) {
  std::vector<Asked> asks;
  for (const auto& m : sight.list.members)
    if (const auto at = sight.statuses.find(m.id);
        at != sight.statuses.end() && at->second && !m.client_urls.empty())
      asks.push_back({&m, base::fail(base::Code::kUnavailable, "not asked")});
  {
    std::vector<std::jthread> threads;
    for (auto& one : asks)
      threads.emplace_back([&cluster, &one, &stop] {
        one.answer = ask(one.member->client_urls.front(), cluster, stop);
      });
  }
  GaugesOf out;
  for (auto& one : asks) out.emplace(one.member->id, std::move(one.answer));
  return out;
}

std::optional<api::Version> cluster_version_of(const GaugesOf& gauges) {
  for (const auto& [id, one] : gauges)
    if (one && one->cluster_version) return one->cluster_version;
  return std::nullopt;
}

}  // namespace adm
