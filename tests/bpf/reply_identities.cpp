// SPDX-License-Identifier: Apache-2.0
//
// Replies that are well formed and not ours, or not now: sources, sessions, cookies, sequences.
//
// The scene of these cases (see reply_test.cpp): session 0 is the port's own; session 1 belongs to
// another port; session 2 is of the same port and of another family; the rest is not in use.
#include "reply_cases.h"

namespace hanet::bpf_test {
namespace {

using Frame = net::Frame;
using Change = std::function<void(Frame&)>;

Change payload(Beat beat, const std::function<void(hanet_echo_payload&)>& change) {
  const std::size_t icmp = is_ipv6(beat) ? kIcmpv6At : kIcmpAt;
  return [icmp, change](Frame& frame) {
    hanet_echo_payload bytes = payload_of(frame, icmp);
    change(bytes);
    set_payload(frame, icmp, bytes);
  };
}

Change destination(const net::MacAddress& mac) {
  return [mac](Frame& frame) { net::set_destination(frame, mac); };
}

Change flip(std::size_t at, unsigned bits = 1) {
  return [at, bits](Frame& frame) { frame.at(at) ^= static_cast<std::uint8_t>(bits); };
}

Change word(std::size_t at, unsigned value) {
  return [at, value](Frame& frame) { put16(frame, at, value); };
}

std::vector<ReplyCase> echo_cases(Beat beat) {
  const std::string name = to_text(beat);
  const std::size_t source = is_ipv6(beat) ? 22 : 26;
  const auto with = [&](const std::function<void(hanet_echo_payload&)>& change) {
    return payload(beat, change);
  };
  const auto sequence = [&](std::uint64_t value) {
    return payload(beat, [value](hanet_echo_payload& bytes) { bytes.sequence = value; });
  };
  return {
      {name + "OtherMagic", beat, HANET_REJECT_WRONG_MAGIC, with([](auto& b) { ++b.magic; })},
      {name + "NoMagic", beat, HANET_REJECT_WRONG_MAGIC, with([](auto& b) { b.magic = 0; })},
      {name + "OtherCookie", beat, HANET_REJECT_WRONG_COOKIE, with([](auto& b) { b.cookie ^= 1; })},
      {name + "NoCookie", beat, HANET_REJECT_WRONG_COOKIE, with([](auto& b) { b.cookie = 0; })},
      {name + "OtherId", beat, HANET_REJECT_WRONG_SESSION, with([](auto& b) { b.id ^= 1; })},
      {name + "SessionNotInUse", beat, HANET_REJECT_WRONG_SESSION,
       with([](auto& b) { b.session = 9; })},
      {name + "SessionBeyondTheMap", beat, HANET_REJECT_WRONG_SESSION,
       with([](auto& b) { b.session = HANET_MAX_SESSIONS; })},
      {name + "SessionOfNumberNone", beat, HANET_REJECT_WRONG_SESSION,
       with([](auto& b) { b.session = HANET_NONE; })},
      {name + "SessionOfAnotherPort", beat, HANET_REJECT_WRONG_PORT, with([](auto& b) {
         b.session = 1;
         b.id = 0x5e550001;
         b.cookie = 0xc00c1e0000000001;
       })},
      {name + "SessionOfAnotherFamily", beat, HANET_REJECT_WRONG_SESSION, with([](auto& b) {
         b.session = 2;
         b.id = 0x5e550002;
         b.cookie = 0xc00c1e0000000002;
       })},
      {name + "OtherSource", beat, HANET_REJECT_WRONG_SOURCE, flip(source + 3)},
      {name + "SourceOfZeros", beat, HANET_REJECT_WRONG_SOURCE,
       [source, beat](Frame& f) {
         const auto at = f.begin() + static_cast<std::ptrdiff_t>(source);
         std::fill(at, at + (is_ipv6(beat) ? 16 : 4), std::uint8_t{0});
       }},
      {name + "NextSequence", beat, HANET_REJECT_FUTURE, sequence(6)},
      {name + "LargestSequence", beat, HANET_REJECT_FUTURE, sequence(UINT64_MAX)},
      {name + "SequenceOneWindowOn", beat, HANET_REJECT_FUTURE, sequence(4 + HANET_WINDOW)},
      {name + "SequenceZero", beat, HANET_REJECT_FUTURE, sequence(0)},
      {name + "LateSequence", beat, HANET_REJECT_LATE, sequence(1)},
      {name + "Duplicate", beat, HANET_REJECT_DUPLICATE, sequence(2)},
      {name + "NewestSequence", beat, kCounts, sequence(5)},
      {name + "OldestOutstandingSequence", beat, kCounts, sequence(3)},
  };
}

std::vector<ReplyCase> arp_cases() {
  const Beat arp = Beat::Arp;
  return {
      {"ArpOtherHardware", arp, HANET_REJECT_NOT_A_REPLY, word(14, 6)},
      {"ArpOtherProtocol", arp, HANET_REJECT_NOT_A_REPLY, word(16, 0x86dd)},
      {"ArpHardwareLengthOf8", arp, HANET_REJECT_NOT_A_REPLY, flip(18, 6 ^ 8)},
      {"ArpHardwareLengthOf0", arp, HANET_REJECT_NOT_A_REPLY, flip(18, 6)},
      {"ArpProtocolLengthOf16", arp, HANET_REJECT_NOT_A_REPLY, flip(19, 4 ^ 16)},
      {"ArpProtocolLengthOf0", arp, HANET_REJECT_NOT_A_REPLY, flip(19, 4)},
      {"ArpRequestInsteadOfReply", arp, HANET_REJECT_NOT_A_REPLY,
       [](Frame& f) {
         put16(f, 20, 1);
         f[41] ^= 1;  // for another address, or hanet would answer it
       }},
      {"ArpReverseReply", arp, HANET_REJECT_NOT_A_REPLY, word(20, 4)},
      {"ArpOtherSender", arp, HANET_REJECT_WRONG_SOURCE, flip(31)},
      {"ArpForAnotherAsker", arp, HANET_REJECT_WRONG_COOKIE, flip(37)},
      {"ArpFromAGroupAddress", arp, HANET_REJECT_WRONG_SOURCE, flip(22)},
      {"ArpWithPadding", arp, kCounts, [](Frame& f) { f.resize(60); }},
  };
}

std::vector<ReplyCase> advertisement_cases() {
  const Beat na = Beat::Solicitation;
  return {
      {"AdvertisementUnsolicited", na, HANET_REJECT_NOT_A_REPLY, flip(kIcmpv6At + 4, 0x40)},
      {"AdvertisementThatWasRouted", na, HANET_REJECT_NOT_A_REPLY, flip(21)},
      {"AdvertisementOfAnotherTarget", na, HANET_REJECT_WRONG_SOURCE, flip(kIcmpv6At + 23)},
      {"AdvertisementToAnotherAddress", na, HANET_REJECT_WRONG_COOKIE, flip(53)},
      {"AdvertisementWithoutAnAddress", na, kCounts,
       [](Frame& f) {
         f.resize(kIcmpv6At + 24);
         put16(f, 18, 24);
       }},
      {"AdvertisementWithAnotherOption", na, kCounts, flip(kIcmpv6At + 24, 2 ^ 14)},
      {"AdvertisementOfAGroupAddress", na, HANET_REJECT_WRONG_SOURCE, flip(kIcmpv6At + 26)},
  };
}

std::vector<ReplyCase> destination_cases() {
  std::vector<ReplyCase> cases;
  for (const Beat beat : {Beat::EchoIpv4, Beat::EchoIpv6, Beat::Arp, Beat::Solicitation}) {
    const std::string name = to_text(beat);
    cases.push_back({name + "ToTheHost", beat, kNotOurs, destination(kOtherMac)});
    cases.push_back({name + "ToAnotherProbe", beat, kNotOurs,
                     destination({0x02, 0x68, 0x6e, 0x00, 0x00, 0x02})});
    cases.push_back({name + "ToEverybody", beat, kNotOurs, destination(net::kBroadcast)});
  }
  return cases;
}

}  // namespace

std::vector<ReplyCase> identity_cases() {
  std::vector<ReplyCase> cases;
  for (const auto& more : {echo_cases(Beat::EchoIpv4), echo_cases(Beat::EchoIpv6), arp_cases(),
                           advertisement_cases(), destination_cases()})
    cases.insert(cases.end(), more.begin(), more.end());
  return cases;
}

}  // namespace hanet::bpf_test
