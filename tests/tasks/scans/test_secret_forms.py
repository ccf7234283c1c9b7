"""Our rules beside Kingfisher's, run by the real program: each form is found, and what looks like it stays quiet."""

import random
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from gates.check import Check, Outcome
from gates.scans.placeholders import PLACEHOLDERS
from tasks.scans.secrets import lay_rules, scan_secrets
from tests.corpus import Corpus
from tests.tasks.scans.commits import commit, subject_of
from tests.tasks.scans.secret_forms import PLANTED
from tests.tasks.scans.secret_twins import CLEAN
from tests.tasks.scans.test_secrets import LETTERS

MADE = random.Random(14)


def made(length: int = 24) -> str:
    return "".join(MADE.choice(LETTERS) for _ in range(length - 2)) + "7x"


def fours() -> str:
    return " ".join("".join(MADE.choice("bcdfgklmnprstvz") for _ in range(4)) for _ in range(4))


def laid(forms: Mapping[str, list[tuple[str, str]]]) -> dict[str, str]:
    """Each form in a folder of its kind."""
    return {
        f"{kind}/{name}": f"{text.replace('VALUE', made()).replace('FOURS', fours())}\n"
        for kind, listed in forms.items()
        for name, text in listed
    }


def scanned(tmp_path: Path, files: Mapping[str, str], message: str = "change") -> Check:
    commit(tmp_path / "app", files, message)
    check = scan_secrets(subject_of(tmp_path / "app", tmp_path / "work"))
    assert check.outcome is Outcome.PASSED, check.reason
    return check


def test_every_form_is_found(tmp_path: Path, corpus: Corpus) -> None:
    files = laid(PLANTED)
    check = scanned(tmp_path, files)
    found = {one.file for one in check.findings}
    corpus.record("secrets", found=len(found & set(files)), planted=len(files))
    assert set(files) - found == set()
    # Two rules that see the same secret are one finding.
    assert len(check.findings) == len({(one.file, one.line) for one in check.findings})


def test_what_looks_like_a_form_and_is_none_stays_quiet(tmp_path: Path, corpus: Corpus) -> None:
    files = laid(CLEAN)
    said = [
        text for name, text in files.items() if not name.startswith("doc") and not name.endswith(("prog.py", ".po"))
    ]
    check = scanned(tmp_path, files, "\n\n".join(said))
    corpus.record("secrets", found=0, planted=0, false=len(check.findings), clean=len(files))
    assert [(one.file, one.line, one.rule) for one in check.findings] == []
    assert any("named like a secret were not counted" in note for note in check.notes)


def test_a_placeholder_of_the_history_is_none_and_a_secret_of_it_is_one(tmp_path: Path) -> None:
    commit(tmp_path / "app", {"a.txt": 'curl -H "Authorization: Bearer YOUR_ACCESS_TOKEN" https://api.shop.internal\n'})
    commit(tmp_path / "app", {"b.py": f'SECRET_KEY = "{made()}"\n'})
    check = scanned(tmp_path, {"a.txt": "gone\n", "b.py": "gone = 1\n"})
    assert [(one.file, one.rule) for one in check.findings] == [("b.py", "slipway.named")]


def test_a_service_s_form_counts_in_tests_too(tmp_path: Path) -> None:
    token = "gh" + "p_" + made(36)
    check = scanned(tmp_path, {"tests/conftest.py": f'TOKEN = "{token}"\n', "docs/a.md": f"use {token}\n"})
    assert {one.file for one in check.findings} == {"tests/conftest.py", "docs/a.md"}
    assert not any(one.rule.startswith("slipway.") for one in check.findings)


