"""Groups, workers, methods, why, batches, the audit log, and changes of many tasks at once: as people and machines see them."""

import io
import json
import re
import sys
from datetime import timedelta

import pytest
from scripted_client import AT, HOSTILE, Rota, ScriptedClient, id_of, worker

from rota.cli import human

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")


@pytest.fixture
def busy(client: ScriptedClient) -> ScriptedClient:
    client.connected = [worker("one"), worker("two", draining=True)]
    return client


@pytest.mark.parametrize(
    "argv",
    [
        ("groups",),
        ("groups", "list"),
        ("workers",),
        ("methods",),
        ("methods", "add"),
        ("why", id_of(4)),
        ("audit",),
        ("batch", "fine"),
        ("top",),
        ("list", "--cursor", "start"),
    ],
)
def test_what_others_have_written_does_nothing_to_the_terminal(rota_here: Rota, busy: object, argv: tuple[str]) -> None:
    done = rota_here(*argv)
    assert done.code == 0
    assert not CONTROL.search(done.out + done.err)


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize(
    ("argv", "first"),
    [
        (("groups",), "(no group)"),
        (("workers",), "id-of-a-worker-with-a-long-name"),
        (("audit",), "2026-11-21"),
        (("list",), id_of(1)),
    ],
)
def test_a_table_can_be_read_on_a_terminal_of_any_width(
    rota_here: Rota,
    client: ScriptedClient,
    monkeypatch: pytest.MonkeyPatch,
    argv: tuple[str],
    first: str,
    width: int,
) -> None:
    client.connected = [worker("a-worker-with-a-long-name", groups=("mail", "stock", "images"))]
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(human, "now", lambda: AT + timedelta(days=400))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    done = rota_here(*argv)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", done.out).splitlines()
    assert max(map(len, lines)) <= width
    assert any(line.startswith(first) for line in lines), "the first column is never folded"
    assert len(lines) < 12, "no column is folded to a few letters"
    if width == 200:
        assert done.err == "", "there is room for all of it"
    if (width, argv[0]) == (80, "workers"):
        assert "no room for: pid, application" in done.err


# --- groups


def test_groups_are_listed_with_what_is_set(rota_here: Rota) -> None:
    lines = rota_here("groups").out.splitlines()
    assert lines[0].split()[:4] == ["group", "ready", "running", "scheduled"]
    assert lines[1].split() == ["(no", "group)", "12,345", "0", "0", "0", "2", "7/32", "1.0", "2.0"]
    assert lines[2].endswith("paused (new disks), 2 at once, 10/s, 1/m a key")
    assert lines[3] == "the node: 3 at once"
    assert lines[4].endswith("paused")


def test_groups_for_machines_have_one_shape(rota_here: Rota) -> None:
    values = rota_here("groups", "--json").values
    assert [(value["scope"], value["name"]) for value in values] == [
        ("group", ""), ("group", HOSTILE), ("node", ""), ("method", HOSTILE),
    ]  # fmt: skip
    assert all("control" in value for value in values)
    assert (values[1]["control"]["rate"], values[1]["control"]["key_rate"]) == ("10/s", "1/m")


@pytest.mark.parametrize(
    ("words", "scope"),
    [
        (["mail"], ("group", "mail")),
        (["--method", "add"], ("method", "add")),
        (["--node"], ("node", "")),
        (["--no-group"], ("group", "")),
    ],
)
def test_a_scope_is_paused_and_resumed(
    rota_here: Rota, client: ScriptedClient, words: list[str], scope: tuple[str, str]
) -> None:
    done = rota_here("groups", "pause", *words, "--note", "why")
    assert "paused (why)" in done.out
    assert done.err.startswith("resume it: rota groups resume")
    again = done.err.split("groups resume")[1].split()
    assert rota_here("groups", "resume", *again).code == 0
    assert client.submitted == [("pause", *scope, "why"), ("resume", *scope)]


