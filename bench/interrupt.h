// SPDX-License-Identifier: Apache-2.0
//
// SIGINT and SIGTERM as a question that loops ask.
//
// A measurement that is interrupted still has to stop daemons and remove namespaces, which no
// signal handler may do. So the handler only notes the wish, every wait looks at it, and the
// ordinary destructors clean up.
#pragma once

#include <csignal>

namespace hanet::bench {

namespace detail {
inline volatile std::sig_atomic_t interrupt_seen = 0;
inline void note_interrupt(int) { interrupt_seen = 1; }
}  // namespace detail

/// From now on SIGINT, SIGTERM and SIGHUP are noted and do not end the process.
inline void catch_interrupts() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, detail::note_interrupt);
}

[[nodiscard]] inline bool interrupted() { return detail::interrupt_seen != 0; }

}  // namespace hanet::bench
