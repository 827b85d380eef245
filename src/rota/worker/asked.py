"""What a run was asked for, as its context reads it: the same of an assignment, and of the job a child is given."""

from __future__ import annotations

from collections.abc import Sequence

from rota.worker.context import Ask
from rota.worker.handler import Handler


class Asked:
    """The half of a context's `Source` that was asked for."""

    handler: Handler

    @property
    def asked(self) -> Ask:
        raise NotImplementedError

    @property
    def method(self) -> str:
        return self.asked.method

    @property
    def version(self) -> int:
        return self.handler.version

    @property
    def group(self) -> str | None:
        return self.asked.group or None

    @property
    def failures(self) -> int:
        return self.asked.failures

    @property
    def retries(self) -> int:
        return self.asked.retries

    @property
    def created_at(self) -> int:
        return self.asked.created_at

    @property
    def fire_at(self) -> int:
        return self.asked.fire_at

    @property
    def timeout(self) -> int:
        return self.asked.timeout

    @property
    def after(self) -> Sequence[bytes]:
        return self.asked.after

    @property
    def batch(self) -> str | None:
        return self.asked.batch or None
