#include "e2e/host/figures.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "e2e/host/wait.h"
#include "json/json.h"

namespace e2e {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::int64_t generation_in(const fs::path& status) {
  const auto parsed = json::parse(slurp(status));
  const auto* number = parsed ? parsed->find("observedGeneration") : nullptr;
  return number == nullptr ? 0 : number->as_int().value_or(0);
}

double modified(const fs::path& file) {
  struct stat info{};
  if (stat(file.c_str(), &info) != 0) return -1;
  return static_cast<double>(info.st_mtim.tv_sec) + static_cast<double>(info.st_mtim.tv_nsec) / 1e9;
}

}  // namespace

double rss_mb(pid_t pid) {
  std::ifstream in(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) * 1024 / 1e6;
  return -1;
}

double cpu_seconds(pid_t pid) {
  const std::string text = slurp(fmt::format("/proc/{}/stat", pid));
  const auto name_end = text.rfind(')');  // the name may hold anything
  if (name_end == std::string::npos) return -1;
  std::istringstream rest(text.substr(name_end + 2));
  std::string field;
  double ticks = 0;
  for (int i = 3; i <= 15 && rest >> field; ++i)
    if (i == 14 || i == 15) ticks += std::stod(field);
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return -1;
  std::ranges::sort(values);
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[std::clamp<size_t>(rank, 1, values.size()) - 1];
}

double edit_reaction(const Sandbox& sandbox, const std::string& cluster,
                     const std::string& version) {
  const auto status = sandbox.state() / "clusters" / "default" / cluster / "status.json";
  const auto next = generation_in(status) + 1;
  const auto file = cluster + ".yaml";
  sandbox.write(file, manifest(cluster, 1, version,
                               fmt::format("  repair: {{timeoutSeconds: {}}}\n", 300 + next)));
  const double written = modified(sandbox.manifests() / file);
  if (!eventually(120s, [&] { return generation_in(status) >= next; })) return -1;
  return modified(status) - written;
}

}  // namespace e2e
