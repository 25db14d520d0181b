# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The networks that the lab can build, and hanet's configuration for their nodes. Sourced by
# tools/lab; uses its ns_of, in_ns and options.
#
# Links are made by `ip -batch` inside mid with the other end placed straight into the node's
# namespace: one process per namespace instead of one per link makes a lab cheap enough to build
# for every test. Addresses and MACs are fixed, so that a capture of today reads like one of last
# year, and two labs with different ids still share no MAC.

# Locally administered, unicast, from the id and a number: the same lab has the same MACs again.
mac() {
  local i code hash=5381
  for ((i = 0; i < ${#ID}; i++)); do
    printf -v code '%d' "'${ID:i:1}"
    hash=$(((hash * 33 + code) & 0xffff))
  done
  printf '02:%02x:%02x:00:00:%02x' $((hash >> 8)) $((hash & 255)) "$1"
}

# cards_of PORT: "NEAR FAR" from --cards; nothing for a port that has a veth pair.
cards_of() {
  local entry
  # shellcheck disable=SC2153 # an option of tools/lab
  for entry in ${CARDS//,/ }; do
    [[ $entry != "$1"=*:* ]] || { entry=${entry#*=}; echo "${entry%:*} ${entry#*:}"; }
  done
}

# take_card CARD NEAR NODE NAME MAC: a card of the caller's namespace becomes a node's port. Its alias
# remembers what it was called, and the near end of its cable.
take_card() {
  ip link show "$1" >/dev/null 2>&1 || fail "there is no card '$1'"
  ip link set "$1" down
  ip link set "$1" alias "$1 on $2" mtu 1500  # whatever the last lab made of it
  ip link set "$1" netns "$(ns_of "$3")" name "$4"
  ip -n "$(ns_of "$3")" link set "$4" address "$5"
}

cards_in() { ip -n "$1" -o link show | grep ' alias .* on ' || true; }

# Whatever has an alias came from the caller's namespace, which on a test machine is the first one.
give_cards_back() {
  local card name
  cards_in "$1" | sed -n 's/^[0-9]*: \([^:@]*\).* alias \([a-z0-9]*\) on [a-z0-9]*.*/\1 \2/p' |
    while read -r card name; do
      ip -n "$1" link set "$card" down
      ip -n "$1" link set "$card" netns 1 name "$name"
      [[ -z ${HANET_CABLE:-} ]] || "$HANET_CABLE" up "$name"
    done
}

# cable NUMBER NODE PORT BRIDGE: batch lines for one cable, its near end a port of a bridge.
cable() {
  local near=$2-$3 cards
  read -ra cards <<<"$(cards_of "$3")"
  if ((${#cards[@]})); then
    take_card "${cards[0]}" "${cards[0]}" "$2" "$3" "$(mac "$1")" >&2
    take_card "${cards[1]}" "${cards[0]}" mid "$near" "$(mac $((16 + $1)))" >&2
    printf 'link set %s addrgenmode none\nlink set %s master %s\nlink set %s up\n' \
      "$near" "$near" "$4" "$near"
    return
  fi
  printf 'link add %s address %s type veth peer name %s address %s netns %s\n' \
    "$near" "$(mac $((16 + $1)))" "$3" "$(mac "$1")" "$(ns_of "$2")"
  printf 'link set %s addrgenmode none\nlink set %s master %s\nlink set %s up\n' \
    "$near" "$near" "$4" "$near"
}

bridge_lines() {
  printf 'link add %s address %s type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n' "$1" \
    "$(mac "$2")"
  printf 'link set %s addrgenmode none\nlink set %s up\n' "$1" "$1"
}

# identity_lines PORT LAST: the addresses of a node, 192.0.2.LAST and 2001:db8::LAST.
identity_lines() {
  printf 'link set lo up\nlink set %s up\n' "$1"
  printf 'addr add 192.0.2.%s/24 brd + dev %s\n' "$2" "$1"
  printf 'addr add 2001:db8::%s/64 dev %s nodad\n' "$2" "$1"
}

# A hot standby: up, and with no address of any kind.
bare_lines() { printf 'link set %s addrgenmode none\nlink set %s up\n' "$1" "$1"; }

# The link between two switches: both ends are ports in mid.
uplink_lines() {
  printf 'link add up0 address %s type veth peer name up1 address %s\n' "$(mac 48)" "$(mac 49)"
  printf 'link set up%s addrgenmode none\nlink set up%s master br%s\nlink set up%s up\n' \
    0 0 0 0 1 1 1 1
}

# virtual_lines PORT BASE: three virtual addresses in each family, those of IPv4 with labels.
virtual_lines() {
  local i
  for i in 1 2 3; do
    printf 'addr add 192.0.2.%s/24 brd + dev %s label %s:v%s\n' $(($2 + i)) "$1" "$1" "$i"
    printf 'addr add 2001:db8::%s/64 dev %s nodad\n' $(($2 + i)) "$1"
  done
}

# The switch itself has no address and sends nothing of its own.
prepare_mid() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  in_ns mid bash -c '
    for scope in all default; do echo 1 >/proc/sys/net/ipv6/conf/$scope/disable_ipv6; done'
  ip -n "$(ns_of mid)" link set lo up
}

# Written before any link exists, so that each link starts with these values. Without duplicate
# address detection no address is ever tentative.
node_sysctls() {
  local node=$1
  # shellcheck disable=SC2016 # expanded by the inner shell
  in_ns "$node" bash -c '
    for scope in all default; do
      echo 0 >/proc/sys/net/ipv6/conf/$scope/accept_dad
      echo 0 >/proc/sys/net/ipv6/conf/$scope/dad_transmits
      echo 0 >/proc/sys/net/ipv6/conf/$scope/accept_ra
      echo 0 >/proc/sys/net/ipv4/conf/$scope/rp_filter
    done'
}

fault_table() {
  in_ns mid nft -f - <<'NFT'
table bridge fault {
  set from_host { type ifname; }
  set to_host { type ifname; }
  chain leave_cable {
    type filter hook prerouting priority -300; policy accept;
    iifname @from_host counter drop
  }
  chain enter_cable {
    type filter hook postrouting priority 300; policy accept;
    oifname @to_host counter drop
  }
}
NFT
}

build_switch() {
  node_sysctls host
  node_sysctls client
  { bridge_lines br0 32; cable 1 host p0 br0; cable 2 host p1 br0; cable 3 client c0 br0; } |
    ip -n "$(ns_of mid)" -batch -
  {
    identity_lines c0 10
    printf 'addr add 198.51.100.1/32 dev lo\naddr add 2001:db8:100::1/128 dev lo nodad\n'
  } | ip -n "$(ns_of client)" -batch -
  {
    identity_lines p0 1
    printf 'addr add 192.0.2.101/24 brd + dev p0 label p0:vip\n'
    bare_lines p1
    printf 'route add default via 192.0.2.10 dev p0\n'
    printf 'route add default via 2001:db8::10 dev p0\n'
  } | ip -n "$(ns_of host)" -batch -
}

build_crossover() {
  node_sysctls a
  node_sysctls b
  {
    bridge_lines br0 32; cable 1 a p0 br0; cable 2 b p0 br0
    bridge_lines br1 33; cable 3 a p1 br1; cable 4 b p1 br1
  } | ip -n "$(ns_of mid)" -batch -
  { identity_lines p0 1; bare_lines p1; } | ip -n "$(ns_of a)" -batch -
  { identity_lines p0 2; bare_lines p1; } | ip -n "$(ns_of b)" -batch -
}

build_two_switches() {
  node_sysctls a
  node_sysctls b
  {
    bridge_lines br0 32; cable 1 a p0 br0; cable 2 b p0 br0
    bridge_lines br1 33; cable 3 a p1 br1; cable 4 b p1 br1
    uplink_lines
  } | ip -n "$(ns_of mid)" -batch -
  { identity_lines p0 1; virtual_lines p0 100; bare_lines p1; } | ip -n "$(ns_of a)" -batch -
  { identity_lines p0 2; virtual_lines p0 200; bare_lines p1; } | ip -n "$(ns_of b)" -batch -
}

# The inside node hangs on the standby's switch, so the primary path is longer by a switch and the
# link between them.
build_firewall() {
  local node
  for node in out fw in; do node_sysctls "$node"; done
  {
    bridge_lines br2 34; cable 1 out c0 br2; cable 2 fw e0 br2
    bridge_lines br0 32; cable 3 fw p0 br0
    bridge_lines br1 33; cable 4 fw p1 br1; cable 5 in c0 br1
    uplink_lines
  } | ip -n "$(ns_of mid)" -batch -
  {
    outside_lines c0 10
    printf 'route add 192.0.2.0/24 via 198.51.100.1\nroute add 2001:db8::/64 via 2001:db8:100::1\n'
  } | ip -n "$(ns_of out)" -batch -
  { outside_lines e0 1; identity_lines p0 1; bare_lines p1; } | ip -n "$(ns_of fw)" -batch -
  {
    identity_lines c0 10
    printf 'route add default via 192.0.2.1\nroute add default via 2001:db8::1\n'
  } | ip -n "$(ns_of in)" -batch -
  # shellcheck disable=SC2016 # expanded by the inner shell
  in_ns fw bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
  firewall_rules
}

outside_lines() {
  printf 'link set lo up\nlink set %s up\n' "$1"
  printf 'addr add 198.51.100.%s/24 brd + dev %s\n' "$2" "$1"
  printf 'addr add 2001:db8:100::%s/64 dev %s nodad\n' "$2" "$1"
}

# What a firewall's rules look like: they name addresses and interfaces, drop by default, and know
# the connections. New ones come in by whichever inside card is in use, except those to TCP port
# 9300: their rule names p0 only, so after a failover it admits no new one.
firewall_rules() {
  in_ns fw nft -f - <<'NFT'
table inet firewall {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state invalid counter drop
    ct state established,related accept
    iifname { "p0", "p1" } oifname "e0" ip saddr 192.0.2.0/24 accept
    iifname { "p0", "p1" } oifname "e0" ip6 saddr 2001:db8::/64 accept
    iifname "e0" oifname "p0" tcp dport 9300 accept
    tcp dport 9300 counter drop
    iifname "e0" oifname { "p0", "p1" } ip daddr 192.0.2.10 accept
    iifname "e0" oifname { "p0", "p1" } ip6 daddr 2001:db8::10 accept
  }
  chain input {
    type filter hook input priority 0; policy drop;
    iifname "lo" accept
    ct state established,related accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    iifname { "p0", "p1" } ip daddr 192.0.2.1 accept
    iifname { "p0", "p1" } ip6 daddr 2001:db8::1 accept
  }
}
NFT
}

# --- configuration -------------------------------------------------------------------------------

# hanet_nodes TOPOLOGY: the nodes that run hanet, the monitored host first.
hanet_nodes() {
  case $1 in
    switch | trunk) echo host ;;
    crossover | two-switches) echo a b ;;
    firewall) echo fw ;;
  esac
}

# heartbeat_lines NODE: who is asked, and from which addresses the probes come. Sources are given
# where an answer has to find the way back to the port that asked: icmp over IPv4, and between a and
# b, where each port asks the other end's hanet on the same cable or switch.
heartbeat_lines() {
  local own peer
  case $1$FAMILY in
    host4 | fw4) printf 'target = "192.0.2.10"\n'
      [[ $HEARTBEAT != icmp ]] ||
        printf 'primary_source = "192.0.2.251"\nstandby_source = "192.0.2.252"\n' ;;
    host6 | fw6) printf 'target = "2001:db8::10"\n' ;;
    a4 | b4)
      own=25 peer=24
      [[ $1 == a ]] || own=24 peer=25
      printf 'primary_source = "192.0.2.%s1"\nstandby_source = "192.0.2.%s2"\n' "$own" "$own"
      printf 'primary_target = "192.0.2.%s1"\nstandby_target = "192.0.2.%s2"\n' "$peer" "$peer"
      printf 'both_ends = true\n' ;;
    a6 | b6)
      own=$1 peer=b
      [[ $own == a ]] || peer=a
      printf 'primary_source = "fe80::%s:1"\nstandby_source = "fe80::%s:2"\n' "$own" "$own"
      printf 'primary_target = "fe80::%s:1"\nstandby_target = "fe80::%s:2"\n' "$peer" "$peer"
      printf 'both_ends = true\n' ;;
  esac
}

