#include "manager/pages.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "json/json.h"
#include "manager/control.h"
#include "manager/views.h"
#include "posix/process.h"

namespace manager {
namespace {

constexpr base::Duration kStuckAfter{180'000};

}  // namespace

base::Result<std::unique_ptr<http::Server>> serve_pages(
    const std::string& address, std::map<std::string, http::Handler> routes) {
  const auto colon = address.rfind(':');
  const auto port = base::parse_int(colon == std::string::npos ? "" : address.substr(colon + 1));
  auto host = address.substr(0, colon);
  if (!port || *port < 0 || *port > 65535 || host.empty())
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("--http-addr {} is not allowed: IP:PORT, such as 127.0.0.1:8080 "
                                  "or [::1]:0",
                                  address));
  if (host == "localhost") host = "127.0.0.1";
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  http::ServerOptions options;
  options.host = host;
  options.port = static_cast<unsigned>(*port);
  options.threads = 1;
  auto server = http::Server::start(options, std::move(routes));
  if (!server) return std::unexpected(server.error().in("--http-addr " + address));
  return server;
}

http::Response health_page(const engine::Queue& queue,
                           const std::function<bool(const base::ClusterKey&)>& takes_long) {
  for (const auto& work : queue.in_work())
    if (work.since > kStuckAfter && !takes_long(work.key))
      return {.status = 503,
              .body = fmt::format("a worker is with {} since {}\n", work.key.text(),
                                  base::to_text(work.since))};
  return {.body = "ok\n"};
}

http::Response debug_page(
    const std::string& path,
    const std::function<base::Result<json::Value>(const base::ClusterKey&)>& about) {
  const auto key = parse_cluster(std::string_view(path).substr(kDebugPages.size()));
  if (!key) return {.status = 404, .body = key.error().message + "\n"};
  const auto told = about(*key);
  if (!told) return {.status = 404, .body = told.error().message + "\n"};
  return {.content_type = "application/json",
          .body = json::print(*told, json::Style::kPretty) + "\n"};
}

http::Response MetricsPage::answer(const std::map<base::ClusterKey, Known>& known, size_t queued,
                                   base::Instant now) {
  const std::lock_guard lock(mutex_);
  for (const auto& key : measured_)
    if (!known.contains(key)) registry_.forget_cluster(key.ns, key.name);
  measured_.clear();
  for (const auto& [key, cluster] : known) {
    const auto* report = cluster.report.get();
    fill(registry_, key, cluster.view.intent, current_status(cluster.view, report, now), report);
    measured_.insert(key);
  }
  fill(registry_, {EO_VERSION, static_cast<double>(posix::rss_bytes().value_or(0)),
                   posix::cpu_seconds().value_or(0), known.size(), queued});
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = registry_.text()};
}

}  // namespace manager
