import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from prefect.logging import disable_run_logger

from gates.check import Check, Outcome
from host.errors import ToolError
from host.home import CHECKOUT
from host.sandbox.run import check_owner
from host.virtual_environments import COMPLETE, share_read_only
from settings.pipeline import Tool
from tasks.source.node_packages import node_packages
from tasks.source.workspace import Workspace
from tests.tasks.checks.quality_commits import checked, found, workspace_of

PASSED, FAILED, BLIND = Outcome.PASSED, Outcome.FAILED, Outcome.NO_VERDICT
EXAMPLE = CHECKOUT / "examples" / "assistant" / "frontend"
SETTINGS = ("package.json", "package-lock.json", ".npmrc", "eslint.config.js", "tsconfig.json", "vite.config.ts")
PAGE: Mapping[str, str] = {
    **{f"frontend/{name}": (EXAMPLE / name).read_text() for name in SETTINGS},
    "frontend/src/sum.ts": "export function sum(a: number, b: number): number {\n  return a + b;\n}\n",
    "frontend/src/sum.test.ts": (
        'import { expect, test } from "vitest";\nimport { sum } from "./sum";\n\n'
        'test("adds", () => {\n  expect(sum(1, 2)).toBe(3);\n});\n'
    ),
}
TEST = PAGE["frontend/src/sum.test.ts"]
LATE = "setTimeout(() => { throw new Error('late'); });\n"
KILLED = "process.kill(process.pid, 'SIGKILL');\n"
COMMANDS = {"eslint": ("eslint", "--max-warnings", "0", "."), "tsc": ("tsc", "--noEmit"), "vitest": ("vitest", "run")}


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home for all, so that the packages are installed once."""
    root = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPWAY_HOME", str(root))
        yield root


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """The app's Python environment, which tools of the frontend need only to be started."""
    (tmp_path / "environment" / "bin").mkdir(parents=True)
    (tmp_path / "environment" / "bin" / "python").symlink_to(os.path.realpath("/proc/self/exe"))
    share_read_only(tmp_path / "environment")
    return tmp_path / "environment"


def run(name: str, files: Mapping[str, str], tmp_path: Path, environment: Path, *command: str) -> Check:
    tool = Tool(command=command or COMMANDS[name], runtime="node", directory="frontend", timeout_seconds=120)
    return checked(name, tool, workspace_of(tmp_path / name, files, environment))


@pytest.mark.parametrize(
    ("name", "examined"),
    [("eslint", "4 files, "), ("tsc", "3 files, "), ("vitest", "1 tests in 1 file, 6 lines")],
)
def test_a_clean_page_passes(name: str, examined: str, tmp_path: Path, environment: Path) -> None:
    check = run(name, PAGE, tmp_path, environment)
    assert check.outcome is PASSED, check
    assert check.examined.startswith(examined) and not check.findings and not check.notes
    assert (
        check.tool.startswith(f"{name} ")
        and check.tool.endswith(" (the app's)")
        and check.tool[len(name) + 1].isdigit()
    )


@pytest.mark.parametrize(
    ("name", "changes", "findings"),
    [
        (
            "eslint",
            {"src/sum.ts": "export const sum = (a: any) => a;\n"},
            ("src/sum.ts", 1, "@typescript-eslint/no-explicit-any"),
        ),
        ("eslint", {"src/a b.ts": "let a = 1;\nexport const b = a;\n"}, ("src/a b.ts", 1, "prefer-const")),
        ("tsc", {"src/a b.ts": 'export const a: number = "x";\n'}, ("src/a b.ts", 1, "TS2322")),
        ("tsc", {"src/sum.ts": "export const sum = (a: number) => a;\n"}, ("src/sum.test.ts", 5, "TS2554")),
        ("vitest", {"src/sum.test.ts": TEST.replace("toBe(3)", "toBe(4)")}, ("src/sum.test.ts", 5, "test")),
        ("vitest", {"src/sum.test.ts": TEST.replace("./sum", "./gone")}, ("src/sum.test.ts", 0, "test file")),
        ("vitest", {"src/sum.test.ts": TEST + "process.exit(0);\n"}, ("src/sum.test.ts", 0, "test file")),
    ],
)
def test_a_commit_made_for_it_fails_for_exactly_that(
    name: str, changes: Mapping[str, str], findings: tuple[str, int, str], tmp_path: Path, environment: Path
) -> None:
    changed = {f"frontend/{file}": text for file, text in changes.items()}
    check = run(name, {**PAGE, **changed}, tmp_path, environment)
    assert check.outcome is FAILED, check
    file, line, rule = findings
    assert found(check) == [(f"frontend/{file}", line, rule)]
    assert check.reason.startswith("1 finding, the first: ")


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("eslint", {"src/sum.ts": "const = ;\n"}, "could not look at everything: frontend/src/sum.ts:1: Parsing error"),
        ("eslint", {"eslint.config.js": "throw new Error('boom');\n"}, "left no report"),
        ("eslint", {"eslint.config.js": 'export default [{ ignores: ["**"] }];\n'}, "left no report"),
        ("tsc", {"tsconfig.json": '{"include": ["nowhere"]}'}, "TS18003: No inputs were found"),
        (
            "tsc",
            {"tsconfig.json": '{"compilerOptions": {"noSuch": 1}, "include": ["src"]}'},
            "frontend/tsconfig.json:1: TS5023: Unknown compiler option",
        ),
        ("vitest", {"src/sum.test.ts": TEST.replace("test(", "test.skip(")}, "ran no test"),
        ("vitest", {"vite.config.ts": "throw new Error('boom');\n"}, "left no report"),
        ("vitest", {"src/sum.test.ts": TEST + LATE}, "exit code 1 although its report is clean: Error: late"),
        ("vitest", {"src/sum.test.ts": TEST + KILLED}, "ran no test"),
    ],
)
def test_a_tool_that_could_not_look_is_no_verdict(
    name: str, changes: Mapping[str, str], said: str, tmp_path: Path, environment: Path
) -> None:
    changed = {f"frontend/{file}": text for file, text in changes.items()}
    check = run(name, {**PAGE, **changed}, tmp_path, environment)
    assert check.outcome is BLIND and said in check.reason, check


