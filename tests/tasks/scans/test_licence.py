import json
from dataclasses import replace
from pathlib import Path

import pytest

from gates.check import Check, Outcome
from gates.scans.licences import Licences, Origin, Package, licence_text, not_allowed
from host.virtual_environments import COMPLETE
from settings.toml_files import read_rules
from tasks.scans.licence import judge_packages, scan_licence
from tasks.scans.packages.metadata import package_in
from tasks.scans.packages.spdx import parse_expression
from tasks.source.locked_environments import lock_digest
from tests.corpus import Corpus
from tests.gates.scans.test_licence_texts import GPL_TEXT, MIT_TEXT
from tests.tasks.scans.commits import Files, commit, subject_of

RULES = Licences(allowed=("MIT", "Apache-2.0"), classifiers={"License :: OSI Approved :: MIT License": "MIT"})
PYTHON = "3.11"
PLANTED = {
    "gpl": "License-Expression: GPL-3.0-only",
    "and": "License-Expression: MIT AND AGPL-3.0-or-later",
    "nothing": "",
    "prose": "License: do what you like",
    "classifier": "Classifier: License :: OSI Approved :: GNU Affero General Public License v3",
    "exception": "License-Expression: GPL-2.0-only WITH Classpath-exception-2.0",
}
CLEAN = {
    "mit": "License-Expression: MIT",
    "or": "License-Expression: GPL-3.0-only OR MIT",
    "lower": "License-Expression: apache-2.0",
    "classified": "Classifier: License :: OSI Approved :: MIT License",
    "text": "License: MIT",
}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))


def environment(folder: Path, packages: dict[str, str]) -> Path:
    site = folder / "lib" / "python3.11" / "site-packages"
    for name, line in packages.items():
        (site / f"{name}-1.0.dist-info").mkdir(parents=True)
        text = f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{line}\n"
        (site / f"{name}-1.0.dist-info" / "METADATA").write_text(text)
    site.mkdir(parents=True, exist_ok=True)
    (folder / COMPLETE).touch()
    return folder


def hashed(*lines: str) -> str:
    return "".join(f"{line} --hash=sha256:{'0' * 64}\n" for line in lines)


def scanned(
    tmp_path: Path,
    shipped: dict[str, str],
    others: dict[str, str] | None = None,
    files: Files | None = None,
    lacks: str = "",
) -> Check:
    lock = "".join(f"{name}==1.0 --hash=sha256:{'0' * 64}\n" for name in shipped)
    repository = tmp_path / "app"
    commit(repository, {"requirements.lock": lock, "requirements-dev.lock": lock, **(files or {})})
    subject = subject_of(repository, tmp_path / "work", environment=environment(tmp_path / "ci", others or {}))
    subject = replace(subject, workspace=replace(subject.workspace, lacks=lacks))
    made = tmp_path / "home" / "cache" / "environments" / subject.workspace.source.scope.writes
    made /= lock_digest(subject.tree / "requirements.lock", PYTHON)
    environment(made, shipped)
    return scan_licence(subject, RULES)


def test_each_plant_is_found_and_no_clean_twin(tmp_path: Path, corpus: Corpus) -> None:
    check = scanned(tmp_path, {**PLANTED, **CLEAN})
    found = {one.package for one in check.findings}
    corpus.record("licence", len(found & set(PLANTED)), len(PLANTED), len(found & set(CLEAN)), len(CLEAN))
    assert (check.outcome, found) == (Outcome.PASSED, set(PLANTED))
    assert check.examined.startswith("11 shipped Python packages and 0 others")


def test_what_only_builds_or_tests_is_noted(tmp_path: Path) -> None:
    check = scanned(tmp_path, {"mit": CLEAN["mit"]}, {"gpl": PLANTED["gpl"]})
    assert check.findings == ()
    assert check.notes == ("not shipped: gpl 1.0: GPL-3.0-only is not allowed",)


def test_without_an_environment_the_reason_is_why_there_is_none(tmp_path: Path) -> None:
    check = scanned(tmp_path, {"mit": CLEAN["mit"]}, lacks="requirements-dev.lock: it names no package")
    assert check.outcome is Outcome.NO_VERDICT and "requirements-dev.lock: it names no package" in check.reason


def npm(packages: dict[str, object]) -> Files:
    return {"frontend/package-lock.json": json.dumps({"lockfileVersion": 3, "packages": packages})}


