from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from gates.release.approval import Approver
from gates.scans.waivers import Proof
from settings.waivers import FILE, parse_waivers, prove_waivers, read_waivers
from tests.settings.signing import Repository, ssh_key

MARK, OTHER = "a" * 24, "b" * 24
REASON = "the vulnerable function is never called"


def entry(mark: str = MARK, approver: str = "Robin", reason: str = REASON, expires: str = "2026-04-01") -> str:
    return f'[[waiver]]\nfingerprint = "{mark}"\napprover = "{approver}"\nreason = "{reason}"\nexpires = {expires}\n\n'


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.create(tmp_path / "checkout")
    made.commit({"README.md": "hello"})
    return made


@pytest.fixture
def robin(tmp_path: Path) -> tuple[Path, Approver]:
    key, public = ssh_key(tmp_path / "keys", "robin")
    return key, Approver("Robin", ("robin@example.com",), ("production",), (public,))


Prove = Callable[..., Proof]


@pytest.fixture
def prove(repository: Repository, robin: tuple[Path, Approver]) -> Prove:
    def proof(mark: str = MARK, *people: Approver) -> Proof:
        written = read_waivers(repository.path)
        assert not written.malformed
        return prove_waivers(written.waivers, people or (robin[1],), repository.path)[mark]

    return proof


def test_no_file_is_no_waiver(tmp_path: Path) -> None:
    assert read_waivers(tmp_path).waivers == () and prove_waivers((), (), tmp_path) == {}


def test_entries_are_read() -> None:
    (one,) = parse_waivers(entry().encode()).waivers
    assert (one.fingerprint, one.approver, one.reason, one.expires) == (MARK, "Robin", REASON, date(2026, 4, 1))


@pytest.mark.parametrize(
    ("old", "new", "name", "why"),
    [
        (f'fingerprint = "{MARK}"\n', "", f"number 1 of {FILE}", "fingerprint: Field required"),
        (f'"{MARK}"', '"abc"', "abc", "fingerprint: "),
        (f'"{MARK}"', "7", f"number 1 of {FILE}", "fingerprint: "),
        ('"Robin"', '""', MARK, "approver: "),
        (f'"{REASON}"', '"short"', MARK, "reason: "),
        ("2026-04-01", '"never"', MARK, "expires: "),
        ("expires = 2026-04-01\n", "", MARK, "expires: Field required"),
        ("[[waiver]]", "[[waiver]]\nseverity = 1", MARK, "severity: "),
    ],
)
def test_a_malformed_entry_is_named_and_the_others_are_read(old: str, new: str, name: str, why: str) -> None:
    written = parse_waivers((entry().replace(old, new) + entry(OTHER)).encode())
    assert [one.fingerprint for one in written.waivers] == [OTHER]
    (bad,) = written.malformed
    assert bad.name == name and why in bad.why


@pytest.mark.parametrize("text", ["[[waiver", "waiver = 1", "waivers = []", "\xff"])
def test_a_file_that_is_none_grants_nothing(text: str) -> None:
    written = parse_waivers(text.encode("latin-1"))
    assert not written.waivers and written.malformed


def test_the_approvers_own_signed_commit_proves_it(
    repository: Repository, robin: tuple[Path, Approver], prove: Prove
) -> None:
    repository.commit({FILE: entry()}, robin[0], "2026-02-21T12:00:00+00:00")
    repository.commit({"other": "unsigned and about something else"})
    proof = prove()
    assert not proof.trouble and proof.added and proof.added.date() == date(2026, 2, 21)


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_other_kinds_of_keys_prove_it_too(repository: Repository, tmp_path: Path, prove: Prove, kind: str) -> None:
    key, public = ssh_key(tmp_path / "keys", f"robin-{kind}", kind)
    repository.commit({FILE: entry()}, key)
    assert not prove(MARK, Approver("Robin", (), (), ("ssh-ed25519 " + "A" * 68, public))).trouble


def test_an_unsigned_commit_proves_nothing(repository: Repository, prove: Prove) -> None:
    repository.commit({FILE: entry()})
    assert "carries no signature by Robin" in prove().trouble


def test_somebody_elses_signature_proves_nothing(
    repository: Repository, tmp_path: Path, robin: tuple[Path, Approver], prove: Prove
) -> None:
    key, public = ssh_key(tmp_path / "keys", "sasha")
    repository.commit({FILE: entry()}, key)
    sasha = Approver("Sasha", (), ("production",), (public,))
    assert "not signed with a key of Robin" in prove(MARK, robin[1], sasha).trouble


def test_a_changed_commit_proves_nothing(repository: Repository, robin: tuple[Path, Approver], prove: Prove) -> None:
    commit = repository.commit({FILE: entry()}, robin[0])
    signed = repository.git("cat-file", "commit", commit)
    (repository.path.parent / "forged").write_text(signed.replace("\n\nchange", "\n\nother") + "\n")
    forged = repository.git("hash-object", "-t", "commit", "-w", str(repository.path.parent / "forged"))
    repository.git("reset", "-q", "--hard", forged)
    assert "not signed with a key of Robin" in prove().trouble


def test_what_is_not_committed_proves_nothing(
    repository: Repository, robin: tuple[Path, Approver], prove: Prove
) -> None:
    (repository.path / "config").mkdir()
    (repository.path / FILE).write_text(entry())
    assert prove().trouble == "it is not committed"
    repository.commit({}, robin[0])
    assert not prove().trouble
    (repository.path / FILE).write_text(entry(expires="2026-05-01"))
    assert prove().trouble == "it is not committed"


