// What an init container does before etcd's own container starts: that image has no shell.
#pragma once

#include <string>

#include "base/result.h"
#include "guard/paths.h"

namespace guard {

struct Install {
  std::string to;      // where this program is copied to
  std::string ticket;  // where the platform will show the ticket; it need not be there yet
};

// Of a program, whole or not at all.
base::Status copy_program(const std::string& from, const std::string& to);

// Idempotent: an init container may run again in the same pod.
base::Status install(const Install& what, const Paths& paths);

}  // namespace guard