@pytest.mark.parametrize("words", [[], ["mail", "--node"], ["--node", "--no-group"], ["mail", "--method", "add"]])
def test_one_scope_is_named(rota_here: Rota, client: ScriptedClient, words: list[str]) -> None:
    for verb in (["pause"], ["resume"], ["limit", "--concurrency", "1"]):
        done = rota_here("groups", *verb, *words)
        assert (done.code, "name one" in done.err) == (2, True)
    assert client.submitted == []


def test_limits_are_set_and_taken_away(rota_here: Rota, client: ScriptedClient) -> None:
    rota_here("groups", "limit", "mail", "--concurrency", "4", "--rate", "100/m", "--key-rate", "none")
    rota_here("groups", "limit", "mail", "--concurrency", "none", "--max-queued", "7")
    rota_here("groups", "limit", "mail", "--max-queued", "none")
    assert [limits for *_, limits in client.submitted] == [
        {"concurrency": 4, "rate": "100/m", "key_rate": None}, {"concurrency": None, "max_queued": 7},
        {"max_queued": None},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words", [[], ["--concurrency", "0"], ["--concurrency", "-1"], ["--concurrency", "many"], ["--max-queued", "0"]]
)
def test_a_limit_that_cannot_be_is_refused(rota_here: Rota, client: ScriptedClient, words: list[str]) -> None:
    assert rota_here("groups", "limit", "mail", *words).code == 2
    assert client.submitted == []


# --- workers and methods


def test_workers_are_told_one_by_one_and_one_that_is_not_there_fails(rota_here: Rota, client: ScriptedClient) -> None:
    done = rota_here("workers", "drain", "one", "nope", "two", "--note", "disk")
    assert done.code == 1
    assert [line.split(":")[0] for line in done.out.splitlines()] == ["one", "two"]
    assert "'nope'" in done.err
    assert client.submitted == [("drain", "one", "disk"), ("drain", "nope", "disk"), ("drain", "two", "disk")]
    assert rota_here("workers", "shutdown", "one", "--json").values == [{"worker": "one", "event": "shut_down"}]
    assert rota_here("workers", "resume", "one").code == 0
    assert rota_here("workers", "drain").code == 2


def test_the_list_of_workers_is_what_the_noun_alone_means(rota_here: Rota, busy: object) -> None:
    assert rota_here("workers").out == rota_here("workers", "list").out
    assert rota_here("workers", "--all", "--json").values[1]["draining"] is True


def test_a_method_is_shown_with_its_versions_and_workers(rota_here: Rota, busy: object) -> None:
    done = rota_here("methods", "add")
    assert done.out.startswith("add@1   offered by 0 workers\n")
    assert "id-of-one" in done.out
    assert rota_here("methods", "add", "--json").values[0]["served_by"] == ["id-of-one", "id-of-two"]


def test_a_method_that_is_nearly_right_is_guessed(rota_here: Rota) -> None:
    done = rota_here("methods", "ad")
    assert (done.code, done.out) == (1, "")
    assert "did you mean add?" in done.err


# --- why, batch, audit


def test_every_cause_is_told_the_first_one_first(rota_here: Rota) -> None:
    lines = rota_here("why", id_of(4)).out.splitlines()
    assert lines[0] == f"{id_of(4)} is ready"
    assert lines[1].startswith("  group mail is paused")
    assert lines[2].startswith("    until 2026-11-21")
    assert lines[3] == "    by w-1", "what the sentence has said is not said again"
    assert lines[4] == "  also: all workers are busy"
    assert lines[5] == "next: rota groups shows what is paused, rota groups resume ends it"
    (value,) = rota_here("why", id_of(4), "--json").values
    assert [cause["code"] for cause in value["causes"]] == ["paused", "workers_full"]
    assert value["causes"][0]["until"] == "2026-11-21T12:00:00.000000Z"