def test_npm_packages_are_judged_unless_they_only_build(tmp_path: Path, corpus: Corpus) -> None:
    lock = npm(
        {
            "": {"name": "page", "license": "UNLICENSED"},
            "node_modules/good": {"version": "1", "license": "MIT"},
            "node_modules/old": {"version": "1", "license": {"type": "MIT"}},
            "node_modules/choice": {"version": "1", "license": "(GPL-3.0-only OR MIT)"},
            "node_modules/@a/bad": {"version": "1", "license": "GPL-3.0-only"},
            "node_modules/none": {"version": "1"},
            "node_modules/builds": {"version": "1", "dev": True, "license": "GPL-3.0-only"},
        }
    )
    check = scanned(tmp_path, {"mit": CLEAN["mit"]}, files=lock)
    found = {one.package for one in check.findings}
    corpus.record("licence", len(found & {"@a/bad", "none"}), 2, len(found - {"@a/bad", "none"}), 3)
    assert found == {"@a/bad", "none"}
    assert "5 shipped npm packages and 1 others" in check.examined


@pytest.mark.parametrize(
    "text", ["", "{}", "garbage", '{"lockfileVersion": 1, "packages": {}}', '{"lockfileVersion": 3, "packages": {}}']
)
def test_a_lock_of_npm_that_cannot_be_read_is_no_verdict(tmp_path: Path, text: str) -> None:
    check = scanned(tmp_path, {"mit": CLEAN["mit"]}, files={"package-lock.json": text})
    assert check.outcome is Outcome.NO_VERDICT


def test_a_package_that_the_lock_names_and_nothing_installed_is_no_verdict(tmp_path: Path) -> None:
    repository = tmp_path / "app"
    commit(
        repository,
        {"requirements.lock": hashed("mit==1.0", "gone==1.0 ; python_version >= '3'", "win==1 ; os_name == 'nt'")},
    )
    subject = subject_of(repository, tmp_path / "work", environment=environment(tmp_path / "ci", {}))
    made = tmp_path / "home" / "cache" / "environments" / subject.workspace.source.scope.writes
    made /= lock_digest(subject.tree / "requirements.lock", PYTHON)
    environment(made, {"mit": CLEAN["mit"]})
    check = scan_licence(subject, RULES)
    assert (check.outcome, "requirements.lock: gone is not there" in check.reason) == (Outcome.NO_VERDICT, True)
    assert "win" not in check.reason


@pytest.mark.parametrize("line", ["-e ./own", "https://example.com/a.whl", "--index-url x"])
def test_a_line_that_pins_nothing_is_no_verdict(tmp_path: Path, line: str) -> None:
    repository = tmp_path / "app"
    commit(repository, {"requirements.lock": hashed(line)})
    subject = subject_of(repository, tmp_path / "work", environment=environment(tmp_path / "ci", {}))
    made = tmp_path / "home" / "cache" / "environments" / subject.workspace.source.scope.writes
    made /= lock_digest(subject.tree / "requirements.lock", PYTHON)
    environment(made, {"mit": CLEAN["mit"]})
    assert scan_licence(subject, RULES).outcome is Outcome.NO_VERDICT


def test_damaged_metadata_is_no_verdict(tmp_path: Path) -> None:
    check_environment = environment(tmp_path / "ci", {"mit": ""})
    (check_environment / "lib/python3.11/site-packages/mit-1.0.dist-info/METADATA").write_bytes(b"\xff\x00garbage")
    repository = tmp_path / "app"
    commit(repository, {"requirements.lock": hashed("mit==1.0")})
    subject = subject_of(repository, tmp_path / "work", environment=check_environment)
    made = tmp_path / "home" / "cache" / "environments" / subject.workspace.source.scope.writes
    made /= lock_digest(subject.tree / "requirements.lock", PYTHON)
    environment(made, {"mit": CLEAN["mit"]})
    check = scan_licence(subject, RULES)
    assert (check.outcome, "names no package" in check.reason) == (Outcome.NO_VERDICT, True)


@pytest.mark.parametrize(
    ("text", "parses"),
    [("MIT", True), ("mit OR apache-2.0", True), ("MIT AND", False), ("Own", False), ("(" * 999, False)],
)
def test_only_spdx_expressions_parse(text: str, parses: bool) -> None:
    assert (parse_expression(text) is not None) is parses


