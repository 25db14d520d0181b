#compdef hanetctl
# SPDX-License-Identifier: Apache-2.0
#
# Completion of hanetctl for zsh. Groups come from the configuration, ports from the kernel.

_hanetctl_groups() {
  local -a groups
  groups=(${(f)"$(sed -n 's/^[[:space:]]*name[[:space:]]*=[[:space:]]*"\([^"]*\)".*/\1/p' /etc/hanet/hanet.toml 2>/dev/null)"})
  _describe group groups
}

_hanetctl_commands() {
  local -a commands
  commands=(
    'status:is this host protected, and what every path looks like'
    'watch:events as they happen'
    'explain:the last switchovers: why, when, what'
    'switch:move a group to another path'
    'remove:take an idle card out of its group'
    'add:put a card back'
    'set:change a live parameter'
    'check:check a configuration file'
    'reload:use the configuration file of now'
    'confirm:keep what was reloaded with --confirm'
    'detach:take off what a killed hanetd left'
    'diff:what a reload would change'
  )
  _describe command commands
}

_hanetctl_arguments() {
  local -a takes
  case $words[1] in
    switch) takes=('1:group:_hanetctl_groups' '--to[port to move to]:port:_net_interfaces'
      '--dry-run[show the steps, change nothing]') ;;
    remove | add) takes=('1:group:_hanetctl_groups' '2:port:_net_interfaces') ;;
    set) takes=('1:group:_hanetctl_groups'
      '2:key:(interval_us multiplier up_count link_poll_us threshold_percent enabled on_daemon_loss daemon_loss_ms)' '3:value:') ;;
    check) takes=('--host[what would move, what differs, what is lost]' '1:file:_files') ;;
    explain) takes=('--last[how many]:number:') ;;
    reload) takes=('--confirm[go back unless confirmed in time]:seconds:') ;;
    diff) takes=('1:file:_files') ;;
    status) takes=('1:group:_hanetctl_groups') ;;
  esac
  _arguments '--json[write JSON]' '--help' $takes
}

_arguments \
  '--run-dir[directory of the control socket]:directory:_directories' \
  '--state-dir[directory of the history]:directory:_directories' \
  '--pin-dir[directory of the pinned maps]:directory:_directories' \
  '--json[write JSON]' '--version' '--help' \
  '1:command:_hanetctl_commands' '*::argument:_hanetctl_arguments'
