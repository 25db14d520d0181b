// SPDX-License-Identifier: Apache-2.0
//
// See random_identity.h.
#include "netns/random_identity.h"

#include <fmt/format.h>

#include <array>
#include <span>

namespace hanet::test {
namespace {

using Words = std::span<const char* const>;

class Generator {
 public:
  Generator(std::mt19937& random, std::string port) : random_(random), port_(std::move(port)) {}

  RandomIdentity make() {
    some(5, [&](unsigned at) { add("addr add " + ipv4_address(at)); });
    some(5, [&](unsigned at) { add("-6 addr add " + ipv6_address(at)); });
    const unsigned nexthops = one_in(2) ? 4 : 0;
    for (unsigned at = 0; at < nexthops; ++at) add(nexthop(at));
    for (unsigned at = 0; at < nexthops; ++at) add(nexthop_group(at));
    some(8, [&](unsigned at) { add(any(kVerbs) + ipv4_route(at)); });
    some(7, [&](unsigned at) { add("-6 " + any(kVerbs) + ipv6_route(at)); });
    some(3, [&](unsigned at) { add(others_route(at)); });
    some(4, [&](unsigned at) { add(rule(at)); });
    some(5, [&](unsigned at) { add(neighbour(at)); });
    some(8, [&](unsigned) { set_something(); });
    return std::move(made_);
  }

 private:
  /// The second one makes a multipath route, or a second route to the same.
  static constexpr std::array kVerbs{"route add ", "route append "};

  unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
  bool one_in(unsigned count) { return below(count) == 0; }
  std::string any(Words words) { return words[below(static_cast<unsigned>(words.size()))]; }
  /// One of the texts, at times.
  std::string maybe(const std::string& text, unsigned count = 3) {
    return one_in(count) ? " " + text : std::string();
  }
  template <typename Make>
  void some(unsigned most, const Make& make) {
    const unsigned count = below(most + 1);
    for (unsigned at = 0; at < count; ++at) make(at);
  }
  void add(std::string command) { made_.commands.push_back(std::move(command)); }

  std::string lifetime() {
    return one_in(3) ? fmt::format(" valid_lft {} preferred_lft {}", 3600 + below(1000),
                                   one_in(4) ? 0 : 1800 + below(1000))
                     : std::string();
  }

  std::string ipv4_address(unsigned at) {
    static constexpr std::array kScopes{"scope global", "scope link", "scope host", "scope 200"};
    if (one_in(6))
      return fmt::format("10.9.{}.1 peer 10.9.{}.2/{} dev {}{}", at, at, one_in(2) ? 32 : 24, port_,
                         maybe("metric 77"));
    static constexpr std::array kLengths{"24", "25", "32", "31", "16"};
    // Two of one network at times: a secondary.
    std::string text =
        fmt::format("10.{}.0.{}/{} dev {}", 20 + below(3), 10 + 2 * at, any(kLengths), port_);
    text += one_in(2) ? " brd +" : "";
    text += maybe(any(kScopes)) + maybe(fmt::format("label {}:x{}", port_, at), 2);
    return text + maybe("noprefixroute", 4) + maybe(fmt::format("metric {}", 50 + below(9)), 4) +
           lifetime();
  }

  std::string ipv6_address(unsigned at) {
    if (one_in(6))
      return fmt::format("2001:db8:a::{:x} peer 2001:db8:b::{:x}/128 dev {} nodad", at + 1, at + 1,
                         port_);
    static constexpr std::array kLengths{"64", "128", "48", "96", "127"};
    return fmt::format("2001:db8:{:x}::{:x}/{} dev {} nodad", 0x20 + below(3), 0x10 + 2 * at,
                       any(kLengths), port_) +
           maybe("noprefixroute", 4) + maybe(fmt::format("metric {}", 300 + below(9)), 4) +
           maybe("mngtmpaddr", 6) + maybe("home", 8) + lifetime();
  }

  // 100 and 101 are of IPv4, 102 and 103 of IPv6, and so are the groups 200, 201 and 202, 203.
  std::string nexthop(unsigned at) {
    static constexpr std::array kIpv4{"via 192.0.2.10", "via 192.0.2.11", "",
                                      "via 10.200.0.1 onlink"};
    static constexpr std::array kIpv6{"via 2001:db8::10", "via fe80::99",
                                      "via 2001:db8:ffff::1 onlink"};
    return fmt::format("nexthop add id {} {} dev {}{}", 100 + at, at < 2 ? any(kIpv4) : any(kIpv6),
                       port_, maybe("proto 196"));
  }

