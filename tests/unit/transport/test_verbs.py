"""What a token that is bound to groups sees and changes, and the line that each verb writes into the audit log."""

import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence

import pytest
from doors_kit import KEY, Node, StartNode, new_id

from rota.access.grant import Grant
from rota.access.policy import Policy
from rota.contract.store import AuditQuery, Query
from rota.model.audit import AuditRecord
from rota.model.control import Rate, Scope
from rota.model.errors import Conflict, Forbidden, InvalidInput, NotFound, RotaError, Unavailable
from rota.model.group import GroupView
from rota.model.method import Options
from rota.model.submission import Submission
from rota.model.task import State, Task
from rota.model.text import task_id_text
from rota.transport.scoped_tasks import PAGE
from rota.transport.verbs import Verbs
from rota.wire.v1 import link_pb2 as pb

ALL = frozenset({"admin"})


class Waiter:
    """Who waits for tasks."""

    def __init__(self) -> None:
        self.told: list[bytes] = []

    def ended(self, tasks: list[Task]) -> None:
        self.told += [task.id for task in tasks]


def new(group: str | None = None, **rest: object) -> Submission:
    options = {key: rest.pop(key) for key in list(rest) if key in Options.__dataclass_fields__}
    return Submission(new_id(), "add", options=Options(group=group, **options), **rest)  # type: ignore[arg-type]


def verbs(node: Node, *groups: str, roles: frozenset[str] = ALL) -> Verbs:
    grant = Grant(roles, frozenset(groups) or None, kid="k-" + "-".join(groups), name="-".join(groups) or "root")
    return node.lobby.verbs(grant, "http", "10.0.0.9")


async def put(node: Node, *groups: str | None, **rest: object) -> list[bytes]:
    receipts = await node.engine.submit([new(group, **rest) for group in groups])
    assert not [r for r in receipts if r.refusal]
    return [r.task_id for r in receipts]


async def audit(node: Node) -> list[AuditRecord]:
    return list(reversed(await node.books.audit.read(AuditQuery(), None, 1_000)))


# --- row 21: objects of other groups


Call = Callable[[Verbs, bytes], Awaitable[object]]
ON_A_TASK: dict[str, Call] = {
    "logs": lambda v, i: v.read_logs(i, 0, 10),
    "follow": lambda v, i: v.follow(i, lambda: None),
    "why": lambda v, i: v.why(i),
}
ON_TASKS: dict[str, Call] = {
    "cancel": lambda v, i: v.cancel([i], ""),
    "retry": lambda v, i: v.retry([i]),
    "delete": lambda v, i: v.delete([i]),
}


@pytest.mark.parametrize("verb", ON_A_TASK)
async def test_row_21_a_task_of_another_group_is_as_if_it_did_not_exist(node: Node, verb: str) -> None:
    own, foreign, loose = await put(node, "a", "b", None)
    bound = verbs(node, "a")
    await ON_A_TASK[verb](bound, own)
    said = set()
    for hidden in (foreign, loose, nobody := new_id()):
        with pytest.raises(NotFound) as error:
            await ON_A_TASK[verb](bound, hidden)
        said.add((error.value.code, error.value.detail.replace(task_id_text(hidden), "ID")))
    assert len(said) == 1, f"{nobody!r} cannot be told from what is there"


@pytest.mark.parametrize("verb", ON_TASKS)
async def test_row_21_nothing_is_done_to_a_task_of_another_group(node: Node, verb: str) -> None:
    for hidden in [*(await put(node, "b", None)), new_id()]:
        before = await node.engine.get([hidden])
        (outcome,) = await ON_TASKS[verb](verbs(node, "a"), hidden)  # type: ignore[misc]
        assert isinstance(outcome.refusal, NotFound)
        assert outcome.state == ""
        assert {i: t.state for i, t in (await node.engine.get([hidden])).items()} == {
            i: t.state for i, t in before.items()
        }


