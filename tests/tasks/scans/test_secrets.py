import os
import re
import secrets as random
import subprocess
from pathlib import Path

import pytest

from gates.check import Check, Outcome
from gates.findings import Severity
from tasks.scans import secrets
from tasks.scans.secrets import scan_secrets
from tests.corpus import Corpus
from tests.tasks.scans.commits import FAILURES, commit, program, run, subject_of

LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def made(length: int, letters: str = LETTERS) -> str:
    return "".join(random.choice(letters) for _ in range(length))


def key() -> str:
    argv = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=600).stdout


def kinds() -> dict[str, str]:
    """Secrets of their services' forms, made up anew each time and in parts: none stands in this file."""
    upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    digits = "123456789"
    return {
        "github": f'token = "{"gh" + "p_"}{made(36)}"',
        "gitlab": f'token = "{"glp" + "at-"}{made(20)}"',
        "aws": f'aws_access_key_id = "{"AK" + "IA"}{made(16, upper)}"\naws_secret_access_key = "{made(40)}"',
        "slack": f'bot = "{"xo" + "xb-"}{made(12, digits)}-{made(13, digits)}-{made(24)}"',
        "stripe": f'stripe = "{"sk_" + "live_"}{made(24)}"',
        "google": f'key = "{"AI" + "za"}{made(35)}"',
        "anthropic": f'key = "{"sk-" + "ant-api03-"}{made(93)}AA"',
        "npm": f"//registry/:_authToken={'np' + 'm_'}{made(36)}",
        "sendgrid": f'mail = "{"S" + "G."}{made(22)}.{made(43)}"',
        "huggingface": f'hf = "{"h" + "f_"}{made(34, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")}"',
        "uri": f'url = "{"postgres" + "ql"}://app:{made(20)}@db.prod.corp-internal.net:5432/app"',
        "private key": key(),
    }


# What looks like a secret and is none.
CLEAN = {
    "environment.py": 'import os\nTOKEN = os.environ["GITHUB_TOKEN"]\n',
    "example.env": "PASSWORD=changeme\nAPI_KEY=<your key here>\n",
    "digest.lock": "package==1.0 --hash=sha256:" + "ab12" * 16 + "\n",
    "public.pem": "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n",
    "uuid.py": 'ID = "123e4567-e89b-12d3-a456-426614174000"\n',
    "url.py": 'URL = "https://example.com/path?token=none"\n',
    "sha.txt": "4d6396472b9e3c1f5a7d8e9f0a1b2c3d4e5f6a7b\n",
    "prefix.md": "A token of GitHub starts with gh" + "p_ and 36 letters follow.\n",
}


@pytest.fixture(scope="module")
def planted() -> dict[str, str]:
    return kinds()


def text_of(check: Check) -> str:
    return check.model_dump_json()


def test_every_kind_is_found_in_files_in_the_history_and_in_messages(
    tmp_path: Path, planted: dict[str, str], corpus: Corpus
) -> None:
    repository = tmp_path / "app"
    gone = {f"old/{name}.txt": f"{text}\n" for name, text in kinds().items()}
    commit(repository, gone, "planted in the history")
    commit(repository, {}, "taken out again", remove=tuple(gone))
    commits = {commit(repository, {}, f"note\n\n{text}")[:12]: name for name, text in kinds().items()}
    commit(repository, {f"new/{name}.txt": f"{text}\n" for name, text in planted.items()}, "planted in files")
    check = scan_secrets(subject_of(repository, tmp_path / "work"))
    assert check.outcome is Outcome.PASSED
    assert all(finding.severity is Severity.CRITICAL for finding in check.findings)
    files = {finding.file for finding in check.findings if finding.file}
    messages = {match[1] for one in check.findings if (match := re.search("message of commit (.{12})", one.message))}
    found = len(files & {*gone, *(f"new/{name}.txt" for name in planted)}) + len(messages & set(commits))
    corpus.record("secrets", found=found, planted=3 * len(planted))
    assert {f"old/{name}.txt" for name in planted} <= files
    assert {f"new/{name}.txt" for name in planted} <= files
    assert {commits[one] for one in messages} == set(planted)
    assert len({finding.fingerprint for finding in check.findings}) == len(check.findings)


def test_clean_twins_raise_nothing(tmp_path: Path, corpus: Corpus) -> None:
    repository = tmp_path / "app"
    commit(repository, CLEAN, "\n\n".join(CLEAN.values()))
    check = scan_secrets(subject_of(repository, tmp_path / "work"))
    corpus.record("secrets", found=0, planted=0, false=len(check.findings), clean=2 * len(CLEAN))
    assert (check.outcome, check.findings) == (Outcome.PASSED, ())
    assert check.examined.startswith("1 commits with their messages, 8 file contents")


