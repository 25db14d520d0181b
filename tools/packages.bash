# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The Debian packages that hanet needs to be built, shown and tested, and how they are installed.
#
# One list for everything that a person may start right after a clone: tools/demo, tools/test and
# .ci/run source this file, so that a new dependency is written down once. What is there already is
# left alone, and without a missing package neither root nor a network is needed. On a distribution
# without apt the list is printed instead, under Debian's names: guessing another distribution's
# names would install the wrong thing as root.

# shellcheck disable=SC2034 # used by those who source this
# Build and run.
readonly HANET_PACKAGES=(
  g++ cmake ninja-build pkg-config make
  clang-14 llvm-14 bpftool libbpf-dev libelf-dev zlib1g-dev linux-libc-dev
  libmnl-dev libtomlplusplus-dev libcli11-dev libfmt-dev nlohmann-json3-dev libsystemd-dev
  prometheus-cpp-dev
  libgtest-dev libgmock-dev libbenchmark-dev libseccomp-dev libcap-dev systemd
  iproute2 nftables util-linux procps jq
)
# shellcheck disable=SC2034
# Tests in virtual machines, on top.
readonly HANET_VM_PACKAGES=(qemu-system-x86 busybox-static kmod cpio xz-utils zstd)
# shellcheck disable=SC2034
# Packages for users, on top.
readonly HANET_PACKAGE_PACKAGES=(debhelper dpkg-dev fakeroot lintian rpm rpmlint git pkgconf)
# shellcheck disable=SC2034
# A Debian with systemd to install them in, on top of the virtual machines.
readonly HANET_SYSTEM_PACKAGES=(mmdebstrap systemd)
# shellcheck disable=SC2034
# Checks of the source, on top; and the programs that hanet works with, for the tests of it that are
# skipped elsewhere: on a machine of somebody's own, prometheus would begin to serve.
readonly HANET_CHECK_PACKAGES=(clang-format-19 clang-tidy-19 clang-19 libclang-rt-19-dev git shellcheck
  prometheus zsh fish)

packages_missing() {
  local package state
  for package in "$@"; do
    # A virtual or removed package has a state other than "installed".
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [[ $state == installed ]] || printf '%s\n' "$package"
  done
}

# install_packages PACKAGE...: installs those that are missing. Progress goes to stderr.
install_packages() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    {
      echo "This is not a Debian system, so nothing was installed. Please install what your"
      echo "distribution calls these Debian packages, then build with CMake:"
      printf '  %s\n' "$*"
    } >&2
    exit 1
  fi
  local missing
  mapfile -t missing < <(packages_missing "$@")
  ((${#missing[@]})) || return 0
  if ((EUID != 0)); then
    echo "These packages are missing; install them, or run this as root: ${missing[*]}" >&2
    exit 1
  fi
  echo "Installing ${#missing[@]} packages: ${missing[*]}" >&2
  export DEBIAN_FRONTEND=noninteractive
  # The package lists may be absent (a fresh container) or too old: look before downloading them.
  if ! apt-get install -y -q --no-install-recommends "${missing[@]}" >&2; then
    apt-get update -q >&2
    apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
  fi
}
