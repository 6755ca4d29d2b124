// What a transcript sets up and a plan is asked for: wish, record, observation and the time.
#pragma once

#include <set>
#include <string>

#include "plan/plan.h"
#include "words.h"

namespace scenario {

struct Situation {
  plan::Intent intent;
  plan::Record record;
  plan::Observation seen;
  base::Instant now{};
  bool offers = true;        // the platform has free addresses and volumes
  int fresh = 0;             // counts the random names that were offered
  plan::Membership members;  // the live one; the observation holds it while there is a quorum

  // Conditions that most cases would only repeat are printed when asked for.
  std::set<std::string> shown;

  Situation();
  // A formed cluster that has all it wants: members c-0… with ids a0…, c-0 leads.
  void formed(int size, const api::Version& version);
  // A cluster whose founding members run and are not formed yet.
  void forming(int size, const api::Version& version);
  // The member answers and follows the leader; joins list, record and facts where it lacks.
  void up(const std::string& member);
  // The list is seen while a quorum of its voters answers; then someone leads.
  void settle();
  // Its process is gone.
  void down(const std::string& member);
  void lead(const std::string& member);

  plan::MemberRecord& recorded(const std::string& member);
  plan::MemberFacts& facts(const std::string& member) { return seen.members[member]; }
  plan::EtcdMember* listed(const std::string& member_or_id);  // null: it is not
  plan::EtcdStatus& status(const std::string& member);        // known from now on
  [[nodiscard]] base::MemberId id_of(const std::string& member_or_id) const;
  [[nodiscard]] plan::Plan ask();
};

std::string peer_url(int ordinal);
base::MemberId default_id(int ordinal);
api::Version version_of(const std::string& text);

// Carries out a command that sets something; false: there is no such command.
bool command(Situation& s, Words& words);       // commands.cc: wish, cluster, record, …
bool fact_command(Situation& s, Words& words);  // facts.cc: member, status, list, alarm, …

// What a person should read: steps, events, changes of the record, conditions that are not plain.
std::string print(const Situation& before, const plan::Plan& plan);

}  // namespace scenario
