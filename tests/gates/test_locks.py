"""What a lock may say, and how it is written anew."""

import random

import pytest

from gates.locks import read_lock

A, B = "a" * 64, "b" * 64
HASH = f"--hash=sha256:{A}"


def test_a_lock_is_written_anew_from_what_was_understood() -> None:
    text = f"""\
# made by a compiler
Flask_Login == 1.0 \\
    --hash=sha256:{B} \\
    --hash=sha256:{A}
    # via -r requirements.in
Jinja2[i18n, Async]==3.1.6;python_version>='3.8' {HASH}  # --index-url of a comment
torch==2.1.0+cpu ; sys_platform in "linux darwin" and (os_name != 'nt') --hash sha256:{A}
"""
    lock = read_lock(text)
    assert lock.problems == ()
    assert lock.text() == (
        f"flask-login==1.0 --hash=sha256:{A} --hash=sha256:{B}\n"
        f'jinja2[async,i18n]==3.1.6 ; python_version >= "3.8" {HASH}\n'
        f'torch==2.1.0+cpu ; sys_platform in "linux darwin" and os_name != "nt" {HASH}\n'
    )
    assert read_lock(lock.text()).text() == lock.text()


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "\r\n"])
def test_a_lock_may_name_nothing(text: str) -> None:
    assert (read_lock(text).packages, read_lock(text).problems) == ((), ())


def test_lines_of_windows_are_read() -> None:
    assert read_lock(f"x==1 \\\r\n    {HASH}\r\n").text() == f"x==1 {HASH}\n"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("x==1", "no --hash=sha256:"),
        ("x==1 --hash=md5:" + "a" * 32, "a hash that is not sha256:<64 digits>"),
        ("x==1 --hash=sha256:abc", "a hash that is not sha256:<64 digits>"),
        (f"x==1 --hash=sha512:{A}{A} {HASH}", "a hash that is not sha256:<64 digits>"),
        (f"--require-hashes {HASH}", "an option, not a package"),
        (f"x==1 --no-binary=x {HASH}", "an option, not a package"),
        (f"x==1 {HASH} --no-binary=x", "an option, not a package"),
        (f"x==1 ; sys_platform == 'a --pre' {HASH}", "an option, not a package"),
        (f"x==1 ; sys_platform == '--pre' {HASH}", "a marker that is not accepted"),
        (f"x==1 ; sys_platform == 'a,--pre' {HASH}", "a marker that is not accepted"),
        (f"x==1 ; sys_platform == 'a\" {HASH}", "a marker that is not accepted"),
        (f"x==1 ; unknown == 'a' {HASH}", "a marker that is not accepted"),
        (f"x==1 ; {HASH}", "a marker that is not accepted"),
        (f"x==${{SECRET}} {HASH}", "a variable, not a package"),
        (f"x==%SECRET% {HASH}", "a variable, not a package"),
        (f"x @ git+ssh://host/x {HASH}", "a URL has no version to look up"),
        (f"git+https://host/x#egg=x {HASH}", "a URL or path, not a package"),
        (f"C:\\x.whl {HASH}", "a URL or path, not a package"),
        (f". {HASH}", "a URL or path, not a package"),
        (f"x===1 {HASH}", "not pinned to one version"),
        (f"x~=1 {HASH}", "not pinned to one version"),
        (f"x==1 y==2 {HASH}", "not pinned to one version"),
        (f"x==one-two {HASH}", "not a version"),
        (f"x\0==1 {HASH}", "the character U+0000"),
        (f"\ufeffx==1 {HASH}", "the character U+FEFF"),
        (f"# {chr(0x85)} {HASH}", "the character U+0085"),
        (f"x=={'1' * 100_000} {HASH}", "more than 100000 characters"),
        (f"х==1 {HASH}", "not a requirement"),  # a Cyrillic letter
        (f"x=={'9' * 90_000} {HASH}", "not a version"),
        (f"x==1{'.1' * 200} {HASH}", "not a version"),
        (f"x==1 ; {'(' * 3000}os_name=='posix'{')' * 3000} {HASH}", "a marker that is not accepted"),
        (f"x==1 ; os_name ~= 'posix' {HASH}", "a marker that is not accepted"),
        (f"x==1 ; 'posix' === os_name {HASH}", "a marker that is not accepted"),
        (f"x==1 ; python_version ~= '3' {HASH}", "a marker that is not accepted"),
        (f"x==1 {HASH} x", "a hash that is not sha256:<64 digits>"),
        ("x==1 sha256:" + "a" * 64, "not pinned to one version"),
    ],
)
def test_everything_else_is_refused_with_its_line(line: str, problem: str) -> None:
    lock = read_lock(f"flask==3.0.0 \\\n {HASH}\n\n{line}\n")
    (said,) = lock.problems
    assert said.startswith(f"line 4: {problem}: ")
    assert lock.text() == f"flask==3.0.0 {HASH}\n"


INDEX = "this host's PIP_INDEX_URL and UV_DEFAULT_INDEX choose the index"


