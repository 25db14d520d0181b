# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Completion of hanetctl for bash. Groups come from the configuration, ports from the kernel: a
# completion must not wait for a service, and works for whoever may read neither socket nor maps.

_hanetctl_groups() {
  sed -n 's/^[[:space:]]*name[[:space:]]*=[[:space:]]*"\([^"]*\)".*/\1/p' /etc/hanet/hanet.toml 2>/dev/null
}

_hanetctl_ports() {
  local port
  for port in /sys/class/net/*; do echo "${port##*/}"; done
}

# _hanetctl_argument COMMAND PLACE: the words that may stand there.
_hanetctl_argument() {
  case $1:$2 in
    switch:1 | remove:1 | add:1 | set:1 | status:1) _hanetctl_groups ;;
    remove:2 | add:2) _hanetctl_ports ;;
    set:2) echo interval_us multiplier up_count link_poll_us threshold_percent enabled on_daemon_loss daemon_loss_ms ;;
  esac
}

_hanetctl_options() {
  case $1 in
    '') echo --run-dir --state-dir --pin-dir --json --version --help ;;
    switch) echo --to --dry-run --json --help ;;
    check) echo --host --json --help ;;
    explain) echo --last --json --help ;;
    reload) echo --confirm --json --help ;;
    *) echo --json --help ;;
  esac
}

_hanetctl() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' place=0 at
  local commands='status watch explain switch remove add set check reload confirm diff detach'
  COMPREPLY=()
  case $before in
    --to) mapfile -t COMPREPLY < <(compgen -W "$(_hanetctl_ports)" -- "$word"); return ;;
    --run-dir | --state-dir | --pin-dir) mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    --last | --confirm) return ;;
  esac
  for ((at = 1; at < COMP_CWORD; at++)); do
    case ${COMP_WORDS[at]} in
      --run-dir | --state-dir | --pin-dir | --to | --last | --confirm) ((++at)) ;;
      -*) ;;
      *) if [[ -z $command ]]; then command=${COMP_WORDS[at]}; else ((++place)); fi ;;
    esac
  done
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_hanetctl_options "$command")" -- "$word")
  elif [[ -z $command ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
  elif [[ $command == check || $command == diff ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -W "$(_hanetctl_argument "$command" $((place + 1)))" -- "$word")
  fi
}
complete -F _hanetctl hanetctl