async def test_row_21_looks_and_waits_leave_out_what_is_in_another_group(node: Node) -> None:
    own, foreign, loose, other = await put(node, "a", "b", None, "c")
    bound = verbs(node, "a", "c")
    assert set(await bound.get([own, foreign, loose, other])) == {own, other}
    assert [task.id for task in await bound.find(Query(), None, 10)] == [other, own], "newest first, over both groups"
    assert [task.id for task in await bound.find(Query(), None, 1)] == [other]
    last = (await bound.get([other]))[other].seq
    assert [task.id for task in await bound.find(Query(), last, 10)] == [own]
    assert await bound.find(Query(group="b"), None, 10) == []
    waiter = Waiter()
    await node.engine.cancel([own, foreign, loose], "")
    assert set(await bound.wait([own, foreign, loose], waiter)) == {foreign, loose}
    assert waiter.told == [own]


async def test_row_21_a_mixed_call_is_done_for_what_is_seen(node: Node) -> None:
    own, foreign = await put(node, "a", "b")
    first, second, third = await verbs(node, "a").cancel([foreign, own, foreign], "")
    assert (first.refusal is None, second.refusal is None, third.refusal is None) == (False, True, False)
    states = {i: t.state for i, t in (await node.engine.get([own, foreign])).items()}
    assert states == {own: State.CANCELLED, foreign: State.READY}


async def test_row_21_bulk_reaches_the_tokens_groups_and_no_other(node: Node) -> None:
    await put(node, "a", "a", "b", None, "c")
    bound = verbs(node, "a", "c")
    look = await bound.bulk("cancel", Query(method="add"), dry_run=True, limit=100)
    assert (look.matched, look.done) == (3, 3)
    done = await bound.bulk("cancel", Query(method="add"), dry_run=False, limit=2)
    assert (done.done, done.more) == (2, True)
    assert (await bound.bulk("cancel", Query(group="b"), dry_run=False, limit=100)).matched == 0
    counts = await node.store.counts()
    assert (counts[State.CANCELLED], counts[State.READY]) == (2, 3)
    with pytest.raises(InvalidInput):
        await bound.bulk("cancel", Query(), dry_run=False, limit=100)


async def test_row_21_a_batch_counts_what_is_seen_of_it(node: Node) -> None:
    await put(node, "a", "a", "b", batch="nightly")
    await put(node, "b", batch="theirs")
    bound = verbs(node, "a")
    assert (await bound.batch("nightly")).states == {State.READY: 2}
    for name in ("theirs", "nobody's"):
        with pytest.raises(NotFound) as error:
            await bound.batch(name)
        assert error.value.code == "batch_not_found"


# --- what a bound token submits


async def test_a_submit_outside_the_groups_is_forbidden_and_none_is_filled_in(node: Node) -> None:
    bound = verbs(node, "a")
    good, bad, filled = await bound.submit([new("a"), new("b"), new()])
    assert isinstance(bad.refusal, Forbidden)
    assert good.refusal is filled.refusal is None
    assert (await node.engine.get([filled.task_id]))[filled.task_id].spec.lane.group == "a"
    (unsaid,) = await verbs(node, "a", "b").submit([new()])
    assert isinstance(unsaid.refusal, Forbidden), "with several groups one has to be said"
    assert sum((await node.store.counts()).values()) == 2


async def test_an_atomic_batch_with_a_foreign_group_is_refused_whole(node: Node) -> None:
    first, second = await verbs(node, "a").submit([new("a"), new("b")], atomic=True)
    assert isinstance(first.refusal, Conflict)
    assert isinstance(second.refusal, Forbidden)
    assert not sum((await node.store.counts()).values())


