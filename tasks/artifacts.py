"""What a person reads in the Prefect UI: one page for each run. Reporting never decides, delays or breaks a release."""

import re
from collections.abc import Sequence

import httpx
from prefect.artifacts import create_markdown_artifact
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger

from gates.check import Check, Outcome
from host.json_logs import veiled

# Not emoji: a browser without an emoji font shows those as empty boxes.
SIGN = {
    Outcome.PASSED: "✓",
    Outcome.FAILED: "✗",
    Outcome.SKIPPED: "–",
    Outcome.NO_VERDICT: "?",
    Outcome.NOT_APPLICABLE: "–",
    Outcome.ACCEPTED_UNRUN: "‼",
}
# Dot and colon too: a bare address would become a link. Backslashes, because the page shows entities as they are.
SPECIAL = re.compile(r"[\\`*_{}\[\]<>()#|!~@&.:]")


def cell(text: object) -> str:
    """Return text for a table's cell: outside text cannot break the table, link or mention anybody."""
    return SPECIAL.sub(r"\\\g<0>", " ".join(str(text).splitlines()))


def checks_table(checks: Sequence[Check]) -> str:
    """Return the table of checks: what was looked at, what came of it, why."""
    rows = ["| check | outcome | looked at | reason | seconds |", "|---|---|---|---|---:|"]
    for one in checks:
        rows.append(
            f"| {cell(one.name)} | {SIGN[one.outcome]} {one.outcome} | {cell(one.examined)} | {cell(one.reason)} | "
            f"{one.seconds:.1f} |"
        )
    return "\n".join(rows)


def show(key: str, markdown: str, description: str) -> None:
    """Put a page into the run's artifacts, and a line into its log. When the server is away the page goes to the log.

    Known secrets are masked.

    Not a task: the page belongs to the run, and its timeline shows what was done, not that it was told.
    """
    log = get_run_logger()
    markdown, description = veiled(markdown), veiled(description)
    try:
        create_markdown_artifact(markdown, key=key, description=description)
        log.info("page %s, under Artifacts: %s", key, description)
    except (httpx.HTTPError, PrefectException, OSError) as error:
        log.warning("the page %s could not be stored (%s); it follows\n%s", key, error, markdown)
