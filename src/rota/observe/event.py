"""Events, and which of them a reader is told: by topic, group and task, and never beyond the groups it may see."""

from __future__ import annotations

from dataclasses import dataclass, field

TOPICS = ("task", "worker", "group", "node", "stats")
"""`group` is what is set for groups, methods and the node: pauses and limits."""
MANY = "tasks"
"""The name of an event that only counts what changed."""
RESET = "reset"
"""The name of an event that says: what was told before is not all, read anew."""


@dataclass(frozen=True, slots=True)
class Event:
    """Made once for all readers."""

    seq: int
    name: str
    topic: str
    groups: tuple[str, ...] | None
    """The groups it is about, "" for what has none; None: it concerns everybody. Empty: those who see every group."""
    task: bytes | None
    data: bytes
    """JSON, on one line."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Events of some topics: all of them, those of a group, or those of one task."""

    topics: frozenset[str] = frozenset(TOPICS)
    group: str | None = None
    """None: of any group; "": of tasks without one."""
    task: bytes | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """What one reader is told: whatever one of its subscriptions asks for. Equal ones are served together."""

    subscriptions: frozenset[Subscription] = frozenset()
    scope: frozenset[str] | None = None
    """The groups of the reader's token; None: all."""
    _topics: frozenset[str] = field(init=False, compare=False, repr=False)
    _of_groups: frozenset[tuple[str, str]] = field(init=False, compare=False, repr=False)
    _tasks: frozenset[bytes] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        wide = [each for each in self.subscriptions if each.group is None and each.task is None]
        of_groups = {
            (topic, each.group) for each in self.subscriptions if each.group is not None for topic in each.topics
        }
        tasks = {each.task for each in self.subscriptions if each.task is not None}
        object.__setattr__(self, "_topics", frozenset(topic for each in wide for topic in each.topics))
        object.__setattr__(self, "_of_groups", frozenset(of_groups))
        object.__setattr__(self, "_tasks", frozenset(tasks))

    def lets(self, event: Event) -> bool:
        """Whether the reader is told of this."""
        groups = event.groups
        if self.scope is not None and groups is not None and self.scope.isdisjoint(groups):
            return False
        if event.topic in self._topics or event.name == RESET:
            return True
        if self._tasks and (event.task in self._tasks or event.name == MANY):
            return True
        if not self._of_groups:
            return False
        topic = event.topic
        if groups is None:
            return any(topic == wanted for wanted, _ in self._of_groups)
        return any((topic, group) in self._of_groups for group in groups)
