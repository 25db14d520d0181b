# SPDX-License-Identifier: Apache-2.0
#
# Completion of hanetctl for fish. Groups come from the configuration, ports from the kernel.

function __hanetctl_groups
    test -r /etc/hanet/hanet.toml
    and string match -rg '^\s*name\s*=\s*"([^"]*)"' </etc/hanet/hanet.toml
end

function __hanetctl_ports
    for port in /sys/class/net/*
        basename $port
    end
end

# How many words stand behind the command that is typed.
function __hanetctl_has_words
    set -l words (commandline -opc | string match -v -- '-*')
    test (count $words) -eq (math $argv[1] + 2)
end

set -l commands status watch explain switch remove add set check reload confirm diff detach
complete -c hanetctl -f
complete -c hanetctl -l run-dir -x -a '(__fish_complete_directories)' -d 'directory of the control socket'
complete -c hanetctl -l state-dir -x -a '(__fish_complete_directories)' -d 'directory of the history'
complete -c hanetctl -l pin-dir -x -a '(__fish_complete_directories)' -d 'directory of the pinned maps'
complete -c hanetctl -l json -d 'write JSON'
complete -c hanetctl -l version
complete -c hanetctl -l help
set -l none "not __fish_seen_subcommand_from $commands"
complete -c hanetctl -n $none -a status -d 'is this host protected'
complete -c hanetctl -n $none -a watch -d 'events as they happen'
complete -c hanetctl -n $none -a explain -d 'the last switchovers'
complete -c hanetctl -n $none -a switch -d 'move a group to another path'
complete -c hanetctl -n $none -a remove -d 'take an idle card out'
complete -c hanetctl -n $none -a add -d 'put a card back'
complete -c hanetctl -n $none -a set -d 'change a live parameter'
complete -c hanetctl -n $none -a check -d 'check a configuration file'
complete -c hanetctl -n $none -a reload -d 'use the configuration file of now'
complete -c hanetctl -n $none -a confirm -d 'keep what was reloaded'
complete -c hanetctl -n $none -a detach -d 'take off what a killed hanetd left'
complete -c hanetctl -n $none -a diff -d 'what a reload would change'
complete -c hanetctl -n '__fish_seen_subcommand_from switch remove add set status; and __hanetctl_has_words 0' -a '(__hanetctl_groups)'
complete -c hanetctl -n '__fish_seen_subcommand_from remove add; and __hanetctl_has_words 1' -a '(__hanetctl_ports)'
complete -c hanetctl -n '__fish_seen_subcommand_from set; and __hanetctl_has_words 1' -a 'interval_us multiplier up_count link_poll_us threshold_percent enabled on_daemon_loss daemon_loss_ms'
complete -c hanetctl -n '__fish_seen_subcommand_from switch' -l to -x -a '(__hanetctl_ports)' -d 'port to move to'
complete -c hanetctl -n '__fish_seen_subcommand_from switch' -l dry-run -d 'change nothing'
complete -c hanetctl -n '__fish_seen_subcommand_from check' -l host -d 'what would move, differ and be lost'
complete -c hanetctl -n '__fish_seen_subcommand_from check diff' -F
complete -c hanetctl -n '__fish_seen_subcommand_from explain' -l last -x -d 'how many'
complete -c hanetctl -n '__fish_seen_subcommand_from reload' -l confirm -x -d 'go back unless confirmed in so many seconds'