OSI = "License :: OSI Approved :: "
LGPL = OSI + "GNU Library or Lesser General Public License (LGPL)"
CC0 = "License :: CC0 1.0 Universal (CC0 1.0) Public Domain Dedication"
# What packages that many projects have say of themselves: License-Expression, classifiers, License; and what it means.
STATED = {
    "psycopg2-binary 2.9.9": ("", [LGPL], "LGPL with exceptions", "LGPL-2.1-or-later LGPL-3.0-or-later"),
    "psycopg2 without a classifier": ("", [], "LGPL with exceptions", "LGPL-3.0-or-later"),
    "psycopg 3.1": ("", [OSI + "GNU Lesser General Public License v3 (LGPLv3)"], "", "LGPL-3.0-only"),
    "email-validator 1.3": ("", [CC0], "CC0 (copyright waived)", "CC0-1.0"),
    "email-validator 1.0": ("", [], "CC0 (copyright waived)", "CC0-1.0"),
    "email-validator 2.1": ("", [OSI + "The Unlicense (Unlicense)"], "Unlicense", "Unlicense"),
    "pillow 10": ("", [OSI + "Historical Permission Notice and Disclaimer (HPND)"], "HPND", "HPND"),
    "pillow 11": ("MIT-CMU", [], "", "MIT-CMU"),
    "aiohttp 3.9": ("", [OSI + "Apache Software License"], "Apache 2", "Apache-2.0"),
    "asyncpg 0.29": ("", [], "Apache License, Version 2.0", "Apache-2.0"),
    "boto3": ("", [], "Apache License 2.0", "Apache-2.0"),
    "tenacity": ("", [], "Apache 2.0", "Apache-2.0"),
    "tqdm": ("", [], "MPLv2.0, MIT Licences", "MPL-2.0 MIT"),
    "tqdm 4.66": ("", [], "MPL-2.0 AND MIT", "MPL-2.0 MIT"),
    "cryptography 38": ("", [], "BSD or Apache License, Version 2.0", "BSD-3-Clause"),
    "orjson": ("Apache-2.0 OR MIT", [], "", "Apache-2.0"),
    "python-dateutil": ("", [OSI + "BSD License", OSI + "Apache Software License"], "Dual License", "BSD Apache-2.0"),
    "pycryptodome": ("", [OSI + "BSD License", "License :: Public Domain"], "BSD, Public Domain", "BSD Unlicense"),
    "uvloop": ("", [], "MIT License", "MIT"),
    "hyperframe": ("", [OSI + "MIT License"], "The MIT License (MIT)\n\nCopyright " + "x" * 900, "MIT"),
    "a British one": ("", [], "The MIT Licence.", "MIT"),
    "pytest-timeout": ("", ["License :: DFSG approved", OSI + "MIT License"], "MIT", "MIT"),
    "one that says little twice": ("", ["License :: OSI Approved", OSI + "MIT License"], "", "MIT"),
    "with its whole text": ("", ["License :: OSI Approved", OSI + "MIT License"], "word " * 90, "MIT"),
    "mccabe": ("", [], "Expat license", "MIT"),
    "defusedxml": ("", [], "PSFL", "PSF-2.0"),
    "zope.interface": ("", [], "ZPL 2.1", "ZPL-2.1"),
    "ldap3": ("", [], "LGPL v3", "LGPL-3.0-only"),
    "paramiko": ("", [], "LGPL-2.1", "LGPL-2.1-only"),
    "greenlet": ("MIT AND PSF-2.0", [], "", "MIT PSF-2.0"),
}
REFUSED = {
    "Unidecode": ("", [], "GPL", "GPL-2.0-or-later"),
    "mysqlclient": ("", [OSI + "GNU General Public License (GPL)"], "GPL", "GPL-2.0-or-later"),
    "uWSGI": ("", [], "GPLv2+", "GPL-2.0-or-later"),
    "mysql-connector-python": (
        "",
        [],
        "GNU GPLv2 (with FOSS License Exception)",
        "GPL-2.0-only WITH Universal-FOSS-exception-1.0",
    ),
    "pymupdf": ("", [OSI + "GNU Affero General Public License v3 or later (AGPLv3+)"], "", "AGPL-3.0-or-later"),
    "docutils": (
        "",
        [OSI + "BSD License", OSI + "GNU General Public License (GPL)"],
        "see COPYING",
        "GPL-2.0-or-later",
    ),
    "somebody's": ("", ["License :: Other/Proprietary License"], "", "proprietary"),
    "nobody's": ("", ["License :: OSI Approved"], "", ""),
    "an own one": ("LicenseRef-Own OR AGPL-3.0-only", [], "", "LicenseRef-Own AGPL-3.0-only"),
    "an own one by a bad name": ("LicenseRef_Own", [], "", ""),
    "MIT and more": ("", [], "MIT License with Commons Clause", ""),
    "LGPL without exceptions of a kind": ("", [], "LGPL with restrictions", ""),
    "new words": ("", [OSI + "MIT License", "License :: Something new"], "", ""),
}


