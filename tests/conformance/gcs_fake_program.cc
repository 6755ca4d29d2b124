// The fake of Google Cloud Storage for tests that are no C++:
//
//   gcs-fake ADDRESS
//
// Tells on one line of standard output, as JSON, where it serves, the token that it takes, and the
// text of a credentials.json that gets one; then serves until its standard input ends.
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <span>

#include "gcs_server.h"
#include "json/json.h"

int main(int argc, char** argv) {
  const std::span<char*> words(argv, static_cast<size_t>(argc));
  if (words.size() != 2) {
    fmt::print(stderr, "usage: gcs-fake ADDRESS\n");
    return 2;
  }
  const conformance::GcsServer server(words[1]);
  fmt::print("{}\n",
             json::print(json::Object{
                 {"url", server.url()},
                 {"token", server.token()},
                 {"credentials", server.credentials(conformance::GcsServer::kRefreshToken)}}));
  (void)std::fflush(stdout);
  std::array<char, 64> none{};
  while (read(STDIN_FILENO, none.data(), none.size()) > 0) {
  }
  return 0;
}
