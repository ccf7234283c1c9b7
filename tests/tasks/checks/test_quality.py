import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gates.check import Check, Outcome
from gates.findings import Severity
from settings.pipeline import Tool
from tasks.checks.quality import findings_page
from tests.tasks.checks.quality_commits import COMMANDS, PYTHON, checked, found, workspace_of

PASSED, FAILED, BLIND = Outcome.PASSED, Outcome.FAILED, Outcome.NO_VERDICT
BRANCHES = "".join(f"    if n == {n}:\n        return {n}\n" for n in range(9))
COMPLEX_10 = f"def f(n: int) -> int:\n{BRANCHES}    return -1\n"
COMPLEX_11 = COMPLEX_10.replace("    return -1", "    if n == 9:\n        return 9\n    return -1")
SYNTAX = {"shop/price.py": "def f(:\n"}
CODING = {"shop/price.py": "# -*- coding: no-such-coding -*-\nVAT = 1\n"}


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One home for all, so that what is installed is installed once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPWAY_HOME", str(tmp_path_factory.mktemp("state")))
        yield


def run(name: str, files: Mapping[str, str], tmp_path: Path) -> Check:
    return checked(name, Tool(command=COMMANDS[name]), workspace_of(tmp_path / name, files, Path(sys.prefix)))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_clean_commit_passes_and_says_what_was_looked_at(name: str, tmp_path: Path) -> None:
    check = run(name, PYTHON, tmp_path)
    assert check.outcome is PASSED, check
    assert check.examined == "3 files, 12 lines" and not check.findings
    assert (
        check.tool.startswith(f"{name} ")
        and check.tool.endswith(" (the app's)")
        and check.tool[len(name) + 1].isdigit()
    )


@pytest.mark.parametrize(
    ("name", "changes", "findings"),
    [
        ("black", {"shop/price.py": "VAT = 0.25\nCUT=1\n"}, [("shop/price.py", 2, "reformat")]),
        ("black", {"a b/größe ß.py": "x = {  }\n"}, [("a b/größe ß.py", 1, "reformat")]),
        (
            "isort",
            {"app.py": PYTHON["app.py"].replace("import os\nimport sys", "import sys\nimport os")},
            [("app.py", 3, "")],
        ),
        ("flake8", {"shop/price.py": "import os\n"}, [("shop/price.py", 1, "F401")]),
        ("flake8", {"shop/price.py": COMPLEX_11}, [("shop/price.py", 1, "C901")]),
        ("flake8", {"a b/größe ß.py": "x = 1;\n"}, [("a b/größe ß.py", 1, "E703")]),
        ("mypy", {"shop/price.py": 'VAT: int = "no"\n'}, [("shop/price.py", 1, "assignment")]),
        ("mypy", {"app.py": PYTHON["app.py"].replace("[1, 2]", '["1"]')}, [("app.py", 11, "list-item")]),
    ],
)
def test_a_commit_made_for_it_fails_for_exactly_that(
    name: str, changes: Mapping[str, str], findings: list[tuple[str, int, str]], tmp_path: Path
) -> None:
    check = run(name, {**PYTHON, **changes}, tmp_path)
    assert check.outcome is FAILED, check
    assert [(file, line) for file, line, _ in found(check)] == [(file, line) for file, line, _ in findings]
    assert all(rule in ("imports", wanted) for (_, _, rule), (_, _, wanted) in zip(found(check), findings, strict=True))
    assert check.reason.startswith("1 finding, the first: ") and check.findings[0].severity is Severity.MEDIUM
    assert all(len(one.fingerprint) == 24 and one.message for one in check.findings)


@pytest.mark.parametrize(
    ("name", "change", "place"),
    [
        ("black", {"shop/price.py": "VAT = 0.25\nCUT=1\n"}, ("backend/shop/price.py", 2)),
        (
            "isort",
            {"app.py": PYTHON["app.py"].replace("import os\nimport sys", "import sys\nimport os")},
            ("backend/app.py", 3),
        ),
        ("flake8", {"shop/price.py": "import os\n"}, ("backend/shop/price.py", 1)),
        ("mypy", {"shop/price.py": 'VAT: int = "no"\n'}, ("backend/shop/price.py", 1)),
    ],
    ids=["black", "isort", "flake8", "mypy"],
)
def test_a_tool_that_runs_in_a_folder_tells_places_from_the_top(
    name: str, change: Mapping[str, str], place: tuple[str, int], tmp_path: Path
) -> None:
    files = {f"backend/{file}": text for file, text in {**PYTHON, **change}.items()}
    workspace = workspace_of(tmp_path / name, {**files, "scripts/bad.py": "import  os\n"}, Path(sys.prefix))
    check = checked(name, Tool(command=COMMANDS[name], directory="backend"), workspace)
    assert check.outcome is FAILED and check.examined.startswith("3 files, "), check
    assert [(file, line) for file, line, _ in found(check)] == [place]


