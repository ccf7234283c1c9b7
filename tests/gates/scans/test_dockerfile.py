import pytest

from gates.scans.dockerfile import (
    ImageRules,
    Instruction,
    instructions,
    is_pinned,
    is_root,
    judge_dockerfile,
    stages,
    user_of,
)
from gates.scans.outcome import ReportError

DIGEST = "@sha256:" + "ab" * 32
GOOD = f"""# syntax=docker/dockerfile:1
ARG VERSION=3.11.7
FROM python:${{VERSION}}-slim-bookworm AS build
RUN pip install \\
    # a comment between
    --no-cache-dir -r requirements.txt
FROM debian{DIGEST} AS base
FROM gcr.io/distroless/python3{DIGEST}
COPY --from=build /app /app
HEALTHCHECK CMD ["/app/health"]
USER 10001:10001
"""


def rules(text: str) -> set[str]:
    return {one.rule for one in judge_dockerfile("Dockerfile", text, ImageRules())}


def test_a_good_dockerfile_raises_nothing() -> None:
    assert rules(GOOD) == set()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (GOOD.replace("USER 10001:10001\n", ""), "container-root"),
        (GOOD.replace("USER 10001:10001", "USER root"), "container-root"),
        (GOOD.replace("USER 10001:10001", "USER 0:0"), "container-root"),
        (GOOD.replace("USER 10001:10001", "USER app\nUSER 00"), "container-root"),
        (GOOD.replace("${VERSION}-slim-bookworm", "latest"), "base-image-unpinned"),
        (GOOD.replace(":${VERSION}-slim-bookworm", ""), "base-image-unpinned"),
        (GOOD.replace("3.11.7", "3.11"), "base-image-unpinned"),
        (GOOD.replace("ARG VERSION=3.11.7", "ARG VERSION"), "base-image-unpinned"),
        (GOOD.replace("gcr.io/distroless/python3", "ubuntu"), "base-image-large"),
        (GOOD.replace('HEALTHCHECK CMD ["/app/health"]\n', ""), "no-healthcheck"),
        (GOOD.replace('HEALTHCHECK CMD ["/app/health"]', "HEALTHCHECK NONE"), "no-healthcheck"),
        (GOOD + "ENV DB_PASSWORD=hunter2\n", "secret-in-image"),
        (GOOD + "ARG API_TOKEN=hunter2\n", "secret-in-image"),
        (GOOD + "ENV A=b DATABASE_URL=postgres://u:hunter2@db/x\n", "secret-in-image"),
        (GOOD + "ADD https://example.com/x.tar /x\n", "unchecked-download"),
    ],
)
def test_each_fault_is_found_alone(text: str, rule: str) -> None:
    assert rules(text) == {rule}
    assert "hunter2" not in str(judge_dockerfile("Dockerfile", text, ImageRules()))


@pytest.mark.parametrize(
    "line",
    ["ENV TOKEN_FILE=/run/secrets/token", "ARG API_TOKEN", "ENV PASSWORD=$PASSWORD", "ENV GPG_KEY=ABC", "ENV TOKEN="],
)
def test_what_only_sounds_like_a_secret_is_none(line: str) -> None:
    assert rules(f"{GOOD}{line}\n") == set()


def test_a_stage_inherits_its_user() -> None:
    text = f"FROM a{DIGEST} AS base\nUSER app\nFROM base AS next\nFROM next\n"
    assert user_of(stages(instructions(text))) == "app"
    assert user_of(stages(instructions(f"FROM a{DIGEST} AS a\nFROM b{DIGEST}\n"))) == ""
    assert user_of(stages(instructions("FROM base AS base\n"))) == ""


def test_a_fingerprint_does_not_hold_the_line() -> None:
    before = judge_dockerfile("Dockerfile", GOOD.replace("USER 10001:10001\n", ""), ImageRules())
    after = judge_dockerfile("Dockerfile", "# more\n" + GOOD.replace("USER 10001:10001\n", ""), ImageRules())
    assert [one.fingerprint for one in before] == [one.fingerprint for one in after]
    assert before[0].line != after[0].line


def test_here_documents_and_escapes_are_not_instructions() -> None:
    text = "# escape=`\nFROM a `\n  AS b\nRUN <<EOF cat <<-'TWO'\nFROM x\nEOF\n\tUSER y\n\tTWO\nCOPY c:\\ d\n"
    assert [(one.keyword, one.line) for one in instructions(text)] == [("FROM", 2), ("RUN", 4), ("COPY", 9)]
    assert instructions("from a\n") == [Instruction("FROM", "a", 1)]


@pytest.mark.parametrize("text", ["", "RUN x\n", "FRM x\n", "FROM a\nRUN <<EOF\nno end\n", "FROM a\n\x00\x01\n"])
def test_what_is_no_dockerfile_is_an_error(text: str) -> None:
    with pytest.raises(ReportError):
        judge_dockerfile("Dockerfile", text, ImageRules())


@pytest.mark.parametrize(
    ("image", "pinned", "why"),
    [
        (f"a{DIGEST}", True, ""),
        (f"host:5000/a:1.2{DIGEST}", True, ""),
        ("a:1.2.3", True, ""),
        ("a:v1.2.3-slim", True, ""),
        ("host:5000/a", False, "latest"),
        ("a:latest", False, "latest"),
        ("a:1.2", False, "moves"),
        ("a:bookworm-slim", False, "moves"),
        ("a:$TAG", False, "variable"),
    ],
)
def test_pinned_is_a_digest_or_an_exact_version(image: str, pinned: bool, why: str) -> None:
    assert is_pinned(image, ImageRules()) == (pinned, why)


@pytest.mark.parametrize(
    ("user", "root"),
    [("", True), ("0", True), ("root:app", True), ("1", False), ("app:0", False)]
    + [("+0", True), ("-0:1", True), ("00", True), ("10", False), ("²", False), ("app-0", False)],
)
def test_root_by_any_name(user: str, root: bool) -> None:
    assert is_root(user) is root
