"""What goes out is what the page says: no commit is left out, and nobody who wrote any of it approves it."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from pytest_httpserver import HTTPServer

from deployments.environment import Environment
from deployments.outgoing import Outgoing, going_out, where_it_stands
from deployments.preflight import choose_version, preflight
from deployments.recovery import reconcile
from deployments.rollback import roll_back
from evidence.bundle import find_digest, read_bundle
from evidence.commits import Repository, read_history
from evidence.signing import Keys
from evidence.statements import Checked, Kind, Promoted, read_checks, state
from evidence.store import Store
from gates.release.approval import Answer, Approver, Decision, Question, Ruling, judge_answer
from gates.release.operation import Live, Version
from host.errors import ArtifactError, SourceError
from host.home import Home
from settings.targets import Target
from tasks.release.pages import commit_lines
from tasks.source.git import resolve
from tests.deployments.stage import LEASE, Stage
from tests.evidence.artifacts import artifact

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROBIN = Approver("Robin Reviewer", ("robin@example.com",), ("production",))
NO_MIRROR = Repository(None, "no mirror here")


class Repo:
    """The app's repository, in which a stranger commits whatever git takes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *argv: str, stdin: bytes = b"", **env: str) -> str:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        clean |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **env}
        done = subprocess.run(
            ["git", *argv], cwd=self.directory, env=clean, input=stdin, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    def commit(
        self, message: str, *, hour: int = 9, by: str = "ann@example.com", committer: str = "", merge: str = ""
    ) -> str:
        who = {"AUTHOR": by, "COMMITTER": committer or by}
        env = {f"GIT_{role}_EMAIL": email for role, email in who.items()}
        env |= {f"GIT_{role}_NAME": "Somebody" for role in who}
        env |= {f"GIT_{role}_DATE": f"2026-02-28T{hour:02}:00:00Z" for role in who}
        words = ["merge", "-q", "--no-ff", "-m", message, merge] if merge else ["commit", "-q", "--allow-empty", "-F-"]
        self.git(*words, stdin=message.encode(), **env)
        return self.git("rev-parse", "HEAD")

    def mirror(self) -> Repository:
        return Repository(self.directory / ".git")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repository")


def checked(repo: Repo, tmp_path: Path, commit: str, recorded: bool = True) -> Checked:
    """Return what `ci` states of a commit, read back from its signed evidence; not `recorded`: as df1055a wrote it."""
    history, older = read_history(repo.directory, commit)
    said = Checked(
        commit=commit,
        version="v2",
        branch="main",
        clean=True,
        isolation="namespaces",
        at=NOW,
        run="r",
        checks=(),
        history=history,
        older=older,
    )
    body = said.model_dump(mode="json")
    if not recorded:
        del body["older"]
        for one in body["history"]:
            for key in ("parents", "committer", "co_authors"):
                del one[key]
    home = tmp_path / uuid4().hex
    keys, store = Keys(home / "keys"), Store(home / "store")
    keys.create()
    state(store, keys, "d" * 64, "shop", Kind.CHECKS, body)
    read = read_checks(store, keys, "d" * 64)
    assert read
    return read


def live(commit: str) -> Live:
    return Live(Version("e" * 64, "v1", commit), "blue", NOW)


def ruling(out: Outgoing, person: Approver = ROBIN) -> tuple[Ruling, str]:
    """Answer the question as this person."""
    question = Question(
        id="0123456789ab",
        run="run",
        environment="production",
        digest="d" * 64,
        policy="p",
        expires=NOW,
        authors=out.authors,
    )
    answer = Answer(Decision.APPROVE, person.name, question.code, datetime(2026, 3, 1, 11, tzinfo=UTC))
    return judge_answer(question, answer, [person])


def refused(out: Outgoing) -> bool:
    verdict, why = ruling(out)
    return verdict is Ruling.ASK_AGAIN and "Robin Reviewer wrote a commit of this release" in why


def old_topic_merged_late(repo: Repo) -> tuple[str, str]:
    """A hotfix goes live between the commits of a topic branch and its merge; return what is live and what is new."""
    repo.commit("base", hour=8)
    repo.git("switch", "-q", "-c", "topic")
    repo.commit("feature 1", by="robin@example.com")
    repo.commit("feature 2", by="robin@example.com")
    repo.git("switch", "-q", "main")
    hotfix = repo.commit("hotfix", hour=10)
    return hotfix, repo.commit("merge feature", hour=11, merge="topic")


@pytest.mark.parametrize("recorded", [True, False])
def test_a_topic_branch_older_than_what_is_live_is_told_and_its_author_may_not_approve(
    repo: Repo, tmp_path: Path, recorded: bool
) -> None:
    before, new = old_topic_merged_late(repo)
    out = going_out(checked(repo, tmp_path, new, recorded), live(before), repo.mirror() if not recorded else NO_MIRROR)
    assert [one.subject for one in out.commits] == ["merge feature", "feature 2", "feature 1"]
    assert refused(out) and out.note == "since v1, which is live"


def test_forged_dates_hide_nothing(repo: Repo, tmp_path: Path) -> None:
    repo.commit("base", hour=8)
    before = repo.commit("live", hour=20)
    repo.commit("payload", by="robin@example.com", hour=1)
    new = repo.commit("harmless", hour=23)
    for recorded in (True, False):
        out = going_out(checked(repo, tmp_path, new, recorded), live(before), repo.mirror())
        assert [one.subject for one in out.commits] == ["harmless", "payload"] and refused(out)


def test_what_cannot_be_known_makes_everybody_an_author_and_the_page_says_so(repo: Repo, tmp_path: Path) -> None:
    before, new = old_topic_merged_late(repo)
    out = going_out(checked(repo, tmp_path, new, recorded=False), live(before), NO_MIRROR)
    assert refused(out) and "is not known (no mirror here): everybody who wrote any known commit counts" in out.note
    gone = going_out(checked(repo, tmp_path, new), live("f" * 40), repo.mirror())
    assert refused(gone) and "is not known" in gone.note and len(gone.commits) == 5


@pytest.mark.parametrize("mirrored", [True, False])
def test_two_hundred_commits_on_top_do_not_hide_who_wrote_the_first(repo: Repo, tmp_path: Path, mirrored: bool) -> None:
    lines = ["commit refs/heads/main", "committer old <old@example.com> 1 +0000", "data 4", "base", ""]
    lines += ["commit refs/heads/main", "committer robin <robin@example.com> 2 +0000", "data 7", "payload", ""]
    noise = ["commit refs/heads/main", "committer ann <ann@example.com> 3 +0000", "data 5", "noise", ""]
    with_co_author = "noise\n\nCo-authored-by: Sam <sam@example.com>\n"
    lines += ["commit refs/heads/main", "committer ann <ann@example.com> 3 +0000", f"data {len(with_co_author)}"]
    lines += [with_co_author, *noise * 250]
    repo.git("fast-import", "--quiet", stdin="\n".join(lines).encode())
    new, before = repo.git("rev-parse", "main"), repo.git("rev-list", "--max-parents=0", "main")
    out = going_out(checked(repo, tmp_path, new), live(before), repo.mirror() if mirrored else NO_MIRROR)
    assert (out.count, len(out.commits)) == (252 if mirrored else 253, 200) and refused(out)
    assert f"and {out.more} older ones" in commit_lines(out) and "sam@example.com" in out.authors


def test_a_version_that_lost_what_is_live_says_so(repo: Repo, tmp_path: Path) -> None:
    base = repo.commit("base", hour=8)
    new = repo.commit("new")
    repo.git("switch", "-q", "-c", "hotfix", base)
    before = repo.commit("hotfix", hour=10)
    out = going_out(checked(repo, tmp_path, new), live(before), repo.mirror())
    assert [one.subject for one in out.commits] == ["new"]
    assert "1 commits of v1 are NOT in it: with this release they go away" in out.note


@pytest.mark.parametrize(
    "message",
    [
        "x\n\nCo-authored-by: Robin <robin@example.com>",
        "x\n\nco-AUTHORED-by :Robin <ROBIN@EXAMPLE.COM>\r\n\r\nmore text, so that it is no trailer",
        "x\n\nCo-authored-by: Robin\n  <robin@example.com>",
        "x\n\nCo-authored-by: robin@example.com, Sam <sam@example.com>",
        "x\n\nCo\u2011authored\u2011by: Robin <robin@example.com>",
        "x\n\nCo-au\u200bthored-by: Robin <rob\u200bin@example.com>",
        "Co-authored-by: Robin <robin@example.com>",
        "x\n\n    Co-authored-by: A <a@example.com>\n    Co-authored-by: Robin <robin@example.com>",
    ],
)
def test_a_co_author_is_an_author(repo: Repo, tmp_path: Path, message: str) -> None:
    before = repo.commit("base")
    new = repo.commit(message)
    assert refused(going_out(checked(repo, tmp_path, new), live(before), NO_MIRROR))


def test_a_committer_is_an_author(repo: Repo, tmp_path: Path) -> None:
    before = repo.commit("base")
    new = repo.commit("squashed", by="ann@example.com", committer="robin@example.com")
    out = going_out(checked(repo, tmp_path, new), live(before), NO_MIRROR)
    assert refused(out) and "(Somebody <ann@example.com>, with Somebody <robin@example.com>)" in commit_lines(out)[0]


@pytest.mark.parametrize(
    "address",
    [
        "ROBIN@Example.COM",
        "robin\u200b@example.com",
        "rob\u00adin@exam\u2060ple.com",
        "\uff52obin@example.com",
        "robin\ufe0f@example.com",
        "robin\u3164@example.com",
        "robin@example.com.",
        "robin\u202e@example.com",
    ],
)
def test_another_spelling_of_an_address_is_the_same_person_and_is_shown(
    repo: Repo, tmp_path: Path, address: str
) -> None:
    before = repo.commit("base")
    new = repo.commit("payload", by=address)
    out = going_out(checked(repo, tmp_path, new), live(before), NO_MIRROR)
    (line,) = commit_lines(out)
    assert refused(out) and line.isascii()
    assert address.isascii() or "\\u" in line


def test_an_address_like_another_but_not_the_same_is_spelt_out_and_told(repo: Repo, tmp_path: Path) -> None:
    before = repo.commit("base")
    new = repo.commit("payload", by="r\u043ebin@example.com")  # a Cyrillic o
    out = going_out(checked(repo, tmp_path, new), live(before), NO_MIRROR)
    assert "r\\u043ebin@example.com" in commit_lines(out)[0] and out.strangers == ("r\u043ebin@example.com",)


def test_replaced_objects_change_nothing(repo: Repo, tmp_path: Path) -> None:
    before = repo.commit("base")
    payload = repo.commit("payload", by="robin@example.com")
    new = repo.commit("harmless")
    repo.git("replace", "--graft", new, before)
    assert payload not in repo.git("log", "--format=%H", new)
    for recorded in (True, False):
        assert refused(going_out(checked(repo, tmp_path, new, recorded), live(before), repo.mirror()))


class Chain:
    """Staging, where a version was promoted and then turned bad, and the production behind it."""

    def __init__(self, directory: Path, server: HTTPServer) -> None:
        self.stage = Stage(directory, server)
        self.good, self.bad = self.stage.version("good"), self.stage.version("bad")
        for slot, version in (("blue", self.good), ("green", self.bad)):
            self.stage.promote(version, slot, f"r-{slot}")
            self.say_promoted(version)

    def say_promoted(self, version: Version) -> None:
        place = self.stage.place
        at = datetime.now(UTC)
        said = Promoted(environment=place.name, version=version.version, commit=version.commit, at=at, release="r")
        state(place.store, place.keys, version.digest, "shop", Kind.PROMOTION, said)

    @property
    def after(self) -> Environment:
        """Return an environment that takes what this one promoted."""
        place = self.stage.place
        after = replace(place, settings=place.settings.model_copy(update={"requires_promotion_in": place.name}))
        after.__dict__.update(router=self.stage.router, runtime=self.stage.runtime)
        return after

    def roll_back(self) -> str:
        return roll_back(self.stage.place, LEASE, None, None, "it loses orders", print)[1]


@pytest.fixture
def chain(tmp_path: Path, httpserver: HTTPServer) -> Chain:
    return Chain(tmp_path, httpserver)


def test_what_staging_condemned_is_not_chosen_for_production(chain: Chain) -> None:
    assert choose_version(chain.after, None) == chain.bad.digest
    chain.roll_back()
    assert choose_version(chain.after, None) == chain.good.digest


def test_what_staging_condemned_is_refused_by_name_too(chain: Chain) -> None:
    chain.roll_back()
    seen = preflight(chain.after, chain.bad.digest)
    assert "production condemned" in seen.verdict.reason and "(it loses orders)" in seen.verdict.reason
    assert any("condemned" in note for note in seen.warnings)


def test_what_a_version_before_condemned_is_withdrawn_by_the_next_repair(chain: Chain) -> None:
    chain.stage.write("condemned", digest=chain.bad.digest, reason="before withdrawals")
    assert choose_version(chain.after, None) == chain.bad.digest
    assert f"signed the withdrawal of {chain.bad.digest[:12]}" in reconcile(chain.stage.place, LEASE)[1]
    assert choose_version(chain.after, None) == chain.good.digest
    assert "withdrawal" not in reconcile(chain.stage.place, LEASE)[1]


def test_a_withdrawal_without_a_key_keeps_the_way_back_open_and_is_made_up_for(chain: Chain) -> None:
    key = chain.stage.place.keys.private
    key.rename(key.with_suffix(".away"))
    assert "could not be signed" in chain.roll_back() and chain.stage.live().version == chain.good
    key.with_suffix(".away").rename(key)
    reconcile(chain.stage.place, LEASE)
    assert choose_version(chain.after, None) == chain.good.digest


@pytest.mark.parametrize("name", [lambda digest: digest, lambda digest: f"sha256:{digest}", str.upper])
def test_a_tag_named_like_a_digest_does_not_stand_for_it(tmp_path: Path, name: Callable[[str], str]) -> None:
    store = Store(tmp_path / "store")
    good, _ = artifact(store)
    for number, tag in enumerate((good, f"sha256:{good}", good.upper())):
        artifact(store, f"{number}" * 40, version=tag)
    assert find_digest(store, name(good)) == good
    (store.root / "artifacts" / f"{good}.json").unlink()
    with pytest.raises(ArtifactError, match=f"no artifact {good[:12]}"):
        find_digest(store, name(good))


def test_a_tag_that_another_artifact_is_named_by_is_an_error_that_lists_both(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    good, bundle = artifact(store)
    for number, tag in enumerate((good[:12], bundle.commit, bundle.commit[:12], "v1")):
        evil, _ = artifact(store, f"{number + 1}" * 40, version=tag)
        with pytest.raises(ArtifactError) as refused:
            find_digest(store, tag)
        assert good in str(refused.value) and evil in str(refused.value)
        (store.root / "artifacts" / f"{evil}.json").unlink()
        assert find_digest(store, tag) == good


def test_a_branch_or_tag_named_like_a_commit_is_an_error_that_lists_both(repo: Repo) -> None:
    good = repo.commit("base")
    evil = repo.commit("payload")
    for kind in ("heads", "tags"):
        for name in (good[:10], f"v1-3-g{good[:10]}", good):
            repo.git("update-ref", f"refs/{kind}/{name}", evil)
            if name == good:
                assert resolve(repo.directory / ".git", name) == good
                continue
            with pytest.raises(SourceError) as refused:
                resolve(repo.directory / ".git", name)
            assert good in str(refused.value) and f"refs/{kind}/{name} is {evil}" in str(refused.value)
            repo.git("update-ref", "-d", f"refs/{kind}/{name}")


def test_the_configured_branch_cannot_be_taken_over_by_a_name_like_it(repo: Repo) -> None:
    good = repo.commit("base")
    repo.git("switch", "-q", "-c", "topic")
    evil = repo.commit("payload")
    for ref in ("refs/tags/main", "refs/heads/refs/heads/main", "refs/tags/refs/heads/main"):
        repo.git("update-ref", ref, evil)
    assert resolve(repo.directory / ".git", "refs/heads/main") == good
    with pytest.raises(SourceError, match="several commits"):
        resolve(repo.directory / ".git", "main")


class Branches:
    """An environment, and versions of commits of a real repository, every one checked with evidence that says main."""

    def __init__(self, directory: Path, repo: Repo) -> None:
        self.place = Environment.open(Target("staging"), "assistant", Home(directory / "home"))
        self.place.home.create()
        self.place.keys.create()
        self.repo = repo
        self.merged = self.version(repo.commit("base"), 1)
        repo.git("switch", "-q", "-c", "topic")
        self.topic = self.version(repo.commit("payload"), 2)

    def version(self, commit: str, age: int) -> str:
        digest, _ = artifact(self.place.store, commit, version=f"v{age}")
        os.utime(self.place.store.manifest_file(digest), (age, age))
        said = Checked(
            commit=commit, version="v", branch="main", clean=True, isolation="uid", at=NOW, run="r", checks=()
        )
        state(self.place.store, self.place.keys, digest, "assistant", Kind.CHECKS, said)
        return digest

    def stands(self, digest: str, allowed: str = "", repository: Repository | None = None) -> tuple[str, str]:
        """Return where a version stands and why that is not enough."""
        place = replace(self.place, settings=self.place.settings.model_copy(update={"allowed_branches": allowed}))
        commit = read_bundle(place.store, digest).commit
        shown, problems = where_it_stands(place, commit, repository or self.repo.mirror())
        return shown, "; ".join(problems)


@pytest.fixture
def branches(tmp_path: Path, repo: Repo) -> Branches:
    return Branches(tmp_path, repo)


def test_a_commit_of_an_open_pull_request_goes_nowhere_whatever_its_evidence_says(branches: Branches) -> None:
    shown, problem = branches.stands(branches.topic)
    assert shown == "topic" and "is on topic now, staging takes main, develop (ALLOWED_BRANCHES of" in problem
    said: list[str] = []
    assert choose_version(branches.place, None, said.append, branches.repo.mirror()) == branches.merged
    assert branches.topic[:12] in said[0] and "is on topic now" in said[0]
    assert (
        preflight(branches.place, branches.topic, branches.repo.mirror()).verdict.reason.count("is on topic now") == 1
    )
    branches.repo.git("branch", "-f", "main", "topic")
    assert branches.stands(branches.topic)[1] == "" and branches.stands(branches.topic)[0].startswith("main (")


def test_a_commit_that_was_taken_back_since_goes_nowhere(branches: Branches) -> None:
    branches.repo.git("branch", "-f", "main", "topic")
    assert branches.stands(branches.topic)[1] == ""
    branches.repo.git("switch", "-q", "--orphan", "other")
    fresh = branches.repo.commit("other history")
    branches.repo.git("branch", "-f", "main", fresh)
    branches.repo.git("branch", "-D", "topic")
    shown, problem = branches.stands(branches.topic)
    assert shown == "no branch" and "is on no branch now" in problem
    assert "is on no branch now" in branches.stands(branches.version("f" * 40, 3))[1]


@pytest.mark.parametrize("ref", ["tags/main", "heads/Main", "heads/x/main", "heads/main-2", "heads/refs/heads/main"])
def test_a_name_like_an_allowed_branch_is_not_one(branches: Branches, ref: str) -> None:
    branches.repo.git("update-ref", f"refs/{ref}", "topic")
    assert "staging takes main, develop" in branches.stands(branches.topic)[1]


def test_a_repository_that_cannot_be_asked_lets_nothing_through(branches: Branches) -> None:
    old = replace(branches.repo.mirror(), problem="no answer")
    for repository in (NO_MIRROR, old):
        shown, problem = branches.stands(branches.merged, repository=repository)
        assert shown == "not known" and "nobody can tell which branches have commit" in problem
    assert "was not asked" in preflight(branches.place, branches.merged).verdict.reason


@pytest.mark.parametrize(("allowed", "good"), [("*", 1), ("topic", 1), ("main, to*", 1), ("t.pic", 0), ("opic", 0)])
def test_only_what_is_named_is_allowed(branches: Branches, allowed: str, good: int) -> None:
    assert (branches.stands(branches.topic, allowed)[1] == "") is bool(good)
