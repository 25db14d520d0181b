// SPDX-License-Identifier: Apache-2.0
//
// See source.h. The descriptors are closed once they are mapped: a mapping keeps what it shows.
#include "exporter/source.h"

#include <poll.h>

#include <memory>

namespace hanet::exporter {
namespace {

bool is_readable(const Fd& fd) {
  pollfd waiting{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return fd.valid() && ::poll(&waiting, 1, 0) > 0;
}

int part(const Handover& handover, Part of) {
  return handover.parts.at(static_cast<std::size_t>(of)).get();
}

bool is_written(const report::Metrics& metrics, MonotonicTime now) {
  return metrics.written_ns != 0 && now < from_kernel_ns(metrics.written_ns) + kSilenceMeansFrozen;
}

}  // namespace

Status Source::attach() {
  Result<Handover> handover = ask_hanetd(socket_);
  if (!handover) return pass_on(handover);
  auto page = engine::Mapping::of(part(*handover, Part::Page), sizeof(report::MetricsPage), false);
  auto sessions = engine::MappedArray<hanet_session>::of(part(*handover, Part::Sessions),
                                                         HANET_MAX_SESSIONS, false);
  auto ports =
      engine::MappedArray<hanet_port>::of(part(*handover, Part::Ports), HANET_MAX_PORTS, false);
  auto engine = engine::MappedArray<hanet_engine>::of(part(*handover, Part::Engine), 1, false);
  if (!page) return pass_on(page);
  if (!sessions) return pass_on(sessions);
  if (!ports) return pass_on(ports);
  if (!engine) return pass_on(engine);
  if (static_cast<const report::MetricsPage*>(page->at())->layout != report::kMetricsLayout)
    return failure(
        "hanetd's page is laid out in another way: install the same version of hanetd "
        "and hanet-exporter and restart them");
  const std::lock_guard lock(mutex_);
  version_ = handover->version;
  ended_ = std::move(handover->ended);
  page_ = std::move(*page);
  sessions_ = std::move(*sessions);
  ports_ = std::move(*ports);
  engine_ = std::move(*engine);
  attached_ = true;
  return {};
}

void Source::detach() {
  const std::lock_guard lock(mutex_);
  attached_ = false;
  ended_.reset();
  page_ = {};
  sessions_ = {};
  ports_ = {};
  engine_ = {};
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

bool Source::read(const std::function<void(const Counters&)>& use, MonotonicTime now) const {
  const std::lock_guard lock(mutex_);
  if (!attached_ || is_readable(ended_)) return false;
  report::Metrics metrics;
  if (!copy(*static_cast<const report::MetricsPage*>(page_.at()), metrics)) return false;
  if (!is_written(metrics, now)) return false;
  use({.metrics = metrics,
       .sessions = {&sessions_[0], HANET_MAX_SESSIONS},
       .ports = {&ports_[0], HANET_MAX_PORTS},
       .engine = engine_[0]});
  return true;
}

}  // namespace hanet::exporter
