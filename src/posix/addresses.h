// The names and addresses of this machine.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace posix {

base::Result<std::string> host_name();
// Of every interface that is up, without IPv6 addresses that need a zone; sorted.
base::Result<std::vector<std::string>> interface_addresses();
// From which address the machine would send to the world, by its routes; nothing is sent. NotFound:
// there is no default route.
base::Result<std::string> default_address();

enum class AddressKind { kNone, kV4, kV6 };
AddressKind kind_of_address(const std::string& text);
// The shortest form, which is how certificates and other programs write it. Precondition: it is an
// address.
std::string canonical_address(const std::string& text);
// Any of 127.0.0.0/8, or ::1.
bool is_loopback(const std::string& address);

}  // namespace posix
