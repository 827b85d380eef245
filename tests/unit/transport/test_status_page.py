"""The status page: what it shows, in which language, and that no text from outside becomes markup."""

from html.parser import HTMLParser

import pytest

from rota.engine.gauges import Figures
from rota.model.method import Method
from rota.model.task import State
from rota.model.worker import Facts, WorkerRecord
from rota.transport.hall import NodeFacts
from rota.transport.status_page import MOST_WORKERS, duration, render
from rota.transport.status_words import CHINESE, ENGLISH, words_for

HOSTILE = "<img src=x onerror=alert(1)>'\"&\x1b[31m"
FACTS = NodeFacts("node-1", "0.1.0", "embedded", "sqlite:///rota.db", "full", "/var/lib/rota")
SECOND = 1_000_000


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def a_worker(**facts: str) -> WorkerRecord:
    said = {"id": "w1", "name": "shop", "application": "app", "host": "box", "ip": "10.0.0.7", **facts}
    return WorkerRecord(1, Facts(**said), (Method("add"), Method("add", 2)), seen_at=50 * SECOND, running=2)


def a_page(**rest: object) -> str:
    figures = Figures(tasks={State.RUNNING: 1234}, submitted=5, submit_rate=12.25, now=60 * SECOND, unended=1234)
    given = {"words": ENGLISH, "facts": FACTS, "figures": figures, "workers": [a_worker()], "clients": 3, **rest}
    return render(**given)  # type: ignore[arg-type]


def test_it_shows_how_the_node_stands() -> None:
    text = Tags(a_page()).text
    for shown in (
        "node-1",
        "sqlite:///rota.db",
        "full",
        "1,234",
        "12.2",
        "shop",
        "add@2",
        "10.0.0.7",
        "10 s ago",
        "1 min",
    ):
        assert shown in text


def test_without_workers_it_says_how_to_start_one() -> None:
    assert "rota worker" in Tags(a_page(workers=[])).text


def test_it_has_no_script_and_loads_nothing() -> None:
    page = a_page()
    assert Tags(page).seen.isdisjoint({"script", "img", "link", "iframe", "form"})
    assert "http://" not in page
    assert "https://" not in page


def test_no_text_from_outside_becomes_markup() -> None:
    worker = a_worker(id=HOSTILE, name=HOSTILE, application=HOSTILE, host=HOSTILE, ip=HOSTILE)
    worker.methods = (Method(HOSTILE),)
    facts = NodeFacts(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    tags = Tags(a_page(workers=[worker], facts=facts))
    assert "img" not in tags.seen
    assert "<img src=x onerror" in tags.text


def test_a_crowd_of_workers_is_cut() -> None:
    page = a_page(workers=[a_worker() for _ in range(MOST_WORKERS + 7)])
    assert "and 7 more" in Tags(page).text


@pytest.mark.parametrize(
    ("accept", "words"),
    [
        ("", ENGLISH),
        ("zh-CN,zh;q=0.9,en;q=0.8", CHINESE),
        ("en-GB,zh;q=0.5", ENGLISH),
        ("de,fr", ENGLISH),
        ("en;q=0.1,zh-TW;q=0.2", CHINESE),
        (";q=x,,zh;q=nonsense", ENGLISH),
    ],
)
def test_the_language_is_the_browsers(accept: str, words: dict[str, str]) -> None:
    assert words_for(accept) is words


def test_both_languages_say_everything() -> None:
    assert set(ENGLISH) == set(CHINESE)
    assert "执行器" in a_page(words=CHINESE)


def test_it_leads_to_the_api_and_the_metrics() -> None:
    page = a_page()
    assert "href=/api/v1/docs" in page
    assert "href=/metrics" in page


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3600, "1 h"), (90_061, "1 d 1 h"), (-5, "0 s")]
)
def test_durations_are_said_in_two_units(seconds: int, said: str) -> None:
    assert duration(seconds * SECOND) == said
