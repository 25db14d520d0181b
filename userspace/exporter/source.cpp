// SPDX-License-Identifier: Apache-2.0
//
// See source.h. The descriptor is closed once it is mapped: a mapping keeps what it shows.
#include "exporter/source.h"

#include <poll.h>

#include <memory>

namespace hanet::exporter {
namespace {

bool is_readable(const Fd& fd) {
  pollfd waiting{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return fd.valid() && ::poll(&waiting, 1, 0) > 0;
}

bool is_written(const report::Metrics& metrics, MonotonicTime now) {
  return metrics.written_ns != 0 && now < from_kernel_ns(metrics.written_ns) + kSilenceMeansFrozen;
}

}  // namespace

Status Source::attach() {
  Result<Handover> handover = ask_hanetd(socket_);
  if (!handover) return pass_on(handover);
  auto page = engine::Mapping::of(handover->page.get(), sizeof(report::MetricsPage), false);
  if (!page) return pass_on(page);
  const std::lock_guard lock(mutex_);
  version_ = handover->version;
  ended_ = std::move(handover->ended);
  page_ = std::move(*page);
  attached_ = true;
  return {};
}

void Source::detach() {
  const std::lock_guard lock(mutex_);
  attached_ = false;
  ended_.reset();
  page_ = {};
}

bool Source::has_ended() const {
  if (!attached_) return true;
  if (is_readable(ended_)) return true;
  const auto metrics = std::make_unique<report::Metrics>();
  const bool copied = copy(*static_cast<const report::MetricsPage*>(page_.at()), *metrics);
  // Where its process can not be seen, a silent one may be one that was killed.
  return copied &&
         (metrics->written_ns == 0 || (!ended_.valid() && !is_written(*metrics, monotonic_now())));
}

bool Source::read(report::Metrics& metrics, MonotonicTime now) const {
  const std::lock_guard lock(mutex_);
  return attached_ && !is_readable(ended_) &&
         copy(*static_cast<const report::MetricsPage*>(page_.at()), metrics) &&
         is_written(metrics, now);
}

}  // namespace hanet::exporter