def test_vitest_without_tests_is_no_verdict(tmp_path: Path, environment: Path) -> None:
    files = {name: text for name, text in PAGE.items() if not name.endswith(".test.ts")}
    assert run("vitest", files, tmp_path / "a", environment).outcome is BLIND
    passing = run("vitest", files, tmp_path / "b", environment, "vitest", "run", "--passWithNoTests")
    assert passing.outcome is BLIND and "ran no test" in passing.reason


def test_a_syntax_error_hides_types_and_tsc_says_so(tmp_path: Path, environment: Path) -> None:
    files = {**PAGE, "frontend/src/b.ts": 'const = 1;\nexport const a: number = "x";\n'}
    check = run("tsc", files, tmp_path, environment)
    assert check.outcome is FAILED and "there may be more" in " ".join(check.notes)


def test_the_commit_cannot_stand_in_for_the_tool(tmp_path: Path, environment: Path) -> None:
    """A node_modules that somebody committed is not what the lock names."""
    fake = "#!/bin/sh\necho '[]' > report\n"
    files = {**PAGE, "frontend/node_modules/.bin/eslint": fake, "frontend/src/b.ts": "var b = 1;\nexport { b };\n"}
    assert run("eslint", files, tmp_path, environment).outcome is FAILED


def test_a_tool_that_the_lock_does_not_name_is_no_verdict(tmp_path: Path, environment: Path) -> None:
    check = run("lint", PAGE, tmp_path, environment, "npx", "eslint", ".")
    assert check.outcome is BLIND and "npx is not among the frontend's packages" in check.reason


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frontend/package-lock.json": None}, "the commit has no file package-lock.json in frontend"),
        ({"frontend/package.json": None}, "the commit has no file package.json in frontend"),
        ({"frontend/package.json": '{"dependencies": {"react": "1.0.0"}}'}, "npm ci ended with"),
        ({"frontend/package-lock.json": "garbage"}, "frontend/package-lock.json: Invalid JSON: "),
        ({"frontend/package.json": "{}", "frontend/package-lock.json": '{"lockfileVersion": 3}'}, "installed nothing"),
    ],
)
def test_packages_that_cannot_be_installed_are_no_verdict(
    changes: Mapping[str, str | None], said: str, tmp_path: Path, environment: Path
) -> None:
    files = {name: text for name, text in {**PAGE, **changes}.items() if text is not None}
    check = run("eslint", files, tmp_path, environment)
    assert check.outcome is BLIND and said in check.reason, check


def laid_out(tmp_path: Path, environment: Path, files: Mapping[str, str]) -> tuple[Workspace, Path]:
    workspace = workspace_of(tmp_path, files, environment)
    return workspace, workspace.check_directory("one")


def test_packages_are_installed_once_for_a_lock_and_cannot_be_written(tmp_path: Path, environment: Path) -> None:
    with disable_run_logger():
        packages = node_packages(*laid_out(tmp_path / "a", environment, PAGE), "frontend")
        made = (packages.parent / COMPLETE).stat().st_mtime_ns
        again = node_packages(*laid_out(tmp_path / "b", environment, {**PAGE, "frontend/x.ts": "x\n"}), "frontend")
        assert again == packages and (packages.parent / COMPLETE).stat().st_mtime_ns == made
        owner = check_owner()
        for file in (packages, packages / "react", packages / "react" / "package.json"):
            assert os.geteuid() != 0 or file.stat().st_uid != owner
        assert not (packages / "react" / "package.json").stat().st_mode & 0o222
        with pytest.raises(ToolError, match="npm ci ended with"):
            other = {**PAGE, "frontend/package.json": '{"dependencies": {"react": "1.0.0"}}'}
            node_packages(*laid_out(tmp_path / "c", environment, other), "frontend")


def test_a_tool_may_write_its_cache_and_no_other_tool_sees_it(tmp_path: Path, environment: Path) -> None:
    writes = TEST + (
        'import { existsSync, mkdirSync, writeFileSync } from "node:fs";\n'
        'test("writes", () => {\n'
        '  expect(existsSync("node_modules/.cache")).toBe(false);\n'
        '  mkdirSync("node_modules/.cache");\n'
        '  expect(() => writeFileSync("node_modules/react/package.json", "x")).toThrow();\n});\n'
    )
    for turn in ("first", "second"):
        check = run("vitest", {**PAGE, "frontend/src/sum.test.ts": writes}, tmp_path / turn, environment)
        assert check.outcome is PASSED, check
