# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A fresh Debian 12 with systemd, for the machines in which hanet is installed as its users do it.
#
# It is made once by mmdebstrap, without hanet and without what hanet depends on: those packages wait
# in apt's own cache, so that `apt install ./hanet_*.deb` resolves and installs them in a machine that has
# no network. Kept outside the repository like the kernels (kernels.bash, sourced before), and made anew when
# this file changes:
#
#   $HANET_VM_CACHE/debian-12/etc, usr, var ...   debian-12.made: with which file
#
# A machine sees it read-only below a memory file system.

readonly SYSTEM_ROOT=$VM_CACHE/debian-12
# What a host has anyway, and what the test looks with: its eyes are not hanet's.
readonly SYSTEM_PACKAGES=(systemd-sysv systemd dbus udev kmod iproute2 iputils-ping procps jq apt
  ca-certificates curl less)
# Who else may be in charge of addresses, besides systemd-networkd. None of them runs until a test starts it.
readonly SYSTEM_MANAGERS=(network-manager ifupdown)
readonly SYSTEM_MANAGERS_OFF=(NetworkManager NetworkManager-wait-online NetworkManager-dispatcher networking
  systemd-networkd)
# What the packages of hanet may depend on, to be installed in the machine.
readonly SYSTEM_OFFLINE=(libbpf1 libmnl0 libfmt9 libsystemd0 libelf1 libprometheus-cpp-pull1.0 nftables
  init-system-helpers)

system_root_key() { sha256sum "${BASH_SOURCE[0]}" | cut -d ' ' -f 1; }

# system_root_make DIR: everything in one root; mmdebstrap runs what follows --customize-hook with its
# path as $1.
# shellcheck disable=SC2016
system_root_make() {
  local download="apt-get install -y -q --download-only --no-install-recommends ${SYSTEM_OFFLINE[*]}"
  local packages=("${SYSTEM_PACKAGES[@]}" "${SYSTEM_MANAGERS[@]}")
  mmdebstrap --quiet --variant=minbase --include="$(IFS=,; echo "${packages[*]}")" \
    --skip=cleanup/apt,cleanup/reproducible --aptopt='APT::Install-Recommends "false"' \
    --customize-hook="chroot \"\$1\" $download" \
    --customize-hook='echo host >"$1/etc/hostname"' \
    --customize-hook='rm -f "$1/etc/resolv.conf"' \
    --customize-hook="systemctl --quiet --root=\"\$1\" disable ${SYSTEM_MANAGERS_OFF[*]}" \
    bookworm "$1" http://deb.debian.org/debian
}

# system_root: prints the directory, making it if it is not there or not of today. 1: it can not be had.
system_root() {
  local key lock
  key=$(system_root_key)
  mkdir -p "$VM_CACHE"
  exec {lock}>"$VM_CACHE/lock.debian-12"
  flock "$lock"
  if [[ $(cat "$SYSTEM_ROOT.made" 2>/dev/null) != "$key" ]]; then
    rm -rf -- "$SYSTEM_ROOT" "$SYSTEM_ROOT.made"
    system_root_make "$SYSTEM_ROOT" >&2 || return 1
    echo "$key" >"$SYSTEM_ROOT.made"
  fi
  printf '%s\n' "$SYSTEM_ROOT"
}
