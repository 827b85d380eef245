"""Records: nouns made once per task."""

import pytest

from rota.model.record import record


@record
class Point:
    x: int
    y: int = 0


def test_records_are_values() -> None:
    assert Point(1) == Point(1, 0)
    assert Point(1) != Point(2)
    assert {Point(1), Point(1, 0)} == {Point(1)}
    assert repr(Point(1)) == "Point(x=1, y=0)"


def test_records_have_no_room_for_anything_else() -> None:
    with pytest.raises(AttributeError):
        Point(1).z = 3  # type: ignore[attr-defined]
