"""The security flow on a tiny repository, with scans that say what a test tells them to."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL

from deployments.environment import Environment
from evidence.bundle import Build, Image, OtherImage
from evidence.scan_report import read_scans_of
from evidence.signing import Keys
from evidence.statements import Scanned, read_scans
from evidence.store import Store
from flows.security import security
from gates.check import Check, Outcome
from gates.findings import Finding, Severity
from host.errors import ToolError
from host.home import Home
from settings.targets import Target
from tasks.notify.events import NEW_FINDING
from tasks.scans import Scan, Subject, all_scans
from tasks.scans import jobs as scan_jobs
from tests.evidence.artifacts import artifact
from tests.gates.findings import issue, vulnerability
from tests.settings.signing import Repository
from tests.tasks.scans.novel import NAME, added
from tests.waiting import NEVER_S, wait_for

pytestmark = pytest.mark.usefixtures("prefect_server")
MEDIUM, HIGH = Severity.MEDIUM, Severity.HIGH
SCANS = tuple(all_scans())
Answer = Callable[[Subject], Check]


def says(name: str, *findings: Finding, outcome: Outcome = Outcome.PASSED) -> Answer:
    return lambda subject: Check(name=name, outcome=outcome, reason="looked", examined="1 file", findings=findings)


class Bench:
    """A home, a repository and what the scans will say."""

    def __init__(self, home: Home, repository: Repository) -> None:
        self.home, self.repository = home, repository
        self.scans: dict[str, Answer] = {name: says(name) for name in SCANS}
        self.asked: list[str] = []
        self.commit = repository.commit({"app.py": "print(1)\n"})

    def all_scans(self) -> dict[str, Scan]:
        def noted(name: str) -> Answer:
            def answer(subject: Subject) -> Check:
                self.asked.append(name)
                assert (subject.tree / "app.py").is_file()
                return self.scans[name](subject)

            return answer

        return {name: Scan(name, noted(name), scan.reads) for name, scan in all_scans().items()}

    def build(self, commit: str = "") -> str:
        return artifact(self.store, commit or self.commit)[0]

    @property
    def store(self) -> Store:
        return Store(self.home.store)

    def make_live(self, target: Target, digest: str, commit: str) -> None:
        place = Environment.open(target, "assistant", self.home)
        place.directory.mkdir(parents=True)
        live = {"digest": digest, "version": "v1", "commit": commit, "slot": "blue"}
        place.journal.write("routed", {"routing": {}, "live": live})

    def signed(self, digest: str) -> list[Scanned]:
        return read_scans(self.store, Keys(self.home.keys), digest)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    home = Home(tmp_path / "home")
    home.create()
    Keys(home.keys).create()
    repository = Repository.create(tmp_path / "app")
    monkeypatch.setenv("SLIPWAY_HOME", str(home.root))
    monkeypatch.setenv("SLIPWAY_REPOSITORY", str(repository.path))
    made = Bench(home, repository)
    monkeypatch.setattr(scan_jobs, "all_scans", made.all_scans)
    return made


def run(**parameters: Any) -> State[Any]:
    state: State[Any] = security(**parameters, return_state=True)
    return state


def page(state: State[Any]) -> str:
    run_id = state.state_details.flow_run_id
    assert run_id
    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
    with get_client(sync_client=True) as client:
        found = [one for one in client.read_artifacts(artifact_filter=wanted) if one.key == "security"]
    assert len(found) == 1
    return str(found[0].data)


def test_a_clean_night_is_green_signed_and_has_a_page(bench: Bench) -> None:
    digest = bench.build()
    state = run()
    assert state.is_completed() and state.message == "1 commits scanned, nothing blocks", state.message
    (scanned,) = bench.signed(digest)
    assert [one.name for one in scanned.checks] == [*SCANS, "security-score"]
    assert scanned.commit == bench.commit and abs(scanned.at - datetime.now(UTC)) < timedelta(minutes=2)
    text = page(state)
    assert "newest of main" in text and "Nothing blocks" in text and "No finding" in text and "1 file" in text
    (report,) = read_scans_of(bench.home, str(state.state_details.flow_run_id))
    assert report.scanned == scanned and not report.new


def test_a_finding_that_blocks_fails_the_run_with_its_reason_and_is_signed_all_the_same(bench: Bench) -> None:
    digest = bench.build()
    bench.scans["code"] = says("code", issue())
    bench.scans["sast"] = says("sast", issue("subprocess-shell", HIGH, tool="semgrep"), issue("md5", MEDIUM, 9))
    state = run()
    assert state.is_failed() and state.message and "code: failed (1 high without a waiver: B602" in state.message
    assert {one.name: one.outcome for one in bench.signed(digest)[0].checks}["code"] is Outcome.FAILED
    text = page(state)
    assert "**new**" in text and "semgrep\\:subprocess-shell" in text and "app\\.py\\:3" in text


def test_a_scan_that_is_added_as_a_module_is_run_judged_and_signed(bench: Bench, tmp_path: Path) -> None:
    digest = bench.build(bench.repository.commit({"app.py": "print(2)\n", "main.tf": "open\n"}))
    with added(tmp_path / "scans"):
        bench.scans[NAME] = all_scans()[NAME].run
        state = run()
    assert state.is_failed() and state.message and "novel: failed (1 low without a waiver: a-line" in state.message
    (scanned,) = bench.signed(digest)
    outcomes = {check.name: check.outcome for check in scanned.checks}
    assert outcomes[NAME] is Outcome.FAILED and set(outcomes) == {*SCANS, NAME, "security-score"}
    assert "main\\.tf\\:1" in page(state)


def broken(subject: Subject) -> Check:
    raise RuntimeError("a parser tripped")


def absent(subject: Subject) -> Check:
    raise ToolError("bandit is not there")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (absent, "bandit is not there"),
        (broken, "a parser tripped"),
        (says("sast"), "answered for 'sast'"),
        (says("code", outcome=Outcome.NO_VERDICT), "looked"),
    ],
)
def test_a_scan_that_could_not_look_blocks_and_the_others_are_told(bench: Bench, answer: Answer, said: str) -> None:
    bench.scans["code"] = answer
    state = run(commit="main")
    assert state.is_failed() and state.message and "code: no verdict" in state.message and said in state.message
    assert sorted(bench.asked) == sorted(SCANS)


def test_what_is_accepted_unrun_is_green_and_loud(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import security as module

    real = module.read_pipeline()
    scans = real.scans.model_copy(update={"accepted": {"dependency": "this machine has no internet"}})
    monkeypatch.setattr(module, "read_pipeline", lambda: real.model_copy(update={"scans": scans}))
    away = Check(name="dependency", outcome=Outcome.NO_VERDICT, reason="looked", source_away=True)
    bench.scans["dependency"] = lambda subject: away
    state = run()
    assert state.is_completed()
    text = page(state)
    assert "NOBODY LOOKED AT: dependency" in text and "this machine has no internet" in text
    assert text.index("NOBODY LOOKED") < text.index("| check |")
    bench.scans["dependency"] = says("dependency", vulnerability(), outcome=Outcome.NO_VERDICT)
    assert run(refresh=True).is_failed()


def test_the_same_files_on_the_same_day_are_not_scanned_twice_unless_asked(bench: Bench) -> None:
    digest = bench.build()
    run(commit="main")
    first = bench.signed(digest)[0]
    bench.asked.clear()
    assert run(commit="main").is_completed() and bench.asked == []
    again = bench.signed(digest)[-1]
    assert again.at <= datetime.now(UTC) and all(one.source_run for one in again.checks if one.name in SCANS)
    assert again.at - first.at < timedelta(seconds=30)  # when it was looked, not when it was remembered
    run(commit="main", refresh=True)
    assert sorted(bench.asked) == sorted(SCANS)
    bench.asked.clear()
    bench.repository.commit({"app.py": "print(2)\n"})
    run(commit="main")
    assert sorted(bench.asked) == ["code", "policy", "sast", "secrets"]  # those that read it


def test_each_distinct_commit_that_is_live_is_scanned_once_and_so_is_the_newest(bench: Bench) -> None:
    old, digest = bench.commit, bench.build()
    bench.make_live(Target("staging"), digest, old)
    bench.make_live(Target("production"), digest, old)
    new = bench.repository.commit({"app.py": "print(2)\n"})
    newest = bench.build(new)
    state = run()
    # The second commit differs in a file that three of the scans do not read: those are remembered.
    assert state.is_completed() and len(bench.asked) == len(SCANS) + 4
    text = page(state)
    assert "live in staging, live in production" in text and "newest of main" in text
    assert bench.signed(digest)[0].commit == old and bench.signed(newest)[0].commit == new


def test_the_image_that_an_artifact_names_is_what_is_scanned_and_signed_for(bench: Bench) -> None:
    plain = bench.build()
    image = Image(id=f"sha256:{'e' * 64}")
    bench.make_live(Target("staging"), plain, bench.commit)
    built = artifact(bench.store, bench.commit, image=image)[0]
    seen: list[str | None] = []

    def look(subject: Subject) -> Check:
        seen.append(subject.image)
        return says("container", *([issue("root-user", MEDIUM, tool="image")] if subject.image else []))(subject)

    bench.scans["container"] = look
    assert run().is_completed()
    assert seen == [None, image.id]
    assert not bench.signed(plain)[0].fingerprints and bench.signed(built)[0].fingerprints


def test_all_images_of_an_artifact_are_scanned_together(bench: Bench) -> None:
    edge = OtherImage(id=f"sha256:{'f' * 64}", build=Build(dockerfile="edge/Dockerfile"))
    image = Image(id=f"sha256:{'e' * 64}", others={"edge": edge})
    built = artifact(bench.store, bench.commit, image=image)[0]
    seen: list[tuple[str | None, dict[str, str]]] = []

    def look(subject: Subject) -> Check:
        seen.append((subject.image, dict(subject.others)))
        return says("container", issue("root-user", MEDIUM, tool="image"))(subject)

    bench.scans["container"] = look
    assert run().is_completed()
    assert seen == [(image.id, {"edge": edge.id})] and bench.signed(built)[0].fingerprints


def test_one_target_that_cannot_be_scanned_does_not_keep_the_others_from_it(bench: Bench) -> None:
    digest = bench.build("d" * 40)
    bench.make_live(Target("staging"), digest, "d" * 40)
    state = run()
    assert state.is_failed() and state.message and "live in staging: unknown commit" in state.message
    assert sorted(bench.asked) == sorted(SCANS)


def events(environment: str, count: int) -> list[dict[str, Any]]:
    wanted = {"filter": {"event": {"name": [NEW_FINDING]}}, "limit": 50}
    found = list[dict[str, Any]]()

    def all_told() -> bool:
        answer = httpx.post(f"{PREFECT_API_URL.value()}/events/filter", json=wanted, timeout=NEVER_S).json()
        found[:] = [one for one in answer["events"] if one["payload"]["environment"] == environment]
        return len(found) >= count

    wait_for(all_told, f"{count} events of {environment}")
    return found


def test_something_new_in_what_is_live_raises_an_event_once(bench: Bench) -> None:
    digest = bench.build()
    bench.make_live(Target("production"), digest, bench.commit)
    bench.scans["code"] = says("code", issue("OLD", MEDIUM))
    run()
    before = events("production", 1)
    assert len(before) == 1
    bench.scans["dependency"] = says("dependency", vulnerability("CVE-2026-1"))
    assert run(refresh=True).is_failed()
    newest = events("production", 2)[0]
    assert newest["payload"]["count"] == 1 and newest["payload"]["digest"] == digest
    assert newest["payload"]["worst"][0]["what"] == "CVE-2026-1 in jinja2 2.10"
    assert newest["resource"]["prefect.resource.id"] == "slipway.environment.production"
    assert newest["resource"]["slipway.worst"] == "high"
    run(refresh=True)
    time.sleep(1)
    assert len(events("production", 2)) == 2


def test_a_working_tree_is_scanned_and_nothing_is_signed(bench: Bench) -> None:
    digest = bench.build()
    (bench.repository.path / "new.py").write_text("import os\n")
    seen: list[bool] = []

    def look(subject: Subject) -> Check:
        seen.append((subject.tree / "new.py").is_file())
        return says("code")(subject)

    bench.scans["code"] = look
    assert run(working_tree=str(bench.repository.path)).is_completed()
    assert seen == [True] and bench.signed(digest) == []


def test_once_a_week_the_page_tells_what_is_outdated_and_trouble_with_it_blocks_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import security as module

    def away(*_: object) -> None:
        raise ToolError("the index does not answer")

    monkeypatch.setattr(module, "list_outdated", away)
    monkeypatch.setattr(module, "OUTDATED_ON", datetime.now(UTC).weekday())
    state = run()
    assert state.is_completed() and "the index does not answer" in page(state)
    assert "the index does not answer" not in page(run(commit="main"))
    monkeypatch.setattr(module, "OUTDATED_ON", (datetime.now(UTC).weekday() + 1) % 7)
    assert "the index does not answer" not in page(run())


def test_what_cannot_be_read_at_all_fails_the_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    state = run(commit="no-such-branch")
    assert state.is_failed() and state.message and "unknown commit" in state.message
    monkeypatch.setenv("SLIPWAY_REPOSITORY", "/nowhere")
    state = run()
    assert state.is_failed() and state.message and "no such repository" in state.message


def test_ages_are_told_from_the_second_night_on(bench: Bench) -> None:
    digest = bench.build()
    bench.scans["code"] = says("code", issue("OLD", MEDIUM))
    assert "**new**" in page(run())
    bench.scans["sast"] = says("sast", issue("NEW", MEDIUM, 8, tool="semgrep"))
    state = run(refresh=True)
    assert page(state).count("**new**") == 1
    (report,) = read_scans_of(bench.home, str(state.state_details.flow_run_id))
    assert report.new == (issue("NEW", MEDIUM, 8, tool="semgrep").fingerprint,)
    assert bench.signed(digest)[-1].first_seen[issue("OLD", MEDIUM).fingerprint] < bench.signed(digest)[-1].at