# A host without the second card's ports is no trunk's host.
path_lines() {
  if ns_exists far; then
    if is_aggregate; then TRUNK_MODE=static; fi
    printf 'primary = ["p0", "p1", "p2", "p3"]\nstandby = ["p4", "p5", "p6", "p7"]\n'
    printf 'trunk = {mode = "%s", threshold_percent = %s}\n' "$TRUNK_MODE" "$THRESHOLD"
  else
    printf 'primary = "p0"\nstandby = "p1"\n'
  fi
}

hanet_config() {
  case $1 in
    host | a | b | fw) ;;
    *) usage_error "no hanet runs on node '$1', only on: host (switch), a b (crossover," \
      "two-switches), fw (firewall)" ;;
  esac
  if [[ $1 == [ab] && $HEARTBEAT == icmp ]]; then
    fail "a and b cannot use icmp: a probe address answers no echo; use arp"
  fi
  if [[ -z $MODE ]]; then if [[ $1 == fw ]]; then MODE=warm; else MODE=hot; fi; fi
  [[ $MODE == hot || $MODE == metanet ]] || BRIDGING=false
  cat <<TOML
[[group]]
name = "mether0"
$(path_lines)
mode = "$MODE"
bridging = $BRIDGING
$([[ $MODE != metanet ]] || echo 'take_over = true')
[group.heartbeat]
kind = "$HEARTBEAT"
interval_us = $INTERVAL_US
multiplier = $MULTIPLIER
link_poll_us = 100
up_count = 3
$(heartbeat_lines "$1")
TOML
}
