// The loops that do what a watcher and an elector decide. Each for a thread of its own.
#pragma once

#include <functional>
#include <span>
#include <stop_token>

#include "base/log.h"
#include "kube/client.h"
#include "kube/elector.h"
#include "kube/watcher.h"

namespace kube {

struct Surroundings {
  Client& client;
  const base::Clock& clock;
  base::Logger& log;
};

// Called on the loop's thread, must not block for long.
using OnChanges = std::function<void(std::span<const Change>)>;

// Both return when asked to stop.
void run_watch(Watcher& watcher, const Surroundings& around, const OnChanges& on_changes,
               const std::stop_token& stop);
// At the end the lease is given up. `on_turn` is called when we begin or cease to lead; that we
// cease by time alone is seen by Elector::term(), not here.
void run_elector(Elector& elector, const Surroundings& around,
                 const std::function<void(bool leads)>& on_turn, const std::stop_token& stop);

}  // namespace kube