def test_a_batch_is_counted(rota_here: Rota) -> None:
    done = rota_here("batch", "bad")
    assert (done.code, done.out.splitlines()[0][:49]) == (0, "bad: 3 of 3 have ended, 1 without success; begun ")
    assert "rota retry --batch bad" in done.out
    (value,) = rota_here("batch", "bad", "--json").values
    assert (value["total"], value["done"], value["failed"], value["finished"]) == (3, 3, 1, True)
    assert set(value["tasks"]) == {
        "waiting", "scheduled", "ready", "running", "succeeded", "failed", "cancelled", "expired",
    }  # fmt: skip
    assert rota_here("batch", "nope").code == 1


def test_a_batch_is_watched_until_all_have_ended(rota_here: Rota, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.cli.batch._EVERY", 0.0)
    done = rota_here("batch", "growing", "--watch", "--json")
    assert [value["done"] for value in done.values] == [0, 1, 2]
    assert done.code == 0
    assert rota_here("batch", "bad", "--watch").code == 1


def test_the_audit_log_is_asked_for_with_what_is_said(rota_here: Rota, client: ScriptedClient) -> None:
    done = rota_here("audit", "--who", "ann", "--action", "group", "--since", "1h", "--limit", "5", "--json")
    assert [value["number"] for value in done.values] == [9, 8]
    ((_, wanted),) = client.submitted
    assert (wanted["who"], wanted["action"], wanted["limit"], wanted["until"]) == ("ann", "group", 5, None)
    assert timedelta(minutes=59) < human.now() - wanted["since"] < timedelta(minutes=61)
    assert rota_here("audit", "--all").out.splitlines()[0].split() == [
        "at", "who", "from", "door", "action", "object", "outcome",
    ]  # fmt: skip


# --- many tasks at once


@pytest.mark.parametrize(("verb", "state"), [("cancel", "unended"), ("retry", "failed"), ("delete", "ended")])
def test_a_filter_means_the_states_where_the_verb_makes_sense(
    rota_here: Rota, client: ScriptedClient, verb: str, state: str
) -> None:
    assert rota_here(verb, "--label", "a=b", "--yes").code == 0
    assert rota_here(verb, "--state", "expired", "--since", "2026-11-21T12:00Z", "--yes", "--limit", "7").code == 0
    assert client.submitted == [
        (verb, False, {"states": [state], "label": "a=b", "limit": 100_000}),
        (verb, False, {"states": ["expired"], "created_after": AT, "limit": 7}),
    ]


def test_a_dry_run_changes_nothing(rota_here: Rota, client: ScriptedClient) -> None:
    done = rota_here("retry", "--method", "add", "--dry-run")
    assert (done.code, done.out.splitlines()[0]) == (0, "3 tasks (failed) would be run again")
    assert id_of(1) in done.out
    assert [asked[:2] for asked in client.submitted] == [("retry", True)]
    (value,) = rota_here("retry", "--method", "add", "--dry-run", "--json").values
    assert (value["done"], value["dry_run"]) == (3, True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "changed"), [("y\n", True), ("n\n", False), ("\n", False), ("", False)])
def test_it_is_asked_before_many_are_changed(
    rota_here: Rota, client: ScriptedClient, monkeypatch: pytest.MonkeyPatch, typed: str, changed: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    done = rota_here("delete", "--method", "add")
    assert "delete 3 tasks (ended)? [y/N]" in done.err
    assert done.code == (0 if changed else 1)
    assert [asked[1] for asked in client.submitted] == [True, False][: 1 + changed]


def test_without_a_terminal_it_has_to_be_said(
    rota_here: Rota, client: ScriptedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    done = rota_here("delete", "--method", "add")
    assert (done.code, "--yes" in done.err, done.out) == (2, True, "")
    assert [asked[1] for asked in client.submitted] == [True]
    assert rota_here("delete", "--method", "none").code == 0
    assert rota_here("delete", "--method", "none", "--json").values[0]["matched"] == 0
    assert rota_here("delete", "--method", "add", "--json").code == 2, "a program says it, too"
    assert rota_here("delete", "--method", "add", "--yes", "--json").values[0]["done"] == 3


def test_what_was_refused_is_counted_and_fails(rota_here: Rota) -> None:
    done = rota_here("retry", "--method", "stuck", "--yes")
    assert (done.code, done.out) == (1, "2 of 3 tasks run again\n")
    assert "1 refused: not_finished" in done.err


@pytest.mark.parametrize("verb", ["cancel", "retry", "delete"])
@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--yes"],
        [id_of(1), "--state", "failed"],
        [id_of(1), "--dry-run"],
        [id_of(1), "--limit", "5"],
        ["--since", "tea"],
    ],
)
def test_ids_or_a_filter_but_not_both_and_not_nothing(
    rota_here: Rota, client: ScriptedClient, verb: str, words: list[str]
) -> None:
    done = rota_here(verb, *words)
    assert (done.code, done.out) == (2, "")
    assert client.submitted == []


