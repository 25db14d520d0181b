# SPDX-License-Identifier: Apache-2.0
#
# What zsh offers behind $LINE, for tests/completions: into $WORK/offered, one word on a line.
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PROMPT=; fpath=($WORK/zsh \$fpath); autoload -Uz compinit; compinit -u -C -d $WORK/dump"
# compadd is how a completion offers words; with -O, -A or -D it only asks which of them match.
zpty -w shell 'compadd() { local -a hits
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)* ]]; then builtin compadd "$@"; return; fi
  builtin compadd -O hits "$@"; print -rl -- $hits >>'"$WORK"'/offered
  builtin compadd "$@" }'
zpty -w shell "zstyle ':completion:*' list-prompt ''; LISTMAX=10000"
zpty -w shell "offer() { zle list-choices; touch $WORK/done }; zle -N offer; bindkey '^T' offer"
# Only once the line editor reads: before, the terminal edits the line itself.
zpty -w shell "zle-line-init() { touch $WORK/ready }; zle -N zle-line-init"
until_there() {
  repeat 1000 { [[ -e $1 ]] && return; sleep 0.02 }
  echo 'zsh did not get that far' >>$WORK/offered
  exit 1
}
until_there $WORK/ready
zpty -w -n shell "$LINE"$'\C-t'
until_there $WORK/done
zpty -d shell
rm -f $WORK/ready $WORK/done
