#include <cstdio>

#include "cli/commands.h"
#include "cli/status_screen.h"

namespace llamavisor {
namespace {

namespace json = boost::json;

std::vector<std::string> bill_row(const json::object& comparison, const char* side) {
  const json::object& bill = comparison.at(side).as_object();
  const double unmeasured = number_of(bill, "unmeasured_reloads");
  return {text_of(bill, "name"), text_of(bill, "evictions"), bytes_text(bill, "evicted_bytes"),
          text_of(bill, "reloads"),
          ms_text(bill, "reload_ms") +
              (unmeasured > 0 ? " and " + text_of(bill, "unmeasured_reloads") + " not measured" : "")};
}

std::string comparison_text(const json::object& comparison) {
  const json::object& in_charge = comparison.at("in_charge").as_object();
  if (!comparison.contains("shadow")) {
    return text_of(in_charge, "name") +
           " is in charge and has no shadow: llamavisor plugin shadow eviction NAME\n";
  }
  std::string out = text_of(in_charge, "name") + " is in charge, " +
                    text_of(comparison.at("shadow").as_object(), "name") +
                    " is its shadow. They differed in " + text_of(comparison, "differed") + " of " +
                    text_of(comparison, "compared") + " choices (" + text_of(comparison, "skipped") +
                    " skipped, " + text_of(comparison, "failed") + " failed).\n\n";
  out += table({{"POLICY", "EVICTIONS", "MEMORY", "WANTED AGAIN", "RELOAD TIME"},
                bill_row(comparison, "in_charge"),
                bill_row(comparison, "shadow")});
  return comparison.contains("last_error")
             ? out + "\nLast failure: " + text_of(comparison, "last_error") + "\n"
             : out;
}

}  // namespace

int run_plugin_shadow(const std::string& role, const std::string& name) {
  const ControlReply reply = control_post("/v1/plugin/shadow", {{"role", role}, {"name", name}});
  if (!reply.ok()) {
    return fail(reply);
  }
  std::fputs(name == "off"
                 ? "The eviction policy has no shadow any more.\n"
                 : (name + " answers beside the policy in charge now, and after a restart; it never "
                           "acts. See llamavisor plugin compare.\n")
                       .c_str(),
             stdout);
  return kDone;
}

int run_plugin_trust(const std::string& name) {
  const ControlReply reply = control_post("/v1/plugin/trust", {{"name", name}});
  if (!reply.ok()) {
    return fail(reply);
  }
  std::fputs((name + " is trusted again; it is in use where the configuration says so.\n").c_str(), stdout);
  return kDone;
}

int run_plugin_compare(bool as_json) {
  const ControlReply reply = control_get("/v1/plugin/compare");
  if (!reply.ok()) {
    return fail(reply);
  }
  if (as_json) {
    return print_json(reply.body);
  }
  std::fputs(comparison_text(reply.body).c_str(), stdout);
  return kDone;
}

}  // namespace llamavisor
