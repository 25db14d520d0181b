// SPDX-License-Identifier: Apache-2.0
//
// See recorder.h.
#include "netns/recorder.h"

#include <linux/rtnetlink.h>

namespace hanet::test {
namespace {

constexpr unsigned kGroups =
    RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;

}  // namespace

Recorder::Recorder(const std::string& netns) : rtnetlink_(netns, kGroups) {}

std::vector<std::string> Recorder::lines(const Describe& describe) {
  const bool complete = rtnetlink_.hear([&](const nlmsghdr& message) {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(&message);
    messages_.emplace_back(begin, begin + message.nlmsg_len);
  });
  complete_ = complete_ && complete;
  std::vector<std::string> said;
  for (const std::vector<std::uint8_t>& message : messages_)
    if (std::string line = describe(*reinterpret_cast<const nlmsghdr*>(message.data()));
        !line.empty())
      said.push_back(std::move(line));
  if (!complete_) said.emplace_back("messages were lost");
  return said;
}

}  // namespace hanet::test
