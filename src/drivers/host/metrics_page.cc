#include "drivers/host/metrics_page.h"

#include "drivers/host/port_book.h"
#include "drivers/live/endpoints.h"
#include "drivers/live/metrics_text.h"
#include "posix/net.h"
#include "posix/socket.h"

namespace host {

base::Result<std::string> get_page(const std::string& url, const std::string& path,
                                   base::Duration deadline, const std::stop_token& stop) {
  constexpr size_t kLimit = size_t{4} << 20;
  TRY(auto fd, posix::connect_loopback(port_of(url), deadline, stop));
  posix::UnixStream stream(std::move(fd));
  // HTTP/1.0: the answer is not chunked and ends with the connection.
  TRY_OK(stream.write_all("GET " + path + " HTTP/1.0\r\nHost: " + live::host_port(url) + "\r\n\r\n",
                          deadline, stop));
  TRY(std::string answer, stream.read_all(kLimit, deadline, stop));
  const auto head = answer.find("\r\n\r\n");
  if (head == std::string::npos || answer.find(" 200 ") > answer.find("\r\n"))
    return base::fail(base::Code::kUnavailable,
                      url + path + " answers " + answer.substr(0, answer.find('\r')));
  return answer.substr(head + 4);
}

std::optional<api::Version> cluster_version_in(std::string_view metrics) {
  return live::cluster_version_in(metrics);
}

}  // namespace host