async def test_a_foreign_task_neither_stands_in_nor_gives_its_result_nor_is_replaced(node: Node) -> None:
    (foreign,) = await put(node, "b", unique_key="u")
    bound, waiter = verbs(node, "a"), Waiter()
    modes = [{"unique_mode": mode} for mode in ("return", "reject", "replace", None)]
    for asked in [*modes, {"debounce": 1_000_000}]:
        (receipt,) = await bound.submit([new("a", unique_key="u", **asked)], waiter=waiter)
        assert isinstance(receipt.refusal, Conflict)
        assert receipt.refusal.code == "unique_key_taken"
        assert receipt.task_id != foreign
        assert task_id_text(foreign) not in receipt.refusal.detail
    same = Submission(foreign, "add", options=Options(group="a", unique_key="u"))
    (receipt,) = await bound.submit([same], waiter=waiter)
    assert receipt.refusal is not None
    assert (await node.engine.get([foreign]))[foreign].state is State.READY
    await node.engine.cancel([foreign], "")
    assert waiter.told == []


async def test_an_own_task_stands_in_is_waited_for_and_replaced(node: Node) -> None:
    bound, waiter = verbs(node, "a"), Waiter()
    (first,) = await bound.submit([new("a", unique_key="u")], waiter=waiter)
    (twin,) = await bound.submit([new("a", unique_key="u")], waiter=waiter)
    assert twin.duplicate
    assert twin.task_id == first.task_id
    (newer,) = await bound.submit([new("a", unique_key="u", unique_mode="replace")], waiter=waiter)
    assert newer.refusal is None
    assert not newer.duplicate
    assert first.task_id in waiter.told


async def test_a_foreign_task_cannot_be_come_after(node: Node) -> None:
    own, foreign = await put(node, "a", "b")
    bound = verbs(node, "a")
    good, bad, unknown = await bound.submit(
        [new("a", after=(own,)), new("a", after=(foreign,)), new("a", after=(new_id(),))]
    )
    assert good.refusal is None
    assert {getattr(each.refusal, "code", "") for each in (bad, unknown)} == {"parent_not_found"}


# --- the house


async def test_workers_methods_and_groups_are_those_of_the_token(node: Node) -> None:
    await node.worker("wa", methods=("add",)), await node.worker("loose", methods=("sub",))
    from rota.wire.v1 import link_pb2 as pb

    for name, groups, method in (("ga", ["a"], "mul"), ("gb", ["b"], "div"), ("gab", ["a", "b"], "pow")):
        peer = await node.client()
        facts = pb.WorkerFacts(id=name, groups=groups, slots=1)
        await peer.ask(
            "registered",
            register=pb.Register(facts=facts, methods=[pb.Method(name=method)], session_key=name.encode() * 16),
        )
    await put(node, "a", "b", None)
    bound = verbs(node, "a")
    assert {worker.facts.id for worker in await bound.workers()} == {"ga", "gab"}
    assert {method.name for method, _ in await bound.methods()} == {"mul", "pow"}
    assert [group.name for group in await bound.groups()] == ["a"]
    assert sum((await bound.figures()).tasks.values()) == 1
    await bound.drain_worker("ga")
    with pytest.raises(Forbidden, match="other groups"):
        await bound.drain_worker("gab")
    for hidden in ("gb", "loose", "nobody"):
        with pytest.raises(NotFound) as error:
            await bound.shut_down_worker(hidden)
        assert error.value.code == "worker_not_found"
    assert {w.facts.id for w in await node.engine.workers() if w.draining} == {"ga"}


async def test_controls_are_set_for_the_tokens_groups_alone(node: Node) -> None:
    bound, root = verbs(node, "a"), verbs(node)
    await root.set_control(Scope.NODE, "", concurrency=100)
    await root.set_control(Scope.GROUP, "b", paused=True)
    assert (await bound.set_control(Scope.GROUP, "a", paused=True, note="rest")).changed_by == "a"
    for scope, name in ((Scope.GROUP, "b"), (Scope.GROUP, ""), (Scope.METHOD, "add"), (Scope.NODE, "")):
        with pytest.raises(Forbidden):
            await bound.set_control(scope, name, paused=False)
    assert [(c.scope, c.name) for c in await bound.controls()] == [(Scope.GROUP, "a")]


