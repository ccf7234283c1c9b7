import pytest

from gates.checks.reports import Found, ToolRun, diff_starts, last_line, last_words, one_line


@pytest.mark.parametrize(
    ("printed", "directory", "local"),
    [
        ("a.py", ".", "a.py"),
        ("./a b/größe.py", ".", "a b/größe.py"),
        ("src/App.tsx", "frontend", "frontend/src/App.tsx"),
        ("/source/frontend/src/App.tsx", "frontend", "frontend/src/App.tsx"),
        ("file:///source/a.py", ".", "a.py"),
        ("../a.py", "frontend", "a.py"),
        ("../../secret/a.py", "frontend", "a.py"),  # outside: only its name
        ("/usr/lib/python3/typing.pyi", ".", "typing.pyi"),
        ("/sourcery/a.py", ".", "a.py"),
    ],
)
def test_paths_are_told_as_they_are_in_the_source(printed: str, directory: str, local: str) -> None:
    assert ToolRun("x", 0, directory=directory).local(printed) == local


def test_text_is_made_harmless_and_short() -> None:
    assert one_line("a\x1b[31m\nb\tc\x00") == "a [31m b c"
    assert len(one_line("x" * 10_000)) == 300 and one_line("   ") == ""
    assert last_line("first\n\n  last  \n\n") == "last"
    assert last_line("") == "it printed nothing" and len(last_line("x" * 10_000)) == 200


@pytest.mark.parametrize(
    ("stdout", "stderr", "words"),
    [
        ("out", "", "out"),
        ("out", "one\ntwo\n", "two"),
        ("Error: out", " \n", "Error: out"),
        ("", "Error: boom\n    at x (y.js:1)\n\nNode.js v20\n", "Error: boom"),
        ("", "tool: error: no such option: -x\nsee --help\n", "tool: error: no such option: -x"),
        ("", "terror: x\nlast", "last"),
        ("", "", "it printed nothing"),
    ],
)
def test_the_last_words_of_a_tool_are_its_error(stdout: str, stderr: str, words: str) -> None:
    assert last_words(ToolRun("x", 1, stdout, stderr)) == words


DIFF = """\
--- a.py\t2026-01-01
+++ a.py\t2026-01-02
@@ -3,5 +3,5 @@
 one
 two
-three
+drei
--- not a header
+++ not one either, unless both
@@ -20,2 +20,2 @@
-x
+y
--- /source/b.py:before\t2026
+++ /source/b.py:after\t2026
@@ -0,0 +1 @@
+first
"""


def test_the_first_change_of_each_file_is_found_in_a_diff() -> None:
    starts = diff_starts(DIFF, ToolRun("x", 0), ":before")
    assert starts["a.py"] == 5 and starts["b.py"] == 1
    assert diff_starts("", ToolRun("x", 0)) == {} == diff_starts("@@ garbage\n--- a\n", ToolRun("x", 0))
    assert Found("a.py", 5, "r", "m").line == 5
