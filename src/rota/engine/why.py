"""Why a task does not run, in words: exact causes, the one to look at first standing first.

`explain` is pure. What it goes by is gathered in `reasons.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rota.model.audit import ANYBODY
from rota.model.cause import Cause, Explanation
from rota.model.control import Control, Rate, Scope
from rota.model.retry import SECOND
from rota.model.task import Reason, State, Task
from rota.model.text import task_id_text

NAMED = 3
"""Ids that a sentence names; the cause itself carries more."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One scope's setting that keeps the task from starting now."""

    control: Control
    holders: tuple[bytes, ...] = ()
    """Who takes up its concurrency, where that is full."""
    full: bool = False
    learning: bool = False
    next_at: int | None = None
    """Where its rate is spent: the next start."""
    by_key: bool = False
    """That rate is the one for each key."""


@dataclass(frozen=True, slots=True)
class Server:
    """A worker that may run the task."""

    name: str
    slots: int
    in_hand: int
    room: int
    draining: bool
    silent: bool
    """Its leases lapse though its link is up."""


@dataclass(frozen=True, slots=True)
class Absence:
    """Why nobody may run the task."""

    groups: Mapping[str, int] = field(default_factory=dict)
    """Connected workers that offer the method, by group; those that name none under an empty name."""
    versions: tuple[int, ...] = ()
    """The versions that connected workers offer."""
    group_versions: tuple[int, ...] = ()
    """Those offered by workers that serve the task's group."""
    known: bool = False
    """Some worker has offered the method before."""
    target_here: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """How things stand around one task."""

    now: int
    unready: str = ""
    """Why the node does not serve: `draining`, or the code of what is wrong with the store."""
    servers: Sequence[Server] = ()
    absence: Absence | None = None
    """Set where `servers` is empty."""
    holds: Sequence[Hold] = ()
    key_holders: tuple[bytes, ...] = ()
    """Who takes up the task's concurrency key, where that is full."""
    ahead: int = 0
    """Ready tasks before it in its lane."""
    parents: Sequence[tuple[bytes, State]] = ()
    order_holder: bytes | None = None
    """Who is before it in its order key."""
    holder: str = ""
    """The worker that has it; empty where that one is not connected."""
    holder_named: str = ""


def explain(task: Task, facts: Situation) -> Explanation:
    """At least one cause, always."""
    if task.state.ended:
        causes = [_ended(task)]
    elif task.state is State.RUNNING:
        causes = _running(task, facts)
    elif task.state is State.SCHEDULED:
        causes = [*_unready(facts), _scheduled(task), *_servers(task, facts, later=True), *_paused(facts)]
    elif task.state is State.WAITING:
        causes = _waiting(task, facts)
    else:
        causes = _ready(task, facts)
    return Explanation(task.id, task.state.name.lower(), causes[0].message, tuple(causes))


# --- by state


def _ended(task: Task) -> Cause:
    reason = task.reason.name.lower().replace("_", " ")
    return Cause("ended", f"it has ended: {task.state.name.lower()} ({reason}) at {_at(task.ended_at or 0)}")


def _running(task: Task, facts: Situation) -> list[Cause]:
    causes: list[Cause] = []
    if task.reason is Reason.CANCEL_ASKED:
        causes.append(Cause("cancel_asked", "its cancel was asked for; it ends when its worker says so"))
    by = (facts.holder_named,) if facts.holder_named else ()
    if not facts.holder:
        words = f"its worker{_quoted(facts.holder_named)} is not connected; if it does not come back by"
        causes.append(
            Cause("worker_gone", f"{words} {_at(task.due_at or 0)} another worker gets the task", task.due_at, by)
        )
    if task.started_at is None:
        words = f"worker{_quoted(facts.holder_named)} has it, and has not said yet that it started"
        causes.append(Cause("running_not_started", words, None, by))
    else:
        causes.append(
            Cause("running", f"it runs on worker{_quoted(facts.holder_named)}, since {_at(task.started_at)}", None, by)
        )
    return causes


def _scheduled(task: Task) -> Cause:
    at = task.due_at or 0
    if task.reason in (Reason.RETRY, Reason.RETRY_ASKED):
        tries = f"after {task.failures} of {task.spec.retry.retries + 1} tries"
        return Cause("retry_wait", f"it failed, and is tried again at {_at(at)}, {tries}", at)
    return Cause("delayed", f"it is to start at {_at(at)}, not before", at)


