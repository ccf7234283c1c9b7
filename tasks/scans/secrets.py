"""The secrets scan: Kingfisher over the whole history, files and commit messages; TruffleHog where installed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from gates.check import Check
from gates.findings import Severity
from gates.scans.outcome import ReportError, ScanOutcome
from gates.scans.placeholders import PLACEHOLDERS
from gates.scans.secret_patterns import filled
from gates.scans.secrets import (
    Leak,
    Report,
    check_coverage,
    leaks,
    past_leaks,
    read_kingfisher,
    read_trufflehog,
    secret_findings,
    without_samples,
)
from gates.scans.security import Rule
from host.errors import ToolError
from host.files import give
from host.home import CHECKOUT, Home
from host.sandbox.run import check_owner
from host.virtual_environments import once
from tasks.scans import Reads, Scan, Subject
from tasks.scans.files import LARGEST_TEXT_BYTES, regular_files
from tasks.scans.history import History, read_history
from tasks.scans.keys import host_program, our_program, program_state
from tasks.scans.tools import installed, output_folder, read_output, run_tool, scan_parts, scanner, scratch
from tasks.source.workspace import Workspace

RULES = CHECKOUT / "config" / "kingfisher"
TOOL_TIMEOUT_S = 300
LARGEST_FILE_MB = 512
# Comments by which scanners are told to look away. They have no effect here, and are counted.
IGNORES = (b"kingfisher:ignore", b"betterleaks:allow", b"gitleaks:allow", b"trufflehog:ignore")
# A token of a service, and a key that our own rules know, which must be found on every run; in parts so that no scan
# finds them here.
CANARY = ("gh" + "p_", "x9Kd82jfQpLmZtR4", "vYw7NbHc1sGu6E0aTfJi")
NAMED_CANARY = ("SECRET" + "_KEY", "Zq4vTn81LmXw3KdR")


def scan_secrets(subject: Subject) -> Check:
    """Look for secrets in every commit that the scanned one has behind it, and in the messages. Safe to repeat.

    Any finding is critical. A shallow history, a tool that fails or a report that covers less than all is no verdict.
    """
    return scan_parts(
        "secrets",
        "kingfisher" + (", trufflehog" if host_program("trufflehog") != "absent" else ""),
        {
            "the history": lambda: _with_kingfisher(subject),
            "the history with trufflehog": lambda: _with_trufflehog(subject),
        },
    )


def _with_kingfisher(subject: Subject) -> ScanOutcome:
    program = scanner("kingfisher")
    commit = subject.workspace.source.commit
    history = read_history(subject.repository, commit)
    work = scratch(subject, "secrets")
    kingfisher = Kingfisher(program, subject.workspace, work)
    report = _history_report(kingfisher, subject.repository, history)
    texts = _text_report(kingfisher, subject.tree, history)
    in_history = leaks(report, {commit: number for number, commit in enumerate(history.commits)})
    known = {(leak.rule, leak.file) for leak in in_history}
    others = [leak for leak in texts if not leak.file or (leak.rule, leak.file) not in known]
    messages = [leak for leak in others if not leak.file]
    past = past_leaks([*in_history, *messages], [leak for leak in texts if leak.file])
    counted, samples = without_samples([*in_history, *others])
    return ScanOutcome(
        examined=(f"{len(history.commits)} commits with their messages, {history.blobs} file contents",),
        findings=secret_findings("kingfisher", counted, subject.workspace.source.files, past),
        problems=tuple(
            f"a content of {size // 1_000_000} MB was not looked at" for size in history.sizes_above(LARGEST_FILE_MB)
        ),
        notes=(*_ignores(subject.tree), *_of_samples(samples)),
    )


def own_rules() -> dict[str, str]:
    """Return the files of config/kingfisher by name, with the parts that the rules share laid in."""
    return {file.name: filled(file.read_text(encoding="utf-8")) for file in sorted(RULES.iterdir())}


def lay_rules(folder: Path) -> Path:
    """Write our rules into a folder, which may have them; return it."""
    folder.mkdir(exist_ok=True)
    for name, text in own_rules().items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Kingfisher:
    """The program, and where we lay what it reads."""

    program: Path
    workspace: Workspace
    work: Path

    def scan(self, inputs: Sequence[Path], *options: str) -> bytes:
        """Scan without validation, which would send what it finds to vendors; return the report."""
        return self._scan(inputs, options, self._compiled_rules())

    def _compiled_rules(self) -> Path:
        """Return its compiled rules, which take it half a minute: made once, by a run that sees nothing of an app, and
        only read by those that do. It believes files of its own user only.
        """
        key = sha256(repr((program_state(self.program), own_rules())).encode()).hexdigest()[:32]
        folder = Home.find().cache / "kingfisher" / f"{key}-{check_owner()}"
        once(folder, lambda: self._compile(folder))
        return folder

    def _compile(self, folder: Path) -> None:
        folder.mkdir()
        give(folder, check_owner())
        nothing = self.work / "nothing"
        nothing.mkdir(exist_ok=True)
        (nothing / "empty.txt").write_text("nothing\n", encoding="utf-8")
        self._scan((nothing,), ("--git-history", "none"), folder, writable=(folder,))

    def _scan(
        self, inputs: Sequence[Path], options: Sequence[str], rules: Path, writable: tuple[Path, ...] = ()
    ) -> bytes:
        out = output_folder(self.work)
        ours = lay_rules(self.work / "rules")
        report = out / "report.json"
        argv = [str(self.program), "scan", *map(str, inputs), *options, "--quiet", "--no-dedup", "--no-validate"]
        argv += ["--redact", "--no-update-check", "--no-ignore", "--commit-metadata", "false"]
        argv += ["--max-file-size", str(LARGEST_FILE_MB), "--format", "json", "--output", str(report)]
        argv += ["--rules-path", str(ours), *(f"--skip-regex={pattern}" for pattern in PLACEHOLDERS)]
        run_tool(
            argv,
            workspace=self.workspace,
            out=out,
            reads=(*inputs, ours, *({rules} - set(writable))),
            writable=writable,
            timeout_s=TOOL_TIMEOUT_S,
            exits=(0, 200),
            env={"KF_RULE_CACHE_DIR": str(rules)},
        )
        return read_output(report, "kingfisher")


def _history_report(kingfisher: Kingfisher, repository: Path, history: History) -> Report:
    # A bare copy: below a working tree's folder, uncommitted files would come along.
    copy = history.copy_to(kingfisher.work / "history.git")
    give(copy, check_owner())
    raw = kingfisher.scan([copy], "--branch", history.tip, "--git-history", "full")
    report = read_kingfisher(raw, 1)
    check_coverage(report, history.tip, len(history.commits), history.blobs)
    return report


def _text_report(kingfisher: Kingfisher, tree: Path, history: History) -> list[Leak]:
    """Return the leaks in messages and files."""
    texts = kingfisher.work / "texts"
    texts.mkdir(exist_ok=True)
    lines = history.write_messages(texts / "messages.txt")
    (texts / "canary.txt").write_text(f'token = "{"".join(CANARY)}"\n', encoding="utf-8")
    (texts / "named.txt").write_text(f'{NAMED_CANARY[0]} = "{NAMED_CANARY[1]}"\n', encoding="utf-8")
    report = read_kingfisher(kingfisher.scan([texts, tree], "--git-history", "none"), 2)
    by_file = [(Path(leak.file), leak) for leak in leaks(report, {})]
    if not {texts / "canary.txt", texts / "named.txt"} <= {path for path, _ in by_file}:
        raise ReportError("kingfisher did not find the canaries, a token and a named key that must be found")
    in_messages = [
        replace(leak, file="", line=0, commit=lines.commit_at(leak.line))
        for path, leak in by_file
        if path == texts / "messages.txt"
    ]
    in_files = [replace(leak, file=str(path.relative_to(tree))) for path, leak in by_file if path.is_relative_to(tree)]
    return [*in_messages, *in_files]


def _with_trufflehog(subject: Subject) -> ScanOutcome:
    scans, tool = subject.pipeline.scans, installed("trufflehog")
    if tool is None:
        if scans.require_trufflehog:
            raise ToolError("trufflehog is not installed, and [scans] require_trufflehog wants it")
        return ScanOutcome(notes=("trufflehog is not installed here: only kingfisher looked",))
    source = subject.workspace.source
    work = scratch(subject, "secrets/trufflehog")
    copy = read_history(subject.repository, source.commit).copy_to(work / "history.git")
    give(copy, check_owner())
    argv = [str(tool), "git", f"file://{copy}", "--branch", source.commit, "--json"]
    argv += ["--no-update", "--fail", "--only-verified" if scans.trufflehog_verifies else "--no-verification"]
    # 183: findings, with --fail.
    output = run_tool(
        argv,
        workspace=subject.workspace,
        out=output_folder(work),
        reads=(copy,),
        timeout_s=TOOL_TIMEOUT_S,
        exits=(0, 183),
        network=scans.trufflehog_verifies,
    )
    leaked = read_trufflehog(output.splitlines())
    # What it verified is valid still, and can never be called revoked.
    past = [] if scans.trufflehog_verifies else [leak for leak in leaked if leak.file not in source.files]
    findings = secret_findings("trufflehog", leaked, source.files, past)
    return ScanOutcome(findings, examined=("the history again with trufflehog",))


def _ignores(tree: Path) -> Iterator[str]:
    """Say how many comments ask a secret scanner to look away, in files that a hand may have written."""
    count = 0
    for name, size in regular_files(tree).items():
        if size <= LARGEST_TEXT_BYTES:
            content = (tree / name).read_bytes()
            count += sum(content.count(mark) for mark in IGNORES)
    if count:
        yield f"{count} comments ask a secret scanner to look away; they had no effect"


def _of_samples(count: int) -> Iterator[str]:
    if count:
        yield (
            f"{count} values that are named like a secret were not counted: they stand in tests, in documents, or are "
            "names in a program; a secret of a service's form counts anywhere"
        )


def _reads(subject: Subject) -> Reads:
    """Every file, and the commit, which stands for its whole history."""
    settings, source = subject.pipeline.scans, subject.workspace.source
    demands = (settings.require_trufflehog, settings.trufflehog_verifies)
    parts = (source.commit, demands, our_program("kingfisher"), host_program("trufflehog"))
    return Reads(list(source.files), parts)


RULE = Rule(
    never=tuple(Severity),
    waivable=(),
    noun="secret",
    why_never="it is for a secret in the files of the commit, which cannot be waived: revoke it, and take it out there",
    revocable=True,
)
SCAN = Scan("secrets", scan_secrets, _reads, RULE)
