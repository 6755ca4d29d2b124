// The fake of Google Cloud Storage on a port, for programs of their own.
#pragma once

#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "gcs_fake.h"
#include "posix/socket.h"

namespace conformance {

// Serves until it is destroyed. HTTP/1.1 with kept connections and bodies of a known length, which
// is what libcurl sends of ours; what is neither ends its connection. Beside the store `/token`
// takes a refresh token, as Google's does for a person.
class GcsServer {
 public:
  // `address` is an IPv4 address of this machine.
  explicit GcsServer(const std::string& address = "127.0.0.1");
  [[nodiscard]] const std::string& url() const { return fake_.server; }
  [[nodiscard]] const std::string& token() const { return fake_.token; }
  static constexpr const char* kRefreshToken = "refresh-1";
  // The text of a credentials.json, on one line.
  [[nodiscard]] std::string credentials(const std::string& refresh_token) const;

 private:
  [[nodiscard]] http::Reply give_token(const std::string& form) const;
  void serve(posix::Stream& stream, const std::stop_token& stop);

  GcsFake fake_;
  posix::TcpListener listener_;
  std::vector<std::jthread> connections_;  // of the acceptor alone
  std::jthread acceptor_;                  // ends before what it uses
};

}  // namespace conformance
