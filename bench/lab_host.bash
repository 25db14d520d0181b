# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the benches of a whole host have in common: hanetd in a lab, whose primary path is cut again and
# again, and what hanetd says of each switchover; and a host with many groups. Sourced by the benches beside it.
#
# Who sources this sets ID, and calls parse.
# shellcheck disable=SC2034 # used by those who source this

readonly HERE=${BASH_SOURCE[0]%/*}
readonly LAB=$HERE/../tools/lab
readonly LIMIT_S=30
BUILD=$HERE/../build
TRIALS=100
DIR=
PIDS=()
NAMESPACES=()

fail() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
# The comment at the head of the program that was called.
help() { sed -n '4,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; }
ctl() { "$BUILD/hanetctl" --run-dir "$DIR" --json "$@"; }

# await WHAT COMMAND...: until it succeeds.
await() {
  local what=$1 deadline=$((SECONDS + LIMIT_S))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || fail "$LIMIT_S s were not enough until $what: $(tail -n 5 "$DIR/log")"
    sleep 0.02
  done
}

# shellcheck disable=SC2317,SC2329 # called by trap
end_all() {
  local pid ns
  for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${PIDS[@]}"; do wait "$pid" 2>/dev/null || true; done
  for ns in "${NAMESPACES[@]}"; do ip netns del "$ns" 2>/dev/null || true; done
  "$LAB" --id "$ID" down >/dev/null 2>&1 || true
  [[ -z $DIR ]] || rm -rf -- "$DIR"
  PIDS=() NAMESPACES=() DIR=
}

# shellcheck disable=SC2317,SC2329 # called by await
is_protected() { ctl status >/dev/null 2>&1; }
# shellcheck disable=SC2317,SC2329 # called by await
is_on() { [[ $(ctl status | jq -r '.groups[0].active') == "$1" ]]; }

# begin_hanetd NAMESPACE [OPTION...]: hanetd with $DIR/hanet.toml. Not by ip netns exec, which hides /sys/fs/bpf, and
# so what a hanetd before it has pinned there.
begin_hanetd() {
  nsenter --net="/run/netns/$1" "$BUILD/hanetd" --config "$DIR/hanet.toml" --run-dir "$DIR" \
    --pin-dir "/sys/fs/bpf/hanet-$ID" "${@:2}" >>"$DIR/log" 2>&1 &
  PIDS+=($!)
}

# start_hanetd NAMESPACE [OPTION...]: the same, and waits until it protects the host.
start_hanetd() {
  begin_hanetd "$@"
  await "hanetd listens" test -S "$DIR/hanetd.sock"
  await "the host is protected" is_protected
}

# lab_host [OPTION...]: a lab, and hanetd on its host.
lab_host() {
  "$LAB" --id "$ID" up switch
  "$LAB" --id "$ID" config host >"$DIR/hanet.toml"
  start_hanetd "hl-$ID-host" "$@"
}

# begin_groups COUNT [LINES]: a host, $ID-host, with two cards in each of COUNT networks, on one switch, where one
# node has the targets 10.9.N.10 to 10.9.N.13; and $DIR/hanet.toml, with LINES in each [group.heartbeat], a number for each @.
begin_groups() {
  set -- "$1" "${2:-}"
  local host=$ID-host peer=$ID-peer at last card
  NAMESPACES=("$host" "$peer")
  ip netns add "$host"
  ip netns add "$peer"
  ip -n "$host" link set lo up
  ip -n "$peer" link add br0 type bridge stp_state 0 forward_delay 0
  ip -n "$peer" link set br0 up
  printf '[daemon]\nlog_level = "warning"\n' >"$DIR/hanet.toml"
  for ((at = 0; at < $1; at++)); do
    for last in 10 11 12 13; do ip -n "$peer" addr add "10.9.$at.$last/24" dev br0; done
    for card in a b; do
      ip -n "$peer" link add "n$card$at" type veth peer name "$card$at" netns "$host"
      ip -n "$peer" link set "n$card$at" master br0 up
      ip -n "$host" link set "$card$at" addrgenmode none up
    done
    ip -n "$host" addr add "10.9.$at.1/24" dev "a$at"
    cat >>"$DIR/hanet.toml" <<TOML
[[group]]
name = "g$at"
primary = "a$at"
standby = "b$at"
[group.heartbeat]
target = "10.9.$at.10"
${2//@/$at}
TOML
  done
}

# trial FILTER: cuts the primary, prints what hanetd says of the switchover, and mends all.
trial() {
  "$LAB" --id "$ID" fault blackhole primary
  await "the identity is on p1" is_on p1
  ctl explain --last 1 | jq ".switchovers[0] $1"
  "$LAB" --id "$ID" heal
  await "both paths work" is_protected
  ctl switch mether0 --to p0 >/dev/null
  await "both paths work again" is_protected
}

# percentiles FILE: of one number in each line.
percentiles() {
  sort -g "$1" | awk '{ v[NR] = $1 } END {
    if (NR == 0) { print "no trial"; exit }
    printf "%d trials: p50 %.1f, p95 %.1f, p99 %.1f, max %.1f\n", NR,
      v[int((NR + 1) / 2)], v[int(NR * 0.95 + 0.999)], v[int(NR * 0.99 + 0.999)], v[NR] }'
}

# parse OPTION...
parse() {
  while (($#)); do
    case $1 in
      --build) (($# > 1)) || fail "--build needs a directory"; BUILD=$2; shift ;;
      --trials) (($# > 1)) || fail "--trials needs a number"; TRIALS=$2; shift ;;
      help | --help) help; exit ;;
      *) fail "'$1' is no option; see: ${0##*/} --help" ;;
    esac
    shift
  done
  [[ -x $BUILD/hanet-exporter ]] || fail "there is no $BUILD/hanet-exporter; build it, or name its directory: --build DIR"
}