def _waiting(task: Task, facts: Situation) -> list[Cause]:
    causes = _unready(facts)
    if facts.parents:
        told = ", ".join(f"{task_id_text(parent)} ({state.name.lower()})" for parent, state in facts.parents[:NAMED])
        more = _more(len(facts.parents))
        words = f"it comes after {len(facts.parents)} {_n(len(facts.parents), 'task')} not ended yet: {told}{more}"
        causes.append(Cause("waiting_for_parents", words, None, _ids(facts.parents), len(facts.parents)))
    if facts.order_holder is not None:
        words = f"its order key `{task.spec.order_key}` is held by task {task_id_text(facts.order_holder)}, accepted before it"
        causes.append(Cause("waiting_for_order_key", words, None, (task_id_text(facts.order_holder),)))
    if not causes:
        code = "waiting_for_order_key" if task.reason is Reason.ORDERED else "waiting_for_parents"
        causes.append(Cause(code, "what it waited for has just ended; look again"))
    return causes


def _ready(task: Task, facts: Situation) -> list[Cause]:
    causes = [*_unready(facts), *_servers(task, facts), *_paused(facts), *_limited(facts), *_keyed(task, facts)]
    full = _full(facts)
    if full is not None:
        causes.append(full)
    if facts.ahead:
        words = f"{facts.ahead} {_n(facts.ahead, 'task')} {'is' if facts.ahead == 1 else 'are'} before it in its lane"
        if full is not None:
            words += f", and {full.message}"
        causes.append(Cause("queued_behind", words, None, (), facts.ahead))
    if not causes:
        causes.append(Cause("queued_behind", "it is next: it is being given to a worker now", None, (), 0))
    return causes


# --- what may hold a ready task


def _unready(facts: Situation) -> list[Cause]:
    if facts.unready in ("", "starting"):
        return []
    if facts.unready == "draining":
        return [Cause("node_draining", "the node is stopping; the task goes on when a node is there again")]
    if facts.unready == "store_full":
        return [Cause("store_full", "the node's store is full: free space on its disk, or raise the limit that is set")]
    return [Cause("store_unavailable", f"the node's store cannot be written ({facts.unready}): see `rota doctor`")]


def _servers(task: Task, facts: Situation, *, later: bool = False) -> list[Cause]:
    if facts.absence is not None:
        return [_nobody(task, facts.absence)]
    draining = [server for server in facts.servers if server.draining]
    if facts.servers and len(draining) == len(facts.servers):
        count = len(draining)
        words = f"{_all(count, 'worker')} that can run it {_n(count, 'takes', 'take')} nothing more: draining"
        return [Cause("workers_draining", f"{words}; resume one, or start another", None, _names(draining), count)]
    return []


def _nobody(task: Task, absence: Absence) -> Cause:
    lane = task.spec.lane
    if lane.target is not None and not absence.target_here:
        words = f"it is bound to worker `{lane.target}`, which is not connected; worker ids are new at each start"
        return Cause("worker_gone", f"{words}: cancel the task and submit it without a target", None, (lane.target,))
    if lane.target is not None:
        words = f"it is bound to worker `{lane.target}`, which does not offer {_offer(task)}"
        return Cause("no_worker", words, None, (lane.target,))
    if not absence.versions:
        hint = "start one" if absence.known else "none ever did: is the name right?"
        return Cause("no_worker", f"no worker that is connected offers {_offer(task)}; {hint}")
    if lane.version is not None and lane.version not in absence.versions:
        have = ", ".join(map(str, absence.versions))
        return Cause("no_worker", f"no worker that is connected offers {_offer(task)}; versions offered: {have}")
    elsewhere = "; ".join(
        f"{count} {_n(count, 'worker')} {_n(count, 'offers', 'offer')} it "
        + (f"in group `{group}`" if group else "without any group")
        for group, count in list(absence.groups.items())[:NAMED]
        if group != lane.group
    )
    words = f"no worker that is connected offers {_offer(task)} in group `{lane.group}`"
    if absence.group_versions and lane.version is None:
        old, new = max(absence.group_versions), max(absence.versions)
        words = (
            f"the workers in group `{lane.group}` offer `{lane.method}` in version {old}, and version {new} is live in "
            "another group: an unpinned task goes to the highest live version"
        )
    return Cause("no_worker_in_group", words + (f"; {elsewhere}" if elsewhere else ""))


