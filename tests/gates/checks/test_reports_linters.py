"""ruff 0.16 and pylint 4.1 wrote what stands here; codespell's and vulture's lines are as their manuals have them."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from gates.check import Outcome
from gates.checks.quality import judge_tool
from gates.checks.reports import Reads, ToolRun
from gates.findings import Severity

PASSED, FAILED, BLIND = Outcome.PASSED, Outcome.FAILED, Outcome.NO_VERDICT
TRACKED = {"src/a.py": 10, "src/b.py": 20}
LOG = "[2026-11-30][04:53:29][ruff::diagnostics][DEBUG] "
ERROR_LOG, WARN_LOG = LOG.replace("DEBUG", "ERROR"), LOG.replace("DEBUG", "WARN")
LOOKED = "".join(f"{LOG}Checking: /source/{file}\n" for file in TRACKED)
NO_FILES = "warning: No Python files found under the given path(s)\n"
UNUSED = {
    "cell": None,
    "code": "F401",
    "end_location": {"column": 10, "row": 1},
    "filename": "/source/src/a.py",
    "fix": {"applicability": "safe", "edits": [], "message": "Remove unused import: `os`"},
    "location": {"column": 8, "row": 1},
    "message": "`os` imported but unused",
    "name": "unused-import",
    "noqa_row": 1,
    "severity": "error",
    "url": "https://docs.astral.sh/ruff/rules/unused-import",
}
BROKEN = {**UNUSED, "code": "invalid-syntax", "message": "unexpected EOF while parsing"}


def run(code: int, out: Any = "", err: str = "", report: Any = None) -> ToolRun:
    texts = [text if text is None or isinstance(text, str) else json.dumps(text) for text in (out, report)]
    return ToolRun("lint", code, texts[0] or "", err, texts[1], tracked=TRACKED)


def without(whole: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in whole.items() if key not in keys}


@pytest.mark.parametrize(
    ("given", "outcome", "said"),
    [
        (run(0, [], LOOKED), PASSED, "clean"),
        (run(1, [UNUSED], LOOKED), FAILED, "1 finding, the first: src/a.py:1 F401 `os` imported but unused"),
        (run(0, [UNUSED], LOOKED), FAILED, "1 finding"),  # --exit-zero
        (run(1, [without(UNUSED, "severity", "name")], LOOKED), FAILED, "1 finding"),  # older ones
        (run(1, [{**UNUSED, "severity": "warning"}], LOOKED), FAILED, "1 finding"),
        (run(1, [UNUSED, BROKEN], LOOKED), BLIND, "could not look at everything: src/a.py:1: unexpected EOF"),
        (run(1, [{**BROKEN, "code": None}], LOOKED), BLIND, "could not look at everything"),
        (run(1, [{**BROKEN, "code": "E999"}], LOOKED), BLIND, "could not look at everything"),
        (run(1, [{**BROKEN, "code": "E902", "message": "No such file or directory"}], ""), BLIND, "No such file"),
        (run(1, [{**UNUSED, "severity": "fatal"}], LOOKED), BLIND, "could not look at everything"),
        (
            run(0, [], f"{LOOKED}error: Panicked while linting src/a.py: This is a bug\n"),
            BLIND,
            "Panicked while linting",
        ),
        (
            run(0, [], f"{LOOKED}warning: Failed to lint /source/src/a.py: gone\n"),
            BLIND,
            "Failed to lint src/a.py: gone",
        ),
        (run(0, [], f"{LOOKED}{ERROR_LOG}Failed to lint src/a.py: no UTF-8\n"), BLIND, "Failed to lint src/a.py"),
        (run(0, [], f"{LOOKED}{WARN_LOG}Encountered error: denied\n"), BLIND, "Encountered error: denied"),
        (
            run(0, [], f"{LOOKED}{WARN_LOG}Invalid `# noqa` directive on src/a.py:1: expected a comma\n"),
            PASSED,
            "clean",
        ),
        (run(0, [], f"{LOOKED}warning: `D203` and `D211` are incompatible. Ignoring `D203`.\n"), PASSED, "clean"),
        (run(0, [], f"{LOOKED}{LOG}Failed to find a cache: error: none\n"), PASSED, "clean"),
        (run(0, [], NO_FILES), BLIND, "looked at no file"),
        (run(0, [], ""), BLIND, "looked at no file"),
        (run(1, [], LOOKED), BLIND, "exit code 1 although its report is clean"),
        (run(2, "", "ruff failed\n  Cause: Unknown rule selector `NOPE`\n"), BLIND, "Cause: Unknown rule selector"),
        (run(2, [UNUSED], LOOKED), BLIND, "exit code 2"),
        (run(0, "All checks passed!\n", LOOKED), BLIND, "ruff printed no report of its own"),
        (
            run(1, [{"code": "F401", "name": "unused-import", "count": 1}], LOOKED),
            BLIND,
            "0.count: a key that Slipway does not know",
        ),
        (run(1, [{**UNUSED, "severity": "deadly"}], LOOKED), BLIND, "0.severity: Input should be"),
        (run(1, [{**UNUSED, "suppressed": True}], LOOKED), BLIND, "0.suppressed: a key that Slipway does not know"),
        (run(1, [{**UNUSED, "location": {"row": -1}}], LOOKED), BLIND, "0.location.row: Input should be greater"),
        (run(1, json.dumps([UNUSED])[:-5], LOOKED), BLIND, "Invalid JSON"),
        (run(-9, [], LOOKED), BLIND, "killed by signal 9"),
    ],
)
def test_ruff_is_judged(given: ToolRun, outcome: Outcome, said: str) -> None:
    check = judge_tool(Reads.RUFF, given).check
    assert check.outcome is outcome and said in check.reason, check.reason


def test_ruff_says_which_files_it_looked_at() -> None:
    check = judge_tool(Reads.RUFF, run(0, [], f"{LOG}Checking: /source/src/b.py\n{LOG}Checked 1 files in: 1ms\n")).check
    assert (check.outcome, check.examined) == (PASSED, "1 file, 20 lines")
    assert check.notes == ("did not look at 1 of the 2 files that the commit tracks for it: src/a.py",)


DIFF = "--- src/a.py\n+++ src/a.py\n@@ -3,3 +3,4 @@\n import os\n+\n x = 1\n y = 2\n\n"
WOULD = "1 file would be reformatted, 1 file already formatted\n"


@pytest.mark.parametrize(
    ("given", "outcome", "said"),
    [
        (run(0, "", "2 files already formatted\n"), PASSED, "clean"),
        (run(0, "", "2 files left unchanged\n"), PASSED, "clean"),
        (run(1, DIFF, WOULD), FAILED, "1 finding, the first: src/a.py:4 reformat ruff would reformat this file"),
        (run(1, DIFF, f"{LOG}Formatted 2 files in 3ms\n{WOULD}"), FAILED, "1 finding"),
        (run(1, DIFF, "1 file would be reformatted\n"), FAILED, "1 finding"),
        (run(2, DIFF, f"error: Failed to parse src/b.py:1:7: Expected a parameter\n{WOULD}"), BLIND, "Failed to parse"),
        (run(0, "", "error: Failed to read /source/src/b.py: denied\n2 files already formatted\n"), BLIND, "src/b.py"),
        (
            run(0, "", "warning: Failed to format src/a.py: x\n2 files already formatted\n"),
            BLIND,
            "Failed to format src/a",
        ),
        (
            run(0, "", f"{ERROR_LOG}Failed to format src/a.py\n2 files already formatted\n"),
            BLIND,
            "Failed to format src",
        ),
        (run(0, "", "warning: The isort option is incompatible\n2 files already formatted\n"), PASSED, "clean"),
        (run(1, "", WOULD), BLIND, "ruff's summary and the files that it would change do not agree"),
        (run(0, DIFF, "2 files already formatted\n"), BLIND, "do not agree"),
        (run(1, "", "2 files already formatted\n"), BLIND, "exit code 1 although its report is clean"),
        (run(0, "", NO_FILES), BLIND, "looked at no file"),
        (run(0, "", "0 files already formatted\n"), BLIND, "looked at no file"),
        (run(0, "", ""), BLIND, "ruff has no summary"),
        (run(2, "", "ruff failed\n  Cause: Failed to parse ruff.toml\n"), BLIND, "ruff has no summary: Cause: Failed"),
        (run(0, "", "2 files already formatted by somebody else\n"), BLIND, "ruff has no summary"),
    ],
)
def test_ruff_format_is_judged(given: ToolRun, outcome: Outcome, said: str) -> None:
    check = judge_tool(Reads.RUFF_FORMAT, given).check
    assert check.outcome is outcome and said in check.reason, check.reason


def test_the_cells_of_a_notebook_are_one_file() -> None:
    cells = "".join(f"--- n.ipynb:cell {n}\n+++ n.ipynb:cell {n}\n@@ -{n} +{n} @@\n-x  = 1\n+x = 1\n\n" for n in (1, 5))
    [one] = judge_tool(Reads.RUFF_FORMAT, run(1, cells, WOULD)).found
    assert (one.file, one.line) == ("n.ipynb", 1)


CHECKED = (
    "\n---\nYour code has been rated at 9.00/10\nChecked 2 files/modules (src/a.py, src/b.py), skipped 2 files\n\n"
)


def lint(kind: str = "warning", **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "symbol": "unused-import",
        "message": "Unused import os",
        "messageId": "W0611",
        "confidence": "UNDEFINED",
        "module": "a",
        "obj": "",
        "line": 1,
        "column": 0,
        "endLine": None,
        "endColumn": None,
        "path": "src/a.py",
        "absolutePath": "/source/src/a.py",
        **more,
    }


def pylint(*messages: dict[str, Any], modules: int = 4, **more: Any) -> dict[str, Any]:
    kinds = ("fatal", "error", "warning", "refactor", "convention", "info")
    counts = {kind: sum(one["type"] == kind for one in messages) for kind in kinds}
    figures = {"messageTypeCount": {**counts, **more}, "modulesLinted": modules, "score": 9.0}
    return {"messages": list(messages), "statistics": figures}


@pytest.mark.parametrize(
    ("given", "outcome", "said"),
    [
        (run(0, CHECKED, report=pylint()), PASSED, "clean"),
        (run(4, CHECKED, report=pylint(lint())), FAILED, "1 finding, the first: src/a.py:1 W0611 Unused import os"),
        (run(16, CHECKED, report=pylint(lint("convention"))), FAILED, "1 finding"),
        (run(8, CHECKED, report=pylint(lint("refactor"))), FAILED, "1 finding"),
        (run(30, CHECKED, report=pylint(lint(), lint("error"))), FAILED, "2 findings"),
        (run(0, CHECKED, report=pylint(lint())), PASSED, "clean, but for 1 warning"),  # fail-under
        (run(0, CHECKED, report=pylint(lint("error"))), FAILED, "1 finding"),  # --exit-zero
        (run(0, CHECKED, report=pylint(lint("info"))), PASSED, "clean, but for 1 warning"),
        (run(4, CHECKED, report=pylint(lint("info"))), BLIND, "exit code 4 although its report is clean"),
        (run(0, "Linting 2 modules.\n", report=pylint()), PASSED, "clean"),  # --errors-only does not rate
        (run(0, "", report=pylint()), PASSED, "clean"),
        (
            run(1, CHECKED, report=pylint(lint("fatal", symbol="fatal"))),
            BLIND,
            "could not look at everything: src/a.py",
        ),
        (run(2, CHECKED, report=pylint(lint("error", symbol="syntax-error"))), BLIND, "could not look at everything"),
        (run(0, "Linting 0 modules.\n", report=pylint(modules=3)), BLIND, "looked at no file"),
        (run(0, "", report=pylint(modules=2)), BLIND, "looked at no file"),
        (run(32, "", "pylint: error: Unrecognized option found: nope\n", ""), BLIND, "Unrecognized option found: nope"),
        (run(1, "", "pylint.lint.base_options: no reporter json2\n"), BLIND, "Slipway needs pylint 3 or newer"),
        (run(32, CHECKED, report=pylint(lint())), BLIND, "exit code 32"),
        (run(4, CHECKED, report=pylint()), BLIND, "exit code 4 although its report is clean"),
        (run(0, CHECKED, report=pylint(error=3)), BLIND, "counts 3 messages of kind error and holds 0"),
        (run(4, CHECKED, report=[lint()]), BLIND, "pylint's report is not its JSON"),
        (run(4, CHECKED, report=pylint(lint("hunch"))), BLIND, "messages.0.type: Input should be"),
        (run(4, CHECKED, report={**pylint(), "verdict": 1}), BLIND, "verdict: a key that Slipway does not know"),
    ],
)
def test_pylint_is_judged(given: ToolRun, outcome: Outcome, said: str) -> None:
    check = judge_tool(Reads.PYLINT, given).check
    assert check.outcome is outcome and said in check.reason, check.reason


def test_a_line_of_the_commit_in_what_pylint_prints_is_not_its_own_count() -> None:
    copied = "src/a.py:1:0: R0801: Similar lines\nYour code has been rated at 10\nChecked 2 files, skipped 0 files\n"
    own = "Your code has been rated at 9.00/10 (previous run: 9.00/10, +0.00)\nChecked 0 files, skipped 0 files\n"
    assert judge_tool(Reads.PYLINT, run(0, copied + own, report=pylint())).check.reason == "looked at no file"


def test_pylints_severities() -> None:
    kinds = ("error", "warning", "refactor", "convention")
    judged = judge_tool(Reads.PYLINT, run(30, CHECKED, report=pylint(*map(lint, kinds))))
    high, medium, low = Severity.HIGH, Severity.MEDIUM, Severity.LOW
    assert [one.severity for one in judged.found] == [high, medium, low, low]


DECODE = 'WARNING: Cannot decode file using encoding "utf-8": src/a.py\n'
SPELLING = "/source/src/a.py:3: teh ==> the\n"


@pytest.mark.parametrize(
    ("given", "outcome", "said"),
    [
        (run(0, "", "0\n"), PASSED, "clean"),
        (run(65, SPELLING, "1\n"), FAILED, "1 finding, the first: src/a.py:3 spelling teh ==> the"),
        (run(1, SPELLING, "1\n"), FAILED, "1 finding"),
        (
            run(65, "a.txt:1: fo ==> of, for, do | reason\n", "1"),
            FAILED,
            "a.txt:1 spelling fo ==> of, for, do | reason",
        ),
        (run(65, "src/teh.py: teh ==> the\n", "WARNING: Binary file: x\n1\n"), FAILED, "src/teh.py spelling"),
        (run(65, "\x1b[33msrc/a.py\x1b[0m:\x1b[33m3\x1b[0m: teh ==> the\n", "1\n"), FAILED, "src/a.py:3 spelling"),
        (run(0, SPELLING, "1\n"), FAILED, "1 finding"),
        (run(65, SPELLING, "2\n"), BLIND, "codespell counts 2 misspellings, and 1 can be read"),
        (run(65, "", "1\n"), BLIND, "codespell counts 1 misspellings, and 0 can be read"),
        (run(65, "", "0\n"), BLIND, "exit code 65 although its report is clean"),
        (run(0, "", ""), BLIND, "codespell has no count"),
        (
            run(0, "", "WARNING: Cannot open file: /source/src/a.py\n0\n"),
            BLIND,
            "everything: Cannot open file: src/a.py",
        ),
        (run(0, "", f"{DECODE}0\n"), BLIND, 'could not look at everything: Cannot decode file using encoding "utf-8"'),
        (run(0, "", f'{DECODE}WARNING: Trying next encoding "iso-8859-1"\n0\n'), PASSED, "clean"),
        (run(0, "", "ERROR: Could not detect encoding: src/a.py\n0\n"), BLIND, "Could not detect encoding: src/a.py"),
        (run(65, SPELLING, "WARNING: Cannot open file: src/b.py\n1\n"), BLIND, "Cannot open file: src/b.py"),
        (run(0, "", "WARNING: Binary file: src/x.png\n0\n"), PASSED, "clean"),
        (run(0, "", "FIXED: src/a.py\n0\n"), BLIND, "take out `write-changes`"),
        (run(64, "", "usage: codespell\ncodespell: error: bad option\n"), BLIND, "codespell has no count"),
        (run(78, "", "0\n"), BLIND, "exit code 78"),
    ],
)
def test_codespell_is_judged(given: ToolRun, outcome: Outcome, said: str) -> None:
    check = judge_tool(Reads.CODESPELL, given).check
    assert check.outcome is outcome and said in check.reason, check.reason


SCANNED = "Scanning: src/a.py\nScanning: /source/src/b.py\ndefine function x\n"
DEAD = "src/a.py:1: unused import 'os' (90% confidence)\n"


@pytest.mark.parametrize(
    ("given", "outcome", "said"),
    [
        (run(0, SCANNED), PASSED, "clean"),
        (run(3, SCANNED + DEAD), FAILED, "1 finding, the first: src/a.py:1 dead code unused import 'os' (90%"),
        (run(1, SCANNED + DEAD), FAILED, "1 finding"),  # before 2.0
        (run(3, SCANNED + DEAD.replace(")", ", 3 lines)")), FAILED, "1 finding"),
        (run(0, SCANNED, "src/a.py:1: SyntaxWarning: invalid escape sequence '\\d'\n  x = '\\d'\n"), PASSED, "clean"),
        (run(1, SCANNED + DEAD, 'src/b.py:1: invalid syntax at "def f(:"\n'), BLIND, "src/b.py:1: invalid syntax"),
        (run(1, SCANNED, "Error: Could not read file src/b.py - no UTF-8\n"), BLIND, "Could not read file"),
        (run(1, SCANNED, 'src/b.py: invalid source code "null bytes"\n'), BLIND, "invalid source code"),
        (run(1, "", "Error: gone.py could not be found.\n"), BLIND, "gone.py could not be found"),
        (run(0, ""), BLIND, "looked at no file"),
        (run(0, "Excluded: src/a.py\n"), BLIND, "looked at no file"),
        (run(2, "", "usage: vulture [options] [PATH ...]\nvulture: error: no\n"), BLIND, "exit code 2"),
        (run(3, SCANNED + "_.x  # unused attribute (src/a.py:3)\n"), BLIND, "take out `make_whitelist`"),
        (run(0, SCANNED + "# unreachable code after 'return' (src/a.py:3)\n"), BLIND, "take out `make_whitelist`"),
        (
            run(0, SCANNED + "x  # unused function (src/a.py:3)\n"),
            BLIND,
            "vulture writes a whitelist instead of what it",
        ),
        (run(0, SCANNED + "x  # unused function\n"), PASSED, "clean"),
    ],
)
def test_vulture_is_judged(given: ToolRun, outcome: Outcome, said: str) -> None:
    check = judge_tool(Reads.VULTURE, given).check
    assert check.outcome is outcome and said in check.reason, check.reason