def test_tasks_are_deleted_by_their_ids(rota_here: Rota) -> None:
    assert rota_here("delete", id_of(1)).out == f"{id_of(1)}  succeeded\n"


# --- list


def test_a_list_goes_on_from_a_cursor(rota_here: Rota, client: ScriptedClient) -> None:
    first = rota_here("list", "--cursor", "start", "--limit", "2", "--json")
    assert len(first.values) == 2
    assert json.loads(first.err) == {"next": "77"}
    last = rota_here("list", "--cursor", "77", "--limit", "2")
    assert last.err == ""
    assert client.submitted == [("page", "", 2), ("page", "77", 2)]


@pytest.mark.parametrize(
    "argv",
    [
        ["list", "--limit", "0"],
        ["list", "--limit", "-5"],
        ["list", "--cursor", "start", "--all"],
        ["audit", "--limit", "0"],
        ["retry", "--state", "failed", "--limit", "100001"],
        ["delete", "--state", "failed", "--limit", "0"],
    ],
)
def test_a_limit_that_cannot_be_is_told_before_anything_is_asked(
    rota_here: Rota, client: ScriptedClient, argv: list[str]
) -> None:
    done = rota_here(*argv)
    assert (done.code, done.out, client.submitted) == (2, "", [])


def test_a_list_is_narrowed_by_everything_at_once(rota_here: Rota, client: ScriptedClient) -> None:
    argv = "--state failed,ready --method m --group g --worker w --label a=b --batch x --text t --until 1d"
    assert rota_here("list", *argv.split()).code == 0
    ((_, limit, wanted),) = client.submitted
    assert limit == 50
    assert timedelta(hours=23) < human.now() - wanted.pop("created_before") < timedelta(hours=25)
    assert wanted == {
        "states": ["failed", "ready"], "method": "m", "group": "g", "worker": "w", "label": "a=b", "batch": "x",
        "text": "t", "created_after": None,
    }  # fmt: skip


# --- submit


def test_a_submit_says_what_there_is_to_say(rota_here: Rota, client: ScriptedClient) -> None:
    argv = f"--after {id_of(1)},{id_of(2)} --after {id_of(4)} --on-parent-failure run --batch b --unique-key u"
    argv += " --unique-mode replace --debounce 5s --concurrency-key c --concurrency-limit 3"
    assert rota_here("submit", "add", "[1,2]", *argv.split()).code == 0
    (call,) = client.submitted
    assert [each[-1] for each in call.after] == [1, 2, 4]
    assert (call.on_parent_failure, call.batch) == ("run", "b")
    options = call.options
    assert (options.unique_mode, options.debounce) == ("replace", 5_000_000)
    assert (options.concurrency_key, options.concurrency_limit) == ("c", 3)


def test_a_parent_that_is_no_id_is_told_before_anything_is_sent(rota_here: Rota, client: ScriptedClient) -> None:
    done = rota_here("submit", "add", "--after", "teatime")
    assert (done.code, "teatime" in done.err, client.submitted) == (2, True, [])