def _paused(facts: Situation) -> list[Cause]:
    causes: list[Cause] = []
    for hold in facts.holds:
        control = hold.control
        if control.paused:
            who = f" by {control.changed_by}" if control.changed_by not in ("", ANYBODY) else ""
            note = f": {control.note}" if control.note else ""
            words = f"{_scope(control)} is paused{who} since {_at(control.changed_at)}{note}"
            causes.append(Cause("paused", words, None, (_scope(control),)))
    return causes


def _limited(facts: Situation) -> list[Cause]:
    causes: list[Cause] = []
    for hold in facts.holds:
        control = hold.control
        if hold.learning:
            words = f"it is being counted how many tasks run under the limit of {_scope(control)}"
            causes.append(Cause("concurrency_full", words))
        elif hold.full:
            limit, held = control.concurrency, len(hold.holders)
            words = f"the concurrency of {_scope(control)} is full: {held} of {limit}, held by {_few(hold.holders)}"
            causes.append(Cause("concurrency_full", words, None, _texts(hold.holders), held))
        if hold.next_at is not None:
            rate = control.key_rate if hold.by_key else control.rate
            each = " for each concurrency key" if hold.by_key else ""
            said = _rate(rate) if rate is not None else ""
            words = f"the rate limit of {_scope(control)}{each}, {said}, is spent; next start at {_at(hold.next_at)}"
            causes.append(Cause("rate_limited", words, hold.next_at))
    return causes


def _keyed(task: Task, facts: Situation) -> list[Cause]:
    if not facts.key_holders:
        return []
    held, limit = len(facts.key_holders), task.spec.concurrency_limit
    words = f"its concurrency key `{task.spec.lane.key}` is taken: {held} of {limit}, held by {_few(facts.key_holders)}"
    return [Cause("key_concurrency_full", words, None, _texts(facts.key_holders), held)]


def _full(facts: Situation) -> Cause | None:
    able = [server for server in facts.servers if not server.draining]
    if not able or any(server.room > 0 for server in able):
        return None
    slots, silent = sum(server.slots for server in able), sum(server.silent for server in able)
    words = f"{len(able)} {_n(len(able), 'worker')} with {slots} {_n(slots, 'slot')} {_n(len(able), 'is', 'are')} full"
    if silent:
        words += f" ({silent} of them {_n(silent, 'does', 'do')} not renew what it was given: stalled, or cut off)"
    return Cause("workers_full", words, None, _names(able), slots)


# --- words


def _offer(task: Task) -> str:
    lane = task.spec.lane
    return f"`{lane.method}`" + (f" in version {lane.version}" if lane.version is not None else "")


def _scope(control: Control) -> str:
    if control.scope is Scope.NODE:
        return "the node"
    if control.scope is Scope.GROUP:
        return f"group `{control.name}`" if control.name else "the tasks without a group"
    return f"method `{control.name}`"


def _rate(rate: Rate) -> str:
    return f"{rate.count} in {rate.period / SECOND:g} s"


def _at(instant: int) -> str:
    return datetime.fromtimestamp(instant / SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _few(ids: Sequence[bytes]) -> str:
    return ", ".join(map(task_id_text, ids[:NAMED])) + _more(len(ids))


def _more(count: int) -> str:
    return f" and {count - NAMED} more" if count > NAMED else ""


def _texts(ids: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(map(task_id_text, ids))


def _ids(parents: Iterable[tuple[bytes, State]]) -> tuple[str, ...]:
    return tuple(task_id_text(parent) for parent, _ in parents)


def _names(servers: Iterable[Server]) -> tuple[str, ...]:
    return tuple(server.name for server in servers)


def _quoted(name: str) -> str:
    return f" `{name}`" if name else ""


def _n(count: int, one: str, many: str = "") -> str:
    return one if count == 1 else many or f"{one}s"


def _all(count: int, noun: str) -> str:
    return f"the only {noun}" if count == 1 else f"all {count} {noun}s"
