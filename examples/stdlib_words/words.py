"""The work of the demo: count the words of one file. Started by demo.py as `rota worker words:app`, twice."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from rota import App

app = App()
WORD = re.compile(r"[a-z]+")


def count(path: str) -> Counter[str]:
    """How often each word, a run of ASCII letters in lower case, stands in a file. Bytes that are no UTF-8 are skipped."""
    text = Path(path).read_bytes().decode("utf-8", errors="replace")
    return Counter(WORD.findall(text.lower()))


@app.task(retries=2, timeout=60)
def count_words(path: str) -> dict[str, int]:
    """Count the words of one file.

    Takes the path of a file that the worker can read; returns a number for each word.
    """
    return dict(count(path))
