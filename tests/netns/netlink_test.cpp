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
#include <fstream>
#include <map>
#include <string>
#include <utility>

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

/// The kernel makes a part of a dump while the one before is received. Whoever removes an address
/// in between makes the next part begin one too late. (A change beside it, in a thread, proves
/// nothing: since Linux 6.10 the kernel makes the parts without a lock, counts a change a little
/// after it has made it, and 11 of 31,304 dumps that it called whole missed an address, with no
/// code of hanet.)
class Change {
 public:
  /// Before the reader's first `receives`, the first address is removed and added as the last one.
  explicit Change(int receives) : left_(receives) { now_ = this; }
  ~Change() { now_ = nullptr; }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

  int receives() const { return receives_; }

  static void before_receive() {
    Change* const change = std::exchange(now_, nullptr);  // its own answers are received, too
    if (change == nullptr) return;
    ++change->receives_;
    if (change->left_ > 0) change->make_one();
    now_ = change;
  }

 private:
  void make_one() {
    Address address;
    address.family = AF_INET;
    address.prefix_length = 32;
    address.local = address.peer = {198, 18, 0, 0};
    address.preferred_seconds = address.valid_seconds = UINT32_MAX;
    // Every one has its turn to be the first; only those of 198.18.0.0/24 change.
    address.local[3] = address.peer[3] = static_cast<std::uint8_t>(1 + made_ % kChanging);
    EXPECT_TRUE(socket_.request(remove_address(address, index_), "remove"));
    EXPECT_TRUE(socket_.request(add_address(address, index_), "add"));
    ++made_;
    --left_;
  }

  static inline Change* now_ = nullptr;
  NetlinkSocket socket_ = NetlinkSocket::open().value();
  unsigned index_ = index_of_name(socket_, "one");
  int left_, receives_ = 0, made_ = 0;
};

}  // namespace
}  // namespace hanet::net

// The linker gives every call of recv() in this program to this one (CMakeLists.txt).
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker's names.
ssize_t __real_recv(int fd, void* buffer, std::size_t size, int flags);
ssize_t __wrap_recv(int fd, void* buffer, std::size_t size, int flags) {
  hanet::net::Change::before_receive();
  return __real_recv(fd, buffer, size, flags);
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
}

namespace hanet::net {
namespace {

/// Without the product: how many parts has a dump, and does the kernel say that something changed?
struct Seen {
  int parts = 0;
  bool interrupted = false;
};

Seen dump_by_hand() {
  const Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  std::array<char, 32768> buffer{};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = RTM_GETADDR;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request->nlmsg_seq = 1;
  static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifaddrmsg)))->ifa_family =
      AF_INET;
  Seen seen;
  if (::send(socket.get(), request, request->nlmsg_len, 0) < 0) return seen;
  for (;;) {
    const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    ++seen.parts;
    const int more = mnl_cb_run(
        buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)), 1, 0,
        [](const nlmsghdr*, void*) -> int { return MNL_CB_OK; }, nullptr);
    seen.interrupted = more < 0 && errno == EINTR;
    if (more <= MNL_CB_STOP) return seen;
  }
}

/// What the product's dump hands over: how often each address that never changes.
Status dump_addresses(std::map<std::vector<std::uint8_t>, int>& seen) {
  ifaddrmsg all{};
  all.ifa_family = AF_INET;
  NetlinkSocket socket = NetlinkSocket::open().value();
  Status done =
      socket.dump(MessageBuilder(RTM_GETADDR, 0).header(all).take(), [&](const nlmsghdr& message) {
        for_each_attribute(attributes_of(message, sizeof(ifaddrmsg)),
                           [&](std::uint16_t type, std::span<const std::uint8_t> value) {
                             if (type == IFA_LOCAL) ++seen[{value.begin(), value.end()}];
                           });
      });
  std::erase_if(seen, [](const auto& one) { return one.first[2] == 0; });
  return done;
}

