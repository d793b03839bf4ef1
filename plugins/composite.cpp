// composite: ordered rules say which models go first, and by which order among themselves.
//
//   rules = ["model=batch-* hours=8-18", "priority=..-1 by=largest", "rest by=gdsf", "model=code*
//   hours=8-18"]
//
// A model belongs to the first rule all of whose conditions hold for it: model=GLOB, priority=LOW..HIGH (one
// end may be left out), hours=FROM-TO (whole hours of the local day; 22-6 is the night). The rules are read
// in the order in which their models go; `rest` stands for the models that fit no rule, at the end unless it
// is written. by=lru (unless said), lfu, largest or gdsf orders the models of one rule.
#include <charconv>
#include <sstream>

#include "frequency_orders.h"
#include "names.h"

namespace {

using namespace llamavisor;

enum class Order { lru, lfu, largest, gdsf };

struct Rule {
  std::string text;
  bool rest = false;
  Order by = Order::lru;
  std::optional<std::string> glob;
  std::optional<std::pair<std::int32_t, std::int32_t>> priorities;  // both ends belong to it
  std::optional<std::pair<std::uint32_t, std::uint32_t>> hours;     // from, up to but without
};

[[noreturn]] void refuse(const std::string& rule, const std::string& why) {
  throw PluginError(LLV_E_INVALID, "rules: \"" + rule + "\": " + why);
}

template <class T>
T number_or(const std::string& rule, const std::string& text, T missing) {
  T out = missing;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (!text.empty() && (error != std::errc{} || end != text.data() + text.size())) {
    refuse(rule, "\"" + text + "\" is not a whole number");
  }
  return out;
}

// What stands left and right of the separator.
std::pair<std::string, std::string> halves(const std::string& rule, const std::string& text,
                                           std::string_view separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string::npos) {
    refuse(rule, "\"" + text + "\" has no \"" + std::string(separator) + "\"");
  }
  return {text.substr(0, at), text.substr(at + separator.size())};
}

Order order_named(const std::string& rule, const std::string& name) {
  if (name == "lru" || name == "lfu") {
    return name == "lru" ? Order::lru : Order::lfu;
  }
  if (name == "largest" || name == "gdsf") {
    return name == "largest" ? Order::largest : Order::gdsf;
  }
  refuse(rule, "by= takes lru, lfu, largest or gdsf, not \"" + name + "\"");
}

void read_word(Rule& rule, const std::string& word) {
  if (word == "rest") {
    rule.rest = true;
    return;
  }
  const auto [name, value] = halves(rule.text, word, "=");
  if (name == "by") {
    rule.by = order_named(rule.text, value);
  } else if (name == "model") {
    rule.glob = value;
  } else if (name == "priority") {
    const auto [low, high] = halves(rule.text, value, "..");
    rule.priorities = {number_or(rule.text, low, INT32_MIN), number_or(rule.text, high, INT32_MAX)};
  } else if (name == "hours") {
    const auto [from, to] = halves(rule.text, value, "-");
    rule.hours = {number_or(rule.text, from, 24U), number_or(rule.text, to, 25U)};
    if (rule.hours->first > 23 || rule.hours->second > 24) {
      refuse(rule.text, "hours= takes two hours of the day, like 8-18");
    }
  } else {
    refuse(rule.text, "it knows model=, priority=, hours=, by= and rest, not \"" + name + "\"");
  }
}

Rule parse_rule(const std::string& text) {
  Rule out;
  out.text = text;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    read_word(out, word);
  }
  if (out.rest && (out.glob || out.priorities || out.hours)) {
    refuse(text, "rest stands for the models that fit no rule, and takes no condition");
  }
  return out;
}

std::vector<Rule> parse_rules(const std::vector<std::string>& texts) {
  std::vector<Rule> out;
  bool rest = false;
  for (const std::string& text : texts) {
    out.push_back(parse_rule(text));
    if (out.back().rest && std::exchange(rest, true)) {
      refuse(text, "rest is written twice");
    }
  }
  if (!rest) {
    out.push_back(parse_rule("rest"));
  }
  return out;
}

bool in_hours(const std::pair<std::uint32_t, std::uint32_t>& hours, std::uint32_t hour) {
  return hours.first <= hours.second ? hour >= hours.first && hour < hours.second
                                     : hour >= hours.first || hour < hours.second;
}

// A condition on something that is not known does not hold.
bool fits(const Rule& rule, const Model& model, const Snapshot& snapshot) {
  const std::int32_t priority = model.priority.value_or(0);
  const bool by_name = !rule.glob || name_matches(*rule.glob, model.name);
  const bool by_priority = !rule.priorities || (model.priority && priority >= rule.priorities->first &&
                                                priority <= rule.priorities->second);
  const bool by_hour =
      !rule.hours || (snapshot.local_minute && in_hours(*rule.hours, *snapshot.local_minute / 60));
  return !rule.rest && by_name && by_priority && by_hour;
}

struct Ranked {
  Model model;
  std::size_t rule;
  orders::Place place;
};

class Composite final : public Eviction {
 public:
  Composite(Host /*host*/, const Config& config)
      : rules_(parse_rules(config.list("rules"))),
        lfu_(config.duration("half_life")),
        gdsf_(config.duration("half_life"), config.duration("unmeasured")) {}

  void rank(const Snapshot& snapshot, Bytes /*need*/, Victims& out) override {
    lfu_.learn(snapshot);
    gdsf_.learn(snapshot);
    std::vector<Ranked> ranked;
    for (const Model& model : snapshot) {
      if (model.evictable()) {
        const std::size_t rule = rule_of(model, snapshot);
        ranked.push_back({model, rule, {}});
        place(rules_[rule].by, model, ranked.back().place);
      }
    }
    std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
      return a.rule != b.rule ? a.rule < b.rule : a.place.score > b.place.score;
    });
    auto score = static_cast<double>(ranked.size());
    for (const Ranked& one : ranked) {
      out.add(one.model, score--, "rule \"" + rules_[one.rule].text + "\": " + one.place.reason);
    }
  }

 private:
  [[nodiscard]] std::size_t rule_of(const Model& model, const Snapshot& snapshot) const {
    std::size_t rest = 0;
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      if (fits(rules_[i], model, snapshot)) {
        return i;
      }
      rest = rules_[i].rest ? i : rest;
    }
    return rest;
  }

  void place(Order by, const Model& model, orders::Place& out) const {
    switch (by) {
      case Order::lfu:
        return lfu_.place(model, out);
      case Order::largest:
        return orders::largest(model, out);
      case Order::gdsf:
        return gdsf_.place(model, out);
      case Order::lru:
        return orders::lru(model, out);
    }
  }

  std::vector<Rule> rules_;
  orders::Lfu lfu_;
  orders::Gdsf gdsf_;
};

}  // namespace

LLV_PLUGIN(Composite, "composite", "1.0.0", "Evicts by ordered rules on name, priority and hour of day",
           key(LLV_KEY_STR_LIST, "rules", "[]",
               "in the order in which models go: [\"model=batch-* hours=8-18 by=lru\", \"rest by=gdsf\"]"),
           key(LLV_KEY_DURATION, "half_life", "15m",
               "of by=lfu and by=gdsf: a use counts half after this time", 1e9, 2.6e15),
           key(LLV_KEY_DURATION, "unmeasured", "10s",
               "of by=gdsf: how long a load is taken to last while none was measured", 1e6, 3.6e12))
