"""The page from which a person sees at a glance what is live where, what waits for approval, and what failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from control.prefect_api import PrefectApi
from deployments.journal.ledger import Ledger
from deployments.overview import Standing
from gates.notify.messages import cut, plain_markdown
from host.errors import ServerAway

KEY = "cockpit"
LAST_NIGHT = timedelta(hours=24)
MOST_RUNS = 20


@dataclass(frozen=True)
class FailedRun:
    """A flow run that failed or crashed. `url` leads to it."""

    name: str
    state: str
    message: str
    at: datetime
    url: str


def failed_runs(api: PrefectApi, now: datetime, ui_url: str) -> tuple[FailedRun, ...] | None:
    """Return what failed in the last 24 h, newest first, 20 at most; None when the server does not answer."""
    wanted: dict[str, Any] = {
        "flow_runs": {
            "state": {"type": {"any_": ["FAILED", "CRASHED"]}},
            "end_time": {"after_": (now - LAST_NIGHT).isoformat()},
        },
        "sort": "END_TIME_DESC",
        "limit": MOST_RUNS,
    }
    try:
        found = api.call("POST", "/flow_runs/filter", wanted) or []
    except ServerAway:
        return None
    return tuple(_failed(one, ui_url) for one in found if one.get("end_time"))


def _failed(found: Mapping[str, Any], ui_url: str) -> FailedRun:
    state = found.get("state") or {}
    return FailedRun(
        name=str(found.get("name") or found["id"]),
        state=str(state.get("name") or found["state_type"]),
        message=cut(" ".join(str(state.get("message") or "").split()), 200),
        at=datetime.fromisoformat(found["end_time"]).astimezone(UTC),
        url=f"{ui_url.rstrip('/')}/runs/flow-run/{found['id']}",
    )


def in_short(app: str, seen: Sequence[tuple[Standing, str]]) -> str:
    """Return what is live where in one line: what the list of artifacts shows."""
    return f"{app}: " + "; ".join(
        f"{one.environment} {one.live.split(' in slot ', maxsplit=1)[0]}, {condition}" for one, condition in seen
    )


def cockpit_page(app: str, seen: Sequence[tuple[Standing, str]], failed: Sequence[FailedRun] | None) -> str:
    """Return the page: `seen` are the environments with their conditions. The same facts make the same page."""
    waits = [f"- **{one.environment}** {plain_markdown(text)}" for one, _ in seen for text in one.waits]
    doing = [f"- **{one.environment}** {plain_markdown(one.doing)}" for one, _ in seen if one.doing]
    parts = [
        f"# {plain_markdown(app)}",
        _environments(seen),
        "## Waits for a person\n\n" + ("\n".join(waits) or "Nothing."),
        "## Goes on now\n\n" + ("\n".join(doing) or "Nothing."),
        "## Failed in the last 24 h\n\n" + _failures(failed),
    ]
    return "\n\n".join(parts) + "\n"


def _environments(seen: Sequence[tuple[Standing, str]]) -> str:
    rows = [
        "| environment | live | since | condition | last operation | warm old version |",
        "|---|---|---|---|---|---|",
    ]
    for one, condition in seen:
        cells = (one.live, one.since or "–", condition, one.last or "none", one.warm or "none")
        rows.append(f"| [{one.environment}]({one.url}) | " + " | ".join(plain_markdown(cell) for cell in cells) + " |")
    return "\n".join(rows)


def _failures(failed: Sequence[FailedRun] | None) -> str:
    if failed is None:
        return "The Prefect server could not be asked."
    if not failed:
        return "Nothing."
    rows = ["| when | run | state | why |", "|---|---|---|---|"]
    for one in failed:
        name = f"[{plain_markdown(one.name)}]({one.url})"
        rows.append(f"| {one.at:%m-%d %H:%M} | {name} | {plain_markdown(one.state)} | {plain_markdown(one.message)} |")
    return "\n".join(rows)


def variable_name(environment: str) -> str:
    """Return the name of an environment's variable in Prefect."""
    return f"live_{environment}"


def live_variable(ledger: Ledger, condition: str) -> dict[str, str]:
    """Return the value of an environment's Prefect variable `live_<environment>`: strings only."""
    live = ledger.live
    if live is None:
        return {"version": "", "commit": "", "digest": "", "slot": "", "since": "", "condition": condition}
    version = live.version
    since = live.since.isoformat(timespec="seconds")
    return {
        "version": version.version,
        "commit": version.commit,
        "digest": version.digest,
        "slot": live.slot,
        "since": since,
        "condition": condition,
    }
