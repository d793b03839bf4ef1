// A snapshot in the C ABI's layout. Thread: any; one user. Keeps a copy of what it shows.
#pragma once

#include <llamavisor/abi.h>

#include <vector>

#include "domain/snapshot.h"

namespace llamavisor {

class SnapshotView {
 public:
  explicit SnapshotView(Snapshot snapshot);
  SnapshotView(const SnapshotView&) = delete;
  SnapshotView& operator=(const SnapshotView&) = delete;
  [[nodiscard]] const llv_snapshot* get() const { return &view_; }
  [[nodiscard]] const Snapshot& snapshot() const { return snapshot_; }

 private:
  Snapshot snapshot_;
  std::vector<llv_model> models_;
  llv_snapshot view_{};
};

}  // namespace llamavisor