def test_nothing_of_a_secret_is_told_and_its_fingerprint_is_not_made_of_it(tmp_path: Path) -> None:
    def scanned(folder: str, lines_before: int) -> Check:
        repository = tmp_path / folder
        commit(repository, {"a.py": "# nothing\n" * lines_before + kinds()["github"] + "\n"}, "one")
        return scan_secrets(subject_of(repository, tmp_path / f"{folder}-work"))

    check = scanned("one", 0)
    secret = re.search('"(.*)"', (tmp_path / "one" / "a.py").read_text())
    assert secret and secret[1] not in text_of(check) and secret[1][4:12] not in text_of(check)
    assert check.findings[0].line == 1
    # The same commit is scanned to the same fingerprint.
    again = scan_secrets(subject_of(tmp_path / "one", tmp_path / "again"))
    assert again.findings == check.findings


def test_a_fingerprint_stays_when_other_commits_follow_and_lines_move(tmp_path: Path) -> None:
    repository, token = tmp_path / "app", kinds()["github"]
    commit(repository, {"a.py": f"{token}\n"}, "one")
    before = scan_secrets(subject_of(repository, tmp_path / "before"))
    for number in range(5):
        commit(repository, {"a.py": "# line\n" * (number + 1) + f"{token}\n"}, "more")
    after = scan_secrets(subject_of(repository, tmp_path / "after"))
    assert [one.fingerprint for one in before.findings] == [one.fingerprint for one in after.findings]


def test_comments_and_files_that_ask_to_look_away_have_no_effect(tmp_path: Path, planted: dict[str, str]) -> None:
    repository = tmp_path / "app"
    commit(
        repository,
        {
            "a.py": planted["github"] + "  # kingfisher:ignore\n",
            "b.py": planted["stripe"] + "  # gitleaks:allow\n",
            ".gitignore": "a.py\n",
            ".kingfisherignore": "a.py\nb.py\n",
            "kingfisher.yaml": "exclude: ['*.py']\n",
        },
    )
    check = scan_secrets(subject_of(repository, tmp_path / "work"))
    assert {finding.file for finding in check.findings} == {"a.py", "b.py"}
    assert "2 comments ask a secret scanner to look away; they had no effect" in check.notes


