import re

import pytest

from tasks.scans.packages.pins import Pin, read_pins

HASHED = f"""\
# made by a compiler
flask==3.0.0 \\
    --hash=sha256:{'a' * 64} \\
    --hash=sha256:{'b' * 64}
    # via -r requirements.in
Jinja2[i18n]==3.1.6 ; python_version >= '3.8' --hash=sha256:{'c' * 64}  # a comment
typing_extensions == 4.16.0
"""


def test_pins_are_read_without_hashes_comments_and_extras() -> None:
    pins = read_pins(HASHED, "3.11")
    assert pins.audited == (Pin("flask", "3.0.0"), Pin("jinja2", "3.1.6"), Pin("typing-extensions", "4.16.0"))
    assert (pins.problems, pins.elsewhere, pins.private) == ((), (), ())


@pytest.mark.parametrize(
    ("marker", "installed"),
    [
        ("sys_platform == 'win32'", False),
        ("sys_platform == 'linux'", True),
        ("python_version < '3.11'", False),
        ("python_version >= '3.11'", True),
        ("python_full_version < '3.11.4'", True),  # some patch release does
        ("python_full_version >= '3.11.4'", True),
        ("python_full_version < '3.11.0'", False),
        ("platform_python_implementation != 'PyPy'", True),
        ("extra == 'docs'", False),
    ],
)
def test_a_marker_decides_for_the_apps_python_on_linux(marker: str, installed: bool) -> None:
    pins = read_pins(f"x==1 ; {marker}\ny==1\n", "3.11")
    assert (Pin("x", "1") in pins.audited) is installed
    assert len(pins.elsewhere) == (not installed)


def test_forks_by_marker_are_one_pin_and_forks_without_are_a_problem() -> None:
    fork = "x==1 ; python_version < '3.11'\nx==2 ; python_version >= '3.11'\n"
    assert read_pins(fork, "3.11").audited == (Pin("x", "2"),)
    assert read_pins("x==1\nx==1.0\n", "3.11").problems == ("line 2: x is pinned twice: 1, 1.0",)
    assert read_pins("x==1\nX==1\n", "3.11").problems == ()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("--index-url https://example.com/simple", "an option, not a package"),
        ("-r other.txt", "an option, not a package"),
        ("-e .", "an option, not a package"),
        ("https://example.com/x-1.0-py3-none-any.whl", "a URL or path, not a package"),
        ("./vendored/x", "a URL or path, not a package"),
        ("x @ https://example.com/x-1.0-py3-none-any.whl", "a URL has no version to look up"),
        ("x @ file:///srv/x.whl ; python_version < '3'", "a URL has no version to look up"),
        ("x", "not pinned to one version"),
        ("x>=1", "not pinned to one version"),
        ("x==1.*", "not pinned to one version"),
        ("x==1,<2", "not pinned to one version"),
        ("x==today", "not a version"),
        ("x===1", "not pinned to one version"),
        ("{{ x }}", "not a requirement"),
        ("x==1 ; nonsense > 3", "a marker that is not accepted"),
    ],
)
def test_a_line_that_pins_nothing_is_a_problem_and_named(line: str, problem: str) -> None:
    (said,) = read_pins(f"flask==3.0.0\n{line}\n", "3.11").problems
    shown = re.sub(r"(//[^/]*)/.*", r"\1...", line)  # an address may hold a password
    assert said.partition("; ")[0].startswith(f"line 2: {problem}: {shown.partition('; ')[0]}")


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n"])
def test_an_empty_lock_is_a_problem(text: str) -> None:
    assert read_pins(text, "3.11").problems == ("it pins nothing; make a lock of it: slipway lock",)


def test_private_names_are_kept_apart() -> None:
    pins = read_pins("acme-billing==1\nflask==3\nAcme_Users==2\n", "3.11", ("acme-*",))
    assert pins.audited == (Pin("flask", "3"),)
    assert pins.private == (Pin("acme-billing", "1"), Pin("acme-users", "2"))


def test_a_lock_of_private_packages_only_is_read() -> None:
    assert read_pins("acme==1\n", "3.11", ("acme",)).problems == ()


@pytest.mark.parametrize("text", ["flask==3.0.0 \\", "flask==3.0.0 \\\n", "flask==3.0.0 \\\n\n"])
def test_a_line_continued_into_nothing_still_counts(text: str) -> None:
    assert read_pins(text, "3.11").audited == (Pin("flask", "3.0.0"),)
