"""The commands of `rota`, each imported only when it is asked for. What a command does is said by its own docstring."""

from __future__ import annotations

from typing import NamedTuple

from cyclopts import App, Group, Parameter

from rota import __version__
from rota.cli.help import HelpPage

_EPILOGUE = """\
Addresses
  --url http://HOST:PORT, or the variable ROTA_URL; several with commas. Nothing
  said is http://127.0.0.1:8080. A token comes from ROTA_TOKEN or --token-file.

Settings
  Each is a flag, a variable ROTA_…, or a line in a TOML file (--config); a flag
  wins over a variable, a variable over the file.
  DURATION is 500ms, 30s, 5m, 1h30m or 7d; a bare number is seconds.
  SIZE is 64KiB, 1MiB or 10MB; a bare number is bytes.

Machines
  --json prints a JSON value a line; errors go to stderr, as JSON too.

Exit codes
    0  well                               3  no node could be reached
    1  it failed, or a task did          78  refuses to start: unsafe or wrong
    2  wrong arguments                  130  stopped by Ctrl-C
                                        141  nobody reads the output any more

rota COMMAND --help says more, with examples."""
_MORE = "More: rota --help (addresses, settings, exit codes)."


class Command(NamedTuple):
    """One command: where it is, what stands behind its name, and how it is used."""

    name: str
    path: str
    usage: str
    examples: tuple[str, ...]


RUN = (
    Command(
        "node",
        "rota.cli.node:node",
        "[OPTIONS]",
        (
            "rota node",
            "rota node --data /srv/rota --http-port 9090",
            "rota node --host 0.0.0.0 --token-file tokens --tls-cert c.pem --tls-key k.pem",
        ),
    ),
    Command(
        "worker",
        "rota.cli.worker:worker",
        "MODULE:APP... [OPTIONS]",
        (
            "rota worker tasks:app",
            "rota worker shop.mail:app shop.stock:app --slots 32",
            "rota worker tasks:app --url https://node.example:8080 --group mail,stock",
        ),
    ),
    Command(
        "dev",
        "rota.cli.dev:dev",
        "MODULE:APP [OPTIONS]",
        ("rota dev tasks:app", "rota dev tasks:app --http-port 0"),
    ),
)
TASKS = (
    Command(
        "submit",
        "rota.cli.submit:submit",
        "METHOD [PARAMS] [OPTIONS]",
        (
            'rota submit add \'{"a": 1, "b": 2}\'',
            "rota submit report --delay 10m --retries 3 --unique-key daily",
            "rota submit resize --many images.jsonl --wait",
        ),
    ),
    Command(
        "execute",
        "rota.cli.submit:execute",
        "METHOD [PARAMS] [OPTIONS]",
        (
            "rota execute add '[1, 2]'",
            'echo \'{"a": 1, "b": 2}\' | rota execute add -',
            "rota execute report --wait-timeout 5m --json",
        ),
    ),
    Command("show", "rota.cli.tasks:show", "ID [OPTIONS]", ("rota show ID", "rota show ID --json")),
    Command(
        "list",
        "rota.cli.tasks:list_tasks",
        "[OPTIONS]",
        (
            "rota list --state failed --created-after 2026-12-24T18:00",
            "rota list --state unended --method resize --limit 10",
            "rota list --all --json > tasks.jsonl",
        ),
    ),
    Command("logs", "rota.cli.logs:logs", "ID [OPTIONS]", ("rota logs ID", "rota logs ID --follow")),
    Command(
        "wait",
        "rota.cli.wait:wait",
        "ID... [OPTIONS]",
        ("rota wait ID --timeout 5m", "rota submit resize --many images.jsonl | rota wait -"),
    ),
    Command(
        "cancel",
        "rota.cli.tasks:cancel",
        "ID... [OPTIONS]",
        ("rota cancel ID --reason 'wrong file'", "rota list --state ready --json | jq -r .id | rota cancel -"),
    ),
    Command(
        "retry",
        "rota.cli.tasks:retry",
        "ID... [OPTIONS]",
        ("rota retry ID", "rota list --state failed --all --json | jq -r .id | rota retry -"),
    ),
)
LOOK = (
    Command("stats", "rota.cli.stats:stats", "[OPTIONS]", ("rota stats", "rota stats --json")),
    Command("workers", "rota.cli.stats:workers", "[OPTIONS]", ("rota workers", "rota workers --all")),
    Command("methods", "rota.cli.stats:methods", "[OPTIONS]", ("rota methods", "rota methods --json")),
)
CARE = (
    Command(
        "doctor",
        "rota.cli.doctor.command:doctor",
        "[OPTIONS]",
        ("rota doctor", "rota doctor --data /srv/rota --url http://127.0.0.1:9090"),
    ),
    Command(
        "bench",
        "rota.cli.bench.command:bench",
        "[OPTIONS]",
        (
            "rota bench",
            "rota bench --tasks 100000 --repeat 3 --json",
            "rota bench --url http://127.0.0.1:8080 --tasks 5000 --payload 4KiB",
        ),
    ),
    Command(
        "completion",
        "rota.cli.completion:completion",
        "bash|zsh|fish",
        ("rota completion bash > ~/.local/share/bash-completion/completions/rota",),
    ),
    Command("version", "rota.cli.version:version", "[OPTIONS]", ("rota version", "rota version --json")),
)

app = App(
    name="rota",
    help="Run Python functions later and elsewhere: nodes keep tasks, workers run them.",
    help_epilogue=_EPILOGUE,
    help_format="plaintext",
    help_formatter=HelpPage(),
    usage="Usage: rota COMMAND [OPTIONS]",
    version=__version__,
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(show_default=False),
    group_arguments=Group("Arguments", sort_key=-2),
    group_parameters=Group("Options", sort_key=-1),
)
_FLAGS = Group("Options", sort_key=9)
for _flag, _words in {"--help": "Show help.", "--version": "Print the version of Rota."}.items():
    app[_flag].group = _FLAGS
    app[_flag].help = _words


def _add(group: Group, commands: tuple[Command, ...]) -> None:
    for place, each in enumerate(commands):
        app.command(
            each.path,
            name=each.name,
            group=group,
            sort_key=place,
            usage=f"Usage: rota {each.name} {each.usage}",
            help_epilogue="\n".join(["Examples", *(f"  {line}" for line in each.examples), "", _MORE]),
        )


_GROUPS = {"Run": RUN, "Tasks": TASKS, "Look": LOOK, "Care": CARE}
COMMANDS = tuple(each for commands in _GROUPS.values() for each in commands)
for _place, (_name, _commands) in enumerate(_GROUPS.items()):
    _add(Group(_name, sort_key=_place), _commands)


def import_all() -> None:
    """For the list of all commands: each says by its docstring what it does."""
    for each in COMMANDS:
        app[each.name]