@pytest.mark.parametrize(
    "changed", [entry(expires="2026-05-01"), entry(reason="another reason that is long enough"), entry(OTHER)]
)
def test_whoever_changes_a_waiver_must_be_the_approver(
    repository: Repository, robin: tuple[Path, Approver], prove: Prove, changed: str
) -> None:
    repository.commit({FILE: entry()}, robin[0])
    repository.commit({FILE: changed})
    assert "carries no signature" in prove(OTHER if OTHER in changed else MARK).trouble
    repository.commit({FILE: changed + "# signed"}, robin[0])
    assert (
        "carries no signature" in prove(OTHER if OTHER in changed else MARK).trouble
    )  # the signature is on something else


def test_lines_of_two_signed_waivers_do_not_make_a_third(
    repository: Repository, robin: tuple[Path, Approver], prove: Prove
) -> None:
    repository.commit({FILE: entry() + entry(OTHER, expires="2026-05-15")}, robin[0])
    text = (repository.path / FILE).read_text()
    start = text.index("expires = 2026-04-01")
    spliced = text[:start] + text[text.index("expires = 2026-05-15") :]
    repository.commit({FILE: spliced})
    assert [str(one.expires) for one in read_waivers(repository.path).waivers] == ["2026-05-15"]
    assert "carries no signature" in prove().trouble


def test_moving_and_reformatting_around_it_leaves_it_proven(
    repository: Repository, robin: tuple[Path, Approver], prove: Prove
) -> None:
    repository.commit({FILE: entry()}, robin[0])
    repository.commit({FILE: "# a comment\n" + entry(OTHER) + entry()})
    assert not prove().trouble
    assert "carries no signature" in prove(OTHER).trouble


def test_one_that_was_taken_away_must_be_signed_again(
    repository: Repository, robin: tuple[Path, Approver], prove: Prove
) -> None:
    repository.commit({FILE: entry()}, robin[0])
    repository.commit({FILE: ""})
    repository.commit({FILE: entry()})
    assert "carries no signature" in prove().trouble


def test_a_merge_brings_a_proven_waiver(repository: Repository, robin: tuple[Path, Approver], prove: Prove) -> None:
    repository.git("checkout", "-q", "-b", "side")
    repository.commit({FILE: entry()}, robin[0])
    repository.git("checkout", "-q", "main")
    repository.commit({"other": "1"})
    repository.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    assert not prove().trouble


def test_a_merge_that_puts_back_what_was_taken_away_must_be_signed(
    repository: Repository, robin: tuple[Path, Approver], prove: Prove
) -> None:
    repository.commit({FILE: entry()}, robin[0])
    repository.git("checkout", "-q", "-b", "side")
    repository.commit({"other": "1"})
    repository.git("checkout", "-q", "main")
    repository.commit({FILE: "# revoked\n"})
    repository.git("merge", "-q", "--no-ff", "--no-commit", "side")
    (repository.path / FILE).write_text(entry())
    repository.git("add", "-A")
    repository.record()
    assert "carries no signature" in prove().trouble


def test_an_approver_without_keys_cannot_prove_anything(
    repository: Repository, robin: tuple[Path, Approver], prove: Prove
) -> None:
    repository.commit({FILE: entry()}, robin[0])
    assert "has no ssh_keys" in prove(MARK, Approver("Robin", (), ())).trouble
    assert "Robin is not named" in prove(MARK, Approver("Sasha", (), ())).trouble


def test_a_shallow_clone_and_what_is_no_checkout_prove_nothing(
    repository: Repository, robin: tuple[Path, Approver], tmp_path: Path
) -> None:
    repository.commit({FILE: entry()}, robin[0])
    repository.commit({"other": "1"})
    waivers = read_waivers(repository.path).waivers
    repository.git("clone", "-q", "--depth=1", f"file://{repository.path}", str(tmp_path / "shallow"))
    assert "shallow clone" in prove_waivers(waivers, [robin[1]], tmp_path / "shallow")[MARK].trouble
    (tmp_path / "plain").mkdir()
    assert "cannot be looked at" in prove_waivers(waivers, [robin[1]], tmp_path / "plain")[MARK].trouble
    assert "cannot be looked at" in prove_waivers(waivers, [robin[1]], repository.path / "config")[MARK].trouble


def test_a_host_without_ssh_keygen_proves_nothing(
    repository: Repository, robin: tuple[Path, Approver], prove: Prove, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit({FILE: entry()}, robin[0])
    (tmp_path / "bin").mkdir()
    for name in ("git", "false"):
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert "ssh-keygen is not installed" in prove().trouble


def test_settings_of_the_checkout_cannot_make_a_signature_good(
    repository: Repository, robin: tuple[Path, Approver], tmp_path: Path, prove: Prove
) -> None:
    key, public = ssh_key(tmp_path / "keys", "stranger")
    signers = tmp_path / "signers"
    signers.write_text(f"approver {public}\n")
    repository.git("config", "gpg.ssh.allowedSignersFile", str(signers))
    repository.git("config", "gpg.ssh.program", "/usr/bin/true")
    repository.commit({FILE: entry()}, None)
    repository.git(
        "-c",
        "gpg.ssh.program=ssh-keygen",
        "-c",
        "gpg.format=ssh",
        "-c",
        f"user.signingkey={key}",
        "commit",
        "-q",
        "-S",
        "--amend",
        "--no-edit",
    )
    assert "not signed with a key of Robin" in prove().trouble


def test_the_file_of_this_repository_can_be_read() -> None:
    written = read_waivers()
    assert not written.malformed
