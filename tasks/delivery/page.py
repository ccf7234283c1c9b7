"""The delivery report as one HTML file, as a page of the UI, and as a message. Everything in it is escaped."""

from collections.abc import Sequence
from html import escape

from gates.delivery import Deployment, Figure, duration, in_words
from gates.notify.messages import Message, Tone, plain_markdown
from tasks.delivery import plots
from tasks.delivery.collect import Report

SHOWN = 12
DEFINITIONS = {
    "deployment frequency": "releases that reached people, per day",
    "lead time": "from a commit to the end of the release that brought it to production, median",
    "change failure rate": "deployments that were rolled back or could not be finished",
    "time to restore": "from a failing version's first traffic to a good one's, median",
    "rework rate": "deployments that repaired a failed one",
    "CI": "good runs of ci, median",
    "test execution": "the slowest suite of a commit, median",
    "deployment": "promoted releases, without the wait for approval, median",
    "rollback": "from the decision to the old version serving, median",
    "waiting for approval": "from the question to the answer, median",
}
PLOTS = (
    ("Deployments", "Each bar is a day, a week, or 30 days of a long time.", plots.deployments),
    ("Lead time", "A dot is a commit; the line is the median.", plots.lead_times),
    ("Change failure rate", "Of the last 20 deployments.", plots.failure_rate),
    ("Time to restore", "A dot is a failed deployment.", plots.restores),
    ("Where a release's time goes", "Median seconds of each step.", plots.where_time_goes),
    ("CI", "A dot is a run.", plots.ci_times),
)
STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #1c2430; --soft: #66707f; --line: #e3e6eb;
  --good: #1f8a7d; --bad: #c73e52; --none: #8a93a1; }