  std::string nexthop_group(unsigned at) {
    static constexpr std::array kIpv4{"100", "100/101", "100,3/101,7"};
    static constexpr std::array kIpv6{"103", "102/103", "102,3/103,7"};
    static constexpr std::array kTypes{"", "", " type resilient buckets 8 idle_timer 60"};
    return fmt::format("nexthop add id {} group {}{}", 200 + at, at < 2 ? any(kIpv4) : any(kIpv6),
                       any(kTypes));
  }

  std::string table() { return maybe(fmt::format("table {}", 100 + below(3)), 3); }

  /// What is said of all ways comes before them.
  std::string route(const std::string& to, Words more, Words ways) {
    return to + table() + maybe(fmt::format("metric {}", 10 + below(3)), 2) +
           maybe("proto bird", 3) + maybe(any(more), 3) + " " +
           fmt::format(fmt::runtime(any(ways)), port_, port_);
  }

  std::string ipv4_route(unsigned at) {
    static constexpr std::array kWays{
        "via 192.0.2.10 dev {}",
        "dev {}",
        "via inet6 2001:db8::10 dev {}",
        "via 10.201.0.1 dev {} onlink",
        "dev {} scope link",
        "nhid 100",
        "nhid 200",
        "nhid 201",
        "nexthop via 192.0.2.10 dev {} weight 3 nexthop via 192.0.2.11 dev {} weight 5",
        "nexthop via 192.0.2.10 dev {} nexthop via inet6 2001:db8::11 dev {}",
        "nexthop via 192.0.2.12 dev {} nexthop via 198.18.0.9 dev {} onlink",
        "via 192.0.2.10 dev {} src 192.0.2.101",
        "encap seg6 mode encap segs fc00::1 via 192.0.2.10 dev {}"};
    static constexpr std::array kMore{"mtu 1300",    "mtu lock 1400", "advmss 900",
                                      "initcwnd 20", "quickack 1",    "rtt 100ms",
                                      "realm 3",     "hoplimit 9",    "congctl reno"};
    const std::string dst = fmt::format("10.{}.{}.0/24", 100 + below(2), at / 2);
    static constexpr std::array kTypes{"local ", "broadcast ", "multicast "};
    if (one_in(10)) return any(kTypes) + dst + " dev " + port_ + table();
    return (one_in(4) ? "tos 0x10 " : "") + route(dst, kMore, kWays);
  }

  std::string ipv6_route(unsigned at) {
    static constexpr std::array kWays{
        "via 2001:db8::10 dev {}",
        "dev {}",
        "via 2001:db8:ff::1 dev {} onlink",
        "nhid 102",
        "nhid 202",
        "nhid 203",
        "nexthop via 2001:db8::10 dev {} weight 2 nexthop via 2001:db8::11 dev {} weight 4",
        "via 2001:db8::10 dev {} src 2001:db8::1",
        "encap seg6 mode encap segs fc00::1 via 2001:db8::10 dev {}",
        "via fe80::99 dev {}"};
    static constexpr std::array kMore{"mtu 1300",     "advmss 900", "pref high",  "pref low",
                                      "expires 3600", "hoplimit 9", "initcwnd 20"};
    static constexpr std::array kTypes{"local", "anycast", "multicast"};
    if (one_in(12))
      return fmt::format("{} 2001:db8:300:{:x}::/64 dev {} table 101", any(kTypes), at, port_);
    return route(fmt::format("2001:db8:{:x}:{:x}::/64", 0x100 + below(2), at / 2), kMore, kWays);
  }

  /// Of no interface: they stay as they are.
  std::string others_route(unsigned at) {
    static constexpr std::array kKinds{"blackhole", "unreachable", "prohibit", "throw"};
    static constexpr std::array kMore{"", "table 100", "metric 4000", "proto 77"};
    const std::string dst =
        one_in(2) ? fmt::format("10.250.{}.0/24", at) : fmt::format("2001:db8:f{}::/48", at);
    return fmt::format("route add {} {} {}", any(kKinds), dst, any(kMore));
  }

