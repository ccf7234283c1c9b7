"""`slipway verify`: the chain of evidence, from an artifact's bytes to its promotions, link by link."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from cli.screen import console, escape, fail, say
from evidence import audit
from evidence.bundle import Bundle, blobs, find_digest, verify_bundle
from evidence.provenance import origin_checks, read_provenance
from evidence.signing import Keys
from evidence.statements import Checked, Kind, Promoted, Scanned, Withdrawn, parse, revoked, verified
from evidence.store import Store
from gates.check import GOOD, Check, Outcome
from host.errors import SlipwayError
from host.home import Home

TIME = "%Y-%m-%d %H:%M:%S UTC"


@dataclass(frozen=True)
class Link:
    """One link of the chain. `broken` is the reason why it does not hold, "" when it does."""

    name: str
    said: str
    key: str = ""
    at: datetime | None = None
    broken: str = ""


def verify(
    digest: Annotated[str, typer.Argument(help="a digest (8+ characters), a commit or a version")] = "",
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="move what does not verify in the whole store into store/quarantine/")
    ] = False,
) -> None:
    """Show the evidence of an artifact and its signers. Exits 1 at the first link that does not hold."""
    home = Home.find()
    store, keys = Store(home.store), Keys(home.keys)
    if quarantine == bool(digest):
        fail("say which artifact, or --quarantine for the whole store")
        raise typer.Exit(2)
    if quarantine:
        _set_aside(store, keys)
        return
    full = find_digest(store, digest, fail)
    table = Table("link", "what it says", "signed by key", "when", title=f"sha256:{full}")
    broken = ""
    for link in chain(store, keys, full):
        when = f"{link.at:{TIME}}" if link.at else ""
        said = f"[red]{escape(link.broken)}[/red]" if link.broken else escape(link.said)
        table.add_row(link.name, said, link.key, when)
        if link.broken:
            broken = f"{full[:12]}: {link.name}: {link.broken}"
            break
    console.print(table)
    if broken:
        fail(broken)
        raise typer.Exit(1)
    say("every link holds: the bytes are what was checked, and who signed what is above")


def _set_aside(store: Store, keys: Keys) -> None:
    """Move what does not verify aside, and say of each record what and why."""
    moved = audit.quarantine(store, keys)
    for record in moved:
        say(f"moved aside: {record.reason}")
    say(f"{len(moved)} records moved into {store.root / audit.FOLDER}, each with its reason; nothing was deleted")


def chain(store: Store, keys: Keys, digest: str) -> Iterator[Link]:
    """Yield the links in order. Links after a broken one mean nothing."""
    try:
        bundle = verify_bundle(store, digest)
    except SlipwayError as error:
        yield Link("artifact", "", broken=str(error))
        return
    yield Link("artifact", f"{bundle.version}: manifest and {len(blobs(bundle))} blobs are what the digest says")
    for reason in revoked(store, keys, digest):
        yield Link("revoked", reason)
    links: tuple[Callable[[Store, Keys, str, Bundle], Iterator[Link]], ...] = (_origin, _checks, _scans, _promotions)
    for link in links:
        try:
            yield from link(store, keys, digest, bundle)
        except SlipwayError as error:
            yield Link(link.__name__.strip("_"), "", broken=str(error))
            return


def _origin(store: Store, keys: Keys, digest: str, bundle: Bundle) -> Iterator[Link]:
    found = read_provenance(store, keys, digest)
    at = found[0].run_details.metadata.finished_on if found else None
    for check in origin_checks(store, keys, digest, bundle):
        said = f"{check.reason}; {check.examined}" if check.examined else check.reason
        broken = "" if check.outcome is Outcome.PASSED else check.reason
        yield Link(
            check.name, said, check.tool.removeprefix("key "), at if check.name == "provenance" else None, broken
        )


def _checks(store: Store, keys: Keys, digest: str, bundle: Bundle) -> Iterator[Link]:
    statements = verified(store, keys, digest, Kind.CHECKS)
    pairs = [(parse(Checked, one, digest), one.key) for one in statements]
    if not pairs:
        yield Link("checks", "", broken="no signed checks; run: prefect deployment run ci/push")
        return
    checked, key = max(pairs, key=lambda pair: pair[0].at)
    yield _judged("checks", checked.commit, checked.checks, bundle, key, checked.at)


def _scans(store: Store, keys: Keys, digest: str, bundle: Bundle) -> Iterator[Link]:
    statements = verified(store, keys, digest, Kind.SCANS)
    pairs = [(parse(Scanned, one, digest), one.key) for one in statements]
    if not pairs:
        yield Link("scans", "", broken="no signed scans; run: prefect deployment run security/nightly")
        return
    scanned, key = max(pairs, key=lambda pair: pair[0].at)
    yield _judged("scans", scanned.commit, scanned.checks, bundle, key, scanned.at)


def _judged(name: str, commit: str, checks: tuple[Check, ...], bundle: Bundle, key: str, at: datetime) -> Link:
    if commit != bundle.commit:
        said = f"they are about commit {commit[:12]}, the artifact about {bundle.commit[:12]}"
        return Link(name, "", key, at, said)
    bad = [f"{one.name}: {one.outcome} ({one.reason})" for one in checks if one.outcome not in GOOD]
    unrun = [one.name for one in checks if one.outcome is Outcome.ACCEPTED_UNRUN]
    passed = sum(one.outcome is Outcome.PASSED for one in checks)
    said = f"{passed} of {len(checks)} passed" + (f"; NOBODY LOOKED AT: {', '.join(unrun)}" if unrun else "")
    return Link(name, "; ".join([said, *bad]), key, at)


def _promotions(store: Store, keys: Keys, digest: str, bundle: Bundle) -> Iterator[Link]:
    for one in verified(store, keys, digest, Kind.PROMOTION):
        promoted = parse(Promoted, one, digest)
        said = f"{promoted.version} to {promoted.environment}, in release {promoted.release}"
        yield Link(
            "promotion", said, one.key, promoted.at, "" if promoted.commit == bundle.commit else "another commit"
        )
    for one in verified(store, keys, digest, Kind.WITHDRAWAL):
        withdrawn = parse(Withdrawn, one, digest)
        said = f"{withdrawn.environment} condemned it and takes its promotion back: {withdrawn.reason}"
        yield Link("withdrawal", said, one.key, withdrawn.at)