async def test_what_is_not_said_of_a_control_stays(node: Node) -> None:
    root = verbs(node)
    await root.set_control(Scope.GROUP, "a", paused=True, note="rest", concurrency=3)
    after = await root.set_control(Scope.GROUP, "a", rate=Rate(5, 1_000_000))
    assert (after.paused, after.note, after.concurrency, after.rate) == (True, "rest", 3, Rate(5, 1_000_000))
    after = await root.set_control(Scope.GROUP, "a", paused=False, concurrency=None)
    assert (after.paused, after.note, after.concurrency, after.rate) == (False, "", None, Rate(5, 1_000_000))


async def test_what_is_of_the_whole_node_is_not_for_a_bound_token(node: Node) -> None:
    bound = verbs(node, "a")
    for call in (bound.audit(AuditQuery(), None, 10), bound.series(0, 10_000_000)):
        with pytest.raises(Forbidden):
            await call
    for groups in (None, ["b"], ["a", "b"]):
        with pytest.raises(Forbidden):
            await bound.create_token("wide", ["admin"], groups)
    mine, _ = await bound.create_token("mine", ["worker"], ["a"])
    theirs, _ = await verbs(node).create_token("theirs", ["worker"], ["b"])
    assert [token.kid for token in await bound.tokens()] == [mine.kid]
    for call in (bound.revoke_token(theirs.kid), bound.rotate_token(theirs.kid)):
        with pytest.raises(NotFound):
            await call


# --- A14: the audit log


async def run(call: Awaitable[object]) -> None:
    with contextlib.suppress(RotaError):
        await call


