// Blocking work on a worker, its result back on the io thread.
// Thread: call on any; `work` runs on a worker, `done` on the io thread, exactly once. The io context is
// kept running meanwhile. Whoever may be destroyed before the answer comes captures a weak_ptr in `done`.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <utility>

namespace llamavisor {

template <class Work, class Done>
void run_on_worker(boost::asio::thread_pool& workers, boost::asio::io_context& io, Work work, Done done) {
  boost::asio::post(workers, [guard = boost::asio::make_work_guard(io), work = std::move(work),
                              done = std::move(done)]() mutable {
    boost::asio::post(guard.get_executor(),
                      [result = work(), done = std::move(done)]() mutable { done(std::move(result)); });
  });
}

}  // namespace llamavisor
