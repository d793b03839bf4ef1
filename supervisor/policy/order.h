// What the owner's rules make of a policy's ranking: they hold whatever a policy thinks. Pure.
//
// Priority: models of a lower priority go first. Anti-thrash: among equal priorities, the more often a model
// came back soon after an eviction, the later it goes. Only then the policy's order counts.
// Groups: models that go together are one unit, which goes whole or not at all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "domain/snapshot.h"

namespace llamavisor {

// `ranked` has passed the guard. Each model that the rules moved says so in its reason.
std::vector<RankedVictim> order_victims(const Snapshot& snapshot, std::vector<RankedVictim> ranked);

// Victims that can only go at once.
struct Unit {
  std::vector<RankedVictim> victims;
  std::uint64_t bytes = 0;
};

// The ranking as units, each at the place of its last member. A unit with a member that is not ranked (it is
// busy, or on its way) is left out.
std::vector<Unit> units_of(const Snapshot& snapshot, const std::vector<RankedVictim>& ranked);

// The models that go together with this one, itself included, in the snapshot's order.
std::vector<std::size_t> unit_members(const Snapshot& snapshot, std::size_t index);

// Idle models that break a rule of the owner's now: larger than their own limit, or not the last used one of
// an exclusive group. Whole units, each with its reason.
std::vector<RankedVictim> rule_breakers(const Snapshot& snapshot);

}  // namespace llamavisor
