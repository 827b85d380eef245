"""Durations and sizes: what is written is read, what is shown reads back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.config.quantity import read_duration, read_size, show_duration, show_size


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("30", 30_000_000),
        ("0.5", 500_000),
        ("30s", 30_000_000),
        ("200ms", 200_000),
        ("5m", 300_000_000),
        ("1h30m", 5_400_000_000),
        ("24h", 86_400_000_000),
        ("30d", 30 * 86_400_000_000),
        (" 2 w ", 14 * 86_400_000_000),
    ],
)
def test_a_duration_is_read_as_people_write_it(text: str, microseconds: int) -> None:
    assert read_duration(text) == microseconds


@pytest.mark.parametrize("text", ["", "s", "-5s", "5 parsecs", "1e9", "inf", "nan", "٣s", "9" * 15 + "d", "5s5"])
def test_what_is_no_duration_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"write 30|longer than"):
        read_duration(text)


@given(st.integers(0, 100 * 365 * 86_400 * 1_000_000))
def test_a_shown_duration_reads_back(microseconds: int) -> None:
    assert read_duration(show_duration(microseconds)) == microseconds


@pytest.mark.parametrize(
    ("text", "count"), [("4096", 4096), ("1MiB", 1 << 20), ("64 kib", 1 << 16), ("10MB", 10_000_000), ("2GiB", 2 << 30)]
)
def test_a_size_is_read_as_people_write_it(text: str, count: int) -> None:
    assert read_size(text) == count


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1 parsec", "1.5.2"])
def test_what_is_no_size_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(ValueError, match="64KiB"):
        read_size(text)


@given(st.integers(0, 1 << 49))
def test_a_shown_size_reads_back(count: int) -> None:
    assert read_size(show_size(count)) == count
