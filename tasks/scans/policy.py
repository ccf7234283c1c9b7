"""The policy scan: files, Dockerfiles, compose files, workflow files, migrations."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from deployments.environment import images_run
from gates.check import Check, Outcome
from gates.scans.dockerfiles.judge import judge_dockerfile
from gates.scans.dockerfiles.stages import Asked
from gates.scans.linters import read_zizmor
from gates.scans.outcome import ScanOutcome, counted
from gates.scans.policy import Policy, apply_allowed, judge_files
from host.errors import ConfigError, SourceError
from settings.toml_files import read_rules
from tasks.scans import Reads, Scan, Subject
from tasks.scans.compose_files import read_compose_files
from tasks.scans.files import chosen, named, read_text, read_yaml, regular_files
from tasks.scans.keys import contents, our_program
from tasks.scans.migrations import judge_migrations
from tasks.scans.tools import look_at_each_file, output_folder, run_tool, scan_parts, scanner, scratch

TOOL_TIMEOUT_S = 120
NAMED = 5
MOST_BUILDS = 20  # of one Dockerfile; an artifact has no more images
DOCKERFILES = ("Dockerfile", "Dockerfile.*", "*.Dockerfile", "*.dockerfile", "Containerfile", "Containerfile.*")
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
    return ScanOutcome(tuple(judge_files(files, locks.files, rules.files)), examined=(f"{len(files)} files",))


def dockerfiles(subject: Subject) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Return the commit's Dockerfiles, the one that pipeline.toml names, and those that its compose files build of, by
    name, and what was left out.

    Where no environment runs images none of them is ever built. Raises ConfigError as `images_run` does.
    """
    image, built = subject.pipeline.image, list(built_dockerfiles(subject))
    if image and ("dockerfile" in image.model_fields_set or not built):
        built.append(image.dockerfile)
    found = chosen(subject, DOCKERFILES, built)
    if not found or subject.image is not None or images_run():
        return found, ()
    names = ", ".join(list(found)[:NAMED]) + f" and {len(found) - NAMED} more" * (len(found) > NAMED)
    return {}, (f"left out: {names}: no environment has RUNTIME=compose, so that nothing is built of them",)


def built_dockerfiles(subject: Subject) -> dict[str, list[Asked]]:
    """Return the Dockerfiles that the services of compose files are built of, whatever they are called, as far as they
    are there, each with what the builds of a release ask of it: those of the files that pipeline.toml names.

    What is missing is the build's business, and an unreadable file that of the compose files.
    """
    image, read = subject.pipeline.image, read_compose_files(subject)
    released = set(image.compose.values()) if image else set()
    found: dict[str, list[Asked]] = {}
    for name in sorted(read.paths, key=lambda name: name not in released):
        for file, asked in read.builds(name):
            if not (subject.tree / file).is_file():
                continue
            known = found.setdefault(file, [])
            if name in released:
                known.append(replace(asked, args={**_given(subject), **asked.args}))
            elif not known:
                known.append(Asked(contexts=asked.contexts))
    return found


def _given(subject: Subject) -> dict[str, str | None]:
    """Return the arguments that every build is given."""
    return {"PYTHON": subject.pipeline.app.python}


def _dockerfiles(subject: Subject, rules: Policy) -> ScanOutcome:
    paths, unused = dockerfiles(subject)
    image, built = subject.pipeline.image, built_dockerfiles(subject)
    if image and not any(one.args for one in built.get(image.dockerfile, ())):
        built[image.dockerfile] = [replace(one, args=_given(subject)) for one in built.get(image.dockerfile, [Asked()])]

    def judge(name: str) -> ScanOutcome:
        builds = list({one.key: one for one in built.get(name, [Asked()])}.values())
        if len(builds) > MOST_BUILDS:
            raise SourceError(f"more than {MOST_BUILDS} different builds of it")
        return ScanOutcome(tuple(judge_dockerfile(name, read_text(paths[name], name), rules.images.rules, builds)))

    examined = f"{len(paths)} Dockerfiles" + " (others left out, see the notes)" * bool(unused)
    return ScanOutcome(examined=(examined,), notes=unused) + look_at_each_file(list(paths), judge)


def _compose_files(subject: Subject, rules: Policy) -> ScanOutcome:
    found = read_compose_files(subject)
    examined = f"{len({name for name, _ in found.judged})} compose files"
    return ScanOutcome(examined=(examined,)) + found.outcome + found.judge(rules.images.rules)


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
    load, run = subject.pipeline.performance, subject.pipeline.run
    told = (
        image and subject.pipeline.app.python,
        subject.pipeline.migrations.model_dump(),
        run.migrate,
        run.directory,
        load and load.environment,
        images_run(),
    )
    parts = (subject.pipeline.locks.files, files, allowed, subject.workspace.environment.name, programs, told)
    return Reads(list(subject.workspace.source.files), parts)


SCAN = Scan("policy", scan_policy, _reads)
