"""The commands of `rota`, each imported only when it is asked for."""

from __future__ import annotations

from cyclopts import App, Group

from rota import __version__

_RUN = Group("Run", sort_key=1)
_TASKS = Group("Tasks", sort_key=2)
_LOOK = Group("Look", sort_key=3)
_EPILOGUE = (
    "Addresses: --url http://host:8080[,…] or ROTA_URL. Machines: --json. "
    "Exit codes: 0 ok, 1 failure, 2 bad arguments, 3 cannot connect, 78 refuses to start, 130 interrupted, "
    "141 closed pipe."
)

app = App(
    name="rota",
    help="Rota: a distributed task scheduler and task manager.",
    help_epilogue=_EPILOGUE,
    help_format="plaintext",
    version=__version__,
    suppress_keyboard_interrupt=False,
)

for _group, _commands in {
    _RUN: (
        ("node", "rota.cli.node:node", "Run a node: it accepts tasks, keeps them and gives them out."),
        ("worker", "rota.cli.worker:worker", "Run a worker with the handlers of one or several modules."),
        ("dev", "rota.cli.dev:dev", "Run a node and a worker that reloads when files change."),
    ),
    _TASKS: (
        ("submit", "rota.cli.submit:submit", "Hand in a task, or many from a file."),
        ("execute", "rota.cli.submit:execute", "Hand in a task, wait for it, print its result."),
        ("show", "rota.cli.tasks:show", "Show everything about a task."),
        ("list", "rota.cli.tasks:list_tasks", "List tasks, newest first."),
        ("logs", "rota.cli.logs:logs", "Print what a task has logged; -f follows it."),
        ("wait", "rota.cli.wait:wait", "Wait until tasks have ended."),
        ("cancel", "rota.cli.tasks:cancel", "Cancel tasks."),
        ("retry", "rota.cli.tasks:retry", "Run ended tasks again."),
    ),
    _LOOK: (
        ("stats", "rota.cli.stats:stats", "Figures of the node."),
        ("workers", "rota.cli.stats:workers", "List workers."),
        ("methods", "rota.cli.stats:methods", "List methods."),
        ("doctor", "rota.cli.doctor.command:doctor", "Check this machine and the node, and say what to do."),
        ("version", "rota.cli.version:version", "Print the versions of Rota and Python."),
    ),
}.items():
    for _name, _path, _help in _commands:
        app.command(_path, name=_name, help=_help, group=_group)
