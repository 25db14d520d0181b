# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the tests in a machine with systemd have in common: a network, eyes that are not hanet's (ip, ping,
# systemctl, /proc), and cases that run one after the other. Sourced by guest/*_test.
#
# A case needs the state that the one before left, so the first failure is the last.
# shellcheck disable=SC2016,SC2034,SC2317 # awk and sed are quoted; used by those who source this

readonly PACKAGES=$HANET_BUILD/packages WORK=/var/tmp/hanet-test CONFIG=/etc/hanet/hanet.toml
ARCH=$(dpkg --print-architecture)
readonly ADDRESS=192.0.2.10 ROUTER=192.0.2.1 ARCH

fail() {
  journalctl -u hanetd --no-pager -o short-monotonic -n 30
  ip -brief address
  ip route
  echo "failed: $*"
  exit 1
}

# await WHAT COMMAND...: until it succeeds; emulated machines are slow.
await() {
  local what=$1 deadline=$((SECONDS + 120))
  shift
  until ("$@") >/dev/null 2>&1; do
    ((SECONDS < deadline)) || fail "waited for two minutes: $what"
    sleep 0.2
  done
}

# is TEXT COMMAND...: what a command says.
is() {
  local said
  said=$("${@:2}" 2>&1)
  [[ $said == "$1" ]] || fail "${*:2} says '$said', not '$1'"
}

# --- the network: a switch with a router in it, and this host on it by two cables ------------------------

# arp_ignore: else a port that is out of the switch would answer for the router all the same. An address of its own:
# else the switch has that of one of its ports, and another one when that leaves.
lan_up() {
  local n
  ip netns add lan
  ip -n lan link set lo up
  ip netns exec lan sysctl -qw net.ipv4.conf.all.arp_ignore=1
  ip -n lan link add sw address 02:00:5e:00:53:01 type bridge
  ip -n lan address add $ROUTER/24 dev sw
  ip -n lan link set sw up
  for n in 0 1; do cable_up $n; done
}

host_has_addresses() {
  ip address add $ADDRESS/24 dev eth0
  ip route add default via $ROUTER
  sysctl -qw net.ipv4.conf.eth0.rp_filter=2
}

# README's own file, whose ports and target this network has.
readme_configuration() { sed -n '/^```toml$/,/^```$/{/^```/d;p}' "$HANET_SOURCE/README.md"; }

cable_up() {
  ip link add "eth$1" type veth peer name "port$1" netns lan
  ip -n lan link set "port$1" master sw up
  ip link set "eth$1" up
}

# The carrier stays, nothing comes through.
cut() { ip -n lan link set "port$1" nomaster; }
heal() { ip -n lan link set "port$1" master sw; }
reached() { ip netns exec lan ping -q -c 3 -i 0.2 -W 1 "$ADDRESS"; }
carries() { ip -j address show dev "$1" | jq -e ".[].addr_info[] | select(.local == \"$ADDRESS\")"; }

# What must not be changed by a restart, as the kernel says it: identity PORTS, a regular expression.
identity() {
  ip -j address show | jq -S --arg ports "$1" 'map(select(.ifname | test($ports)) | {ifname, address, addr_info})'
  ip -j route show | jq -S .
}

# All of the host's network as ip shows it, but the numbers of hanet's programs, which are loaded anew, and the
# pair of its pacer, which is made anew; and the settings of the port that has the address: the one that waits
# gets its own back when hanetd ends.
host_network() {
  ip -d -j address show | jq -S 'map(if .ifname | startswith("hanet-pace") then {ifname: .ifname[:10], flags, mtu, addr_info}
    else del(.xdp) end) | sort_by(.ifname)'
  ip -d -j route show table all | jq -S .
  ip -6 -d -j route show table all | jq -S 'map(del(.expires))'
  ip -d -j rule show | jq -S .
  sysctl -a --pattern "^net\\.ipv[46]\\.(conf|neigh)\\.$(bearers)\\."
}
# The ports that have the address.
bearers() { ip -d -j address show | jq -r ".[] | select(.addr_info[]?.local == \"$ADDRESS\") | .ifname"; }

property() { systemctl show hanetd -p "$1" --value; }
protected() { hanetctl status; }
new_pid() { [[ $(property MainPID) != "$1" && $(property MainPID) != 0 ]]; }
in_journal() { journalctl -u hanetd --no-pager -o cat | grep -F -- "$1"; }

# --- running them -----------------------------------------------------------------------------------------

# The lines are those of a gtest program, which tests/vm/run knows to read.
# A case is a function, or FUNCTION/PARAMETER.
run_case() {
  local name=$SUITE_NAME.$1 begun=$SECONDS status
  echo "[ RUN      ] $name"
  ("${1%%/*}" "${1#*/}") >"$WORK/output" 2>&1
  status=$?
  grep '^measured: ' "$WORK/output"
  ((status == 0)) && echo "[       OK ] $name ($(((SECONDS - begun) * 1000)) ms)" && return
  cat "$WORK/output"
  echo "[  FAILED  ] $name ($(((SECONDS - begun) * 1000)) ms)"
  return 1
}

# run_cases SUITE CASE...: ends the program.
run_cases() {
  local status=0 name
  SUITE_NAME=$1
  shift
  for name in "$@"; do
    run_case "$name" || break
  done | tee "$WORK/console"
  ! grep -q '^\[  FAILED' "$WORK/console" || status=1
  # shellcheck source=tests/vm/guest/report.bash
  source "$HANET_SOURCE/tests/vm/guest/report.bash"
  summarize "$WORK/console"
  exit $status
}

mkdir -p "$WORK"
modprobe -a veth bridge
