// The decision before each start of etcd, as a pure function of the ticket and of what a look at
// the volume found. It never chooses a start that could bring an id back with less than it had.
#pragma once

#include <string>

#include "base/fact.h"
#include "guard/files.h"
#include "guard/wal.h"

namespace guard {

struct Seen {
  base::Fact<Marker> marker;  // absent, or unknown: torn, newer, unreadable
  WalSeen wal;
  bool leftovers = false;  // files in the data directory, whether or not there is a log
};

enum class Start {
  kNone,
  kBlankNew,       // empty directory, initial-cluster-state new
  kBlankExisting,  // empty directory, initial-cluster-state existing
  kOwn,            // with its data
  kRestore         // build the directory from the ticket's snapshot, then start with it
};
std::string_view name_of(Start s);

struct Decision {
  Start start = Start::kNone;
  Class klass = Class::kNone;  // of kNone: why not
  std::string why;
  bool move_aside = false;  // what is in the data directory goes to `stale` first
  Marker marker;            // to be on disk before etcd is exec'ed
};

Decision decide(const Ticket& ticket, const Seen& seen);

// How the marker relates to the ticket.
enum class Relation {
  kOwn,
  kStale,       // the same volume in an older incarnation, or under an id that was removed
  kWrongVolume  // another cluster's, member's or address's volume: a wrong mount or a clone
};
Relation relate(const Ticket& ticket, const Marker& marker, std::string& why);

// What is wrong with a ticket whatever is on disk; empty if nothing.
std::string fault_of(const Ticket& ticket);

}  // namespace guard
