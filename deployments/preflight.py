"""May this version go to this environment? Looks at everything, changes nothing; run before the question and under
the lease.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from deployments.candidate import Candidate, new_migrations, read_candidate, relied_problems
from deployments.environment import Environment
from deployments.journal.ledger import Ledger
from deployments.outgoing import Outgoing, going_out, where_it_stands
from deployments.runtimes.app_redis import AppRedis
from evidence.audit import bad_records
from evidence.bundle import find_digest, read_bundle
from evidence.commits import Repository
from evidence.statements import Scanned, Withdrawn, last_word, last_words, promotions, read_checks, revoked
from gates.check import GOOD, Check, judge_checks
from gates.migrations.statements import Kind
from gates.migrations.steps import Step, contracting, unapproved
from gates.notify.messages import some
from gates.release.approval import Approver
from gates.release.authors import address_key, shown_address
from gates.release.operation import Live, Version
from gates.verdict import Action, Verdict
from host.errors import ArtifactError
from host.sandbox.run import Isolation, available
from settings.approvers import read_approvers

log = logging.getLogger(__name__)
NOT_ASKED = Repository(None, "the app's repository was not asked")
ISOLATION_ORDER = (Isolation.NONE, Isolation.UID, Isolation.NAMESPACES)


@dataclass(frozen=True)
class Preflight:
    """What is about to change, and whether it may. `outgoing` are the commits that go out, `branches` says where the
    newest of them stands now.

    `migrations` are those that it brings beyond what is live. Those that leave no way back (`contracts`) are a question
    of their own where a person is asked.
    """

    candidate: Candidate
    live: Live | None
    migrations: tuple[Step, ...]
    verdict: Verdict
    outgoing: Outgoing
    approvers: tuple[Approver, ...]
    policy: str
    warnings: tuple[str, ...]
    branches: str = ""

    @property
    def version(self) -> Version:
        return self.candidate.version

    @property
    def checks(self) -> tuple[Check, ...]:
        return self.candidate.evidence.checks

    @property
    def scanned(self) -> Scanned | None:
        return self.candidate.evidence.scanned

    @property
    def isolation(self) -> str:
        """Return how the checks ran isolated."""
        checked = self.candidate.evidence.checked
        return checked.isolation if checked else "unknown"

    @property
    def contracts(self) -> tuple[Step, ...]:
        return contracting(self.migrations)


def choose_version(
    place: Environment, wanted: str | None, say: Callable[[str], None] = log.warning, repository: Repository = NOT_ASKED
) -> str:
    """Return the digest for `wanted` (digest, commit or version), or without it the newest that may come next.

    That is what the environment named by REQUIRES_PROMOTION_IN promoted last, or else the newest artifact with
    evidence. What does not verify is passed over, and `say` is told of it; so is what is on no allowed branch, as far
    as `repository` can tell.
    """
    if wanted:
        return find_digest(place.store, wanted, say)
    before = place.settings.requires_promotion_in
    if before:
        newest_first = [digest for digest, _ in promotions(place.store, place.keys, before, say)]
        nothing = f"{before} has promoted nothing yet; release there first"
    else:
        newest_first = place.store.artifacts()[::-1]
        nothing = "no version was built yet; run: prefect deployment run ci/push"
    for digest in newest_first:
        if bad := bad_records(place.store, place.keys, digest):
            say(f"passed over {digest[:12]}: {'; '.join(record.reason for record in bad)}")
        elif before or read_checks(place.store, place.keys, digest):
            problems = _strays(place, digest, repository)
            if not problems:
                return digest
            say(f"passed over {digest[:12]}: {'; '.join(problems)}")
    raise ArtifactError(f"{place.name}: {nothing}")


def _strays(place: Environment, digest: str, repository: Repository) -> list[str]:
    """Return why an artifact may not go out from where its commit stands; what nobody can tell stops it later."""
    if repository.problem:
        return []
    return where_it_stands(place, read_bundle(place.store, digest).commit, repository)[1]


def preflight(
    place: Environment, digest: str, repository: Repository = NOT_ASKED, notes: Sequence[str] = ()
) -> Preflight:
    """Verify artifact, evidence and preconditions. A STOP verdict names everything that is in the way.

    `repository` is our mirror of the app's repository, as of now; `notes` is what the search for the digest said.

    Reads and hashes the artifact, and the manifest of what is live, once. A release does this twice on purpose: before
    the question, and under the lease. A person may take an hour to answer, so what is used is verified after that.

    Raises ArtifactError or EvidenceError when something was changed since it was signed, ConfigError on bad
    configuration.
    """
    candidate = read_candidate(place, digest)
    ledger = place.ledger()
    migrations = new_migrations(place.store, ledger.live, candidate)
    approvers = read_approvers()
    branches, branch_problems = where_it_stands(place, candidate.bundle.commit, repository)
    judged = judge_checks(place.settings.gates, candidate.evidence.checks)
    problems = [
        *place.runtime.database.problems(candidate),
        *AppRedis(place).problems(),
        *_evidence_problems(place, candidate, judged),
        *_promotion_problems(place, digest),
        *branch_problems,
        *_state_problems(place, ledger, candidate),
        *_contract_problems(place, ledger, candidate, migrations),
        *_host_problems(place),
        *relied_problems(place, candidate, approvers, datetime.now(UTC)),
    ]
    if place.settings.approval == "required" and not any(place.name in one.environments for one in approvers):
        problems.append(f"config/approvers.toml names nobody who may approve for {place.name}")
    checked = candidate.evidence.checked
    outgoing = going_out(checked, ledger.live, repository)
    return Preflight(
        candidate=candidate,
        live=ledger.live,
        migrations=migrations,
        verdict=Verdict(Action.STOP, "; ".join(problems)) if problems else judged,
        outgoing=outgoing,
        approvers=tuple(approvers),
        policy=policy_of(place, approvers),
        warnings=(
            *notes,
            *(f"Does not count: {one}" for one in revoked(place.store, place.keys, digest)),
            *_author_notes(outgoing, approvers),
            *_warnings(place, ledger, candidate, migrations),
        ),
        branches=branches,
    )


def policy_of(place: Environment, approvers: Sequence[Approver]) -> str:
    """Return a digest of the rules that apply: an answer given under other rules does not hold."""
    rules = {
        "settings": place.settings.model_dump(mode="json", exclude={"app", "secrets"}),
        "approvers": [asdict(one) for one in approvers],
    }
    return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()


def _evidence_problems(place: Environment, candidate: Candidate, judged: Verdict) -> list[str]:
    digest, commit, checked = candidate.digest, candidate.bundle.commit, candidate.evidence.checked
    if checked is None:
        return [f"no signed evidence for {digest[:12]}; run: prefect deployment run ci/push -p commit={commit[:12]}"]
    problems = []
    if checked.commit != commit:
        problems.append(f"the evidence is about commit {checked.commit[:12]}, the artifact about {commit[:12]}")
    if not checked.clean:
        problems.append("the evidence was made on a tree with uncommitted changes")
    if judged.action is not Action.PROMOTE:
        problems.append(judged.reason)
    required = place.settings.required_isolation
    if _weaker(checked.isolation, required):
        problems.append(
            f"the checks ran with isolation {checked.isolation}, {place.name} requires {required}; see docs/security.md"
        )
    return problems


def _promotion_problems(place: Environment, digest: str) -> list[str]:
    before = place.settings.requires_promotion_in
    word = last_word(place.store, place.keys, digest, before) if before else None
    if isinstance(word, Withdrawn):
        return [f"{_withdrawal(word, digest)}: what it condemned is not promoted from there; release a fixed version"]
    return [f"{before} has not promoted {digest[:12]}; release it there first"] if before and not word else []


def _withdrawal(word: Withdrawn, digest: str) -> str:
    return f"{word.environment} condemned {digest[:12]} at {word.at:%Y-%m-%d %H:%M} UTC ({word.reason})"


def _weaker(found: str, required: Isolation) -> bool:
    """Return whether a level is weaker than the required one; what follows its comma is told and not judged."""
    known, found = [str(level) for level in ISOLATION_ORDER], found.partition(",")[0]
    return found not in known or known.index(found) < ISOLATION_ORDER.index(required)


def _state_problems(place: Environment, ledger: Ledger, candidate: Candidate) -> list[str]:
    digest = candidate.digest
    problems = []
    if reason := ledger.condemned.get(digest):
        problems.append(f"{digest[:12]} is condemned here ({reason}); release a fixed version")
    if ledger.live and ledger.live.version.digest == digest and not ledger.unfinished:
        problems.append(f"{ledger.live.version} is live already")
    if not place.supervisor.answers():
        problems.append(f"{place.name} is not up on this host; run: make up")
    if orchestrator := place.runtime.orchestrator:
        problems += orchestrator.problems(candidate)
    problems += place.front.problems()
    if reason := ledger.unsafe.get(digest):
        problems.append(f"{digest[:12]} does not fit the database any more: {reason}; release a fixed version")
    return problems


def _host_problems(place: Environment) -> list[str]:
    required = place.settings.required_isolation
    if not _weaker(str(available()), required):
        return []
    return [f"this host isolates app code by {available()} only, {required} is required"]


def _contract_problems(
    place: Environment, ledger: Ledger, candidate: Candidate, migrations: Sequence[Step]
) -> list[str]:
    """Return the contracting steps that nobody approved, or may be among those that nobody judged, where nobody is
    asked.
    """
    if place.settings.approval == "required":
        return []
    if ledger.live and _is_unjudged(candidate):
        return [
            f"nobody judged the migrations of {candidate.version}, so they may take away what {ledger.live.version} "
            "needs; the log of its run of ci says why: mend that, or say the tool in [migrations] of "
            "config/pipeline.toml (docs/checks.md), and build again; or let a person decide, APPROVAL=required"
        ]
    approved = [name.strip() for name in place.settings.approved_contracts.split(",")]
    return [
        f"migration {step.revision} takes away what {ledger.live.version if ledger.live else 'nothing'} needs "
        f"({step.reason}), and leaves no way back; if that is meant, add it to APPROVED_CONTRACTS of "
        f"config/{place.name}.env"
        for step in unapproved(migrations, approved)
    ]


def _is_unjudged(candidate: Candidate) -> bool:
    return candidate.bundle.migrations is None and candidate.bundle.run.migrate is not None


def _migration_notes(candidate: Candidate, migrations: Sequence[Step]) -> list[str]:
    notes = [
        f"Migration {step.revision}: {step.kind}: {step.reason}"
        + (". There is NO WAY BACK to older versions after it." if step.kind is Kind.CONTRACT else "")
        for step in migrations
    ]
    if _is_unjudged(candidate):
        notes.append("NOBODY JUDGED THE MIGRATIONS of this version.")
    return notes


def _author_notes(outgoing: Outgoing, approvers: Sequence[Approver]) -> list[str]:
    """Return a note on the addresses that neither an earlier commit nor an approver has."""
    known = {address_key(email) for one in approvers for email in one.emails}
    unknown = [shown_address(address) for address in outgoing.strangers if address not in known]
    return [f"Addresses that no earlier commit and no approver has: {', '.join(some(unknown))}"] if unknown else []


def _warnings(place: Environment, ledger: Ledger, candidate: Candidate, migrations: Sequence[Step]) -> list[str]:
    scanned = candidate.evidence.scanned
    notes = _migration_notes(candidate, migrations)
    notes += place.runtime.notes(candidate)
    notes += place.runtime.database.notes(candidate)
    notes += AppRedis(place).notes()
    notes += place.front.notes()
    notes += [f"{one}." for one in place.journal.losses()]
    idle = ledger.slots.get(ledger.idle_slot)
    if idle and idle.running:
        old = ledger.versions.get(idle.digest)
        notes.append(f"The warm old version {old or idle.digest[:12]} in slot {ledger.idle_slot} will be evicted.")
    other = [
        one for one in candidate.evidence.checks if one.name not in place.settings.gates and one.outcome not in GOOD
    ]
    if other:
        notes.append("Not passed, and not required here: " + "; ".join(f"{one.name} ({one.reason})" for one in other))
    if scanned and scanned.refused:
        notes.append("Waivers that do not count: " + "; ".join(str(one) for one in scanned.refused))
    if scanned and scanned.unneeded:
        notes.append(f"Waivers that nothing needs any more: {', '.join(scanned.unneeded)}")
    words = last_words(place.store, place.keys, candidate.digest).values()
    notes += [f"{_withdrawal(word, candidate.digest)}." for word in words if isinstance(word, Withdrawn)]
    if place.settings.allow_author_approval:
        notes.append("This environment lets an author of a commit approve it (ALLOW_AUTHOR_APPROVAL).")
    notes.append("Who approves is what the form says; identity is not proven yet (docs/security.md).")
    return notes
