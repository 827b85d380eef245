"""Completion as a shell does it: the printed script is read by a real shell, which is then asked."""

import shutil
import subprocess
from pathlib import Path

import pytest
from scripted_client import Rota

from rota.cli.table import COMMANDS

ASK = {
    "bash": """
source {script}
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_rota
printf '%s\\n' "${{COMPREPLY[@]}}"
""",
    "zsh": """
fpath+=({folder}); autoload -Uz compinit; compinit -D -u
print $_comps[rota]; unset "_comps[rota]"
source {script}; print $_comps[rota]; whence -w _rota
""",
    "fish": "source {script}; complete -C '{line}' | string split -f1 \\t",
}
"""bash is asked by the function that it would call itself."""


@pytest.fixture
def script(rota_here: Rota, tmp_path: Path) -> "dict[str, Path]":
    written = {}
    for shell in ASK:
        done = rota_here("completion", shell)
        assert (done.code, done.err) == (0, "")
        written[shell] = tmp_path / f"rota.{shell}"
        written[shell].write_text(done.out)
    return written


def shell(name: str, program: str) -> list[str]:
    if shutil.which(name) is None:
        pytest.skip(f"SKIPPED LOUDLY: {name} is not on this machine")
    quiet = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[name]
    done = subprocess.run([name, *quiet, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


def asked_of_bash(script: "dict[str, Path]", *words: str) -> list[str]:
    quoted = " ".join(f'"{word}"' for word in words)
    return shell("bash", ASK["bash"].format(script=script["bash"], words=quoted))


def test_bash_completes_commands(script: "dict[str, Path]") -> None:
    assert sorted(asked_of_bash(script, "rota", "")) == sorted(command.name for command in COMMANDS)
    assert sorted(asked_of_bash(script, "rota", "wo")) == ["worker", "workers"]


def test_bash_completes_the_verbs_of_a_noun_and_their_flags(script: "dict[str, Path]") -> None:
    assert sorted(asked_of_bash(script, "rota", "groups", "")) == ["limit", "list", "pause", "resume"]
    assert asked_of_bash(script, "rota", "token", "ro") == ["rotate"]
    assert asked_of_bash(script, "rota", "groups", "limit", "--conc") == ["--concurrency"]


def test_bash_completes_flags_and_what_they_may_say(script: "dict[str, Path]") -> None:
    assert asked_of_bash(script, "rota", "submit", "--order") == ["--order-key"]
    assert asked_of_bash(script, "rota", "node", "--durability", "re") == ["relaxed"]
    assert asked_of_bash(script, "rota", "completion", "z") == ["zsh"]


def test_bash_completes_files_where_a_file_is_wanted(script: "dict[str, Path]", tmp_path: Path) -> None:
    found = asked_of_bash(script, "rota", "worker", "--token-file", f"{tmp_path}/rota.b")
    assert found == [str(script["bash"])]


def test_bash_reads_the_script_as_the_help_says() -> None:
    if shutil.which("bash") is None:
        pytest.skip("SKIPPED LOUDLY: bash is not on this machine")
    import sys

    program = f"source <({sys.executable} -m rota.cli completion bash); complete -p rota"
    assert shell("bash", program) == ["complete", "-F", "_rota", "rota"]


def test_zsh_finds_the_script_as_a_file_and_accepts_it_as_a_source(script: "dict[str, Path]", tmp_path: Path) -> None:
    (tmp_path / "_rota").write_text(script["zsh"].read_text())
    found = shell("zsh", ASK["zsh"].format(script=script["zsh"], folder=tmp_path))
    assert found == ["_rota", "_rota", "_rota:", "function"]


def test_fish_completes_commands(script: "dict[str, Path]") -> None:
    found = shell("fish", ASK["fish"].format(script=script["fish"], line="rota wo"))
    assert sorted(found) == ["worker", "workers"]
