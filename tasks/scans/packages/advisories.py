"""The source of advisories, asked over HTTP in OSV's protocol: is it there, does it know anything, how old is it?"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import Field, ValidationError

from gates.documents import Foreign, first_fault
from host import tls
from host.errors import SourceAway, is_busy
from host.http import TooLarge, TooSlow, read_at_most
from settings.pipeline import Scans
from tasks.scans.packages.osv import ECOSYSTEM, Record, affects, newest
from tasks.scans.packages.pins import Pin

# Known to be vulnerable since 2019 (CVE-2019-10906), so a source that does not say so knows nothing.
CANARY = Pin("jinja2", "2.10")
PROBE_S = 5.0
ANSWER_S = 20.0
LARGEST_ANSWER_BYTES = 20_000_000
# Clocks differ; a source from tomorrow is wrong about everything.
AHEAD = timedelta(hours=1)
# OSV itself, as opposed to a mirror of it: it is as new as can be, and does not say how new.
ORIGIN = Scans().osv_url


class Answer(Foreign, of="OSV's API"):
    """What /v1/query answers: {} when it knows of nothing."""

    vulns: list[Record] = Field(default_factory=list)


class Source:
    """An advisory source at `url` (without /v1). Everything it raises is a SourceAway that names only the host."""

    def __init__(self, url: str, probe_s: float = PROBE_S, answer_s: float = ANSWER_S) -> None:
        self.url = url.rstrip("/")
        self.host = urlsplit(self.url).netloc.rpartition("@")[2]
        self.probe_s, self.answer_s = probe_s, answer_s

    def prove(self, max_age_hours: float, now: datetime | None = None) -> str:
        """Ask for the canary and return what the source says of its age. Raises SourceAway if it is away, does not know
        the canary, is older than `max_age_hours`, or does not tell its age and is not OSV itself.
        """
        body, headers = self._post("/v1/query", _question(CANARY), self.probe_s)
        records = self._records(body)
        if not any(affects(record, CANARY.name, CANARY.version) for record in records):
            raise SourceAway(
                f"the advisory source {self.host} does not know the canary {CANARY.name} {CANARY.version}, "
                "so what it does not report means nothing"
            )
        return self._age(records, headers, max_age_hours, now or datetime.now(UTC))

    def about(self, pin: Pin) -> list[Record]:
        """Return the records that affect a package at its version."""
        body, _ = self._post("/v1/query", _question(pin), self.answer_s)
        return [record for record in self._records(body) if not record.withdrawn]

    def record(self, name: str) -> Record | None:
        """Return one record by its id; None when the source has none of that name."""
        answer = self._ask("GET", f"/v1/vulns/{name}", None, self.answer_s)
        if answer.status_code == 404:
            return None
        body = self._json(self._good(answer))
        try:
            return Record.model_validate(body)
        except ValidationError as error:
            raise SourceAway(f"the advisory source {self.host}: {name} is no OSV record") from error

    def _age(self, records: Sequence[Record], headers: httpx.Headers, limit: float, now: datetime) -> str:
        said = _date(headers.get("last-modified"))
        if said is None and self.url == ORIGIN.rstrip("/"):
            return f"{self.host}, which is current by itself"
        at = said or newest(records)
        if at is None:
            raise SourceAway(f"the advisory source {self.host} does not tell its age")
        if at > now + AHEAD:
            raise SourceAway(
                f"the advisory source {self.host} claims to be of {at:%Y-%m-%d %H:%M} UTC, which is to come"
            )
        hours = (now - at).total_seconds() / 3600
        if hours > limit:
            raise SourceAway(f"the advisory source {self.host} is {hours:.0f} h old, limit {limit:g} h; refresh it")
        return f"{self.host}, newest record {max(hours, 0):.0f} h old"

    def _records(self, body: Any) -> list[Record]:
        try:
            return Answer.model_validate(body).vulns
        except ValidationError as error:
            raise SourceAway(
                f"the advisory source {self.host} answers what is not OSV: {first_fault(error)}"
            ) from error

    def _post(self, path: str, body: Any, timeout_s: float) -> tuple[Any, httpx.Headers]:
        answer = self._good(self._ask("POST", path, body, timeout_s))
        return self._json(answer), answer.headers

    def _good(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code != 200:
            raise SourceAway(
                f"the advisory source {self.host} answers {answer.status_code}", transient=is_busy(answer.status_code)
            )
        return answer

    def _json(self, answer: httpx.Response) -> Any:
        try:
            return json.loads(answer.content)
        except (ValueError, RecursionError) as error:
            raise SourceAway(f"the advisory source {self.host} answers what is not JSON") from error

    def _ask(self, method: str, path: str, body: Any, timeout_s: float) -> httpx.Response:
        """Ask, and read at most LARGEST_ANSWER_BYTES within `timeout_s` altogether, however slowly they come."""
        try:
            with httpx.stream(method, self.url + path, json=body, timeout=timeout_s, verify=tls.context()) as answer:
                raw = read_at_most(answer, LARGEST_ANSWER_BYTES, timeout_s)
                headers = {name: value for name, value in answer.headers.items() if name == "last-modified"}
                return httpx.Response(answer.status_code, headers=headers, content=raw)
        except TooLarge as error:
            raise SourceAway(f"the advisory source {self.host} answers without end") from error
        except TooSlow as error:
            raise SourceAway(
                f"the advisory source {self.host} did not answer within {timeout_s:g} s", transient=True
            ) from error
        except httpx.TimeoutException as error:
            raise SourceAway(f"the advisory source {self.host} did not answer within {timeout_s:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise SourceAway(f"the advisory source {self.host} cannot be reached: {type(error).__name__}") from error


def _question(pin: Pin) -> dict[str, Any]:
    return {"version": pin.version, "package": {"name": pin.name, "ecosystem": ECOSYSTEM}}


def _date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC) if found else None
