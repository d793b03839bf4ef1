#include <algorithm>
#include <boost/json/array.hpp>
#include <charconv>
#include <cstdio>
#include <filesystem>

#include "app/loaded_config.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/status_screen.h"
#include "cli/terminal.h"
#include "forecast/fit.h"
#include "ollama/gguf.h"
#include "ollama/model_store.h"

namespace llamavisor {
namespace {

namespace json = boost::json;

int usage(const Error& error) {
  std::fprintf(stderr, "llamavisor: %s\n", error.text().c_str());
  return kUsage;
}

// Where a load would go: the running supervisor with its server, else what the configuration says.
struct Place {
  bool running = false;
  ForecastSettings settings;
  std::string models_dir;
  std::uint64_t limit_bytes = 0;
  std::uint64_t used_bytes = 0;
  json::array models;  // that are loaded
  std::uint32_t num_ctx = 4096;
};

std::uint64_t whole(const std::string& text) {
  std::uint64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

std::uint64_t bytes_of(const json::object& object, const char* key) {
  return static_cast<std::uint64_t>(std::max(number_of(object, key), 0.0));
}

// The environment of the server is what it really counts with.
void take_environment(const json::object& config, Place& place) {
  for (const json::value& entry : config.at("env").as_array()) {
    const std::string name = text_of(entry.as_object(), "name");
    const std::string value = text_of(entry.as_object(), "value");
    if (name == "OLLAMA_NUM_PARALLEL") {
      place.settings.num_parallel = static_cast<std::uint32_t>(whole(value));
    } else if (name == "OLLAMA_KV_CACHE_TYPE") {
      place.settings.kv_cache_type = value;
    } else if (name == "OLLAMA_FLASH_ATTENTION") {
      place.settings.flash_attention = value == "1" || value == "true";
    } else if (name == "LLAMA_ARG_CACHE_RAM") {
      place.settings.prompt_cache_bytes = whole(value) << 20U;
    } else if (name == "OLLAMA_CONTEXT_LENGTH" && whole(value) > 0) {
      place.num_ctx = static_cast<std::uint32_t>(whole(value));
    } else if (name == "OLLAMA_MODELS") {
      place.models_dir = value;
    }
  }
}

Place place_of(const LoadedConfig& config) {
  Place out;
  out.settings = forecast_settings(config.settings.server);
  out.models_dir = config.models_dir();
  out.limit_bytes = config.limit_bytes();
  const ControlReply status = control_get("/v1/status");
  const ControlReply running = status.ok() ? control_get("/v1/config") : ControlReply{};
  if (running.ok()) {
    out.running = true;
    take_environment(running.body, out);
    out.settings.era = server_era(text_of(status.body.at("server").as_object(), "version"));
    out.limit_bytes = bytes_of(status.body, "limit_bytes");
    out.used_bytes = bytes_of(status.body, "used_bytes");
    out.models = status.body.at("models").as_array();
  }
  return out;
}

Result<InstalledModel> from_gguf(const std::string& path) {
  const auto shape = read_gguf_shape(path);
  if (!shape) {
    return shape.error();
  }
  std::error_code ec;
  InstalledModel out;
  out.name = path;
  out.blob_path = path;
  out.weights_bytes = std::filesystem::file_size(path, ec);
  out.shape = *shape;
  return ec ? Result<InstalledModel>(Error(path + ": " + ec.message())) : out;
}

// Blobs that are not pulled yet leave the header unknown: the sizes in the manifest make a guess.
Result<InstalledModel> from_manifest(const std::string& path, const std::string& models_dir) {
  auto model = read_manifest(models_dir, {path, path});
  if (!model) {
    return model.error();
  }
  if (!*model) {
    return Error(path + ": it names no weights");
  }
  if (const auto shape = read_gguf_shape((*model)->blob_path)) {
    (*model)->shape = *shape;
  }
  return std::move(**model);
}

Result<InstalledModel> model_of(const std::string& name, const std::string& models_dir) {
  std::error_code ec;
  if (std::filesystem::is_regular_file(name, ec)) {
    auto model = from_manifest(name, models_dir);
    return model ? std::move(model) : from_gguf(name);
  }
  const auto model = ModelStore(models_dir).resolve(name);
  if (!model) {
    return model.error();
  }
  if (!*model) {
    return Error("there is no model " + name + " in " + models_dir, "see llamavisor models, or name a file");
  }
  return **model;
}

struct Estimate {
  InstalledModel model;
  std::uint32_t num_ctx = 0;
  ForecastParts parts;
  std::uint64_t room_bytes = 0;  // without evicting another model
  std::optional<std::uint32_t> largest_num_ctx;
};

Estimate estimate(const InstalledModel& model, std::uint32_t num_ctx, const Place& place) {
  Estimate out{.model = model, .num_ctx = num_ctx, .parts = {}, .room_bytes = 0, .largest_num_ctx = {}};
  if (num_ctx == 0) {
    out.num_ctx = model.param_num_ctx.value_or(place.num_ctx);
  }
  if (model.shape && model.shape->context_length) {
    out.num_ctx = std::min(out.num_ctx, *model.shape->context_length);
  }
  out.parts = forecast_parts(model, out.num_ctx, place.settings);
  std::uint64_t others = place.used_bytes;
  for (const json::value& entry : place.models) {
    const bool same = text_of(entry.as_object(), "name") == model.name;
    others -= same ? std::min(others, bytes_of(entry.as_object(), "charge_bytes")) : 0;
  }
  out.room_bytes = place.limit_bytes > others ? place.limit_bytes - others : 0;
  out.largest_num_ctx = largest_num_ctx(model, place.settings, out.room_bytes);
  return out;
}

std::uint64_t share_of(std::uint64_t bytes, double share) {
  return static_cast<std::uint64_t>(static_cast<double>(bytes) * share);
}

json::object to_json(const Estimate& found, const Place& place) {
  const ForecastParts& parts = found.parts;
  const std::uint64_t total = parts.bytes();
  json::object out{{"model", found.model.name},
                   {"architecture", found.model.shape ? found.model.shape->architecture : ""},
                   {"num_ctx", found.num_ctx},
                   {"num_parallel", place.settings.num_parallel},
                   {"kv_cache_type", place.settings.kv_cache_type},
                   {"guess", parts.guess},
                   {"weights_bytes", parts.weights_bytes},
                   {"kv_bytes", parts.kv_bytes},
                   {"state_bytes", parts.state_bytes},
                   {"process_bytes", parts.process_bytes},
                   {"checkpoint_bytes", parts.checkpoint_bytes},
                   {"prompt_cache_bytes", parts.prompt_cache_bytes},
                   {"total_bytes", total},
                   {"low_bytes", share_of(total, 1 - parts.band)},
                   {"high_bytes", share_of(total, 1 + parts.band)},
                   {"limit_bytes", place.limit_bytes},
                   {"used_bytes", place.used_bytes},
                   {"fits", total <= place.limit_bytes},
                   {"fits_now", total <= found.room_bytes}};
  if (parts.compute_bytes) {
    out["compute_bytes"] = *parts.compute_bytes;
    out["upper_bytes"] = *parts.upper_bytes();
  }
  if (found.largest_num_ctx) {
    out["largest_num_ctx"] = *found.largest_num_ctx;
  }
  return out;
}

using Rows = std::vector<std::vector<std::string>>;

Rows rows_of(const ForecastParts& parts) {
  if (parts.guess) {
    return {{"weights", format_bytes(parts.weights_bytes), "size of the files"},
            {"total", format_bytes(parts.bytes()), "a guess: weights x 1.2; its caches are not known"}};
  }
  const std::string percent = std::to_string(static_cast<int>(parts.band * 100)) + " %";
  Rows out{
      {"weights", format_bytes(parts.weights_bytes), "size of the files: they are read into memory in full"},
      {"KV cache", format_bytes(parts.kv_bytes), "layers x heads x (key + value) x bytes a value x cells"},
      {"state", format_bytes(parts.state_bytes), "f32, for each slot, whatever the context is"},
      {"process", format_bytes(parts.process_bytes), "heap of the runner and its notes on each cell"},
      {"total", format_bytes(parts.bytes()), "after a short prompt, +/- " + percent}};
  if (parts.compute_bytes) {
    out.push_back({"compute", format_bytes(*parts.compute_bytes), "batch x (masks, activations, logits)"});
    out.push_back(
        {"checkpoints", format_bytes(parts.checkpoint_bytes), "copies of sliding windows and states"});
    out.push_back({"prompt cache", format_bytes(parts.prompt_cache_bytes), "at most, [server] prompt_cache"});
    out.push_back({"upper bound", format_bytes(*parts.upper_bytes()), "after prompts that fill the window"});
  }
  return out;
}

std::string verdict(const Estimate& found, const Place& place) {
  const std::uint64_t total = found.parts.bytes();
  const std::string budget = format_bytes(place.limit_bytes);
  if (total <= found.room_bytes) {
    return "It fits the budget of " + budget + (place.running ? " now." : ".");
  }
  return total <= place.limit_bytes ? "It fits the budget of " + budget + " once other models are evicted."
                                    : "It does not fit the budget of " + budget + ".";
}

int print(const Estimate& found, const Place& place, bool explain) {
  Rows rows = rows_of(found.parts);
  for (std::vector<std::string>& row : rows) {
    row.resize(explain || row.front() == "total" ? 3 : 2);
  }
  std::printf("%s at num_ctx %u, %u in parallel\n\n%s\n%s\n", found.model.name.c_str(), found.num_ctx,
              place.settings.num_parallel, table(rows).c_str(), verdict(found, place).c_str());
  if (found.largest_num_ctx) {
    std::printf("The largest num_ctx that fits%s: %u\n", place.running ? " now" : "", *found.largest_num_ctx);
  }
  return kDone;
}

}  // namespace

int run_estimate(const EstimateOptions& options) {
  const auto config = LoadedConfig::load({});
  if (!config) {
    return usage(config.error());
  }
  Place place = place_of(*config);
  if (!options.kv.empty()) {
    place.settings.kv_cache_type = options.kv;
    place.settings.flash_attention = true;  // era b quantizes only with it
  }
  place.settings.num_parallel = options.parallel == 0 ? place.settings.num_parallel : options.parallel;
  const auto model = model_of(options.model, place.models_dir);
  if (!model) {
    std::fprintf(stderr, "llamavisor: %s\n", model.error().text().c_str());
    return kFailed;
  }
  const Estimate found = estimate(*model, options.num_ctx, place);
  return options.as_json ? print_json(to_json(found, place)) : print(found, place, options.explain);
}

}  // namespace llamavisor