def test_the_rules_hold_their_own_examples(scanners: Path, tmp_path: Path) -> None:
    rules = lay_rules(tmp_path / "rules")
    argv = [str(scanners / "kingfisher"), "rules", "check", "--rules-path", str(rules), "--load-builtins", "false"]
    done = subprocess.run([*argv, "--no-update-check"], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "value",
    "YOUR_ACCESS_TOKEN changeme <password> xxx XXXX-XXXX-XXXX example ${TOKEN} {{token}} $TOKEN my-secret-key-here"
    " hunter2 s3cr3t password123 test1234 abcdef123456 1234567890 ******** ... sk-xxxxxxxx not-a-real-key todo"
    " Passwort access_token_cookie RefreshTokenView shop.settings.base application/json id_rsa.pem a.b@shop.internal"
    " env:TOKEN arn:aws:iam::1:role/x $2b$12$EixZaYVK1fsbw1ZfbX3OXe [a-z0-9]{8} Optional[str] abc..."
    " cart_session_v2 err_1045_token S3_SECRET_KEY hunter2hunter2 abcd1234efgh5678 your-256-bit-secret /run/secrets/k1"
    " prod/db1/password k8s:ns1/name1 ${oc.env:DB_PASSWORD1} ${DB_PASSWORD:-shop} {user.token1} [token_1] __TOKEN_1__"
    " pbkdf2_sha256$260000$aB3$x7Q2 ENC[AES256_GCM,data:Tr7o1jQ2z] vault:v1:8SDd3WHDOjf7 ci-not-a-real-secret"
    " APIトークン eyJhbGciOiJIUzI1NiJ9... plugins.core:BasicAuth"
    " 0x1f9840a85d5aF5bf1D1762F925BDADdC4201F984".split(),
)
def test_this_stands_where_a_secret_should(value: str) -> None:
    assert any(re.search(pattern, value) for pattern in PLACEHOLDERS)


@pytest.mark.parametrize("text", ["Must be 8+ characters (A-Z, 0-9)", "Ihr Passwort, {name}", "Ihr Code 1234567"])
def test_this_is_a_text_that_can_be_read_and_not_beside_the_name_of_a_secret(text: str) -> None:
    assert any(re.search(pattern, f'"{text}') for pattern in PLACEHOLDERS)
    # Kingfisher asks of all that a rule matched, too.
    for matched in (f"password: {text}", f"ENV PASSWORD {text}", f'password = "{text}"'):
        assert not any(re.search(pattern, matched.replace("Code", "c0de7")) for pattern in PLACEHOLDERS), matched


@pytest.mark.parametrize("value", ["Winter2024!", "Sommer-Regen-Baum-Haus", "shop2024x"])
@pytest.mark.parametrize(
    "matched",
    [
        "password: {}",
        "DB_PASSWORD={}",
        "- ENV DB_PASSWORD {}",
        "'--password {}'",
        "mysql -u root -p{}",
        "${{DB_PASSWORD:-{}",
        "password: |\n  {}",
        "password>{}<",
        "{{user: shop, password: {},",
        "machine db login shop password {}",
        "echo shop:{} | chpasswd",
    ],
)
def test_a_weak_password_is_no_placeholder_with_what_stands_before_it(matched: str, value: str) -> None:
    whole = matched.format(value)
    assert [pattern for pattern in PLACEHOLDERS if re.search(pattern, whole)] == []


@pytest.mark.parametrize(
    "value",
    "7o7SxX8btRMrUx5TN4KZEDdY django-insecure-8f3kq2v9 hunter2-blue correct-horse-battery-staple p4ss-Wrd-91x"
    " 09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7 8^g)(x3k2m1=q_0!ue*z@+w7v(5j-y9t6r4p"
    " 123e4567-e89b-12d3-a456-426614174000 Wh1te!Rabbit aW50ZXJuYWwtc2VjcmV0Cg== test-4kz91qmv0x"
    " YOUR_KEY_9fK2mQ7x bcrypt7o7SxX8btRMr argon2_7o7SxX8btRMr sha256-7o7SxX8btRMr 7o7SxX8btRMrUx5TN..."
    " env:7o7SxX8btRMr 7o7SxX8btRMr.key 7o7SxX8btRMr{name} 7o7SxX8b${X}7o7SxX [7o7SxX8btRMr] __7o7SxX8btRMr__"
    " {{7o7SxX8btRMr /7o7SxX8btRMr <7o7SxX8btRMr>x $8o7SxX8btRMr ${DB_PASSWORD:-7o7SxX8btRMr}"
    " sommer-regen-baum-haus Winter2024! shop_prod_2024".split(),
)
def test_this_is_a_value(value: str) -> None:
    assert not any(re.search(pattern, value) for pattern in PLACEHOLDERS)
