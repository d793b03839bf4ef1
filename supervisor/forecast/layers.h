// What the layers of a model keep for each token and for each sequence. Pure.
// Source: llama.cpp's hparams (set_swa_pattern, n_embd_r, n_embd_s) and the logs of both eras.
#pragma once

#include <optional>

#include "domain/model.h"
#include "forecast/forecast.h"

namespace llamavisor {

struct LayerPlan {
  double full_values = 0;     // cached for a token, in layers that attend to the whole context
  double sliding_values = 0;  // in those that attend to a window
  double window_tokens = 0;
  double state_values = 0;  // f32, for a sequence of any length, in recurrent layers
};

// Encoders read a text in one go: llama.cpp gives them no cache at all.
bool is_encoder(const std::string& architecture);
// Era b runs these in its own engine, the others in llama.cpp.
bool in_ollama_engine(const std::string& architecture, ServerEra era);
// Absent: these keys or this architecture do not tell.
std::optional<LayerPlan> plan_layers(const ModelShape& shape, ServerEra era);

}  // namespace llamavisor