@pytest.mark.parametrize("name", [*STATED, *REFUSED])
def test_what_packages_say_of_themselves_is_resolved(name: str) -> None:
    rules = read_rules(Licences, "licences")
    expression, classifiers, text, means = (STATED | REFUSED)[name]
    package = Package("a", "1", "python", True, expression, tuple(classifiers), text)
    _, found = licence_text(package, rules)
    parsed = parse_expression(found) if found else None
    assert all(word in str(parsed) for word in means.split()), found
    good = parsed is not None and not not_allowed(parsed, frozenset(rules.allowed))
    assert good is (name in STATED), found


def test_every_meaning_that_is_configured_is_a_licence() -> None:
    rules = read_rules(Licences, "licences")
    meant = [expression for expression in (*rules.classifiers.values(), *rules.texts.values()) if expression]
    assert [expression for expression in meant if parse_expression(expression) is None] == []
    assert all(text == text.lower() for text in rules.texts)


def test_a_lock_for_node_that_is_not_read_is_no_verdict(tmp_path: Path) -> None:
    check = scanned(tmp_path, {"mit": CLEAN["mit"]}, files={"web/pnpm-lock.yaml": ""})
    assert check.outcome is Outcome.NO_VERDICT
    assert "web/pnpm-lock.yaml: only package-lock.json can be audited" in check.reason


@pytest.mark.parametrize(
    ("classifier", "text", "rule"),
    [
        pytest.param("MIT License", GPL_TEXT, "licence-unknown", id="MIT beside the text of the GPL"),
        pytest.param("MIT License", "GPLv3", "licence-unknown", id="MIT beside GPLv3"),
        pytest.param("GNU General Public License v3 (GPLv3)", "MIT", "licence-unknown", id="GPLv3 beside MIT"),
        pytest.param("MIT License", MIT_TEXT, "", id="they agree"),
        pytest.param("MIT License", "Apache 2.0", "", id="both are allowed"),
        pytest.param("Apache Software License", "Dual License", "", id="a text that says nothing"),
    ],
)
def test_a_text_beside_the_classifier_decides_nothing_and_casts_doubt(classifier: str, text: str, rule: str) -> None:
    package = Package("a", "1", "python", True, classifiers=(f"License :: OSI Approved :: {classifier}",), text=text)
    findings = judge_packages({"a 1": package}, read_rules(Licences, "licences"))[0]
    assert [one.rule for one in findings] == ([rule] if rule else [])
    assert not rule or "could not tell: its classifiers say" in findings[0].message


def test_a_text_alone_names_the_licence() -> None:
    package = Package("a", "1", "python", True, text=MIT_TEXT)
    assert licence_text(package, read_rules(Licences, "licences")) == (Origin.WORDS, "(MIT)")


def test_a_package_that_says_nothing_is_known_by_its_only_licence_file(tmp_path: Path) -> None:
    folder = tmp_path / "a-1.dist-info"
    (folder / "licenses").mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: a\nVersion: 1\n")
    (folder / "licenses" / "LICENSE.txt").write_text(MIT_TEXT)
    assert licence_text(package_in(folder, shipped=True), RULES) == (Origin.WORDS, "(MIT)")
    (folder / "licenses" / "COPYING").write_text(GPL_TEXT)
    assert licence_text(package_in(folder, shipped=True), RULES) == (Origin.NOWHERE, "")


# What the 500 most downloaded packages of April 2026 (hugovk's list of them) say of themselves, in their newest wheel
# of 1 December 2026: License-Expression, License up to 2,000 characters, and the classifiers of licences; of pkginfo,
# which has none of them, its licence file. Of one (pyspark) there is no wheel. `means`: what they are resolved to; what
# free texts mean was read through.
MOST_INSTALLED = json.loads(Path(__file__).with_name("most_installed.json").read_text(encoding="utf-8"))
NOT_TO_BE_SHIPPED = {
    "nvidia-nccl-cu12": "LicenseRef-NVIDIA-Proprietary is not allowed",
    "pylint": "GPL-2.0-or-later is not allowed",
    "pymupdf": "AGPL-3.0-only, LicenseRef-Artifex-Commercial is not allowed",
    "typedload": "GPL-3.0-only is not allowed",
}


def test_the_licences_of_the_most_installed_packages_are_known() -> None:
    rules = read_rules(Licences, "licences")
    packages = {
        one["name"]: Package(
            one["name"],
            one["version"],
            "python",
            True,
            one.get("expression", ""),
            tuple(one.get("classifiers", ())),
            one.get("text", ""),
        )
        for one in MOST_INSTALLED
    }
    assert len(packages) == 499
    assert {name: licence_text(one, rules)[1] for name, one in packages.items()} == {
        one["name"]: one["means"] for one in MOST_INSTALLED
    }
    findings, _, _ = judge_packages(packages, rules)
    assert {one.package: one.message.partition("): ")[2].rpartition(" (")[0] for one in findings} == NOT_TO_BE_SHIPPED
