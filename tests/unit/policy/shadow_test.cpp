#include "policy/shadow.h"

#include "policy/engine.h"
#include "support/catch.h"
#include "support/snapshots.h"

using namespace llamavisor;
using namespace llamavisor::test;
using namespace std::chrono_literals;

namespace {

// Ranks in the order of the indices it was given; answers at once, or when it is told to.
class Scripted : public EvictionPolicy {
 public:
  explicit Scripted(std::vector<std::size_t> order) : order_(std::move(order)) {}
  std::string id() const override { return "scripted"; }
  void rank(const Snapshot&, std::uint64_t, Done done) override {
    ++asked;
    if (later) {
      waiting.push_back(std::move(done));
    } else {
      answer(done);
    }
  }
  void answer(const Done& done) const {
    std::vector<RankedVictim> out;
    for (const std::size_t index : order_) {
      out.push_back({index, 0, "scripted"});
    }
    done(fails ? Result<std::vector<RankedVictim>>(Error("it broke")) : out);
  }
  bool later = false;
  bool fails = false;
  int asked = 0;
  std::vector<Done> waiting;

 private:
  std::vector<std::size_t> order_;
};

struct Fixture {
  PolicyEngine engine{[](const std::string&) {}};
  std::shared_ptr<Scripted> shadow = std::make_shared<Scripted>(std::vector<std::size_t>{0, 1, 2});
  Snapshot snapshot = snapshot_of(300, {idle("a", 100, 10), idle("b", 100, 20), idle("c", 100, 30)});
  std::vector<std::string> acted;

  Fixture() { engine.use_shadow(shadow); }
  void rank(std::uint64_t need_bytes) {
    engine.rank(snapshot, need_bytes, [this](const auto& ranked) {
      acted.push_back(snapshot.models[ranked.front().model_index].name);
    });
  }
  const Comparison& counts() { return engine.shadow().comparison(); }
};

}  // namespace

TEST_CASE("a shadow is compared by its victims and never acts", "[shadow]") {
  Fixture f;
  f.rank(100);  // lru: c; the shadow: a
  CHECK(f.acted == std::vector<std::string>{"c"});
  CHECK(f.counts().compared == 1);
  CHECK(f.counts().differed == 1);
  f.rank(300);  // all three, in another order: no difference
  CHECK(f.counts().compared == 2);
  CHECK(f.counts().differed == 1);
  f.rank(0);  // the order alone: nobody would go
  CHECK(f.counts().questions == 2);
}

TEST_CASE("a choice is paid for when the victim is wanted again", "[shadow]") {
  Fixture f;
  f.rank(100);
  f.engine.shadow().note_use("b", 5s);
  CHECK(f.counts().in_charge.reloads == 0);
  f.engine.shadow().note_use("c", 3s);
  f.engine.shadow().note_use("c", 3s);  // it is back: no second time
  CHECK(f.counts().in_charge.reloads == 1);
  CHECK(f.counts().in_charge.reload_time == 3s);
  CHECK(f.counts().in_charge.evicted_bytes == 100);
  CHECK(f.counts().shadow.reloads == 0);
  f.rank(100);  // the shadow would take a once more, which is gone in its world: nothing new
  CHECK(f.counts().shadow.evictions == 1);
  f.engine.shadow().note_use("a", {});
  CHECK(f.counts().shadow.reloads == 1);
  CHECK(f.counts().shadow.unmeasured_reloads == 1);
}

TEST_CASE("the owner's rules hold for the shadow too", "[shadow]") {
  Fixture f;
  f.snapshot.models[0].priority = 1;
  f.snapshot.models[1].pinned = true;
  f.rank(100);
  CHECK(f.counts().differed == 0);  // c is all that both may take
}

TEST_CASE("a slow shadow is skipped and never waited for", "[shadow]") {
  Fixture f;
  f.shadow->later = true;
  f.rank(100);
  f.rank(100);
  f.rank(100);
  CHECK(f.acted.size() == 3);
  CHECK(f.shadow->asked == 1);
  CHECK(f.counts().skipped == 2);
  f.shadow->answer(f.shadow->waiting.at(0));
  CHECK(f.counts().compared == 1);
  f.rank(100);
  CHECK(f.shadow->asked == 2);
  f.engine.use_shadow(nullptr);
  f.shadow->answer(f.shadow->waiting.at(1));  // too late: it is no shadow any more
  CHECK(f.counts().compared == 0);
}

TEST_CASE("a failing shadow is counted with its error", "[shadow]") {
  Fixture f;
  f.shadow->fails = true;
  f.rank(100);
  CHECK(f.acted.size() == 1);
  CHECK(f.counts().failed == 1);
  CHECK_THAT(f.counts().last_error, ContainsSubstring("it broke"));
}

TEST_CASE("a comparison starts anew with another policy in charge", "[shadow]") {
  Fixture f;
  f.rank(100);
  f.engine.use(std::make_shared<Scripted>(std::vector<std::size_t>{0}));
  CHECK(f.counts().compared == 0);
  f.rank(100);
  CHECK(f.counts().differed == 0);
}
