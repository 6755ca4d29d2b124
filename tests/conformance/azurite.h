// Azure Blob Storage as azurite has it: one account, one container, nothing on disk.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "base/base64.h"
#include "http/session.h"
#include "object_server.h"
#include "objstore/azure.h"
#include "pki/digest.h"
#include "posix/clock.h"
#include "posix/env.h"

namespace conformance {

inline const std::string kAccount = "acct1";
inline const std::string kKey = base::encode_base64(pki::sha256("the key of an account for tests"));

class Azurite {
 public:
  Azurite() {
    server_.emplace(ObjectServer::What{
        .argv = {object_server_path("azurite-3.37.0/node_modules/.bin/azurite-blob"), "--blobHost",
                 "127.0.0.1", "--blobPort", "PORT", "--inMemoryPersistence", "--silent",
                 "--disableTelemetry"},
        .env = {fmt::format("AZURITE_ACCOUNTS={}:{}", kAccount, kKey),
                "PATH=" + posix::get_env("PATH").value_or("/usr/bin:/bin")},
        .folder = dir_.path("")});
    if (server_->missing().empty()) make_container();
  }
  [[nodiscard]] const ObjectServer& server() const { return *server_; }
  [[nodiscard]] std::string url() const {
    return fmt::format("http://127.0.0.1:{}", server_->port());
  }

 private:
  void make_container() const {
    objstore::Request request{.method = "PUT",
                              .server = url(),
                              .path = "/" + kAccount + "/container",
                              .query = {{"restype", "container"}}};
    objstore::azure::sign_shared_key(request, kAccount, *base::decode_base64(kKey),
                                     posix::SystemClock().now());
    http::Exchange exchange{.method = "PUT", .target = request.target()};
    for (const auto& [name, value] : request.headers)
      exchange.headers.push_back(name + ": " + value);
    exchange.headers.emplace_back("Content-Length: 0");
    const auto session = *http::Session::open({.base_url = url()});
    const auto made = session->perform(exchange, {});
    ASSERT_TRUE(made) << made.error().error.text();
    ASSERT_EQ(made->status, 201) << made->body;
  }
  posix::TestDir dir_;
  std::optional<ObjectServer> server_;
};

}  // namespace conformance
