// What is answered to people and programs, as JSON. Pure.
#pragma once

#include <memory>
#include <string>

#include "engine/reconciler.h"
#include "json/value.h"
#include "manager/intents.h"

namespace manager {

// {metadata, status}. A look that is older than the staleness bound no longer counts as knowledge:
// Available becomes Unknown and Stale True.
json::Value cluster_view(const IntentView& intent, const engine::Report* report, base::Instant now);

constexpr base::Duration kStaleAfter{60'000};
api::ClusterStatus current_status(const IntentView& intent, const engine::Report* report,
                                  base::Instant now);

// {cluster, steps, events, status, lookAgain}: what one pass would do.
json::Value plan_view(const base::ClusterKey& key, const plan::Plan& plan);

// The newest pass in full: intent, observation, plan and its outcome.
json::Value debug_view(const IntentView& intent, const engine::Report* report);

}  // namespace manager
