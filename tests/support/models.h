// The test models: known memory, known answer (packaging/model_maker.h). Weights and f16 cache a token:
//   tiny 8.6 MiB and 1 KiB, a128 121 MiB and 8 KiB, c256 241 MiB and 16 KiB.
#pragma once

#include <stdexcept>
#include <string>

#include "model_maker.h"

namespace llamavisor::testing {

inline MadeModel tiny_model(const std::string& models_dir, const std::string& name = "tiny") {
  MadeModel out;
  out.models_dir = models_dir;
  out.name = name;
  return out;
}

inline MadeModel a128_model(const std::string& models_dir, const std::string& name = "a128") {
  MadeModel out = tiny_model(models_dir, name);
  out.layers = 8;
  out.embedding = 512;
  out.feed_forward = 2048;
  out.heads = 8;
  out.kv_heads = 4;
  return out;
}

inline MadeModel c256_model(const std::string& models_dir, const std::string& name = "c256") {
  MadeModel out = a128_model(models_dir, name);
  out.layers = 16;
  return out;
}

// Throws: a test cannot go on without its model.
inline PlantedModel plant(const MadeModel& model) {
  auto out = make_model(model);
  if (!out) {
    throw std::runtime_error(out.error().text());
  }
  return *out;
}

}  // namespace llamavisor::testing
