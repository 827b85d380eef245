"""The plain page at `/`: how the node stands, rendered here, without scripts. Every text from outside is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from html import escape

from rota.engine.gauges import Figures
from rota.model.task import State
from rota.model.worker import WorkerRecord
from rota.transport.asgi import SAFE, Answer, Scope, header
from rota.transport.hall import Hall, NodeFacts
from rota.transport.status_words import words_for
from rota.transport.verbs import Verbs
from rota.wire.codec_worker import versioned

MOST_WORKERS, MOST_METHODS = 200, 12
_STYLE = """
:root{color-scheme:light dark;--ink:#1b2330;--soft:#667085;--line:#e3e7ee;--page:#f6f7f9;--card:#fff;--mark:#2f6fed;--bad:#c4320a}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ef;--soft:#98a2b3;--line:#2b3340;--page:#12161d;--card:#1a202a;--mark:#7aa7ff;--bad:#ff8a65}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.55 system-ui,"PingFang SC","Microsoft YaHei",sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:22px;margin:0 0 2px}h2{font-size:15px;margin:32px 0 10px;color:var(--soft);font-weight:600}
.id{color:var(--soft);font-family:ui-monospace,monospace;font-size:13px}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(112px,1fr));gap:10px}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px;min-width:0}
.card b{display:block;font-size:22px;font-weight:650;font-variant-numeric:tabular-nums}
.card span{color:var(--soft);font-size:13px}.card.failed b{color:var(--bad)}.card.running b{color:var(--mark)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:18px 0 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.wide{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:10px}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:9px 14px;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td{border-bottom:0}th{color:var(--soft);font-weight:500;font-size:13px;white-space:nowrap}
td.n{font-variant-numeric:tabular-nums;white-space:nowrap}
code{font:13px ui-monospace,monospace;background:var(--page);border-radius:5px;padding:1px 6px;margin:0 4px 4px 0;display:inline-block;overflow-wrap:anywhere}
.soft{color:var(--soft)}
a{color:var(--mark)}
h1,p{overflow-wrap:anywhere}
"""
_POLICY = "default-src 'none'; style-src 'sha256-{}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = [
    *((name, value) for name, value in SAFE if name != b"content-security-policy"),
    (b"content-security-policy", _POLICY.format(_HASH).encode()),
    (b"vary", b"accept-language"),
]
Words = Mapping[str, str]


async def status_page(scope: Scope, lobby: Hall, verbs: Verbs) -> Answer:
    words = words_for(header(scope, b"accept-language") or "")
    figures, workers = await verbs.figures(), await verbs.workers(False)
    return Answer(200, render(words, lobby.facts, figures, workers, lobby.clients).encode(), _HTML, safe=_HEADERS)


_HTML = "text/html; charset=utf-8"


def render(words: Words, facts: NodeFacts, figures: Figures, workers: list[WorkerRecord], clients: int) -> str:
    """The whole page."""
    sections = (
        f"<h1>{escape(words['title'])}</h1><div class=id>{escape(facts.node_id)}</div>",
        f"<p><a href=/api/v1/docs>{words['api']}</a> · <a href=/metrics>{words['metrics']}</a></p>",
        _facts(words, facts, figures),
        f"<h2>{words['tasks']} <span class=soft>· {figures.unended:,} {words['unended']}</span></h2>",
        _cards((state.name.lower(), figures.tasks.get(state, 0), words[state.name.lower()]) for state in State),
        f"<h2>{words['rates']}</h2>",
        _cards((name, f"{getattr(figures, name):,.1f}", words[name]) for name in ("submit_rate", "finish_rate")),
        f"<h2>{words['since']}</h2>",
        _cards((name, getattr(figures, name), words[name]) for name in ("submitted", "finished", "failed", "rescued")),
        f"<h2>{words['workers']} <span class=soft>· {len(workers):,} · {clients:,} {words['clients']}</span></h2>",
        _workers(words, workers, figures.now),
    )
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{words['title']}</title>"
    return (
        f"<!doctype html><html lang={words['lang']}><head>{head}<style>{_STYLE}</style></head>"
        f"<body><main>{''.join(sections)}</main></body></html>"
    )


def _facts(words: Words, facts: NodeFacts, figures: Figures) -> str:
    rows = (
        ("version", facts.version),
        ("mode", facts.mode),
        ("store", facts.store),
        ("durability", facts.durability),
        ("data", facts.data_dir),
        ("uptime", duration(figures.now - figures.started_at)),
    )
    return f"<dl>{''.join(f'<dt>{words[name]}</dt><dd>{escape(value)}</dd>' for name, value in rows if value)}</dl>"


def _cards(items: Iterable[tuple[str, int | str, str]]) -> str:
    cards = (
        f"<div class='card {name if value else ''}'><b>{value if isinstance(value, str) else format(value, ',')}</b>"
        f"<span>{escape(word)}</span></div>"
        for name, value, word in items
    )
    return f"<div class=grid>{''.join(cards)}</div>"


def _workers(words: Words, workers: list[WorkerRecord], now: int) -> str:
    if not workers:
        return f"<p class=soft>{escape(words['none'])}</p>"
    columns = ("name", "application", "host", "slots", "in_hand", "done", "seen", "methods")
    head = "".join(f"<th>{words[column]}</th>" for column in columns)
    rows = "".join(_worker(words, worker, now) for worker in workers[:MOST_WORKERS])
    rest = len(workers) - MOST_WORKERS
    more = f"<p class=soft>{words['more'].format(rest)}</p>" if rest > 0 else ""
    return f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{more}"


def _worker(words: Words, worker: WorkerRecord, now: int) -> str:
    facts = worker.facts
    draining = f" <span class=soft>({words['draining']})</span>" if worker.draining else ""
    heard = words["ago"].format(duration(max(0, now - worker.seen_at)))
    return (
        f"<tr><td>{escape(facts.name or facts.id)}{draining}</td><td>{escape(facts.application)}</td>"
        f"<td>{escape(facts.host)} <span class=soft>{escape(facts.ip)} · {facts.pid}</span></td>"
        f"<td class=n>{worker.running:,} / {facts.slots:,}</td><td class=n>{worker.in_hand:,}</td>"
        f"<td class=n>{worker.finished:,}</td><td class=n>{heard}</td><td>{_methods(words, worker)}</td></tr>"
    )


def _methods(words: Words, worker: WorkerRecord) -> str:
    shown = "".join(f"<code>{escape(versioned(method))}</code>" for method in worker.methods[:MOST_METHODS])
    rest = len(worker.methods) - MOST_METHODS
    return shown + (f"<span class=soft>{words['more'].format(rest)}</span>" if rest > 0 else "")


def duration(microseconds: int) -> str:
    """`3 d 4 h`, `12 min 5 s`, `7 s`: the two largest units."""
    left = max(0, microseconds) // 1_000_000
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
