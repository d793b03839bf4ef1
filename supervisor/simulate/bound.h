// The least time that loads can take, whatever is evicted and whoever knows the future: a lower bound.
//
// The problem. Requests r_1 ... r_n are admitted in order. At its admission a request's model is resident and
// all resident models together fit the limit B. Between two requests for one model that model either stays,
// or is loaded again for C seconds. Each replay is a solution of it, since replays admit in order.
//
// As an integer program, with x_j = 1 when the model stays through the gap j (of size S_j, cost C_j):
//   minimise  sum of all first loads + sum_j C_j (1 - x_j)
//   so that   for each request t:  sum over the gaps j that contain t of S_j x_j  <=  B - S(model of r_t)
//
// The bound is its Lagrangian dual: for any prices p_t >= 0, with P_j = the sum of p_t over the t in gap j,
//   first loads + sum_j min(C_j, S_j P_j) - sum_t p_t (B - S(model of r_t))
// is not above the cheapest solution (weak duality: a solution's constraints times the prices are
// subtracted), fractional ones included. Good prices are looked for by subgradient steps; bad ones only make
// the bound low. The best prices give the optimum of the linear relaxation, in which a part of a model may
// stay: no schedule need reach it. Belady's rule, which is exact for equal sizes and costs, is neither here.
// Pure; any thread.
#pragma once

#include <chrono>

#include "simulate/trace.h"

namespace llamavisor {

// Requests for models larger than the limit are left out, as in a replay. `known` is what some schedule
// needs: it sets the length of the steps, not what is proved.
std::chrono::milliseconds least_reload(const Trace& trace, std::uint64_t limit_bytes,
                                       std::chrono::milliseconds known);

}  // namespace llamavisor