def test_a_message_is_read_beyond_a_nul(tmp_path: Path, planted: dict[str, str]) -> None:
    repository = tmp_path / "app"
    first = commit(repository, {"a": "1\n"})
    tree = subprocess.run(
        ["git", "-C", str(repository), "rev-parse", "HEAD^{tree}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    ).stdout.strip()
    raw = (
        f"tree {tree}\nparent {first}\nauthor A <a@x> 1 +0000\ncommitter A <a@x> 1 +0000\n\nfine\0{planted['github']}\n"
    )
    hidden = subprocess.run(
        ["git", "-C", str(repository), "hash-object", "-t", "commit", "-w", "--literally", "--stdin"],
        input=raw.encode(),
        capture_output=True,
        check=True,
        timeout=600,
    ).stdout.decode()
    run("-C", str(repository), "reset", "-q", "--soft", hidden.strip())
    check = scan_secrets(subject_of(repository, tmp_path / "work"))
    assert [f"message of commit {hidden[:12]}" in one.message for one in check.findings] == [True]


def test_other_branches_are_not_looked_at(tmp_path: Path, planted: dict[str, str]) -> None:
    repository = tmp_path / "app"
    commit(repository, {"a": "1\n"})
    run("-C", str(repository), "checkout", "-q", "-b", "side")
    commit(repository, {"b": planted["github"] + "\n"})
    run("-C", str(repository), "checkout", "-q", "main")
    assert scan_secrets(subject_of(repository, tmp_path / "work")).findings == ()


def test_a_shallow_clone_is_no_verdict(tmp_path: Path) -> None:
    repository = tmp_path / "app"
    commit(repository, {"a": "1\n"})
    commit(repository, {"a": "2\n"})
    run("clone", "-q", "--depth", "1", f"file://{repository}", str(tmp_path / "shallow"))
    check = scan_secrets(subject_of(tmp_path / "shallow", tmp_path / "work"))
    assert check.outcome is Outcome.NO_VERDICT
    assert "shallow clone" in check.reason


@pytest.mark.parametrize("failure", FAILURES)
def test_a_scanner_that_fails_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str) -> None:
    repository = tmp_path / "app"
    commit(repository, {"a": "1\n"})
    monkeypatch.setenv("SLIPWAY_KINGFISHER", str(program(tmp_path, FAILURES[failure], "kingfisher")))
    monkeypatch.setattr(secrets, "TOOL_TIMEOUT_S", 0.5)
    check = scan_secrets(subject_of(repository, tmp_path / "work"))
    assert check.outcome is Outcome.NO_VERDICT
    assert "kingfisher" in check.reason


def test_an_absent_scanner_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = tmp_path / "app"
    commit(repository, {"a": "1\n"})
    monkeypatch.setenv("SLIPWAY_KINGFISHER", str(tmp_path / "none"))
    check = scan_secrets(subject_of(repository, tmp_path / "work"))
    assert (check.outcome, "kingfisher is absent" in check.reason) == (Outcome.NO_VERDICT, True)


def test_a_large_file_and_loops_of_links_are_looked_at(tmp_path: Path, planted: dict[str, str]) -> None:
    repository = tmp_path / "app"
    commit(repository, {"a": "1\n", "z.py": planted["github"] + "\n"})
    os.symlink("two", repository / "one")
    os.symlink("one", repository / "two")
    os.symlink(".", repository / "self")
    (repository / "large.txt").write_bytes(b"0123456789abcde\n" * 12_500_000)
    commit(repository, {})
    check = scan_secrets(subject_of(repository, tmp_path / "work"))
    assert check.outcome is Outcome.PASSED
    assert {finding.file for finding in check.findings} == {"z.py"}


TRUFFLE = """
print('{"level":"info-0","msg":"running source"}')
print('{"SourceMetadata":{"Data":{"Git":{"commit":"%s","file":"a.py","line":3}}},"DetectorName":"Github","Raw":"RAW"}')
"""
TRUFFLE_END = """print('{"level":"info-0","msg":"finished scanning","chunks":9}'); sys.exit(183)"""


def test_trufflehog_is_asked_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = tmp_path / "app"
    newest = commit(repository, {"a.py": "1\n"})
    arguments = "open(os.environ['HOME'] + '/asked', 'w').write(' '.join(sys.argv))\n"
    tool = program(tmp_path, arguments + TRUFFLE % newest + TRUFFLE_END, "trufflehog")
    monkeypatch.setenv("SLIPWAY_TRUFFLEHOG", str(tool))
    check = scan_secrets(subject_of(repository, tmp_path / "work"))
    assert check.outcome is Outcome.PASSED
    assert [(one.tool, one.rule, one.file, one.line) for one in check.findings] == [("trufflehog", "Github", "a.py", 3)]
    assert "RAW" not in text_of(check)
    asked = next((tmp_path / "work" / "secrets" / "trufflehog").glob("out-*/asked")).read_text()
    assert "--no-verification" in asked and "--no-update" in asked and newest in asked


def test_a_trufflehog_that_did_not_finish_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = tmp_path / "app"
    commit(repository, {"a.py": "1\n"})
    tool = program(tmp_path, TRUFFLE % ("a" * 40) + "sys.exit(0)", "trufflehog")
    monkeypatch.setenv("SLIPWAY_TRUFFLEHOG", str(tool))
    check = scan_secrets(subject_of(repository, tmp_path / "work"))
    assert (check.outcome, "trufflehog" in check.reason) == (Outcome.NO_VERDICT, True)


@pytest.mark.parametrize("failure", FAILURES)
def test_a_trufflehog_that_fails_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str) -> None:
    repository = tmp_path / "app"
    commit(repository, {"a.py": "1\n"})
    monkeypatch.setenv("SLIPWAY_KINGFISHER", str(tmp_path / "none"))
    monkeypatch.setenv("SLIPWAY_TRUFFLEHOG", str(program(tmp_path, FAILURES[failure], "trufflehog")))
    monkeypatch.setattr(secrets, "TOOL_TIMEOUT_S", 0.5)
    check = scan_secrets(subject_of(repository, tmp_path / "work"))
    assert check.outcome is Outcome.NO_VERDICT
    assert "the history with trufflehog could not be looked at" in check.reason


def test_a_trufflehog_that_is_named_and_absent_hides_nothing_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: dict[str, str]
) -> None:
    commit(tmp_path / "app", {"a.py": planted["github"] + "\n"})
    monkeypatch.setenv("SLIPWAY_TRUFFLEHOG", str(tmp_path / "none"))
    check = scan_secrets(subject_of(tmp_path / "app", tmp_path / "work"))
    assert check.outcome is Outcome.NO_VERDICT and "trufflehog is absent" in check.reason
    assert {finding.file for finding in check.findings} == {"a.py"}


def test_trufflehog_can_be_required(tmp_path: Path) -> None:
    repository = tmp_path / "app"
    commit(repository, {"a.py": "1\n"})
    asked = subject_of(repository, tmp_path / "asked", scans={"require_trufflehog": True})
    assert scan_secrets(asked).outcome is Outcome.NO_VERDICT
