#include "conformance/etcd_bench.h"

#include <fmt/format.h>

#include "conformance/etcd_cases.h"
#include "guard/signatures.h"

namespace conformance {

bool Bench::form(int n, const std::vector<std::string>& flags) {
  Launch how;
  how.flags = flags;
  for (int i = 0; i < n; ++i) how.list.push_back(i);
  for (int i = 0; i < n; ++i) launch(i, how);
  for (int i = 0; i < n; ++i)
    if (!ready(i)) return false;
  return until([&] {
    const auto list = api(0).member_list(true, kCall);
    return list &&
           std::ranges::all_of(list->members, [](const auto& m) { return !m.client_urls.empty(); });
  });
}

int Bench::leader(int of) {
  int found = -1;
  until([&] {
    for (int i = 0; i < of; ++i) {
      const auto status = api(i).status(kCall);
      if (status && status->leader == status->id) found = i;
    }
    return found >= 0;
  });
  return found;
}

etcd::Change<etcd::Member> Bench::add(int through, const std::string& peer, bool learner) {
  etcd::Change<etcd::Member> added;
  until([&] {
    added = api(through).member_add(peer, learner, kCall);
    return added || added.error().error.message.find("unhealthy cluster") == std::string::npos;
  });
  return added;
}

void Script::note(const std::string& what, const std::optional<Ended>& end) {
  // One that was removed exits 0 or 1, as it happens.
  note(what, !end ? "runs"
             : end->klass == guard::Class::kRemoved
                 ? "removed"
                 : fmt::format("exit {}, {}, \"{}\"", end->code, guard::name_of(end->klass),
                               end->signature));
}

std::string Script::text_of(const base::Error& error) {
  std::string text = error.message;
  // gRPC's words for what has no answer of etcd differ from case to case.
  for (const std::string_view known : {"failed to connect to all addresses", "larger than max"})
    if (const auto at = text.find(known); at != std::string::npos) text.resize(at + known.size());
  if (error.code == base::Code::kDeadlineExceeded && text.find("etcdserver") == std::string::npos &&
      text.find("no time") == std::string::npos)
    text = "deadline";
  return fmt::format("{} \"{}\"", base::name_of(error.code), text);
}

std::string Script::text_of(const etcd::Failure& failure) {
  const char* outcome = failure.outcome == etcd::Outcome::kRefused ? "refused" : "unknown";
  return fmt::format("{} {}", outcome, text_of(failure.error));
}

Ended judge_end(int code, int signal, const std::string& log) {
  guard::LogScanner scanner;
  scanner.feed(log + "\n", 0);
  bool condemns = false;
  const auto verdict = guard::judge({code, signal}, scanner, 1, condemns);
  const auto found = scanner.found(1);
  return {code, verdict.klass,
          found.signature == nullptr ? std::string() : std::string(found.signature->text)};
}

}  // namespace conformance
