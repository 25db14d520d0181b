// SPDX-License-Identifier: Apache-2.0
//
// See chain_watch.h.
#include "group/chain_watch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace hanet::group {
namespace {

constexpr std::array kDirections{engine::Direction::Ingress, engine::Direction::Egress};

std::string listed(const engine::Chain& chain) {
  return fmt::format("{}", fmt::join(chain.before, ", "));
}

}  // namespace

void ChainWatch::tick(MonotonicTime now) {
  if (now < next_look_) return;
  next_look_ = now + kChainLook;
  for (const Port& port : ports_.all())
    if (port.present()) look_at(port, now);
}

void ChainWatch::look_at(const Port& port, MonotonicTime now) {
  Entry& entry = entries_[ports_.number_of(port)];
  std::string trouble;
  for (std::size_t at = 0; at < kDirections.size(); ++at) {
    const std::string here = trouble_at(port, kDirections.at(at), entry.came_first.at(at), now);
    if (!here.empty()) trouble += (trouble.empty() ? "" : "; ") + here;
  }
  if (trouble.empty() && is_blind_for_no_reason(port, entry.came_first.back(), now))
    trouble = fmt::format(
        "the requests that leave by {} are not seen by hanet's program: a failure of this path "
        "will not be noticed; what is at its TC hooks is shown by 'tc filter show dev {} egress' "
        "and 'bpftool net'",
        port.interface.name, port.interface.name);
  if (trouble == entry.alarm) return;
  if (trouble.empty())
    context_.notices.alarm_cleared(
        AlarmKind::ProgramInFront, ports_.name(port.path),
        fmt::format("nothing stands in front of hanet at {} any more", port.interface.name));
  else
    context_.notices.alarm(AlarmKind::ProgramInFront, ports_.name(port.path), trouble);
  entry.alarm = trouble;
}

std::string ChainWatch::trouble_at(const Port& port, engine::Direction direction,
                                   MonotonicTime& came_first, MonotonicTime now) const {
  engine::TcHook& hook = context_.engine().tc(port.index, direction);
  const engine::Chain chain = hook.chain();
  if (chain.is_first()) return {};
  const std::string& name = port.interface.name;
  const std::string what = chain.has_hanet
                               ? fmt::format("{} was put in front of hanet", listed(chain))
                               : std::string("hanet's program was taken away");
  const bool insists = came_first != MonotonicTime{} && now < came_first + kChainPeace;
  if (!insists) {
    const Status moved = hook.come_first();
    came_first = now;
    context_.notices.add(
        "came-first", ports_.name(port.path),
        fmt::format("{} at the {} of {}: {}", what, engine::to_text(direction), name,
                    moved ? "hanet is the first again" : moved.error().message));
    if (moved) return {};
  }
  const bool blind = ports_.is_blind(port);
  return fmt::format(
      "{} at the {} of {}{}; attach it behind hanet (BPF_F_AFTER), or take it away",
      chain.has_hanet ? fmt::format("{} stands in front of hanet", listed(chain)) : what,
      engine::to_text(direction), name,
      blind ? " and hides its requests: a failure of this path will not be noticed"
            : ": what it does not pass on is not seen");
}

// The next request tells whether coming first has helped.
bool ChainWatch::is_blind_for_no_reason(const Port& port, MonotonicTime came_first,
                                        MonotonicTime now) const {
  const std::chrono::microseconds interval(
      engine::load(context_.engine().deciding_session(port.index).interval_us));
  return ports_.is_blind(port) && now > came_first + kChainLook + 2 * interval;
}

}  // namespace hanet::group
