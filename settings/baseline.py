"""Reader and writer of `config/baseline.toml`, and proof of it by the signed commit that wrote it as it stands."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gates.baseline import FILE, NEVER, NOTHING, Baseline, DueDays, Entry
from gates.documents import first_error
from gates.release.approval import Approver
from gates.strict_toml import TomlError, parse
from host.errors import SourceError
from host.home import CHECKOUT
from settings.signed_commits import History

LARGEST_BYTES = 10_000_000
SIGN = f"git -c gpg.format=ssh -c user.signingkey=~/.ssh/id_ed25519 commit -S -m 'Baseline' {FILE}"
HEAD = f"""\
# Findings that were there at adoption. Each is tracked until its due date and blocks from then on; a new one blocks at
# once. Written by `slipway baseline`; the approver proves it by committing the file, signed with one of their ssh_keys:
#   git add {FILE}
#   {SIGN}
# After any change of it the approver must sign again: a file that is changed or not signed counts for nothing.
"""


class BaselineFile(BaseModel):
    """The whole file: findings that were there at adoption, and who answers for them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    approver: str = Field(min_length=1, max_length=60)
    """Name of an approver of `config/approvers.toml`, who signs the commit of this file."""
    commit: str = Field(pattern="^[0-9a-f]{40,64}$")
    """Commit of the app whose findings these are."""
    made: date
    """Day (UTC) on which the baseline was made. Due dates count from it."""
    due_days: DueDays = Field(default_factory=DueDays)
    """Days until a finding blocks again, by severity."""
    finding: tuple[Entry, ...] = ()
    """The findings."""

    @model_validator(mode="after")
    def _each_once_and_in_time(self) -> "BaselineFile":
        seen, tomorrow = set[tuple[str, str]](), datetime.now(UTC).date() + timedelta(days=1)
        if self.made > tomorrow:
            raise ValueError(f"made: {self.made} is in the future")
        for entry in self.finding:
            name = f"{entry.check} {entry.fingerprint}"
            if entry.first_seen > tomorrow:
                raise ValueError(f"{name}: first_seen: {entry.first_seen} is in the future")
            if entry.check in NEVER:
                raise ValueError(f"{name}: a finding of {entry.check} never goes into a baseline")
            if (entry.check, entry.fingerprint) in seen:
                raise ValueError(f"{name}: it stands there twice")
            seen.add((entry.check, entry.fingerprint))
            if entry.due > (latest := self.due_days.due(entry.severity, max(self.made, entry.first_seen))):
                raise ValueError(f"{name}: due {entry.due}, expected {latest} at the latest ({entry.severity})")
        return self


def read_baseline(approvers: Sequence[Approver], checkout: Path = CHECKOUT) -> Baseline:
    """Return the checkout's baseline. One that is not the approver's own signed word says so and counts for nothing;
    no file is no baseline.
    """
    written = written_baseline(checkout)
    if written.trouble or not written.entries:
        return written
    return replace(written, trouble=_unproven(written, approvers, checkout))


def written_baseline(checkout: Path = CHECKOUT) -> Baseline:
    """Return what the file says, whoever wrote it; no file is no baseline."""
    try:
        return parse_baseline((checkout / FILE).read_bytes())
    except FileNotFoundError:
        return NOTHING
    except OSError as error:
        return Baseline(trouble=f"it cannot be read: {error.strerror}")


def parse_baseline(content: bytes) -> Baseline:
    """Return what a file's content says, with the trouble of one that is malformed. An empty file is no baseline."""
    try:
        if len(content) > LARGEST_BYTES:
            raise TomlError(f"more than {LARGEST_BYTES // 1_000_000} MB")
        raw = parse(content)
        if not raw:
            return NOTHING
        read = BaselineFile.model_validate(raw)
    except TomlError as error:
        return Baseline(trouble=str(error))
    except ValidationError as error:
        first = first_error(error)
        return Baseline(trouble=": ".join([*(str(part) for part in first["loc"]), first["msg"]]))
    return Baseline(read.approver, read.made, read.commit, read.due_days, read.finding)


def _unproven(written: Baseline, approvers: Sequence[Approver], checkout: Path) -> str:
    """Return why the file is not proven to be its approver's word, "" when it is."""
    approver = next((one for one in approvers if one.name == written.approver), None)
    if approver is None:
        return f"{written.approver} is not named in config/approvers.toml"
    if not approver.ssh_keys:
        return f"{approver.name} has no ssh_keys in config/approvers.toml, so cannot have signed it"
    try:
        history = History.read(checkout, FILE)
        if parse_baseline(history.content(history.head) or b"") != written:
            return f"as it stands it is not committed; the approver runs: {SIGN}"
        if history.shallow:
            return "this checkout is a shallow clone, so who signed it cannot be seen; run: git fetch --unshallow"
        commit = history.introduced(lambda then: parse_baseline(then) == written)
        trouble = history.signed_by(commit, approver.ssh_keys)
    except SourceError as error:
        return f"its commit cannot be looked at: {error}"
    return f"commit {commit[:12]}, which wrote it as it stands, {trouble} {approver.name}" if trouble else ""


def write_baseline(baseline: Baseline) -> str:
    """Return the file of a baseline, whose `made` is known."""
    made = baseline.made or datetime.now(UTC).date()
    lines = [HEAD, f"approver = {_text(baseline.approver)}", f'commit = "{baseline.commit}"', f"made = {made}", ""]
    lines += ["[due_days]", *(f"{name} = {days}" for name, days in baseline.due_days.model_dump().items())]
    for entry in baseline.entries:
        lines += ["", "[[finding]]", *_entry(entry)]
    return "\n".join(lines) + "\n"


def _entry(entry: Entry) -> Iterator[str]:
    for name, value in entry.model_dump(exclude_defaults=True).items():
        yield f"{name} = {_text(value) if isinstance(value, str) else value}"


def _text(value: str) -> str:
    return json.dumps("".join(letter if letter.isprintable() else " " for letter in value), ensure_ascii=False)
