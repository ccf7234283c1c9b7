"""The page of coverage: each limit with its margin, the trend, each file with what no test ran."""

from collections.abc import Iterable, Mapping, Sequence

from evidence.history import Record
from gates.check import Measure
from gates.checks.coverage import Changed, Covered, FileCoverage, Unmeasured
from gates.checks.summary import shown
from tasks.artifacts import SIGN, cell
from tasks.checks.coverage import read_seen
from tasks.source.workspace import Looked

SHOWN_FILES = 100
SHOWN_RUNS = 10
SHOWN_LINES = 12


def coverage_page(looked: Looked, past: Sequence[Record] = ()) -> str:
    """Return the page of one coverage check; `past` are the figures of earlier runs on main, newest first."""
    check, seen = looked.check, read_seen(looked)
    parts = [
        f"## Coverage: {SIGN[check.outcome]} {check.outcome}",
        cell(check.reason),
        _limits(check.measures),
        _trend(check.measures, past[:SHOWN_RUNS]),
    ]
    if seen:
        parts += [_changed(seen.changed), _files(seen.total)]
    return "\n\n".join(filter(None, parts))


def _limits(measures: Iterable[Measure]) -> str:
    rows = ["| what | value | limit | margin | |", "|---|---:|---:|---:|---|"]
    for one in measures:
        value = "" if one.value is None else shown(one.value, one.unit)
        margin = "" if one.margin is None else f"{one.margin:+.4g}"
        word = {True: "kept", False: "**missed**", None: f"**unknown**: {cell(one.reason)}"}[one.holds]
        rows.append(f"| {cell(one.name)} | {value} | {one.bound} {shown(one.limit, one.unit)} | {margin} | {word} |")
    return "\n".join(rows)


def _trend(measures: Sequence[Measure], past: Sequence[Record]) -> str:
    if not past:
        return ""
    names = [one.name for one in measures]
    now = {one.name: one.value for one in measures}
    rows = [f"| run | {' | '.join(cell(name) for name in names)} |", f"|---|{'---:|' * len(names)}"]
    rows.append(_figures("this one", names, now))
    rows += [_figures(f"{one.at:%Y-%m-%d %H:%M}, `{one.commit[:12]}`", names, one.data) for one in past]
    return "\n".join([f"### The last {len(past)} runs on {cell(past[0].branch)}", "", *rows])


def _figures(run: str, names: Sequence[str], known: Mapping[str, object]) -> str:
    values = [f"{known[name]:.2f}" if isinstance(known.get(name), int | float) else "" for name in names]
    return f"| {run} | {' | '.join(values)} |"


def _changed(changed: Changed | Unmeasured | None) -> str:
    if not isinstance(changed, Changed) or not any(changed.files.values()):
        return ""
    rows = ["### Changed lines that no test ran", "", "| file | lines |", "|---|---|"]
    rows += [f"| {cell(path)} | {spans(missing)} |" for path, missing in changed.files.items() if missing]
    return "\n".join(rows)


def _files(total: Covered | Unmeasured) -> str:
    if isinstance(total, Unmeasured):
        return ""
    worst = sorted(total, key=lambda one: (one.percent, -one.statements, one.path))
    rows = ["### Files, the worst first", "", "| file | percent | statements | branches | excluded lines | missing |"]
    rows.append("|---|---:|---:|---:|---:|---|")
    rows += [_file(one) for one in worst[:SHOWN_FILES]]
    more = len(worst) - SHOWN_FILES
    return "\n".join(rows) + (f"\n\nand {more} better ones" if more > 0 else "")


def _file(one: FileCoverage) -> str:
    branches = f"{one.covered_branches} of {one.branches}" if one.branches else ""
    statements = f"{one.covered} of {one.statements}"
    return (
        f"| {cell(one.path)} | {one.percent:.2f} | {statements} | {branches} | {one.excluded or ''} | "
        f"{spans(one.missing)} |"
    )


def spans(lines: Sequence[int]) -> str:
    """Return line numbers as spans: 3-5, 9."""
    found: list[list[int]] = []
    for line in sorted(lines):
        if found and line == found[-1][1] + 1:
            found[-1][1] = line
        else:
            found.append([line, line])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in found]
    return ", ".join(words[:SHOWN_LINES]) + (", ..." if len(words) > SHOWN_LINES else "")
