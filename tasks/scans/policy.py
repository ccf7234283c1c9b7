"""The policy scan: files, Dockerfiles, compose files, workflow files, migrations."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployments.environment import images_run
from gates.check import Check, Outcome
from gates.scans.compose import dockerfiles_of, files_of, judge_compose
from gates.scans.dockerfile import judge_dockerfile
from gates.scans.linters import read_zizmor
from gates.scans.outcome import ScanOutcome, counted
from gates.scans.policy import Policy, apply_allowed, judge_files
from host.errors import ConfigError, SourceError
from settings.toml_files import read_rules
from tasks.scans import Reads, Scan, Subject
from tasks.scans.files import RELEASE, chosen, named, named_path, read_compose, read_text, read_yaml, regular_files
from tasks.scans.keys import contents, our_program
from tasks.scans.migrations import judge_migrations
from tasks.scans.tools import look_at_each_file, output_folder, run_tool, scan_parts, scanner, scratch

TOOL_TIMEOUT_S = 120
NAMED = 5
MOST_FOLLOWED = 200
DOCKERFILES = ("Dockerfile", "Dockerfile.*", "*.Dockerfile", "*.dockerfile", "Containerfile", "Containerfile.*")
COMPOSE = ("compose.y*ml", "compose.*.y*ml", "docker-compose.y*ml", "docker-compose.*.y*ml", "docker-compose-*.y*ml")
WORKFLOWS = (".github/workflows/*.yml", ".github/workflows/*.yaml", "action.yml", "action.yaml")


def scan_policy(subject: Subject, policy: Policy | None = None) -> Check:
    """Hold the commit against config/policy.toml. Safe to repeat.

    Each part that cannot be looked at is a reason for no verdict, beside what the others found.
    """
    try:
        rules = policy or read_rules(Policy, "policy")
    except ConfigError as error:
        return Check(name="policy", outcome=Outcome.NO_VERDICT, reason=str(error))
    files = regular_files(subject.tree)
    check = scan_parts(
        "policy",
        "zizmor, squawk, own rules",
        {
            "files": lambda: _files(subject, files, rules),
            "Dockerfiles": lambda: _dockerfiles(subject, rules),
            "compose files": lambda: _compose_files(subject, rules),
            "workflow files": lambda: _workflows(subject, files),
            "migrations": lambda: judge_migrations(subject, rules.migrations, TOOL_TIMEOUT_S),
        },
    )
    findings, notes = apply_allowed(check.findings, (*rules.allow, *subject.pipeline.scans.allow))
    reason = counted(findings) if check.outcome is Outcome.PASSED else check.reason
    return check.model_copy(update={"findings": tuple(findings), "reason": reason, "notes": (*check.notes, *notes)})


def _files(subject: Subject, files: Mapping[str, int], rules: Policy) -> ScanOutcome:
    locks = subject.pipeline.locks
    return ScanOutcome(tuple(judge_files(files, locks.every, rules.files)), examined=(f"{len(files)} files",))


def dockerfiles(subject: Subject) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Return the commit's Dockerfiles, the one that pipeline.toml names, and those that its compose files build of, by
    name, and what was left out.

    Where no environment runs images none of them is ever built. Raises ConfigError as `images_run` does.
    """
    image, built = subject.pipeline.image, built_dockerfiles(subject)
    if image and ("dockerfile" in image.model_fields_set or not built):
        built.append(image.dockerfile)
    found = chosen(subject, DOCKERFILES, built)
    if not found or subject.image is not None or images_run():
        return found, ()
    names = ", ".join(list(found)[:NAMED]) + f" and {len(found) - NAMED} more" * (len(found) > NAMED)
    return {}, (f"left out: {names}: no environment has RUNTIME=compose, so that nothing is built of them",)


def built_dockerfiles(subject: Subject) -> list[str]:
    """Return the Dockerfiles that the services of compose files are built of, whatever they are called, as far as they
    are there: what is missing is the build's business, and an unreadable file that of the compose files.
    """
    image = subject.pipeline.image
    found: dict[str, None] = {}
    for name, path in chosen(subject, COMPOSE, list(image.compose.values()) if image else []).items():
        try:
            builds = dockerfiles_of(read_compose(path, name)[0])
        except SourceError:
            continue
        for one in builds:
            file = posixpath.normpath(posixpath.join(posixpath.dirname(name.removeprefix(RELEASE)), one))
            if not name.startswith(RELEASE) and not file.startswith("..") and (subject.tree / file).is_file():
                found[file] = None
    return list(found)


