"""Figures in Prometheus' text format, from a page that somebody else wrote."""

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

# The parser looks through a line again for each quotation mark in it: long ones would take it minutes.
LONGEST_LINE = 16_384


def metric_families(page: str) -> Iterator[Metric]:
    """Yield what a page tells. Raises ValueError for a line of more than 16 KB, and what the parser raises: ValueError,
    LookupError, TypeError or AttributeError, for what is not of that format.
    """
    if any(len(line) > LONGEST_LINE for line in page.split("\n")):
        raise ValueError(f"a line of more than {LONGEST_LINE} characters")
    yield from text_string_to_metric_families(page)
