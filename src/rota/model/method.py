"""A method: the name by which a handler is called, and the defaults that travel with it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from rota.model.retry import NO_RETRY, RetryPolicy


@dataclass(frozen=True, slots=True)
class Options:
    """What a submit, or a method's declaration, may say about a task. None: not said.

    Durations are microseconds, instants microseconds since the epoch. A submit wins over the declaration, field by field.
    """

    group: str | None = None
    priority: int | None = None
    retries: int | None = None
    retry_delay: int | None = None
    retry_backoff: float | None = None
    retry_max_delay: int | None = None
    retry_jitter: float | None = None
    retry_on: tuple[str, ...] | None = None
    give_up_on: tuple[str, ...] | None = None
    timeout: int | None = None
    expires: int | None = None
    """A task that has not started so long after it was accepted (or after its `run_at`) expires."""
    delay: int | None = None
    run_at: int | None = None
    result_ttl: int | None = None
    unique_key: str | None = None
    order_key: str | None = None
    unique_mode: str | None = None
    """What becomes of a submit whose unique key is held: one of UNIQUE_MODES; not said: `return`."""
    debounce: int | None = None
    """Start so long after the last submit of the unique key: each new one replaces the one that waits. Needs a unique key."""
    concurrency_key: str | None = None
    """Of the tasks that bear it, in whatever method or group, `concurrency_limit` run at once."""
    concurrency_limit: int | None = None
    """At least 1; not said: 1."""

    def over(self, declared: Options) -> Options:
        """These options, filled up from the declared ones. A said time to start (`delay`, `run_at` or `debounce`) leaves no
        room for a declared one."""
        timed = any(getattr(self, name) is not None for name in _TIMES)
        filled = {
            name: getattr(declared, name)
            for name in _NAMES
            if getattr(self, name) is None and getattr(declared, name) is not None and not (timed and name in _TIMES)
        }
        return replace(self, **filled) if filled else self

    def retry_policy(self) -> RetryPolicy:
        """The policy that these options say, with the model's defaults for what they do not."""
        said = {policy: value for option, policy in _RETRY.items() if (value := getattr(self, option)) is not None}
        return replace(NO_RETRY, **said) if said else NO_RETRY


UNIQUE_MODES = ("return", "reject", "replace")
"""The task that holds the key stands for the new one; or the new one is refused (`unique_key_taken`); or it takes the key
over, and a holder that has not started is cancelled (`replaced`)."""
_NAMES = tuple(field.name for field in fields(Options))
_TIMES = ("delay", "run_at", "debounce")
_RETRY = {
    "retries": "retries",
    "retry_delay": "delay",
    "retry_backoff": "backoff",
    "retry_max_delay": "max_delay",
    "retry_jitter": "jitter",
    "retry_on": "retry_on",
    "give_up_on": "give_up_on",
}
NO_OPTIONS = Options()


@dataclass(frozen=True, slots=True)
class Method:
    """A method as a worker declares it."""

    name: str
    version: int = 1
    docs: tuple[str, ...] = ()
    """Description, params, returns: Markdown."""
    params_schema: bytes = b""
    """JSON Schema of the params, or empty where the handler says nothing of them."""
    defaults: Options = NO_OPTIONS