def _dockerfiles(subject: Subject, rules: Policy) -> ScanOutcome:
    paths, unused = dockerfiles(subject)

    def judge(name: str) -> ScanOutcome:
        return ScanOutcome(tuple(judge_dockerfile(name, read_text(paths[name], name), rules.images.rules)))

    examined = f"{len(paths)} Dockerfiles" + " (others left out, see the notes)" * bool(unused)
    return ScanOutcome(examined=(examined,), notes=unused) + look_at_each_file(list(paths), judge)


def _compose_files(subject: Subject, rules: Policy) -> ScanOutcome:
    image = subject.pipeline.image
    paths = chosen(subject, COMPOSE, list(image.compose.values()) if image else [])
    found = _Compose(subject, paths)
    outcome = look_at_each_file(list(paths), found.read)
    for _ in range(MOST_FOLLOWED):
        if found.waiting:
            outcome += look_at_each_file([found.waiting.pop()], found.read)
    if found.waiting:
        raise SourceError(f"compose files lead to more than {MOST_FOLLOWED} others")

    def judge(name: str) -> ScanOutcome:
        rows = judge_compose(name, found.documents, rules.images.rules, found.lines[name])
        return ScanOutcome(tuple(rows))

    named_here = [name for name in found.documents if name in paths or name in found.included]
    return ScanOutcome(examined=(f"{len(named_here)} compose files",)) + outcome + look_at_each_file(named_here, judge)


@dataclass
class _Compose:
    """The compose files of a commit, and those that they lead to: included ones are judged, extended ones read."""

    subject: Subject
    paths: Mapping[str, Path]
    documents: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, dict[str, int]] = field(default_factory=dict)
    included: set[str] = field(default_factory=set)
    waiting: list[str] = field(default_factory=list)

    def read(self, name: str) -> ScanOutcome:
        """Read a file, and note which files it leads to."""
        if name in self.documents:
            return ScanOutcome()
        path = self.paths.get(name) or named_path(self.subject, name)
        self.documents[name], self.lines[name] = read_compose(path, name)
        included, extended = files_of(name, self.documents[name])
        if not name.startswith(RELEASE) and any(one.startswith(RELEASE) for one in (*included, *extended)):
            raise SourceError(f"{name}: {RELEASE} is not a folder of the commit")
        self.included |= set(included)
        self.waiting += [one for one in (*included, *extended) if one not in self.documents]
        return ScanOutcome()


def _workflows(subject: Subject, files: Mapping[str, int]) -> ScanOutcome:
    names = named(list(files), WORKFLOWS)
    examined = (f"{len(names)} workflow files",)
    if not names:
        return ScanOutcome(examined=examined)
    # Names the file that is wrong, which zizmor's exit code does not.
    for name in names:
        read_yaml(subject.tree / name, name)
    paths = {str(subject.tree / name): name for name in names}
    argv = [str(scanner("zizmor")), "--offline", "--format", "json", "--no-progress", "--color", "never", "--no-config"]
    argv += ["--no-ignores", "--strict-collection", "--collect=all", *paths]
    # 11 to 14: findings, by the worst one's severity. Only the report decides.
    output = run_tool(
        argv,
        workspace=subject.workspace,
        out=output_folder(scratch(subject, "policy")),
        reads=(subject.tree,),
        timeout_s=TOOL_TIMEOUT_S,
        exits=(0, 11, 12, 13, 14),
    )
    return ScanOutcome(tuple(read_zizmor(output, paths)), examined=examined)


def _reads(subject: Subject) -> Reads:
    """Every file: all names and sizes are judged, and the app's migrations may import what they like."""
    image, programs = subject.pipeline.image, (our_program("zizmor"), our_program("squawk"))
    files = contents(subject, (image.dockerfile, *image.compose.values())) if image else {}
    allowed = [entry.model_dump() for entry in subject.pipeline.scans.allow]
    load, migrate = subject.pipeline.performance, subject.pipeline.run.migrate
    told = (subject.pipeline.migrations.model_dump(), migrate, load and load.environment, images_run())
    parts = (subject.pipeline.locks.every, files, allowed, subject.workspace.environment.name, programs, told)
    return Reads(list(subject.workspace.source.files), parts)


SCAN = Scan("policy", scan_policy, _reads)
