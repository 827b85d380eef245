"""What the audit log says of verbs: their names, their objects, and what was there before and after."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from enum import Enum

from rota.access.audit import Recorder
from rota.access.grant import Grant
from rota.contract.store import Query
from rota.model.control import Control, Rate, Scope
from rota.model.report import CallOutcome
from rota.model.task import State
from rota.model.text import task_id_text
from rota.model.token import TokenRecord

_SAMPLE = 20


class Unset(Enum):
    """Not said, where None means something."""

    UNSET = "unset"


UNSET = Unset.UNSET


@contextlib.contextmanager
def refusal(record: Recorder, action: str, target: str, grant: Grant) -> Iterator[None]:
    """Writes the one line of a verb that fails."""
    try:
        yield
    except Exception as error:
        record.refused(action, target, grant, error)
        raise


def control_action(scope: Scope, said: Mapping[str, object]) -> str:
    """`group.pause`, `group.resume`, `method.limit` … `group.set` for several in one."""
    limits = said.keys() - {"paused", "note"}
    if "paused" in said and not limits:
        return f"{scope.value}.{'pause' if said['paused'] else 'resume'}"
    return f"{scope.value}.{'set' if 'paused' in said else 'limit'}"


def control_facts(control: Control) -> dict[str, object]:
    """What it sets; nothing for one that sets nothing."""
    facts: dict[str, object] = {"paused": True, "note": control.note} if control.paused else {}
    if control.concurrency is not None:
        facts["concurrency"] = control.concurrency
    for name, rate in (("rate", control.rate), ("key_rate", control.key_rate)):
        if rate is not None:
            facts[name] = _rate(rate)
    if control.max_queued is not None:
        facts["max_queued"] = control.max_queued
    return facts


def token_facts(token: TokenRecord) -> dict[str, object]:
    """Everything but the digest."""
    return {
        "kid": token.kid,
        "name": token.name,
        "roles": sorted(token.roles),
        "groups": None if token.groups is None else sorted(token.groups),
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
    }


def calls_facts(outcomes: Sequence[CallOutcome]) -> dict[str, object]:
    """How many it was done for, by state; how many were refused, by code; and the first of the ids."""
    done = Counter(outcome.state for outcome in outcomes if outcome.refusal is None)
    refused = Counter(getattr(o.refusal, "code", "internal") for o in outcomes if o.refusal is not None)
    facts: dict[str, object] = {"done": dict(done)}
    if refused:
        facts["refused"] = dict(refused)
    if len(outcomes) > 1:
        facts["ids"] = [task_id_text(outcome.id) for outcome in outcomes[:_SAMPLE]]
    return facts


def query_text(query: Query) -> str:
    """`state=failed method=mail.send`."""
    words = []
    for field in fields(query):
        value = getattr(query, field.name)
        if value is None or value == ():
            continue
        if isinstance(value, tuple):
            value = ",".join(v.name.lower() if isinstance(v, State) else str(v) for v in value)
        words.append(f"{field.name}={value}")
    return " ".join(words)


def _rate(rate: Rate) -> str:
    return f"{rate.count}/{rate.period / 1e6:g}s"
