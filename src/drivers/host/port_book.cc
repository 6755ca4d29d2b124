#include "drivers/host/port_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "drivers/live/endpoints.h"

namespace host {
namespace {

plan::Addresses addresses_of(const std::array<posix::Port, 3>& ports, bool tls) {
  return {fmt::format("https://127.0.0.1:{}", ports[1]),
          fmt::format("{}://127.0.0.1:{}", tls ? "https" : "http", ports[0]),
          fmt::format("http://127.0.0.1:{}", ports[2])};
}

std::set<posix::Port> ports_of(const plan::Record& record) {
  std::set<posix::Port> ports;
  for (const auto& [name, member] : record.members)
    for (const auto& url :
         {member.addresses.peer_url, member.addresses.client_url, member.addresses.metrics_url})
      if (const auto port = port_of(url); port != 0) ports.insert(port);
  return ports;
}

bool all_free(const std::array<posix::Port, 3>& ports) {
  return std::ranges::all_of(ports, [](posix::Port p) { return posix::is_port_free(p) == true; });
}

}  // namespace

posix::Port port_of(const std::string& url) {
  const std::string address = live::host_port(url);
  const auto colon = address.rfind(':');
  if (colon == std::string::npos) return 0;
  const auto number = base::parse_int(std::string_view(address).substr(colon + 1)).value_or(0);
  return number > 0 && number < 65536 ? static_cast<posix::Port>(number) : posix::Port{0};
}

void PortBook::learn(const plan::Record& record) {
  hold(record.key, ports_of(record));
}

void PortBook::hold(const base::ClusterKey& key, std::set<posix::Port> ports) {
  const std::lock_guard lock(mutex_);
  clusters_[key].recorded = std::move(ports);
}

base::Status PortBook::claim(const plan::Record& record) {
  const std::lock_guard lock(mutex_);
  Entry& own = clusters_[record.key];
  const auto wanted = ports_of(record);
  for (const auto& [key, entry] : clusters_) {
    if (key == record.key) continue;
    for (const auto port : wanted)
      if (!own.recorded.contains(port) && entry.recorded.contains(port)) {
        own.offered.clear();
        return base::fail(base::Code::kAborted,
                          fmt::format("port {} went to {} meanwhile", port, key.text()));
      }
  }
  own.recorded.insert(wanted.begin(), wanted.end());
  return {};
}

void PortBook::forget(const base::ClusterKey& key) {
  const std::lock_guard lock(mutex_);
  clusters_.erase(key);
}

std::set<posix::Port> PortBook::taken() const {
  std::set<posix::Port> all;
  for (const auto& [key, entry] : clusters_) {
    all.insert(entry.recorded.begin(), entry.recorded.end());
    for (const auto& [ordinal, ports] : entry.offered) all.insert(ports.begin(), ports.end());
  }
  return all;
}

std::set<posix::Port> PortBook::recorded() const {
  std::set<posix::Port> all;
  for (const auto& [key, entry] : clusters_)
    all.insert(entry.recorded.begin(), entry.recorded.end());
  return all;
}

base::Result<std::array<posix::Port, 3>> PortBook::pick(const Entry& own) {
  auto ports = posix::pick_free_ports(range_, 3, taken());
  if (!ports && ports.error().code == base::Code::kResourceExhausted) {
    // What others were offered and have not recorded is spare.
    auto not_ours = recorded();
    for (const auto& [ordinal, offered] : own.offered)
      not_ours.insert(offered.begin(), offered.end());
    ports = posix::pick_free_ports(range_, 3, not_ours);
  }
  if (!ports) return std::unexpected(ports.error());
  const std::array<posix::Port, 3> picked{(*ports)[0], (*ports)[1], (*ports)[2]};
  for (auto& [key, entry] : clusters_)
    std::erase_if(entry.offered, [&](const auto& offer) {
      return std::ranges::find_first_of(offer.second, picked) != offer.second.end();
    });
  return picked;
}

base::Result<std::map<int, plan::Addresses>> PortBook::offer(const base::ClusterKey& key, int first,
                                                             int count, bool tls) {
  const std::lock_guard lock(mutex_);
  Entry& entry = clusters_[key];
  const auto gone = recorded();
  std::erase_if(entry.offered, [&](const auto& o) {
    return o.first < first || o.first >= first + count || !all_free(o.second) ||
           std::ranges::any_of(o.second, [&](posix::Port p) { return gone.contains(p); });
  });
  std::map<int, plan::Addresses> out;
  for (int ordinal = first; ordinal < first + count; ++ordinal) {
    if (!entry.offered.contains(ordinal)) {
      const auto ports = pick(entry);
      if (!ports && !out.empty()) break;
      if (!ports) return std::unexpected(ports.error());
      entry.offered[ordinal] = *ports;
    }
    out[ordinal] = addresses_of(entry.offered[ordinal], tls);
  }
  return out;
}

base::Result<std::vector<posix::Port>> PortBook::borrow(size_t count) {
  const std::lock_guard lock(mutex_);
  return posix::pick_free_ports(range_, count, taken());
}

}  // namespace host
