# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The network "trunk": a host with four ports to each of two switches, two LANs behind them. Sourced
# by tools/lab; uses its ns_of, in_ns and options, and the lines of lab_topology.bash.
#
# With --trunk-mode static each switch treats its four ports as one aggregate, as a real switch does
# that was told so. The kernel that builds hanet has no bonding driver, so nftables plays it: what
# comes in at any of the four goes to one end of a veth pair whose other end is a port of the bridge,
# and what comes out there leaves by one of the four, chosen by a hash over the addresses. Such a
# switch looks at the carrier only; aggregate_choose is called when one changes.

# The near ends of the host's cables to a switch: trunk_cables 0|1.
trunk_cables() {
  local n
  for n in 0 1 2 3; do printf 'host-p%s ' $((4 * $1 + n)); done
}

# trunk_uplink_lines 0|1: the cable from a switch to the one behind it.
trunk_uplink_lines() {
  local end
  printf 'link add up%s address %s type veth peer name core%s address %s\n' \
    "$1" "$(mac $((48 + $1)))" "$1" "$(mac $((50 + $1)))"
  for end in "up$1 br$1" "core$1 br2"; do
    printf 'link set %s addrgenmode none\nlink set %s master %s\nlink set %s up\n' \
      "${end% *}" "${end% *}" "${end#* }" "${end% *}"
  done
}

# The host forwards between its two LANs.
build_trunk() {
  local node n
  for node in host client far; do node_sysctls "$node"; done
  {
    for n in 0 1 2; do bridge_lines "br$n" $((32 + n)); done
    for n in 0 1 2 3 4 5 6 7; do cable $((1 + n)) host "p$n" "br$((n / 4))"; done
    cable 9 client c0 br2
    cable 10 far c0 br2
    for n in 0 1; do trunk_uplink_lines "$n"; done
  } | ip -n "$(ns_of mid)" -batch -
  { identity_lines c0 10; printf 'route add 198.51.100.0/24 via 192.0.2.1\n'; } |
    ip -n "$(ns_of client)" -batch -
  { outside_lines c0 10; printf 'route add 192.0.2.0/24 via 198.51.100.1\n'; } |
    ip -n "$(ns_of far)" -batch -
  {
    identity_lines p0 1
    outside_lines p0 1
    printf 'addr add 192.0.2.101/24 brd + dev p0 label p0:vip\n'
    for n in 1 2 3 4 5 6 7; do bare_lines "p$n"; done
    printf 'route add default via 192.0.2.10 dev p0\nroute add default via 2001:db8::10 dev p0\n'
  } | ip -n "$(ns_of host)" -batch -
  # shellcheck disable=SC2016 # expanded by the inner shell
  in_ns host bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
  if [[ $TRUNK_MODE == static ]]; then build_aggregates; fi
}

build_aggregates() {
  local n port
  {
    for n in 0 1; do
      printf 'link add lag%s address %s type veth peer name lagx%s address %s\n' \
        "$n" "$(mac $((52 + n)))" "$n" "$(mac $((54 + n)))"
      printf 'link set lagx%s addrgenmode none\nlink set lagx%s up\n' "$n" "$n"
      printf 'link set lag%s addrgenmode none\nlink set lag%s master br%s\nlink set lag%s up\n' \
        "$n" "$n" "$n" "$n"
      for port in $(trunk_cables "$n"); do printf 'link set %s nomaster\n' "$port"; done
    done
  } | ip -n "$(ns_of mid)" -batch -
  {
    printf 'table netdev aggregate {\nset from_host { type ifname; }\nset to_host { type ifname; }\n'
    for n in 0 1; do aggregate_chains "$n"; done
    printf '}\n'
  } | in_ns mid nft -f -
  aggregate_choose
}

# The frames that vanish on a cable do so before and behind the aggregate.
aggregate_chains() {
  local ports
  ports=$(trunk_cables "$1")
  ports=${ports% }
  ports=${ports// /, }
  cat <<NFT
  chain in$1 {
    type filter hook ingress devices = { $ports } priority 0;
    iifname @from_host counter drop
    fwd to "lagx$1"
  }
  chain out$1 { type filter hook ingress device "lagx$1" priority 0; }
  chain leave$1 {
    type filter hook egress devices = { $ports } priority 0;
    oifname @to_host counter drop
  }
NFT
}

is_aggregate() { ip -n "$(ns_of mid)" link show lag0 >/dev/null 2>&1; }

# Which ports have a carrier decides by which of them frames leave.
aggregate_choose() { aggregate_rules '' | in_ns mid nft -f -; }

# aggregate_rules GONE: the ports, a word each, that are about to lose their carrier.
aggregate_rules() {
  local n port links ways count
  links=$(ip -n "$(ns_of mid)" -br link show type veth)
  for n in 0 1; do
    ways='' count=0
    for port in $(trunk_cables "$n"); do
      [[ $links =~ (^|$'\n')$port@[^$'\n']*LOWER_UP && " $1 " != *" $port "* ]] || continue
      ways+="${ways:+, }$count : \"$port\""
      count=$((count + 1))
    done
    printf 'flush chain netdev aggregate out%s\n' "$n"
    ((count)) || continue
    printf 'add rule netdev aggregate out%s meta protocol ip fwd to ' "$n"
    printf 'jhash ip saddr . ip daddr mod %s map { %s }\n' "$count" "$ways"
    printf 'add rule netdev aggregate out%s fwd to ' "$n"
    printf 'jhash ether saddr . ether daddr mod %s map { %s }\n' "$count" "$ways"
  done
}