@pytest.mark.parametrize(
    ("name", "change"),
    [*((name, SYNTAX) for name in COMMANDS), ("black", CODING), ("isort", CODING)],  # the others do read the latter
)
def test_a_file_that_cannot_be_parsed_is_no_verdict(name: str, change: Mapping[str, str], tmp_path: Path) -> None:
    check = run(name, {**PYTHON, **change}, tmp_path)
    assert check.outcome is BLIND, check
    assert "could not look at everything" in check.reason and "shop/price.py" in check.reason


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commit_without_python_files_is_no_verdict(name: str, tmp_path: Path) -> None:
    check = run(name, {"notes.txt": "x\n", "pyproject.toml": PYTHON["pyproject.toml"]}, tmp_path)
    assert check.outcome is BLIND, check


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commit_cannot_stand_in_for_the_tool(name: str, tmp_path: Path) -> None:
    """`python -m black` would run a black.py of the working directory."""
    fake = 'print("All done! 1 file would be left unchanged.")\nprint("Success: no issues found in 9 source files")\n'
    bad = {"shop/price.py": 'import os\nVAT: int="no"\nimport abc\n'}
    assert run(name, {**PYTHON, **bad, f"{name}.py": fake}, tmp_path).outcome in (FAILED, BLIND)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("black", {"pyproject.toml": '[tool.black]\nextend-exclude = "shop|tools"\n'}),
        ("isort", {"pyproject.toml": '[tool.isort]\nskip = ["shop", "tools"]\n'}),
        ("flake8", {".flake8": "[flake8]\nexclude = shop,tools\n"}),
        ("mypy", {"pyproject.toml": '[tool.mypy]\nfiles = ["app.py"]\n'}),
    ],
)
def test_settings_that_leave_most_out_are_no_verdict_and_a_little_is_told(
    name: str, settings: Mapping[str, str], tmp_path: Path
) -> None:
    little = {**PYTHON, **settings}
    del little["shop/__init__.py"]
    check = run(name, little, tmp_path / "little")
    assert check.outcome is PASSED, check
    assert any("did not look at 1 of the 2 files" in note for note in check.notes)
    most = run(name, {**little, "tools/a.py": "A = 1\n"}, tmp_path / "most")
    assert most.outcome is BLIND and "looked at only 1 of the 3 files" in most.reason


def test_inputs_say_what_a_tool_should_look_at(tmp_path: Path) -> None:
    files = {**PYTHON, "pyproject.toml": '[tool.black]\nextend-exclude = "made"\n'}
    files |= {f"made/{number}.py": "x  =  1\n" for number in range(9)}
    workspace = workspace_of(tmp_path / "run", files, Path(sys.prefix))
    tool = Tool(command=COMMANDS["black"])
    assert checked("black", tool, workspace).outcome is BLIND
    told = checked("style", tool.model_copy(update={"reads": "black", "inputs": ("*.py", "!/made/**")}), workspace)
    assert told.outcome is PASSED and told.examined == "3 files, 12 lines" and not told.notes


@pytest.mark.parametrize(
    ("settings", "code", "outcome", "said"),
    [
        ({}, COMPLEX_10, PASSED, "complexity limit 10, Slipway's"),
        ({".flake8": "[flake8]\nmax-line-length = 99\n"}, COMPLEX_11, FAILED, "complexity limit 10, Slipway's"),
        ({".flake8": "[flake8]\nmax_complexity = 11\n"}, COMPLEX_11, PASSED, "complexity limit 11, the app's own"),
        ({".flake8": "[flake8]\nignore = E203, C901\n"}, COMPLEX_11, BLIND, ".flake8 ignores C901"),
        ({"setup.cfg": "[flake8]\nselect = E,F,C9\n"}, COMPLEX_11, FAILED, "complexity limit 10, Slipway's"),
    ],
)
def test_the_complexity_limit_is_always_on(
    settings: Mapping[str, str], code: str, outcome: Outcome, said: str, tmp_path: Path
) -> None:
    check = run("flake8", {**PYTHON, "shop/price.py": code, **settings}, tmp_path)
    assert check.outcome is outcome, check
    assert any(said in text for text in (check.reason, *check.notes))
    if outcome is FAILED:
        assert found(check) == [("shop/price.py", 1, "C901")]


def test_fingerprints_survive_edits_elsewhere_and_tell_twins_apart(tmp_path: Path) -> None:
    twice = run("flake8", {**PYTHON, "shop/price.py": "x = 1;\nx = 1;\n"}, tmp_path / "a")
    moved = run("flake8", {**PYTHON, "shop/price.py": "y = 2\nz = 3\nx = 1;\nx = 1;\n"}, tmp_path / "b")
    assert [one.line for one in twice.findings] == [1, 2] and [one.line for one in moved.findings] == [3, 4]
    assert [one.fingerprint for one in twice.findings] == [one.fingerprint for one in moved.findings]
    assert len({one.fingerprint for one in twice.findings}) == 2


def test_more_findings_than_are_listed_are_counted(tmp_path: Path) -> None:
    check = run("flake8", {**PYTHON, "shop/price.py": "x = 1;\n" * 2002}, tmp_path)
    assert len(check.findings) == 2000 and check.notes[-1] == "2 more findings are not listed"
    assert check.reason.startswith("2002 findings, ")


def test_the_page_of_findings_is_a_table_that_outside_text_cannot_break(tmp_path: Path) -> None:
    page = findings_page(run("mypy", {**PYTHON, "a|b.py": "x: int = '|'\n"}, tmp_path))
    assert (
        page.count("\n| ") == 2
        and "a\\|b\\.py\\:1" in page
        and "# mypy\\: 1 finding" in page.replace("# mypy:", "# mypy\\:")
    )
