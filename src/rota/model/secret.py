"""A value that must not be seen: it travels and is stored sealed, and is shown as `***`."""

from __future__ import annotations

from typing import Any, Generic, NoReturn, TypeVar, cast

T = TypeVar("T")
MASK = "***"


class Secret(Generic[T]):
    """In the hint of a task's parameter or result it says that the value is sealed on its way:

        @app.task
        def log_in(user: str, password: Secret[str]) -> Secret[Session]:
            session = connect(user, password.reveal())

    Only programs that have the key (`ROTA_SEAL_KEY_FILE`) can seal and open. Printed, logged or formatted it is `***`; it
    is not pickled.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T | Secret[T]) -> None:
        self._value: T = cast("Secret[T]", value)._value if isinstance(value, Secret) else value

    def reveal(self) -> T:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __copy__(self) -> Secret[T]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret[T]:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: whoever reads the pickle would see it; reveal() gives the value")


def is_secret(kind: Any) -> bool:
    """Of a type or a hint: `Secret`, `Secret[str]` …"""
    return (getattr(kind, "__origin__", None) or kind) is Secret
