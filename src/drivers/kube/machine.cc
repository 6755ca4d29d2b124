#include <thread>
#include <vector>

#include "drivers/kube/platform.h"
#include "drivers/live/metrics_text.h"
#include "http/client.h"
#include "posix/wakeup.h"

namespace k8s {
namespace {

constexpr std::uint64_t kPageLimit = std::uint64_t{4} << 20;
constexpr std::uint64_t kSmallPageLimit = std::uint64_t{64} << 10;

class SystemMachine final : public Machine {
 public:
  void pause(base::Duration d, const std::stop_token& stop) override {
    (void)posix::poll_until({}, posix::deadline_in(d), stop);
  }

  void together(std::span<const std::function<void()>> calls) override {
    std::vector<std::jthread> threads;
    for (size_t i = 1; i < calls.size(); ++i) threads.emplace_back([&call = calls[i]] { call(); });
    if (!calls.empty()) calls[0]();
  }

  std::optional<api::Version> cluster_version(const std::string& metrics_url,
                                              base::Duration deadline,
                                              const std::stop_token& stop) override {
    const auto page = http::fetch({.url = metrics_url + "/metrics",
                                   .max_bytes = kPageLimit,
                                   .connect_deadline = deadline,
                                   .deadline = deadline},
                                  stop);
    return page ? live::cluster_version_in(*page) : std::nullopt;
  }

  base::Result<std::string> page(const std::string& url, base::Duration deadline,
                                 const std::stop_token& stop) override {
    return http::fetch({.url = url,
                        .max_bytes = kSmallPageLimit,
                        .connect_deadline = deadline,
                        .deadline = deadline},
                       stop);
  }
};

}  // namespace

std::unique_ptr<Machine> make_machine() {
  return std::make_unique<SystemMachine>();
}

}  // namespace k8s
