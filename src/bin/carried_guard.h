// etcd-guard, carried inside this program: a host needs one file.
#pragma once

#include <string_view>

namespace bin {

std::string_view carried_guard();

}  // namespace bin
