"""Registration: what can be wrong is told at once, with its place."""

from typing import Any

import pytest

from rota.model.errors import InvalidInput
from rota.model.method import NO_OPTIONS, Options
from rota.worker.handler import UnknownMethod
from rota.worker.registry import Registry

from .sources import FakeSource


class Task:
    def __init__(self, name: str, fn: Any, version: int = 1, isolation: str | None = None) -> None:
        self.name, self.fn, self.version, self.isolation = name, fn, version, isolation
        self.docs: tuple[str, ...] = ()
        self.defaults = NO_OPTIONS


def function(registry: Registry, name: str, fn: Any = lambda value: value, version: int = 1) -> None:
    registry.add_function(name, fn, (), version, NO_OPTIONS, None)


def test_the_newest_version_is_found_unless_one_is_pinned() -> None:
    registry = Registry()
    for version in (2, 3, 1):
        function(registry, "add", version=version)
    assert registry.find("add", 0).version == 3
    assert registry.find("add", 2).version == 2
    with pytest.raises(UnknownMethod, match="add@9"):
        registry.find("add", 9).call(b"", FakeSource())


def test_everything_wrong_is_told_together_with_file_and_line() -> None:
    registry = Registry()
    function(registry, "taken")
    with pytest.raises(InvalidInput) as refusal:
        registry.add(
            [
                Task("taken", lambda: 1),
                Task("a@b", lambda: 1),
                Task("", lambda: 1),
                Task("old", lambda: 1, version=0),
                Task("cpu", lambda: 1, isolation="process"),
                Task("gen", (lambda: (yield))),
                Task("good", lambda: 1),
            ]
        )
    codes = [fault.code for fault in refusal.value.errors]
    assert sorted(codes) == sorted(
        ["invalid_name", "invalid_name", "invalid_version", "no_origin", "wrong_signature", "method_twice"]
    )
    assert refusal.value.detail.count("test_registry.py:") >= 6
    assert [m.name for m in registry.methods] == ["taken"]


def test_a_docstring_is_the_description_unless_docs_are_given() -> None:
    registry = Registry()

    def described(value: Any) -> None:
        """What it does."""

    function(registry, "a", described)
    registry.add_function("b", described, ("Given.", "p", "r"), 1, NO_OPTIONS, None)
    assert [m.docs for m in registry.methods] == [("What it does.",), ("Given.", "p", "r")]


def test_an_object_is_offered_by_its_own_words() -> None:
    class Mailer:
        """Mails."""

        group = "post"
        defaults = Options(retries=2)

        def execute(self, ctx: Any, params: Any) -> Any:
            return (ctx, params)

    registry = Registry()
    registry.add_object(Mailer())
    (method,) = registry.methods
    assert (method.name, method.docs, method.defaults) == ("Mailer", ("Mails.",), Options(group="post", retries=2))
    source = FakeSource()
    assert registry.find("Mailer", 0).call(b"5", source) == (source.context, 5)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"execute": lambda self: 1},
        {"execute": lambda self, ctx, p: 1, "cron": "* * * * *"},
        {"execute": lambda self, ctx, p: 1, "name": "a@b"},
    ],
)
def test_an_object_that_cannot_be_a_task_is_refused(attributes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Registry().add_object(type("Odd", (), attributes))


def test_setup_runs_once_and_again_after_it_failed() -> None:
    calls: list[str] = []

    class Flaky:
        def setup(self) -> None:
            calls.append("setup")
            if len(calls) == 1:
                raise OSError("not yet")

        def execute(self, ctx: Any, params: Any) -> Any:
            return params

        def teardown(self) -> None:
            calls.append("teardown")

    registry = Registry()
    registry.add_object(Flaky)
    handler = registry.find("Flaky", 0)
    with pytest.raises(OSError, match="not yet"):
        handler.call(b"1", FakeSource())
    assert [handler.call(b"1", FakeSource()) for _ in range(2)] == [1, 1]
    assert handler.close is not None
    handler.close()
    handler.close()
    assert calls == ["setup", "setup", "teardown"]
