"""The version that a commit's times are held against: what is live, else the newest good one that it builds on."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from deployments.environment import Environment
from evidence.bundle import Bundle, read_bundle
from evidence.statements import newest_promotion, read_checks
from gates.check import judge_checks
from gates.verdict import Action
from host.errors import SlipwayError
from host.files import remove_tree
from settings.pipeline import App, Pipeline
from settings.targets import Target
from tasks.checks.cores import once_on_a_core
from tasks.source.app_locks import AppLocks
from tasks.source.dependencies import locked_environment
from tasks.source.git import Source
from tasks.source.source_builds import build_sources
from tasks.source.workspace import Workspace


@dataclass(frozen=True)
class LiveVersion:
    """What serves in the highest environment that has anything."""

    place: Environment
    digest: str


def live_version(app: str) -> LiveVersion | None:
    """Return what is live by this host's journals, else by the promotions that the store has of other hosts."""
    for target in reversed(Target.all()):  # what users have now is asked first
        place = Environment.open(target, app)
        if live := place.ledger().live:
            return LiveVersion(place, live.version.digest)
        if promoted := newest_promotion(place.store, place.keys, place.name):
            return LiveVersion(place, promoted[0])
    return None


@dataclass(frozen=True)
class NoBase:
    """There is nothing to compare with, and why. A comparison is *not applicable* then, never passed."""

    reason: str


@dataclass(frozen=True)
class Base:
    """The artifact of the base version, in `place`'s store. Whether it can still be used shows when it is asked for."""

    place: Environment
    digest: str
    bundle: Bundle

    @property
    def version(self) -> str:
        """Return what people call it."""
        return self.bundle.version

    def for_checks(self, pipeline: Pipeline, beside: Workspace) -> Workspace | NoBase:
        """Return a workspace like the candidate's (`beside`), below it: the base's files, and the environment that its
        own lock for checks makes.
        """
        root = beside.root / "base"
        remove_tree(root)
        bundle = self.bundle
        try:
            archive = self.place.store.copy_blob(bundle.source, root / "source.tar")
            source = Source(bundle.commit, bundle.version, "", (), archive, signable=False)
            tree = source.lay_out(root / "tree", os.geteuid())
            ci, locks = pipeline.locks.ci, AppLocks(tree, pipeline.locks, bundle.python)
            build_sources(locks, source.scope, once_on_a_core, only=("ci",))
            environment = locked_environment(locks.file(ci), bundle.python, source.scope, locks.wheels(ci))
            return replace(beside, root=root, source=source, environment=environment, database=bundle.run.database)
        except (SlipwayError, OSError) as error:
            what = "the base: its environment for checks cannot be made any more"
            return NoBase(f"{self.version} ({self.digest[:12]}), {what}: {error}")


def find_base(pipeline: Pipeline, source: Source) -> Base | NoBase:
    """Return the live version; when nothing is live, or the live one is this very commit, the nearest ancestor of the
    commit with an artifact whose signed checks passed on a protected branch.
    """
    try:
        live = live_version(pipeline.app.name)
        if live and (bundle := read_bundle(live.place.store, live.digest)).commit != source.commit:
            return Base(live.place, live.digest, bundle)
        place = live.place if live else Environment.open(Target.production(), pipeline.app.name)
        found = next(_good_ones(pipeline.app, place, source), None)
    except (SlipwayError, OSError) as error:
        return NoBase(f"the base cannot be used: {error}")
    if found:
        return found
    why = "this commit is live itself" if live else "nothing is live yet"
    return NoBase(f"{why}, and no good version that it builds on is in the store")


def _good_ones(app: App, place: Environment, source: Source) -> Iterator[Base]:
    """Give the good artifacts of the commit's ancestors, the nearest first. What cannot be read or trusted is none."""
    digests: dict[str, list[str]] = {}
    for digest in reversed(place.store.artifacts()):
        try:
            bundle = read_bundle(place.store, digest)
        except SlipwayError:
            continue
        if bundle.app == app.name:
            digests.setdefault(bundle.commit, []).append(digest)
    for commit in source.history:
        for digest in digests.get(commit.hash, ()) if commit.hash != source.commit else ():
            try:
                if _passed(app, place, digest):
                    yield Base(place, digest, read_bundle(place.store, digest))
            except SlipwayError:
                continue


def _passed(app: App, place: Environment, digest: str) -> bool:
    """Return whether the newest signed checks of an artifact are of a protected branch, and all good."""
    checked = read_checks(place.store, place.keys, digest)
    if checked is None or checked.branch not in (app.branch, *app.protected) or not checked.checks:
        return False
    verdict = judge_checks([check.name for check in checked.checks], checked.checks)
    return verdict.action is Action.PROMOTE