TEST_F(Netlink, F3_ADumpDuringWhichSomethingChangedHandsNothingOverTwice) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(give_addresses());
    const Seen quiet = dump_by_hand();
    ASSERT_FALSE(quiet.interrupted) << "nothing changes yet";
    ASSERT_GT(quiet.parts, 3);
    // One change after the first part; one after each of the first two; and so on.
    for (int changes = 1; changes < quiet.parts; ++changes) {
      {
        const Change change(changes);
        ASSERT_TRUE(dump_by_hand().interrupted) << "the witness: the kernel says so";
      }
      const Change change(changes);
      std::map<std::vector<std::uint8_t>, int> seen;
      const Status done = dump_addresses(seen);
      ASSERT_TRUE(done) << done.error().message;
      EXPECT_GT(change.receives(), quiet.parts) << "it was not asked for again";
      ASSERT_EQ(seen.size(), std::size_t{kAddresses - kChanging}) << changes << " changes";
      for (const auto& [address, times] : seen) ASSERT_EQ(times, 1);
    }
  });
}

TEST_F(Netlink, F3_ADumpDuringWhichSomethingAlwaysChangesHandsNothingOver) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(give_addresses());
    const int parts = dump_by_hand().parts;
    const Change change(100 * parts);
    std::map<std::vector<std::uint8_t>, int> seen;
    const Status done = dump_addresses(seen);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, EINTR) << done.error().message;
    EXPECT_TRUE(seen.empty()) << "what is no truth was handed over";
    EXPECT_GE(change.receives(), 2 * parts) << "it was not asked for again";
    EXPECT_LT(change.receives(), 20 * parts) << "it is asked for without end";
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

TEST_F(Netlink, F18_EveryRefusalOfAVeryLargeBatchIsHeard) {
  in_new_namespace([] {
    ASSERT_TRUE(ip("link add one type veth peer name two"));
    NetlinkSocket socket = NetlinkSocket::open().value();
    const unsigned one = index_of_name(socket, "one");
    std::vector<NetlinkMessage> batch(30'000, set_admin_state(4711, true));
    batch[20'000] = set_admin_state(one, true);
    ASSERT_TRUE(socket.send(batch));
    const auto answers = socket.collect();
    ASSERT_TRUE(answers) << answers.error().message;
    ASSERT_EQ(answers->size(), batch.size());
    for (std::size_t at = 0; at < answers->size(); ++at)
      ASSERT_EQ((*answers)[at].code, at == 20'000 ? 0 : ENODEV) << at;
    EXPECT_TRUE(socket.request(set_admin_state(one, false), "set it down")) << "nothing is left";
  });
}

TEST_F(Netlink, F18_WhatIsGivenUpIsRefusedAndNotDone) {
  in_new_namespace([] {
    ASSERT_TRUE(ip("link add one type veth peer name two"));
    NetlinkSocket socket = NetlinkSocket::open().value();
    const unsigned one = index_of_name(socket, "one");
    std::vector<NetlinkMessage> batch(2 * NetlinkSocket::kChunk, set_admin_state(one, false));
    batch.back() = set_admin_state(one, true);
    socket.give_up_when([] { return true; });
    const Status sent = socket.send(batch);
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, ECANCELED);
    socket.give_up_when({});
    const auto answers = socket.collect();
    ASSERT_TRUE(answers) << answers.error().message;
    ASSERT_EQ(answers->size(), batch.size());
    EXPECT_EQ(answers->front().code, 0);
    EXPECT_EQ(answers->back().code, ECANCELED);
    EXPECT_FALSE(read_link(socket, one)->admin_up);
    ASSERT_TRUE(socket.send(batch)) << "the witness";
    ASSERT_TRUE(socket.collect());
    EXPECT_TRUE(read_link(socket, one)->admin_up);
  });
}

TEST_F(Netlink, T1_TheSpeedOfALinkIsWhatTheDriverTells) {
  in_new_namespace([] {
    ASSERT_TRUE(ip("link add one type veth peer name two"));
    EXPECT_EQ(link_speeds("one").told, 10'000U) << "drivers/net/veth.c, veth_get_link_ksettings";
    EXPECT_EQ(link_speeds("one").possible, std::nullopt) << "a virtual card negotiates nothing";
    EXPECT_EQ(link_speeds("lo").told, std::nullopt) << "a driver that does not tell";
    EXPECT_EQ(link_speeds("gone").told, std::nullopt);
    NetlinkSocket socket = NetlinkSocket::open().value();
    EXPECT_EQ(driver_of(index_of_name(socket, "one")), "veth");
  });
}

}  // namespace
}  // namespace hanet::net