@pytest.mark.parametrize(
    ("line", "shown", "cure"),
    [
        ("-i https://index.example/simple", "-i https://index.example...", INDEX),
        ("--index-url=https://index.example/simple", "--index-url=https://index.example...", INDEX),
        ("--extra-index-url https://index.example:8443/x", "--extra-index-url https://index.example:8443...", INDEX),
        ("--no-index", "--no-index", INDEX),
        ("--trusted-host index.example", "--trusted-host index.example", INDEX),
        ("--find-links ./wheels", "--find-links ./wheels", "wheels come from the index"),
        ("-f ./wheels", "-f ./wheels", "wheels come from the index"),
        ("-r base.txt", "-r base.txt", "compile the other file into this one"),
        ("-rbase.txt", "-rbase.txt", "compile the other file into this one"),
        ("--requirement=base.txt", "--requirement=base.txt", "compile the other file into this one"),
        ("-c limits.txt", "-c limits.txt", "compile the other file into this one"),
        ("-e .", "-e .", "--no-emit-project"),
        ("--editable=git+https://x.example/y.git", "--editable=git+https://x.example...", "--no-emit-project"),
        ("--no-binary :all:", "--no-binary :all:", "only wheels are installed"),
        ("--only-binary=x", "--only-binary=x", "only wheels are installed"),
        (f"x==1 --config-settings=a=b {HASH}", "x==1 --config-settings=a=b", "only wheels are installed"),
        ("--pre", "--pre", "no text of the app configures an installer"),
        ("--proxy http://x.example", "--proxy http://x.example...", "no text of the app configures an installer"),
        ("x @ https://x.example/x.whl", "x @ https://x.example...", "put its wheel on an index"),
        ("git+ssh://git@x.example/y.git", "git+ssh://x.example...", "put its wheel on an index"),
        ("./vendor/x.whl", "./vendor/x.whl", "put its wheel on an index"),
        ("flask>=2", "flask>=2", "slipway lock"),
        ("flask", "flask", "slipway lock"),
        ("flask==2.0", "flask==2.0", "slipway lock"),
        ("flask==2.0 --hash=md5:abc", "flask==2.0 --hash=md5:abc", "slipway lock"),
        (f"x==1 ; unknown == 'a' {HASH}", "x==1 ; unknown == 'a'", "slipway lock --python"),
    ],
)
def test_a_refusal_says_what_stands_there_and_the_way_out(line: str, shown: str, cure: str) -> None:
    (said,) = read_lock(line).problems
    _, _, told = said.partition(f": {shown}; ")
    assert said.startswith("line 1: ") and cure in told


@pytest.mark.parametrize(
    "line",
    [
        "--extra-index-url https://user:pass-word@index.example/simple",
        "--extra-index-url=https://user:pass-word@index.example/simple",
        "-ihttps://user:pass-word@index.example/simple",
        "-i https://index.example/pass-word/simple",
        "-i https://pass-word@index.example/simple",
        "-i https://user:pass-word",
        "-i https://user:pass-word /simple@index.example",
        "-i https://pass-word x@index.example",
        "-i https:user:pass-word@index.example",
        "-i user:pass-word@index.example",
        "--proxy user:pass-word@proxy.example:3128",
        "-f //user:pass-word@index.example",
        f"x @ https://user:pass-word@x.example/x.whl {HASH}",
        f"x @ https://x.example/x.whl?token=pass-word {HASH}",
        "git+https://pass-word@x.example/y.git#egg=y",
        "git+https://oauth2:pass-word@x.example/y.git",
        "user:pass-word@https://x.example",
        "https://a:b@x.example --proxy user:pass-word@x.example",
        "--index-url \\\n https://user:pass-word@index.example",
        "flask # https://user:pass-word@index.example",
    ],
)
def test_no_password_of_an_address_is_told(line: str) -> None:
    (said,) = read_lock(line).problems
    assert said.startswith("line 1: ") and "pass-word" not in said


def test_after_a_thousand_refused_lines_the_rest_is_not_looked_at_and_that_is_told() -> None:
    problems = read_lock("--pre\n" * 999 + f"x==1 {HASH}\n").problems
    assert len(problems) == 999
    problems = read_lock("--pre\n" * 5000).problems
    assert len(problems) == 1001
    assert problems[-1] == "line 1000: 1000 lines are refused; the rest was not looked at"


def test_a_list_of_pins_needs_no_hashes() -> None:
    assert read_lock("x==1\n", hashed=False).text() == "x==1\n"


@pytest.mark.parametrize(
    ("second", "conflict"),
    [
        (f"x==2 {HASH}", "line 2: x is pinned twice: 1, 2"),
        (f"X==1 --hash=sha256:{B}", "line 2: x is pinned twice, with other hashes than in line 1"),
        (f"x==2 ; python_full_version >= '3.11.4' {HASH}", "line 2: x is pinned twice: 1, 2"),
        (f"x==2 ; python_version < '3.11' {HASH}", ""),
        (f"x==1.0 ; sys_platform == 'win32' {HASH}", ""),
        (f"x==1 {HASH}", ""),
    ],
)
def test_a_package_is_pinned_once_where_both_would_apply(second: str, conflict: str) -> None:
    assert read_lock(f"x==1 {HASH}\n{second}\n").conflicts("3.11") == ((conflict,) if conflict else ())


def test_whatever_a_lock_says_only_packages_are_written() -> None:
    chance = random.Random(13)
    for _ in range(2000):
        text = "".join(chance.choices(" \t\r\n\\#-=;:@/.$\"'[]x1\x0b\u2028", k=12))
        lock = read_lock(f"{text}x==1 {HASH}\n{text} {HASH}\nx==1{text} {HASH}\n")
        for line in lock.text().splitlines():
            assert line.startswith(("x", "1")) and " -" not in line.replace(f" {HASH}", "")
        assert read_lock(lock.text()).text() == lock.text()


def test_a_lock_of_a_megabyte_is_read_in_one_pass() -> None:
    """One that was searched from each of its hashes took 15 s."""
    line = "x==1" + f" {HASH}" * 1_200
    assert len(line) < 100_000
    seen = read_lock(f"{line} y\n" * 10)
    assert len(seen.problems) == 10 and not seen.packages
    assert len(read_lock(f"{line}\n" * 10).packages) == 10
