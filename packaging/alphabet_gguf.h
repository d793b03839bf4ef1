// The GGUF file of the model that answers with the alphabet, written piece by piece. Pure but for the sink.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "model_maker.h"

namespace llamavisor {

// Tokens: <unk> <s> </s>, 256 byte tokens, the space, the printable ASCII characters.
inline constexpr std::uint32_t kAlphabetVocabulary = 3 + 256 + 1 + 94;

// Takes the next bytes of the file.
using Sink = std::function<void(const void* data, std::size_t bytes)>;

// `model` has been checked: embedding >= kAlphabetVocabulary, heads divide it, no count is 0.
void write_alphabet_gguf(const MadeModel& model, const Sink& sink);

}  // namespace llamavisor
