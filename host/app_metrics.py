"""The app's own Prometheus metrics: one histogram of it, read from outside."""

import math
from collections.abc import Mapping
from pathlib import Path

import httpx

from host.errors import ToolError
from host.http import TooLarge, local_client, read_at_most
from host.prometheus_text import metric_families

TIMEOUT_S = 5.0
LONGEST_PAGE = 8_000_000


def read_histogram(
    base_url: str, path: str, name: str, through: Path | None = None, headers: Mapping[str, str] | None = None
) -> dict[float, float]:
    """Return a histogram's cumulative counts by upper bound, over all its labels. Empty when the page has no such
    histogram. Raises ToolError if the page cannot be had or is not Prometheus' text format. `through` is a unix socket
    that leads to where the app listens.
    """
    page = _page(base_url + path, through, headers or {})
    found: dict[float, float] = {}
    try:
        for family in metric_families(page):
            for sample in family.samples:
                if sample.name == f"{name}_bucket":
                    bound = float(sample.labels["le"])
                    found[bound] = found.get(bound, 0) + float(sample.value)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ToolError(f"{path}: not Prometheus' text format: {str(error)[:200]}") from error
    if any(math.isnan(bound) for bound in found):
        raise ToolError(f"{path}: {name} has a bound that is no number")
    if any(not math.isfinite(count) or count < 0 for count in found.values()):
        raise ToolError(f"{path}: {name} has a count that is no count: expected a finite number >= 0")
    return found


def _page(url: str, through: Path | None, headers: Mapping[str, str]) -> str:
    try:
        with local_client(TIMEOUT_S, through) as client, client.stream("GET", url, headers=dict(headers)) as answer:
            if answer.status_code != 200:
                raise ToolError(f"{url} answered {answer.status_code}")
            return read_at_most(answer, LONGEST_PAGE).decode(errors="replace")
    except TooLarge as error:
        raise ToolError(f"{url}: the answer is {error}") from error
    except httpx.HTTPError as error:
        raise ToolError(f"{url}: {type(error).__name__}: {error}") from error
