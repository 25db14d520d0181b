// SPDX-License-Identifier: Apache-2.0
//
// rtnetlink as the kernel really speaks it: dumps while something changes, refusals, link settings
// (F3, T1).
#include "net/netlink.h"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <array>
#include <atomic>
#include <chrono>
#include <fstream>
#include <map>
#include <string>
#include <thread>

#include "core/fd.h"
#include "net/capture.h"
#include "net/encode.h"
#include "net/link.h"
#include "netns/own_netns.h"

namespace hanet::net {
namespace {

using test::in_new_namespace;
using test::ip;

class Netlink : public test::OwnNetns {};

constexpr int kAddresses = 2000, kChanging = 250;

/// On one interface: a dump of many buffers.
void give_addresses() {
  ASSERT_TRUE(ip("link add one type veth peer name two"));
  std::string name = "/tmp/hanet-netlink-XXXXXX";
  const Fd file(::mkstemp(name.data()));
  std::ofstream batch(name);
  for (int i = 0; i < kAddresses; ++i)
    batch << fmt::format("addr add 198.18.{}.{}/32 dev one\n", i / 250, 1 + i % 250);
  batch.close();
  const bool done = ip("-batch " + name);
  ::unlink(name.c_str());
  ASSERT_TRUE(done);
}

/// Without the product: does the kernel say that something changed during a dump?
bool dump_is_interrupted() {
  const Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  std::array<char, 32768> buffer{};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = RTM_GETADDR;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request->nlmsg_seq = 1;
  static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifaddrmsg)))->ifa_family =
      AF_INET;
  if (::send(socket.get(), request, request->nlmsg_len, 0) < 0) return false;
  for (;;) {
    const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    const int more = mnl_cb_run(
        buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)), 1, 0,
        [](const nlmsghdr*, void*) -> int { return MNL_CB_OK; }, nullptr);
    if (more <= MNL_CB_STOP) return more < 0 && errno == EINTR;
  }
}

/// Removes the first address and adds it as the last one, again and again for the length of one
/// dump: whoever has read a part of the list by then misses one of those that stay.
class Change {
 public:
  explicit Change(std::chrono::nanoseconds one_dump)
      : one_dump_(one_dump),
        socket_(NetlinkSocket::open().value()),
        index_(index_of_name(socket_, "one")),
        thread_([this](const std::stop_token& stop) { change(stop); }) {}

  void begin() {
    until_ns_ = (std::chrono::steady_clock::now() + one_dump_).time_since_epoch().count();
  }

 private:
  void change(const std::stop_token& stop) {
    Address address;
    address.family = AF_INET;
    address.prefix_length = 32;
    address.local = address.peer = {198, 18, 0, 0};
    address.preferred_seconds = address.valid_seconds = UINT32_MAX;
    for (int round = 0; !stop.stop_requested();) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
      if (std::chrono::steady_clock::now().time_since_epoch().count() > until_ns_) continue;
      // Every one has its turn to be the first; only those of 198.18.0.0/24 change.
      address.local[3] = address.peer[3] = static_cast<std::uint8_t>(1 + round++ % kChanging);
      (void)socket_.request(remove_address(address, index_), "remove");
      (void)socket_.request(add_address(address, index_), "add");
    }
  }

  std::chrono::nanoseconds one_dump_;
  std::atomic<std::int64_t> until_ns_ = 0;
  NetlinkSocket socket_;
  unsigned index_;
  std::jthread thread_;  // last: it ends before what it uses
};

TEST_F(Netlink, F3_ADumpDuringWhichSomethingChangedHandsNothingOverTwice) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(give_addresses());
    NetlinkSocket socket = NetlinkSocket::open().value();
    ifaddrmsg all{};
    all.ifa_family = AF_INET;
    int interrupted = 0, refused = 0, complete = 0;
    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < 10; ++i) EXPECT_FALSE(dump_is_interrupted()) << "nothing changes yet";
    Change change((std::chrono::steady_clock::now() - begun) / 10);
    constexpr int kRounds = 60;
    for (int round = 0; round < kRounds; ++round) {
      change.begin();
      interrupted += dump_is_interrupted() ? 1 : 0;
      change.begin();
      std::map<std::vector<std::uint8_t>, int> seen;
      const Status done = socket.dump(
          MessageBuilder(RTM_GETADDR, 0).header(all).take(), [&](const nlmsghdr& message) {
            for_each_attribute(attributes_of(message, sizeof(ifaddrmsg)),
                               [&](std::uint16_t type, std::span<const std::uint8_t> value) {
                                 if (type == IFA_LOCAL) ++seen[{value.begin(), value.end()}];
                               });
          });
      if (!done) {
        EXPECT_EQ(done.error().code, EINTR) << done.error().message;
        EXPECT_TRUE(seen.empty()) << "what is no truth was handed over";
        ++refused;
        continue;
      }
      ++complete;
      std::erase_if(seen, [](const auto& one) { return one.first[2] == 0; });
      ASSERT_EQ(seen.size(), std::size_t{kAddresses - kChanging});
      for (const auto& [address, times] : seen) ASSERT_EQ(times, 1);
    }
    EXPECT_GT(interrupted, kRounds / 3) << "the witness: the kernel hardly ever said so";
    EXPECT_GT(complete, 0);
    EXPECT_LT(refused, kRounds / 6) << "asking again did not help";
  });
}

TEST_F(Netlink, F12_ARefusalNamesTheOperationAndTheKernelsReason) {
  in_new_namespace([] {
    NetlinkSocket socket = NetlinkSocket::open().value();
    const Status refused = socket.request(set_admin_state(4711, true), "set it up");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ENODEV);
    EXPECT_TRUE(refused.error().message.contains("set it up")) << refused.error().message;
    EXPECT_FALSE(read_link(socket, 4711));
    EXPECT_TRUE(read_links(socket)) << "the socket is good for the next question";
  });
}

TEST_F(Netlink, F12_EachMessageOfABatchHasItsOwnAnswer) {
  in_new_namespace([] {
    ASSERT_TRUE(ip("link add one type veth peer name two"));
    NetlinkSocket socket = NetlinkSocket::open().value();
    const unsigned one = index_of_name(socket, "one");
    std::vector<NetlinkMessage> batch{set_admin_state(one, true), set_admin_state(4711, true),
                                      set_mac(one, {2, 0, 0, 0, 0, 9})};
    ASSERT_TRUE(socket.send(batch));
    const Result<std::vector<Acknowledgement>> answers = socket.collect();
    ASSERT_TRUE(answers);
    ASSERT_EQ(answers->size(), 3U);
    EXPECT_EQ(answers->at(0).code, 0);
    EXPECT_EQ(answers->at(1).code, ENODEV);
    EXPECT_EQ(answers->at(2).code, 0);
    EXPECT_EQ(read_link(socket, one).value().mac, (MacAddress{2, 0, 0, 0, 0, 9}));
  });
}

TEST_F(Netlink, T1_TheSpeedOfALinkIsWhatTheDriverTells) {
  in_new_namespace([] {
    ASSERT_TRUE(ip("link add one type veth peer name two"));
    EXPECT_EQ(link_speed("one"), 10'000U) << "drivers/net/veth.c, veth_get_link_ksettings";
    EXPECT_EQ(link_speed("lo"), std::nullopt) << "a driver that does not tell";
    EXPECT_EQ(link_speed("gone"), std::nullopt);
    NetlinkSocket socket = NetlinkSocket::open().value();
    EXPECT_EQ(driver_of(index_of_name(socket, "one")), "veth");
  });
}

}  // namespace
}  // namespace hanet::net
