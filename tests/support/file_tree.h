// Files of a test's own tree: a stand-in for /proc, /sys/fs/cgroup or a models folder.
#pragma once

#include <fstream>
#include <string>

#include "support/temp_dir.h"

namespace llamavisor::testing {

class FileTree {
 public:
  [[nodiscard]] std::string root() const { return dir_.path().string(); }
  // Makes the folders on the way.
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((dir_.path() / name).parent_path());
    std::ofstream(dir_.path() / name, std::ios::binary) << text;
  }
  void remove(const std::string& name) const { std::filesystem::remove_all(dir_.path() / name); }

  // A process of a /proc tree. `children` of its one thread, blank-separated; "-": this kernel lists none.
  void write_process(int pid, int parent, unsigned long start_ticks, const std::string& cmdline,
                     const std::string& children = "") const {
    const std::string folder = std::to_string(pid) + "/";
    write(folder + "stat", std::to_string(pid) + " (a (b) c) S " + std::to_string(parent) +
                               " 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 " +
                               std::to_string(start_ticks) + " 23 24\n");
    write(folder + "cmdline", cmdline);
    const std::string task = folder + "task/" + std::to_string(pid) + "/";
    write(task + "comm", "a\n");
    if (children != "-") {
      write(task + "children", children);
    }
  }

 private:
  TempDir dir_;
};

}  // namespace llamavisor::testing