@media (prefers-color-scheme: dark) { :root { --page: #12161c; --card: #1b212a; --ink: #e6eaf0; --soft: #98a3b3;
  --line: #2b333f; --good: #4cc4b4; --bad: #f0768a; --none: #7f8896; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 0 0 2px; }
.soft, small { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(5, 1fr); gap: 14px; margin: 28px 0 14px; }
.card, .plot { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px; }
.card { border-top: 4px solid var(--none); }
.card.met { border-top-color: var(--good); } .card.missed { border-top-color: var(--bad); }
.card b { display: block; font-size: 27px; line-height: 1.25; letter-spacing: -0.02em; }
.card.none b { color: var(--none); font-weight: 500; }
.card .chip { font-size: 13px; font-weight: 600; color: var(--none); }
.card.met .chip { color: var(--good); } .card.missed .chip { color: var(--bad); }
.card small { display: block; font-size: 12.5px; line-height: 1.35; margin-top: 6px; }
.second .card b { font-size: 21px; }
.second { margin-top: 0; }
.plots { display: grid; grid-template-columns: 1fr 1fr; gap: 14px; margin: 14px 0; }
.plot svg { width: 100%; height: auto; display: block; margin-top: 8px; }
.plot .empty { padding: 48px 0; text-align: center; color: var(--none); }
table { width: 100%; border-collapse: collapse; font-size: 14px; margin-top: 8px; }
td, th { text-align: left; padding: 6px 8px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 500; } tr:last-child td { border-bottom: 0; }
code { font-size: 12.5px; overflow-wrap: anywhere; }
.column { display: flex; flex-direction: column; gap: 14px; } .column .empty { padding: 20px 0; }
.card > .soft { font-size: 14px; white-space: nowrap; }
@media (max-width: 900px) { .cards { grid-template-columns: 1fr 1fr; } .plots { grid-template-columns: 1fr; } }
@media print { body { background: #fff; } .card, .plot { break-inside: avoid; } }
"""


def html_page(report: Report) -> str:
    """Return the whole page; it loads nothing from anywhere."""
    title = f"How well {report.app} is delivered"
    drawn = "".join(_plot(report, name, said, draw) for name, said, draw in PLOTS)
    failures = [one for one in report.deployments if one.failed]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f"<h1>{escape(title)}</h1><p class='soft'>{escape(report.environment)}, {_span(report)}</p>"
        f"<div class='cards'>{''.join(_card(one) for one in report.figures)}</div>"
        f"<div class='cards second'>{''.join(_card(one) for one in report.times)}</div>"
        f"<div class='plots'>{drawn}{_failures(failures)}"
        f"<div class='column'>{_flaky(report)}{_heads(report)}</div></div>"
        f"<p class='soft'><small>{escape('; '.join(report.notes))}</small></p></main></body></html>"
    )


def _span(report: Report) -> str:
    return f"{report.since:%-d %B %Y} to {report.until:%-d %B %Y}"


def _card(figure: Figure) -> str:
    kind = {True: "met", False: "missed", None: ""}[figure.met] if figure.value is not None else "none"
    sign = {True: "✓ ", False: "✗ ", None: ""}[figure.met]
    target = f"{sign}target: {figure.target.text}" if figure.target else "no target"
    note = f"; {figure.note}" if figure.note else ""
    return (
        f"<div class='card {kind}'><span class='soft'>{escape(figure.name)}</span><b>{escape(in_words(figure))}</b>"
        f"<span class='chip'>{escape(target)}</span>"
        f"<small>{escape(DEFINITIONS[figure.name])}, {figure.samples} seen{escape(note)}</small></div>"
    )


def _plot(report: Report, name: str, said: str, draw: plots.Draw) -> str:
    picture = plots.svg(report, draw) or "<div class='empty'>no data</div>"
    return f"<section class='plot'><h2>{escape(name)}</h2><small>{escape(said)}</small>{picture}</section>"


def _failures(failures: Sequence[Deployment]) -> str:
    rows = "".join(
        f"<tr><td>{one.at:%Y-%m-%d %H:%M}</td><td>{escape(one.release.version.version[:60])}</td>"
        f"<td>{escape(one.failed)}</td>"
        f"<td>{duration(one.restore_s) if one.restore_s is not None else 'not yet'}</td></tr>"
        for one in reversed(failures[-SHOWN:])
    )
    head = "<tr><th>when (UTC)</th><th>version</th><th>what became of it</th><th>restored after</th></tr>"
    body = f"<table>{head}{rows}</table>" if rows else "<div class='empty'>none in this time</div>"
    return f"<section class='plot'><h2>Failed deployments</h2><small>The newest {SHOWN}.</small>{body}</section>"


def _flaky(report: Report) -> str:
    rows = "".join(f"<tr><td>{escape(name[:160])}</td><td>{count}</td></tr>" for name, count in report.flaky)
    body = (
        f"<table><tr><th>test</th><th>commits</th></tr>{rows}</table>"
        if rows
        else "<div class='empty'>none known</div>"
    )
    return f"<section class='plot'><h2>Flaky tests</h2><small>Failed, then passed on a retry.</small>{body}</section>"


def _heads(report: Report) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{seq}</td><td><code>{escape(mark)}</code></td></tr>"
        for name, seq, mark in report.heads
    )
    head = "<tr><th>environment</th><th>entries</th><th>hash of the newest</th></tr>"
    return (
        "<section class='plot'><h2>Journals</h2><small>Kept outside this host, these hashes show later that "
        f"nothing before them was changed.</small><table>{head}{rows}</table></section>"
    )


def markdown_page(report: Report) -> str:
    """Return the report for the UI's artifacts, which draw no pictures."""
    rows = "\n".join(
        f"| {one.name} | **{in_words(one)}** | {one.target.text if one.target else '–'} | "
        f"{ {True: '✓', False: '✗', None: '–'}[one.met]} | {one.samples} | {plain_markdown(one.note) or '–'} |"
        for one in (*report.figures, *report.times)
    )
    heads = "\n".join(f"| {name} | {seq} | `{mark}` |" for name, seq, mark in report.heads)
    notes = "".join(f"\n- {plain_markdown(note)}" for note in report.notes)
    return (
        f"# How well {plain_markdown(report.app)} is delivered\n\n{report.environment}, {_span(report)}\n\n"
        f"| figure | value | target | met | seen | note |\n|---|---|---|---|---:|---|\n{rows}\n\n"
        f"## Journals\n\n| environment | entries | hash of the newest |\n|---|---:|---|\n{heads}\n{notes}\n"
    )


def report_message(report: Report) -> Message:
    """Return the weekly message: the figures, and the journals' heads for an anchor outside this host."""
    known = [one for one in report.figures if one.met is not None]
    missed = [one.name for one in known if not one.met]
    headline = f"{report.app} in {report.environment}: " + (
        f"{', '.join(missed)} missed" if missed else "on target" if known else "no data"
    )
    facts = tuple(
        (one.name, in_words(one) + (f" (target: {one.target.text})" if one.target else "")) for one in report.figures
    )
    heads = tuple(f"journal of {name}: entry {seq}, {mark}" for name, seq, mark in report.heads)
    tone = Tone.BAD if missed else Tone.GOOD if known else Tone.PLAIN
    return Message(headline=headline, tone=tone, facts=facts, lines=heads, footer=_span(report))