CHANGES: dict[str, tuple[str, Callable[[Verbs, bytes], Awaitable[object]]]] = {
    "cancel": ("task.cancel", lambda v, i: v.cancel([i], "")),
    "cancel many": ("task.cancel", lambda v, i: v.cancel([i] * 2_500, "")),
    "retry": ("task.retry", lambda v, i: v.retry([i])),
    "delete": ("task.delete", lambda v, i: v.delete([i])),
    "bulk": ("task.bulk_cancel", lambda v, _: v.bulk("cancel", Query(group="a"), dry_run=False, limit=10)),
    "pause": ("group.pause", lambda v, _: v.set_control(Scope.GROUP, "a", paused=True)),
    "resume": ("group.resume", lambda v, _: v.set_control(Scope.GROUP, "a", paused=False)),
    "limit": ("method.limit", lambda v, _: v.set_control(Scope.METHOD, "add", concurrency=1)),
    "set": ("node.set", lambda v, _: v.set_control(Scope.NODE, "", paused=True, concurrency=1)),
    "drain": ("worker.drain", lambda v, _: v.drain_worker("w1")),
    "resume worker": ("worker.resume", lambda v, _: v.resume_worker("w1")),
    "shut down": ("worker.shutdown", lambda v, _: v.shut_down_worker("w1")),
    "create": ("token.create", lambda v, _: v.create_token("ci", ["client"])),
    "rotate": ("token.rotate", lambda v, _: v.rotate_token("nobody")),
    "revoke": ("token.revoke", lambda v, _: v.revoke_token("nobody")),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("bound", [False, True], ids=["root", "bound"])
async def test_A14_every_change_writes_one_line_done_or_refused(node: Node, change: str, bound: bool) -> None:
    await node.worker("w1")
    (task,) = await put(node, "a")
    action, call = CHANGES[change]
    await run(call(verbs(node, "b") if bound else verbs(node), task))
    lines = await audit(node)
    assert [line.action for line in lines] == [action]
    assert (lines[0].who, lines[0].door, lines[0].source) == ("b" if bound else "root", "http", "10.0.0.9")


async def test_A14_reads_submits_and_dry_runs_write_nothing(node: Node) -> None:
    root = verbs(node)
    (receipt,) = await root.submit([new("a")])
    await root.get([receipt.task_id]), await root.find(Query(), None, 10), await root.why(receipt.task_id)
    await root.groups(), await root.controls(), await root.workers(), await root.tokens(), await root.figures()
    await root.bulk("cancel", Query(group="a"), dry_run=True, limit=10)
    assert await audit(node) == []


async def test_A14_a_line_says_what_was_there_and_what_is(node: Node) -> None:
    root = verbs(node)
    await root.set_control(Scope.GROUP, "a", concurrency=3)
    await root.set_control(Scope.GROUP, "a", concurrency=None, rate=Rate(10, 60_000_000))
    token, text = await root.create_token("ci", ["client"], ["a"])
    await root.revoke_token(token.kid)
    _, second, made, revoked = await audit(node)
    assert (json.loads(second.before), json.loads(second.after)) == ({"concurrency": 3}, {"rate": "10/60s"})
    assert json.loads(made.after)["name"] == "ci"
    assert json.loads(revoked.before)["revoked_at"] is None
    assert text.partition(".")[2] not in "".join(line.after + line.before + line.object for line in await audit(node))


async def test_A14_a_role_that_does_not_do_is_written_down(node: Node) -> None:
    viewer = verbs(node, roles=frozenset({"viewer"}))
    with pytest.raises(Forbidden, match="admin"):
        viewer.check_role(ALL, "POST /tokens")
    (line,) = await audit(node)
    assert (line.action, line.outcome) == ("POST /tokens", "forbidden")


@pytest.mark.parametrize("verb", ["create", "rotate"])
async def test_A14_a_token_that_cannot_be_audited_is_not_made(
    node: Node, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = verbs(node)
    old, _ = await root.create_token("old", ["client"])

    async def away(lines: object) -> None:
        raise Unavailable("the disk is full", code="store_full")

    monkeypatch.setattr(node.store, "audit", away)
    with pytest.raises(Unavailable) as error:
        await (root.create_token("new", ["admin"]) if verb == "create" else root.rotate_token(old.kid))
    assert error.value.code == "not_audited"
    held = [token for token in node.books.tokens.all() if node.books.tokens.holds(token.kid)]
    assert [token.kid for token in held] == [old.kid]


# --- row 43: what was let in ends


async def test_row_43_a_link_closes_when_its_token_is_revoked(start_node: StartNode) -> None:
    node = await start_node()
    node.policy._book = node.books.tokens
    token, text = await verbs(node).create_token("ci", ["client"])
    peer, other = await node.client(text), await node.client((await verbs(node).create_token("more", ["client"]))[1])
    await verbs(node).revoke_token(token.kid)
    code, reason = await peer.end()
    assert code == 4401
    assert "revoked" in reason
    assert other.ended is None


async def test_row_43_links_of_open_mode_close_when_it_ends(start_node: StartNode) -> None:
    node = await start_node()
    node.policy._book = node.books.tokens
    peer = await node.client()
    await verbs(node).create_token("ci", ["client"])
    assert (await peer.end())[0] == 4401


async def test_a_policy_of_tokens_in_a_file_closes_links_at_a_renewal(start_node: StartNode) -> None:
    from rota.access.tokens import Token, Tokens, make_secret

    secret = make_secret()
    node = await start_node(Policy(False, Tokens([Token.of(secret, ["client"])])))
    peer = await node.client(secret)
    node.policy.renew(Tokens([Token.of(make_secret())]))
    assert (await peer.end())[0] == 4401


# --- why, and what it names


async def serving(node: Node, worker_id: str, *groups: str) -> None:
    """A worker of these groups that takes one task and keeps it."""
    peer = await node.client()
    facts = pb.WorkerFacts(id=worker_id, slots=4, groups=groups)
    register = pb.Register(facts=facts, methods=[pb.Method(name="add")], session_key=KEY)
    await peer.ask("registered", 99, register=register)


async def why_of(node: Node, task_id: bytes) -> str:
    """All that a token of the group `a` is told, and nothing but what it is told."""
    told = await verbs(node, "a").why(task_id)
    return json.dumps([told.summary, [(c.code, c.message, c.by) for c in told.causes]])


async def test_why_names_no_task_of_another_group_that_holds_a_limit(node: Node) -> None:
    await verbs(node).set_control(Scope.METHOD, "add", concurrency=1)
    await serving(node, "w-both", "a", "b")
    (foreign,) = await put(node, "b")
    (own,) = await put(node, "a")
    said = await why_of(node, own)
    assert "concurrency_full" in said
    assert task_id_text(foreign) not in said
    assert task_id_text(foreign) in (await verbs(node).why(own)).summary, "it would stand there"


@pytest.mark.parametrize("option", ["concurrency_key", "order_key"])
async def test_why_names_no_task_of_another_group_that_holds_a_key(node: Node, option: str) -> None:
    await serving(node, "w-both", "a", "b")
    foreign, own = await put(node, "b", "a", **{option: "k"})
    said = await why_of(node, own)
    assert " key " in said
    assert task_id_text(foreign) not in said


async def test_why_names_no_parent_of_another_group(node: Node) -> None:
    (foreign,) = await put(node, "b")
    (own,) = await put(node, "a", after=(foreign,))
    assert task_id_text(foreign) not in await why_of(node, own)
    (child,) = await put(node, "a", after=(own,))
    assert task_id_text(own) in await why_of(node, child), "those of its own it does"


async def test_why_names_no_other_group_where_the_method_is_offered(node: Node) -> None:
    await serving(node, "w-secret", "secret-group")
    (own,) = await put(node, "a")
    said = await why_of(node, own)
    assert "no_worker_in_group" in said
    assert "secret-group" not in said
    assert "secret-group" in (await verbs(node).why(own)).summary, "it would stand there"


async def test_the_groups_of_a_token_do_not_cost_what_all_groups_do(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(node, "a", *(f"g{number}" for number in range(50)))
    made: list[str | None] = []

    def counted(name: str | None, *rest: object) -> GroupView:
        made.append(name)
        return GroupView(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("rota.engine.groups.GroupView", counted)
    (view,) = await verbs(node, "a").groups()
    assert (view.name, view.tasks[State.READY]) == ("a", 1)
    assert made == ["a"]


async def test_why_does_not_tell_which_workers_of_other_groups_are_there(node: Node) -> None:
    await serving(node, "w-secret", "secret-group")
    said = [await why_of(node, (await put(node, "a", target=name))[0]) for name in ("w-secret", "w-nobody")]
    assert said[0].replace("w-secret", "…") == said[1].replace("w-nobody", "…")


class Reads:
    """How many records a node's engine was asked for at a time, at the most."""

    def __init__(self, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most = 0
        get, find = node.engine.get, node.engine.find

        async def counted_get(ids: Sequence[bytes]) -> dict[bytes, Task]:
            self.most = max(self.most, len(ids))
            return await get(ids)

        async def counted_find(query: Query, before: int | None, limit: int) -> list[Task]:
            self.most = max(self.most, limit)
            return await find(query, before, limit)

        monkeypatch.setattr(node.engine, "get", counted_get)
        monkeypatch.setattr(node.engine, "find", counted_find)


async def test_what_a_bound_token_may_see_is_looked_up_by_the_page(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = await put(node, *("ab"[number % 2] for number in range(2 * PAGE + 50)), batch="nightly")
    reads, bound = Reads(node, monkeypatch), verbs(node, "a")
    waiter = Waiter()
    assert await bound.wait(ids, waiter) == ids[1::2]
    assert (await bound.batch("nightly")).states == {State.READY: PAGE + 25}
    assert (await verbs(node, "a", "b", "c").batch("nightly")).states == {State.READY: 2 * PAGE + 50}
    assert sum(outcome.refusal is None for outcome in await bound.cancel(ids, "")) == PAGE + 25
    assert reads.most == PAGE, "records may carry a mebibyte each"


async def test_a_batch_began_with_its_first_task_in_whatever_group(node: Node) -> None:
    first, *_ = await put(node, "b", batch="nightly")
    await put(node, "a", batch="nightly")
    began = (await node.engine.get([first]))[first].spec.created_at
    assert (await verbs(node, "a", "b").batch("nightly")).created_at == began
