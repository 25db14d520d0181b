# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Who starts hanet's tools is root, or becomes it: a minimal Debian has no sudo, so the commands of
# the documentation are root's, and a user's call asks sudo by itself.

# become_root COMMAND...: starts the command again with sudo unless this is root. Returns 1 where
# there is no sudo either.
become_root() {
  ((EUID != 0)) || return 0
  command -v sudo >/dev/null || return 1
  exec sudo -E -- "$@"
}