  std::string rule(unsigned at) {
    static constexpr std::array kWhich{"iif {}",           "oif {}",     "iif {} from 10.1.0.0/16",
                                       "from 192.0.2.101", "not iif {}", "oif {} fwmark 0x5/0xff"};
    static constexpr std::array kMore{"ipproto tcp dport 80", "tos 0x10", "uidrange 5-9",
                                      "sport 100-200", "to 198.51.100.0/24"};
    static constexpr std::array kThen{"lookup 100", "lookup 101 suppress_prefixlength 8",
                                      "unreachable", "blackhole", "lookup main suppress_ifgroup 7"};
    const bool is_ipv6 = one_in(3);
    std::string which = fmt::format(fmt::runtime(any(kWhich)), port_);
    if (is_ipv6 && which.contains("from")) which = "iif " + port_;
    std::string more = maybe(any(kMore), 2);
    if (is_ipv6 && more.contains("to 198")) more.clear();
    return fmt::format("{} rule add {}{} priority {} {}", is_ipv6 ? "-6" : "-4", which, more,
                       1000 + at, any(kThen));
  }

  std::string neighbour(unsigned at) {
    static constexpr std::array kWhat{
        "192.0.2.{} lladdr 02:00:00:00:99:{:02x} dev {} nud permanent",
        "2001:db8::{:x} lladdr 02:00:00:00:98:{:02x} dev {} nud permanent",
        "2001:db8::{:x} lladdr 02:00:00:00:98:{:02x} dev {} nud permanent router"};
    static constexpr std::array kProxies{"proxy 192.0.2.{} dev {}", "proxy 2001:db8::{:x} dev {}"};
    if (one_in(3)) return "neigh add " + fmt::format(fmt::runtime(any(kProxies)), 60 + at, port_);
    return "neigh add " + fmt::format(fmt::runtime(any(kWhat)), 40 + at, at, port_);
  }

  void set_something() {
    struct Choice {
      const char* setting;
      std::array<const char*, 2> values;
    };
    static constexpr std::array<Choice, 35> kChoices{{
        {"ipv4/conf/forwarding", {"0", "1"}},
        {"ipv6/conf/forwarding", {"0", "1"}},
        {"ipv4/conf/rp_filter", {"0", "2"}},
        {"ipv4/conf/proxy_arp", {"0", "1"}},
        {"ipv4/conf/proxy_arp_pvlan", {"0", "1"}},
        {"ipv4/conf/send_redirects", {"0", "1"}},
        {"ipv4/conf/accept_redirects", {"0", "1"}},
        {"ipv4/conf/accept_local", {"0", "1"}},
        {"ipv4/conf/route_localnet", {"0", "1"}},
        {"ipv4/conf/arp_accept", {"1", "2"}},
        {"ipv4/conf/arp_announce", {"1", "2"}},
        {"ipv4/conf/arp_notify", {"0", "1"}},
        {"ipv4/conf/arp_filter", {"0", "1"}},
        {"ipv4/conf/promote_secondaries", {"0", "1"}},
        {"ipv4/conf/ignore_routes_with_linkdown", {"0", "1"}},
        {"ipv4/conf/src_valid_mark", {"0", "1"}},
        {"ipv4/conf/tag", {"0", "9"}},
        {"ipv6/conf/accept_ra", {"0", "2"}},
        {"ipv6/conf/accept_redirects", {"0", "1"}},
        {"ipv6/conf/hop_limit", {"33", "64"}},
        {"ipv6/conf/mtu", {"1400", "1280"}},
        {"ipv6/conf/proxy_ndp", {"0", "1"}},
        {"ipv6/conf/ndisc_notify", {"0", "1"}},
        {"ipv6/conf/use_tempaddr", {"1", "2"}},
        {"ipv6/conf/keep_addr_on_down", {"1", "-1"}},
        {"ipv6/conf/optimistic_dad", {"0", "1"}},
        {"ipv6/conf/accept_dad", {"0", "2"}},
        {"ipv6/conf/stable_secret", {"2001:db8::1", "2001:db8::2"}},
        {"ipv6/conf/ignore_routes_with_linkdown", {"0", "1"}},
        {"ipv6/conf/addr_gen_mode", {"1", "3"}},
        {"ipv6/conf/max_addresses", {"5", "99"}},
        {"ipv4/neigh/base_reachable_time_ms", {"45000", "20000"}},
        {"ipv4/neigh/gc_stale_time", {"61", "62"}},
        {"ipv6/neigh/retrans_time_ms", {"800", "900"}},
        {"ipv6/neigh/ucast_solicit", {"4", "5"}},
    }};
    const Choice& choice = kChoices[below(kChoices.size())];
    made_.settings[choice.setting] = choice.values[below(2)];
  }

  std::mt19937& random_;
  std::string port_;
  RandomIdentity made_;
};

}  // namespace

RandomIdentity random_identity(std::mt19937& random, const std::string& port) {
  return Generator(random, port).make();
}

}  // namespace hanet::test
