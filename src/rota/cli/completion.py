"""`rota completion`: what a shell needs to complete commands and flags."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from rota.cli import exits
from rota.cli.command import plain
from rota.cli.output import Output

Shell = Literal["bash", "zsh", "fish"]
_ZSH_END = """
if [[ "$funcstack[1]" == _rota ]]; then
  _rota "$@"
else
  compdef _rota rota
fi
"""
"""As a file named _rota zsh runs the whole script for the first completion; read by `source` it has to be made known."""


@plain
def completion(
    out: Output,
    shell: Annotated[Shell, Parameter(name="SHELL", help="bash, zsh or fish.", show_choices=False)],
    /,
) -> int:
    """Print a script that completes commands and flags in a shell.

    It is to be read by the shell at its start, and made again after an upgrade:

      bash  rota completion bash > ~/.local/share/bash-completion/completions/rota
      zsh   rota completion zsh > ~/.zfunc/_rota
            with these in ~/.zshrc: fpath+=~/.zfunc; autoload -Uz compinit; compinit
      fish  rota completion fish > ~/.config/fish/completions/rota.fish

    To try it in a shell that runs: source <(rota completion bash), or zsh
    """
    from rota.cli.app import app

    script = app.generate_completion(shell=shell).replace("_cyclopts_rota", "_rota")
    if shell == "zsh":
        script += _ZSH_END
    if out.json:
        out.value({"shell": shell, "script": script})
    else:
        out.write(script)
    return exits.OK
