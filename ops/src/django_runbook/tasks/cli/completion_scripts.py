"""The scripts that shells read for tab completion.

Invoke's own call whatever ``inv`` is first on PATH, and know ``./inv`` not at all. These call the
one launcher that was asked, by its absolute path, from any folder: also because Tab must not start
a program that merely lies in the folder. Nothing that is found is expanded by the shell again.
"""

import shlex
from pathlib import Path

from invoke import Exit

BASH = r"""# Tab completion of inv for bash.
_inv_runbook() {
    local name word="${COMP_WORDS[COMP_CWORD]}"
    if [ "$word" = "=" ]; then word=""; fi
    COMPREPLY=()
    while IFS= read -r name; do
        if [[ "$name" == "$word"* ]]; then COMPREPLY+=("$name"); fi
    done < <(LAUNCHER --complete -- "${COMP_WORDS[@]:0:COMP_CWORD+1}" 2>/dev/null)
}
complete -o default -F _inv_runbook inv ./inv LAUNCHER "inv'" 'inv"'  # in quotes, the last stays
"""
ZSH = r"""# Tab completion of inv for zsh: by its name, whatever folder stands before it.
if ! (( $+functions[compdef] )); then autoload -Uz compinit && compinit -i; fi
_inv_runbook() {
    local -a names
    names=("${(@f)$(LAUNCHER --complete -- "${(@Q)words[1,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
    if [[ -n "$names[1]" ]]; then compadd -a names; else _files; fi
}
compdef _inv_runbook inv -P '(|*/)inv["'\'']'  # in quotes, the last stays
"""
FISH = r"""# Tab completion of inv for fish: by its name, whatever folder stands before it.
function __inv_runbook
    set -l names (LAUNCHER --complete -- (commandline -opc) (commandline -ct) 2>/dev/null)
    if test (count $names) -gt 0
        printf '%s\n' $names
    else
        __fish_complete_path (commandline -ct)
    end
end
complete --command inv --no-files --arguments '(__inv_runbook)'
"""
SCRIPTS = {"bash": BASH, "fish": FISH, "zsh": ZSH}


def script(shell: str, launcher: Path) -> str:
    """Return what a shell evaluates. Raises ``Exit`` with code 2 for a shell that is not known."""
    if shell not in SCRIPTS:
        raise Exit(f"There is no completion for '{shell}', but for {', '.join(SCRIPTS)}.", code=2)
    return SCRIPTS[shell].replace("LAUNCHER", _quoted(str(launcher), shell))


def _quoted(path: str, shell: str) -> str:
    """Return a path as one word of the shell; fish has escapes inside of quotes."""
    if shell != "fish":
        return shlex.quote(path)
    escaped = path.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
