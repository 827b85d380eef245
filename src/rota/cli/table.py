"""Every command of `rota`, by group: where it is, and how it is used. What a command does is said by its own docstring."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """One command: where it is, what stands behind its name, and how it is used."""

    name: str
    path: str
    usage: str
    examples: tuple[str, ...]


class Family(NamedTuple):
    """Several commands of one noun. The noun alone means the first of them."""

    name: str
    summary: str
    verbs: tuple[Command, ...]


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
            "rota submit resize --many images.jsonl --batch photos --wait",
            "rota submit publish --after ID --after ID --on-parent-failure run",
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
    Command("why", "rota.cli.why:why", "ID [OPTIONS]", ("rota why ID", "rota why ID --json")),
    Command(
        "list",
        "rota.cli.tasks:list_tasks",
        "[OPTIONS]",
        (
            "rota list --state failed --since 1h",
            "rota list --state unended --method resize --label customer=7 --limit 10",
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
        "batch",
        "rota.cli.batch:batch",
        "NAME [OPTIONS]",
        ("rota batch photos", "rota batch photos --watch"),
    ),
    Command(
        "cancel",
        "rota.cli.change:cancel",
        "ID... | FILTER [OPTIONS]",
        (
            "rota cancel ID --reason 'wrong file'",
            "rota cancel --state ready --method resize --dry-run",
            "rota list --state ready --json | jq -r .id | rota cancel -",
        ),
    ),
    Command(
        "retry",
        "rota.cli.change:retry",
        "ID... | FILTER [OPTIONS]",
        (
            "rota retry ID",
            "rota retry --state failed --method resize --since 1h",
            "rota retry --state failed --yes --json",
        ),
    ),
    Command(
        "delete",
        "rota.cli.change:delete",
        "ID... | FILTER [OPTIONS]",
        ("rota delete ID", "rota delete --state cancelled --label customer=7 --dry-run"),
    ),
)
LOOK = (
    Command(
        "top",
        "rota.cli.top.command:top",
        "[OPTIONS]",
        ("rota top", "rota top --every 5s", "rota top --json | jq .rates"),
    ),
    Command("stats", "rota.cli.stats:stats", "[OPTIONS]", ("rota stats", "rota stats --json")),
    Family(
        "groups",
        "Look at groups; pause and limit them, methods or the node.",
        (
            Command("list", "rota.cli.groups:list_groups", "[OPTIONS]", ("rota groups", "rota groups list --json")),
            Command(
                "pause",
                "rota.cli.groups:pause",
                "[NAME] [OPTIONS]",
                (
                    "rota groups pause mail --note 'the server is down'",
                    "rota groups pause --method resize",
                    "rota groups pause --node",
                ),
            ),
            Command(
                "resume",
                "rota.cli.groups:resume",
                "[NAME] [OPTIONS]",
                ("rota groups resume mail", "rota groups resume --node"),
            ),
            Command(
                "limit",
                "rota.cli.groups:limit",
                "[NAME] [OPTIONS]",
                (
                    "rota groups limit mail --concurrency 4 --rate 100/m",
                    "rota groups limit --method send --key-rate 1/s",
                    "rota groups limit mail --concurrency none",
                ),
            ),
        ),
    ),
    Family(
        "workers",
        "Look at workers; drain them, or shut them down.",
        (
            Command(
                "list",
                "rota.cli.workers:list_workers",
                "[OPTIONS]",
                ("rota workers", "rota workers --all", "rota workers list --json"),
            ),
            Command(
                "drain", "rota.cli.workers:drain", "ID... [OPTIONS]", ("rota workers drain mail-1 --note 'new disk'",)
            ),
            Command("resume", "rota.cli.workers:resume", "ID... [OPTIONS]", ("rota workers resume mail-1",)),
            Command(
                "shutdown", "rota.cli.workers:shutdown", "ID... [OPTIONS]", ("rota workers shutdown mail-1 mail-2",)
            ),
        ),
    ),
    Command(
        "methods",
        "rota.cli.methods:methods",
        "[NAME] [OPTIONS]",
        ("rota methods", "rota methods resize", "rota methods --json"),
    ),
    Command(
        "audit",
        "rota.cli.audit:audit",
        "[OPTIONS]",
        ("rota audit --since 1d", "rota audit --action token --who ann --json"),
    ),
)
CARE = (
    Command(
        "doctor",
        "rota.cli.doctor.command:doctor",
        "[OPTIONS]",
        ("rota doctor", "rota doctor --data /srv/rota --url http://127.0.0.1:9090"),
    ),
    Family(
        "seal",
        "Seal secret params; make keys for it.",
        (
            Command(
                "value",
                "rota.cli.seal:value",
                "METHOD [OPTIONS]",
                ("rota seal value log_in", "rota seal value log_in --as-json"),
            ),
            Command("key", "rota.cli.seal:key", "[KID]", ("rota seal key", "rota seal key 2027-01")),
        ),
    ),
    Family(
        "token",
        "List tokens; make, rotate and revoke them.",
        (
            Command("list", "rota.cli.token:list_tokens", "[OPTIONS]", ("rota token", "rota token list --json")),
            Command(
                "create",
                "rota.cli.token:create",
                "NAME --role ROLE [OPTIONS]",
                (
                    "rota token create ci --role client --expires 30d",
                    "rota token create mailer --role worker --group mail --quiet > mailer.token",
                ),
            ),
            Command("rotate", "rota.cli.token:rotate", "KID [OPTIONS]", ("rota token rotate k3x9q7lw2rt8",)),
            Command("revoke", "rota.cli.token:revoke", "KID... [OPTIONS]", ("rota token revoke k3x9q7lw2rt8",)),
        ),
    ),
    Command(
        "backup",
        "rota.cli.store:backup",
        "TO [OPTIONS]",
        ("rota backup /backup/rota.db", "rota backup /backup --data /srv/rota --json"),
    ),
    Command(
        "migrate",
        "rota.cli.store:migrate",
        "[OPTIONS]",
        ("rota migrate --check", "rota migrate --data /srv/rota"),
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

GROUPS: dict[str, tuple[Command | Family, ...]] = {"Run": RUN, "Tasks": TASKS, "Look": LOOK, "Care": CARE}
COMMANDS = tuple(each for commands in GROUPS.values() for each in commands)


def with_verb(argv: list[str]) -> list[str]:
    """What was typed, with the verb that a noun alone stands for: `groups --json` is `groups list --json`."""
    family = next((each for each in COMMANDS if isinstance(each, Family) and argv[:1] == [each.name]), None)
    if family is None or (len(argv) > 1 and (not argv[1].startswith("-") or argv[1] in ("--help", "-h"))):
        return argv
    return [family.name, family.verbs[0].name, *argv[1:]]
