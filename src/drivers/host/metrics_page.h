// What a member says on its plain metrics URL, which needs neither a certificate nor a quorum.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "api/version.h"
#include "base/result.h"
#include "base/time.h"

namespace host {

// The body of GET `path`; the URL's host is this machine.
base::Result<std::string> get_page(const std::string& url, const std::string& path,
                                   base::Duration deadline, const std::stop_token& stop);

// Of etcd_cluster_version{cluster_version="3.5"} 1; no value: not decided, or not told.
std::optional<api::Version> cluster_version_in(std::string_view metrics);

}  // namespace host
