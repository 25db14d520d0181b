# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What can break in a lab, and how it is repaired. Sourced by tools/lab; uses its topology, ns_of,
# in_ns, NODE and options.
#
# Faults happen in mid, never on the monitored host: hanet's XDP program sees frames before any
# filter of the host does. Two sets of port names in the bridge family decide which frames vanish,
# so a fault is one element added in one transaction; it keeps the carrier and the switch's
# forwarding table. Frames from the host vanish in prerouting, before the bridge learns their
# source: a frame that was lost on the cable teaches the switch nothing. A carrier is lost because
# the near end of the cable is set down, which is what a dead switch port looks like from a host.

# path_ports TOPOLOGY PATH: everything in mid that belongs to a path: the near ends of its cables,
# and, where a path has a switch of its own, the rest of that switch's ports.
path_ports() {
  local n
  case $1$2 in
    trunkprimary) echo host-p0 host-p1 host-p2 host-p3 up0; return ;;
    trunkstandby) echo host-p4 host-p5 host-p6 host-p7 up1; return ;;
    trunkp[0-7]) echo "host-$2"; return ;;
  esac
  case $2 in
    primary) n=0 ;;
    standby) n=1 ;;
    all) path_ports "$1" primary; path_ports "$1" standby; return ;;
    *) usage_error "unknown path '$2', allowed: primary standby all" ;;
  esac
  case $1 in
    switch) echo "host-p$n" ;;
    crossover) echo "a-p$n b-p$n" ;;
    two-switches) echo "a-p$n b-p$n up$n" ;;
    firewall) if ((n)); then echo "fw-p1 up1 in-c0"; else echo "fw-p0 up0"; fi ;;
  esac
}

# cables PORTS...: those that end at the host which a fault is about.
cables() {
  local port host=${NODE:-$HOST}
  for port in "$@"; do [[ $port != "$host"-* ]] || printf '%s ' "$port"; done
}

# Which of the cables are those of real cards, and the name that $HANET_CABLE knows each by.
declare -A CARD_OF=()
find_cards() {
  local port card
  while read -r port card; do CARD_OF[$port]=$card; done < <(
    cards_in "$(ns_of mid)" | sed -n 's/^[0-9]*: \([^:@]*\).* alias [a-z0-9]* on \([a-z0-9]*\).*/\1 \2/p')
}

# A switch that aggregates chooses other ports while it sees the carrier go, not a while later. Where
# even nft takes longer than a switch may ($HANET_LAB_SWITCH_FIRST is set), it has chosen before.
set_carrier() {  # set_carrier up|down PORTS...
  local state=$1 port lines='' rules=''
  shift
  for port in "$@"; do
    if [[ -n ${CARD_OF[$port]:-} ]]; then "$HANET_CABLE" "$state" "${CARD_OF[$port]}" >&2
    else lines+="link set $port $state"$'\n'; fi
  done
  if $AGGREGATE && [[ $state == down ]]; then rules=$(aggregate_rules "$*"); fi
  if [[ -n $rules && -n ${HANET_LAB_SWITCH_FIRST:-} ]]; then
    in_ns mid nft -f - <<<"$rules"
    rules=''
  fi
  ip -n "$(ns_of mid)" -batch - <<<"$lines" &
  [[ -z $rules ]] || in_ns mid nft -f - <<<"$rules"
  wait $!
  if $AGGREGATE && [[ $state == up ]]; then aggregate_choose; fi
}

# change_drops add|delete SETS PORTS...: one transaction, so that both directions die in the same
# instant. Deleting what is not there would be an error, so it is added first.
change_drops() {
  local verb=$1 sets=$2 set port table="bridge fault"
  shift 2
  if $AGGREGATE; then table="netdev aggregate"; fi
  for set in $sets; do
    for port in "$@"; do
      printf 'add element %s %s { "%s" }\n' "$table" "$set" "$port"
      [[ $verb == add ]] || printf 'delete element %s %s { "%s" }\n' "$table" "$set" "$port"
    done
  done | in_ns mid nft -f -
}

flap() {
  local i
  # shellcheck disable=SC2064 # the ports of now
  trap "set_carrier up $*" EXIT  # a flap ends up, also when it is interrupted
  trap 'exit 1' INT TERM HUP
  for ((i = 0; i < TIMES; i++)); do
    set_carrier down "$@"
    pause_ms $((PERIOD_MS / 2))
    set_carrier up "$@"
    pause_ms $((PERIOD_MS - PERIOD_MS / 2))
  done
  trap - EXIT INT TERM HUP
}

AGGREGATE=false  # the switches treat their ports as one
# Sets TOP, HOST (the monitored host, the first where there are two), PORTS (of the path), AGGREGATE.
find_path() {
  TOP=$(topology)
  read -r HOST _ <<<"$(hanet_nodes "$TOP")"
  [[ -z $NODE || " $(hanet_nodes "$TOP") " == *" $NODE "* ]] ||
    usage_error "--node is '$NODE', on $TOP allowed: $(hanet_nodes "$TOP")"
  read -r -d '' -a PORTS < <(path_ports "$TOP" "$1") || true
  ((${#PORTS[@]})) || exit 2
  if [[ $TOP == trunk ]] && is_aggregate; then AGGREGATE=true; fi
  [[ -z ${HANET_CABLE:-} ]] || find_cards
}

fault() {
  local kind=${1:-} cables both
  (($# >= 1 && $# <= 2)) || usage_error "fault needs a kind and optionally a path"
  need_one_of "fault" "$kind" carrier blackhole one-way-out one-way-in switch flap
  find_path "${2:-primary}"
  read -ra cables <<<"$(cables "${PORTS[@]}")"
  both=("${cables[@]}")
  # One cable between two hosts: when it is pulled out, each of them loses the carrier.
  if [[ $TOP == crossover && -z $NODE ]]; then both=("${PORTS[@]}"); fi
  case $kind in
    carrier) set_carrier down "${both[@]}" ;;
    flap) flap "${both[@]}" ;;
    one-way-out) change_drops add from_host "${cables[@]}" ;;
    one-way-in) change_drops add to_host "${cables[@]}" ;;
    blackhole) change_drops add "from_host to_host" "${cables[@]}" ;;
    switch)
      [[ $TOP == two-switches || $TOP == firewall || $TOP == trunk ]] ||
        usage_error "on $TOP no path has a switch of its own"
      set_carrier down "${PORTS[@]}" ;;
  esac
}

heal() {
  (($# <= 1)) || usage_error "heal takes one path: primary, standby or all"
  find_path "${1:-all}"
  change_drops delete "from_host to_host" "${PORTS[@]}"
  set_carrier up "${PORTS[@]}"
}

# No fault of the network, but a switch that aggregates sees the carrier go or come.
link() {
  (($# == 2)) || usage_error "link needs a state and a port"
  need_one_of "link" "$1" up down
  find_path "$2"
  [[ $TOP == trunk && $2 == p[0-7] ]] || usage_error "link is for p0 to p7 of trunk, not '$2' on $TOP"
  ip -n "$(ns_of "$HOST")" link set "$2" "$1"
  if $AGGREGATE; then aggregate_choose; fi
}
