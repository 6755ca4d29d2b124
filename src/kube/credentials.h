// What proves to the API server who we are, kept fresh: tokens from files, programs that give
// credentials.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "http/session.h"
#include "kube/access.h"

namespace kube {

// Secret: never to be logged.
struct Credential {
  std::string authorization = {};  // the header's value; empty: none
  http::Identity identity = {};
};

// What a plugin said.
struct ExecCredential {
  std::string token = {};
  http::Identity identity = {};
  std::optional<base::Instant> expires = {};
};
// Errors say what is wrong, never what was said.
base::Result<ExecCredential> parse_exec_credential(std::string_view text,
                                                   const std::string& api_version);
// The value of KUBERNETES_EXEC_INFO.
std::string exec_info(const Access& access, const ExecPlugin& plugin);

// How the outside is reached.
struct Sources {
  ReadFile read;
  // Runs a plugin and returns what it printed.
  std::function<base::Result<std::string>(const ExecPlugin& plugin, const std::string& info,
                                          const std::stop_token& stop)>
      run;
};
Sources system_sources();

// Thread-safe.
class Credentials {
 public:
  // `clock` must outlive it.
  Credentials(Access access, Sources sources, const base::Clock& clock);
  ~Credentials();

  // From memory while that is fresh: a token file is read again every minute, a plugin asked again
  // when its word expires. An error of a later read keeps what there was, for a token file.
  base::Result<Credential> get(const std::stop_token& stop);
  // The server did not accept this one: the next get() asks anew, unless another thread has
  // already done so.
  void refused(const Credential& credential);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kube
