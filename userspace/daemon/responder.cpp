// SPDX-License-Identifier: Apache-2.0
//
// See responder.h.
#include "daemon/responder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "config/key_file.h"
#include "core/log.h"
#include "net/frames.h"
#include "net/look.h"
#include "report/maps.h"
#include "report/status.h"

namespace hanet::daemon {
namespace {

/// How often it is looked whether the cards are there.
constexpr Nanoseconds kLook = std::chrono::seconds(1);

/// Everything that is answered belongs to one group of the maps.
constexpr engine::GroupIndex kGroup = 0;

std::string no_ethernet(const std::string& interface) {
  return fmt::format("{} is no Ethernet interface: a heartbeat of kind hanet is an Ethernet frame",
                     interface);
}

/// As the kernel side has it (abi.h, hanet_beat_way).
net::Ipv6Bytes as_ipv6(const net::Address& address) {
  net::Ipv6Bytes bytes{};
  if (address.family == AF_INET) bytes[10] = bytes[11] = 0xff;
  std::ranges::copy_backward(address.local, bytes.end());
  return bytes;
}

Json refusal(const std::string& reason) { return {{"ok", false}, {"error", reason}}; }

}  // namespace

Result<std::unique_ptr<Responder>> Responder::start(ResponderOptions options) {
  std::unique_ptr<Responder> responder(new Responder(std::move(options)));
  responder->started_ = monotonic_now();
  if (Status locked = responder->lock(); !locked) return pass_on(locked);
  if (Status opened = responder->open_descriptors(); !opened) return pass_on(opened);
  if (Status keys = responder->take_keys(); !keys) return pass_on(keys);
  for (const std::string& interface : responder->options_.interfaces)
    if (Status attached = responder->attach(interface); !attached) return pass_on(attached);
  if (Status taken = responder->engine_->take_over(); !taken) return pass_on(taken);
  return responder;
}

Status Responder::lock() {
  for (const std::string& interface : options_.interfaces) {
    Result<net::PortLock> lock = net::PortLock::take(interface);
    if (!lock) return pass_on(lock);
    locks_.push_back(std::move(*lock));
  }
  for (const std::filesystem::path& directory : {options_.run_directory, options_.pin_directory}) {
    Result<net::PortLock> lock =
        net::PortLock::take_directory(directory.lexically_normal().string());
    if (!lock) return pass_on(lock);
    locks_.push_back(std::move(*lock));
  }
  return {};
}

Status Responder::open_descriptors() {
  Result<Wakeups> wakeups = Wakeups::open();
  if (!wakeups) return pass_on(wakeups);
  wakeups_ = std::move(*wakeups);
  Result<net::NetlinkSocket> requests = net::NetlinkSocket::open();
  if (!requests) return pass_on(requests);
  requests_ = std::move(*requests);
  Result<ControlSockets> sockets = open_control_sockets(options_.run_directory);
  if (!sockets) return pass_on(sockets);
  control_ = std::move(sockets->control);
  reading_ = std::move(sockets->reading);
  Result<std::unique_ptr<engine::Engine>> engine =
      engine::Engine::load({.pin_directory = options_.pin_directory,
                            .no_pacer_because = "as a responder asks nobody",
                            .bpf_timer = options_.bpf_timer});
  if (!engine) return pass_on(engine);
  engine_ = std::move(*engine);
  for (const int fd : {engine_->event_descriptor(), control_->descriptor(), reading_->descriptor()})
    if (Status done = wakeups_.watch(fd); !done) return done;
  return {};
}

Status Responder::take_keys() {
  Result<std::vector<hanet_key>> keys = config::load_key_file(options_.key_file);
  if (!keys) return pass_on(keys);
  if (Status set = engine_->set_keys(kGroup, *keys); !set) return set;
  keys_ = std::move(*keys);
  return {};
}

Status Responder::attach(const std::string& interface) {
  Result<net::LinkInfo> link = net::find_link(requests_, interface);
  if (!link && options_.wait && link.error().code == ENODEV) {
    log::notice("{} is not here yet: nothing is answered there until it is", interface);
    link = net::LinkInfo{.interface = {.name = interface, .index = 0}, .type = ARPHRD_ETHER};
  }
  if (!link) return pass_on(link);
  if (link->type != ARPHRD_ETHER) return failure(no_ethernet(interface));
  // Nothing is ever sent from the probe address of a port that asks nobody.
  Result<engine::PortIndex> port = engine_->add_port({.name = link->interface.name,
                                                      .ifindex = link->interface.index,
                                                      .group = kGroup,
                                                      .probe_mac = net::random_local_mac(),
                                                      .targets = 0,
                                                      .own_mac = link->mac,
                                                      .beat_type = options_.ether_type,
                                                      .beat_port = options_.udp_port});
  if (!port) return pass_on(port);
  answering_.push_back(
      {.interface = interface, .port = *port, .ifindex = link->interface.index, .mac = link->mac});
  take_addresses(answering_.back());
  return {};
}

void Responder::take_addresses(Answering& one) {
  if (options_.udp_port == 0) return;
  std::set<net::Ipv6Bytes> own;
  if (one.ifindex != 0) {
    const auto found = net::addresses_on(requests_, {.name = one.interface, .index = one.ifindex});
    if (!found) return;  // it is looked again
    for (const net::Address& address : *found)
      if ((address.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0) own.insert(as_ipv6(address));
  }
  const Status taken = engine_->set_own_addresses(one.port, std::move(own));
  const bool all = taken.has_value();
  if (!all && one.all_addresses)
    log::warning("{}: heartbeats to some of its addresses are not answered: {}", one.interface,
                 taken.error().message);
  one.all_addresses = all;
}

void Responder::look_at_links() {
  for (Answering& one : answering_) follow(one);
}

void Responder::follow(Answering& one) {
  const Result<net::LinkInfo> link = net::find_link(requests_, one.interface);
  if (!link && link.error().code != ENODEV) return;  // it is looked at again
  const unsigned ifindex = link ? link->interface.index : 0;
  if (one.ifindex != 0 && ifindex != one.ifindex) {
    engine_->unbind_port(one.port);
    one.ifindex = 0;
    log::warning("{} is gone: nothing is answered there until it is back", one.interface);
  }
  if (!link) return;
  take_addresses(one);
  if (link->mac != one.mac) {
    one.mac = link->mac;
    engine_->set_own_mac(one.port, one.mac);
    log::notice("{} has the MAC address {} now", one.interface, net::to_text(one.mac));
  }
  if (one.ifindex != 0) return;
  if (link->type != ARPHRD_ETHER) {
    if (!std::exchange(one.told, true)) log::warning("{}", no_ethernet(one.interface));
    return;
  }
  if (Status bound = engine_->rebind_port(one.port, ifindex, one.interface); !bound) {
    if (!std::exchange(one.told, true)) log::warning("{}", bound.error().message);
    return;
  }
  one.told = false;
  one.ifindex = ifindex;
  take_addresses(one);
  log::notice("{} is here: heartbeats are answered there", one.interface);
}

Json Responder::status() const {
  const MonotonicTime now = monotonic_now();
  Json ports = Json::array();
  for (const Answering& one : answering_) {
    Json port = report::port_json(engine_->port(one.port));
    port["name"] = one.interface;
    port["present"] = one.ifindex != 0;
    port["mac"] = net::to_text(one.mac);
    port["xdp"] = engine_->attachment(one.port).xdp_mode();
    port["asked_by"] = report::askers_json(*engine_, one.port, now);
    ports.push_back(std::move(port));
  }
  Json keys = Json::array();
  for (const hanet_key& key : keys_) keys.push_back(config::key_name(key));
  return {{"ok", true},
          {"daemon",
           {{"pid", ::getpid()},
            {"version", HANET_VERSION},
            {"uptime_s", std::chrono::duration<double>(now - started_).count()}}},
          {"responder", {{"keys", std::move(keys)}, {"ports", std::move(ports)}}}};
}

Json Responder::answer(const Json& request) {
  const std::string command = request.value("command", "");
  if (command == "status") return status();
  if (command != "reload")
    return refusal(
        fmt::format("'{}': this hanetd is a responder, which has no groups; allowed: "
                    "status, reload",
                    command));
  if (Status taken = take_keys(); !taken) return refusal(taken.error().message);
  return {{"ok", true}, {"changes", {{"log_level", nullptr}, {"groups", Json::array()}}}};
}

Status Responder::run() {
  watchdog_.begin();
  ::sd_notify(0, "READY=1");
  log::notice("answering heartbeats on {}; nothing else is done",
              fmt::join(options_.interfaces, ", "));
  const auto answers = [this](const Json& request) { return answer(request); };
  const auto answers_reader = [this](const Json& request) {
    return request.value("command", "") == "status" ? status()
                                                    : refusal("only 'status' needs no root");
  };
  while (true) {
    if (Status waited = wakeups_.wait(look_at_); !waited) return waited;
    const MonotonicTime now = monotonic_now();
    engine_->show_presence(now);
    engine_->read_events([](const hanet_event&, MonotonicTime) {});
    engine_->attend(now);
    watchdog_.tick(now);
    if (now >= look_at_) {
      look_at_ = now + kLook;
      look_at_links();
      for (const net::PortLock& lock : locks_) lock.let_go();
    }
    control_->serve(answers, now);
    reading_->serve(answers_reader, now);
    control_->flush();
    reading_->flush();
    const Wakeups::Signals signals = wakeups_.read_signals();
    if (signals.leave) leave_to_the_next();
    if (signals.end) break;
    if (signals.reload)
      if (Status taken = take_keys(); !taken)
        log::error("the keys stay as they were: {}", taken.error().message);
  }
  ::sd_notify(0, "STOPPING=1");
  log::notice("stopping: heartbeats are not answered any more");
  return {};
}

}  // namespace hanet::daemon
