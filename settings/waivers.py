"""Reader of `config/waivers.toml`, and proof of waivers by the signed commits that wrote it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gates.documents import first_error
from gates.release.approval import Approver
from gates.scans.waivers import Proof, Refused, Waiver
from gates.strict_toml import TomlError, parse
from host.errors import SourceError
from host.home import CHECKOUT
from settings.signed_commits import History

FILE = "config/waivers.toml"


class Entry(BaseModel):
    """A finding that an approver accepts until a day."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    fingerprint: str = Field(pattern="^[0-9a-f]{24}$")
    """Fingerprint of the finding, as the pages show it."""
    approver: str = Field(min_length=1, max_length=60)
    """Name of an approver of `config/approvers.toml`."""
    reason: str = Field(min_length=20, max_length=500)
    """Why the finding may wait."""
    expires: date
    """Last day (UTC) on which the waiver counts, at most 90 days away."""
    revoked: str = Field("", max_length=500, pattern="^$|.{20}")
    """Only for a secret that stands in the history alone, where it is required: how it was proved that the secret is
    revoked, in at least 20 characters."""


@dataclass(frozen=True)
class Written:
    """Content of the file: waivers, and malformed entries."""

    waivers: tuple[Waiver, ...]
    malformed: tuple[Refused, ...]


def read_waivers(checkout: Path = CHECKOUT) -> Written:
    """Read the checkout's file. What is malformed is told and counts for nothing; no file is no waiver."""
    file = checkout / FILE
    if not file.exists():
        return Written((), ())
    try:
        return parse_waivers(file.read_bytes())
    except OSError as error:
        return Written((), (Refused(name=FILE, why=f"it cannot be read: {error}"),))


def parse_waivers(content: bytes) -> Written:
    """Return the entries of a file's content."""
    try:
        raw = parse(content)
    except TomlError as error:
        return Written((), (Refused(name=FILE, why=str(error)),))
    entries = raw.get("waiver", [])
    malformed = [
        Refused(name=f"{FILE}: {key}", why="unknown key, expected [[waiver]]") for key in raw if key != "waiver"
    ]
    if not isinstance(entries, list):
        return Written((), (*malformed, Refused(name=FILE, why="waiver: expected [[waiver]]")))
    waivers = []
    for number, entry in enumerate(entries, 1):
        try:
            waivers.append(Waiver.model_validate(Entry.model_validate(entry).model_dump()))
        except ValidationError as error:
            malformed.append(Refused(name=_named(entry, number), why=f"it is malformed: {_first(error)}"))
    return Written(tuple(waivers), tuple(malformed))


def _named(entry: Any, number: int) -> str:
    fingerprint = entry.get("fingerprint") if isinstance(entry, dict) else None
    return fingerprint[:24] if isinstance(fingerprint, str) and fingerprint else f"number {number} of {FILE}"


def _first(error: ValidationError) -> str:
    first = first_error(error)
    return ": ".join([*(str(part) for part in first["loc"]), first["msg"]])


def prove_waivers(
    waivers: Sequence[Waiver], approvers: Sequence[Approver], checkout: Path = CHECKOUT
) -> dict[str, Proof]:
    """Return a proof for each waiver: the time of the commit that added it exactly as it is now, or what is missing.

    The proof is the approver's SSH signature on that commit. A later change of any part of a waiver needs the
    approver's signature again. A waiver that is not committed, or whose history is incomplete, is not proven.
    """
    if not waivers:
        return {}
    people = {one.name: one for one in approvers}
    try:
        history = History.read(checkout, FILE)
        committed = parse_waivers(history.content(history.head) or b"").waivers
        return {one.fingerprint: _prove(one, people.get(one.approver), one in committed, history) for one in waivers}
    except SourceError as error:
        return {one.fingerprint: Proof(trouble=f"its commit cannot be looked at: {error}") for one in waivers}


def _prove(waiver: Waiver, approver: Approver | None, committed: bool, history: History) -> Proof:
    if not committed:
        return Proof(trouble="it is not committed")
    if history.shallow:
        return Proof(
            trouble="this checkout is a shallow clone, so who added it cannot be seen; run: git fetch --unshallow"
        )
    if approver is None:
        return Proof(trouble=f"{waiver.approver} is not named in config/approvers.toml")
    if not approver.ssh_keys:
        return Proof(trouble=f"{approver.name} has no ssh_keys in config/approvers.toml, so cannot have proven it")
    commit = history.introduced(lambda content: waiver in parse_waivers(content).waivers)
    trouble = history.signed_by(commit, approver.ssh_keys)
    if trouble:
        return Proof(trouble=f"commit {commit[:12]}, which added it as it stands, {trouble} {approver.name}")
    return Proof(added=datetime.fromisoformat(history.date(commit)))
