import pytest

from gates.scans.dockerfiles.judge import ImageRules, filled, is_pinned, is_root, judge_dockerfile
from gates.scans.dockerfiles.stages import Asked
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


def test_a_fingerprint_does_not_hold_the_line() -> None:
    before = judge_dockerfile("Dockerfile", GOOD.replace("USER 10001:10001\n", ""), ImageRules())
    after = judge_dockerfile("Dockerfile", "# more\n" + GOOD.replace("USER 10001:10001\n", ""), ImageRules())
    assert [one.fingerprint for one in before] == [one.fingerprint for one in after]
    assert before[0].line != after[0].line


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
    + [("+0", True), ("-0:1", True), ("00", True), ("10", False), ("²", False), ("٠", False), ("app-0", False)]
    + [("2147483647", False), ("2147483648", True), ("4294967296:app", True), ("-1", True), ("9" * 5000, True)]
    + [("0x0", False), (":app", True), (" 0 ", True), ("root:root", True), ("Root", False)],
)
def test_root_by_any_name(user: str, root: bool) -> None:
    assert is_root(user) is root


PINNED = "FROM python:3.11.7-slim\n"
CHECKED = "HEALTHCHECK CMD true\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # who it runs as
        (PINNED + "ARG U=root\nUSER $U\n", "container-root"),
        (PINNED + "ENV U=root\nUSER $U\n", "container-root"),
        (PINNED + "USER ${U:-root}\n", "container-root"),
        (PINNED + "USER ${UID:-0}\n", "container-root"),
        (PINNED + "USER ${UID:-0}:${GID:-0}\n", "container-root"),
        (PINNED + "USER ${A:-${B:-${C:-root}}}\n", "container-root"),
        (PINNED + "ARG V=root1\nUSER ${V%1}\n", "container-root"),
        (PINNED + "USER $NOBODY_SAID\n", "container-root"),
        (PINNED + "ARG U\nUSER ${U:+app}\n", "container-root"),
        ("ARG U=root\n" + PINNED + "ARG U\nUSER $U\n", "container-root"),
        ("ARG U=app\n" + PINNED + "USER $U\n", "container-root"),
        (PINNED + 'USER ro""ot\n', "container-root"),
        (PINNED + "USER r\\oot\n", "container-root"),
        (PINNED + "USER app\nUSER ro\\\n  # a comment\n\not\n", "container-root"),
        (PINNED + "USER 4294967296\n", "container-root"),
        (PINNED + "RUN x\u2028USER app\n", "container-root"),
        (PINNED + "RUN x\fUSER app\n", "container-root"),
        (PINNED + "RUN x\x85USER app\n", "container-root"),
        (PINNED + "RUN x\rUSER app\n", "container-root"),
        (PINNED + "RUN x\vUSER app\n", "container-root"),
        (PINNED + "USER app\nRUN <<EOF\n EOF\nEOF\nUSER root\n", "container-root"),
        (PINNED + "RUN <<-EOF\nUSER app\n\tEOF\n", "container-root"),
        (PINNED + "ONBUILD USER app\n", "container-root"),
        ("FROM python:3.11.7-slim AS a\nONBUILD USER root\nUSER app\nFROM A\n" + CHECKED, "container-root"),
        ("FROM python:3.11.7-slim AS a\nUSER app\nFROM python:3.11.7-slim\n" + CHECKED, "container-root"),
        # images
        (PINNED + "COPY --from=ghcr.io/astral-sh/uv:latest /uv /bin/\nUSER app\n", "base-image-unpinned"),
        (PINNED + "COPY --link --from=ghcr.io/astral-sh/uv /uv /bin/\nUSER app\n", "base-image-unpinned"),
        (PINNED + "COPY --from=$UV /uv /bin/\nUSER app\n", "base-image-unpinned"),
        (PINNED + "RUN --mount=from=ghcr.io/astral-sh/uv:0.5,target=/uv x\nUSER app\n", "base-image-unpinned"),
        (PINNED + 'RUN --mount=type=bind,"from=uv",target=/uv x\nUSER app\n', "base-image-unpinned"),
        (PINNED + "RUN --mount=target=/a --mount=FROM=uv,target=/uv x\nUSER app\n", "base-image-unpinned"),
        (PINNED + "RUN --mount=from=0,target=/uv x\nUSER app\n", "base-image-unpinned"),
        (PINNED + "ONBUILD COPY --from=uv /uv /bin/\nUSER app\n", "base-image-unpinned"),
        ("ARG P\nARG BASE=python:${P}-slim\nFROM $BASE\nUSER app\n", "base-image-unpinned base-image-large"),
        ("FROM ${BASE:-}\nUSER app\n", "base-image-unpinned base-image-large"),
        ("FROM python:3.11.7 AS base\nFROM base AS prod\nFROM prod\nUSER app\n", "base-image-large"),
        ("FROM python:3.11.7 AS base\nFROM base\nUSER app\n", "base-image-large"),
        ("# syntax=ghcr.io/a/frontend:1\n" + PINNED + "USER app\n", "unknown-frontend"),
        ("#!/bin/x\n# syntax = evil/dockerfile\n" + PINNED + "USER app\n", "unknown-frontend"),
        # downloads and secrets
        (PINNED + "ADD HTTP://a.example/x /x\nUSER app\n", "unchecked-download"),
        (PINNED + 'ADD ["https://a.example/x", "/x"]\nUSER app\n', "unchecked-download"),
        (PINNED + "ENV H=https://a.example\nADD $H/x /x\nUSER app\n", "unchecked-download"),
        (PINNED + "ADD --checksum=$SUM https://a.example/x /x\nUSER app\n", "unchecked-download"),
        (PINNED + "ADD git@github.com:a/b.git /x\nUSER app\n", "unchecked-download"),
        (PINNED + "ADD https://github.com/a/b.git#main /x\nUSER app\n", "unchecked-download"),
        (PINNED + "ADD a https://a.example/x /x/\nUSER app\n", "unchecked-download"),
        (PINNED + "ENV SECRET_KEY hunter2 and more\nUSER app\n", "secret-in-image"),
        (PINNED + "ENV A=1 \\\n  # why\n  API_KEY=hunter2\nUSER app\n", "secret-in-image"),
        (PINNED + "ENV API_KEY=${KEY:-hunter2}\nUSER app\n", "secret-in-image"),
        (PINNED + "ONBUILD ENV API_KEY=hunter2\nUSER app\n", "secret-in-image"),
        (PINNED + "ARG A=b DB_PASSWORD='hunter2'\nUSER app\n", "secret-in-image"),
        ("ARG API_TOKEN=hunter2\n" + PINNED + "ARG API_TOKEN\nUSER app\n", "secret-in-image"),
    ],
)
def test_each_form_of_a_fault_is_found(text: str, found: str) -> None:
    assert rules(text + CHECKED) == set(found.split())
    assert "hunter2" not in str(judge_dockerfile("Dockerfile", text, ImageRules()))


@pytest.mark.parametrize(
    "text",
    [
        "ARG PYTHON=3.11.7\nARG BASE=python:${PYTHON}-slim\nFROM ${BASE} AS final\nUSER app\n",
        "FROM --platform=$BUILDPLATFORM python:3.11.7-slim\nUSER app\n",
        "FROM a:1.2.3-slim AS b-amd64\nUSER app\nFROM b-$TARGETARCH\n",
        "FROM ${BASE:-python:3.11.7-slim}\nUSER app\n",
        "from python:3.11.7-slim as Base\nfrom base\nuser app\n",
        PINNED + "ARG U=app\nUSER $U\n",
        PINNED + "USER ${U:-10001}\n",
        PINNED + 'USER "1000:1000"\n',
        PINNED + "USER app$NOTHING\n",
        PINNED + "USER root\nRUN x\nUSER app\n",
        PINNED + "ONBUILD USER root\nUSER app\n",
        PINNED + "RUN <<EOF\nUSER root\nEOF\nUSER app\n",
        PINNED + "USER app\nRUN <<EOF\nUSER root\n EOF\nEOF\n",
        PINNED + 'RUN python -c "print(1<<SHIFT)"\nUSER app\n',
        PINNED + "RUN echo $((1<<X)) && cat <<<word\nUSER app\n",
        PINNED + 'CMD ["<<EOF"]\nUSER app\n',
        PINNED + "RUN a && \\\n\n   b\nUSER app\n",
        f"FROM gcr.io/distroless/python3-debian12:nonroot{DIGEST}\n",
        "FROM scratch\nCOPY app /app\nUSER 10001\n",
        "FROM python:3.11.7-slim AS a\nFROM python:3.11.7-slim\nCOPY --from=A x /\nUSER app\n",
        "FROM python:3.11.7-slim AS a\nFROM python:3.11.7-slim\nCOPY --from=0 x /\nUSER app\n",
        PINNED + "COPY --from=ghcr.io/astral-sh/uv:0.5.1 /uv /bin/\nRUN --mount=type=cache,target=/c x\nUSER app\n",
        PINNED + "RUN --mount=type=secret,id=pip,target=/x --mount=type=bind,source=a,target=/a x\nUSER app\n",
        PINNED + f"ADD https://github.com/a/b.git#{'ab' * 20} /x\nUSER app\n",
        PINNED + f"ADD --checksum=sha256:{'ab' * 32} https://a.example/x /x\nUSER app\n",
        PINNED + "ADD app.tar.gz https.txt /x/\nUSER app\n",
        PINNED + 'ARG PIP_TOKEN\nARG DB_PASSWORD=""\nENV DB_PASSWORD=$DB_PASSWORD\nUSER app\n',
        "# syntax=docker/dockerfile:1.7-labs\n# check=skip=all\n" + PINNED + "USER app\n",
        f"# syntax=docker.io/docker/dockerfile:1{DIGEST}\n" + PINNED + "USER app\n",
        "\ufeff# escape=`\n" + PINNED + "RUN a `\n  b\nUSER app\n",
    ],
)
def test_what_only_looks_like_a_fault_is_none(text: str) -> None:
    assert rules(text + CHECKED) == set()


def test_a_health_check_of_another_stage_is_none_and_that_of_a_stage_below_is_one() -> None:
    other = "FROM a:1.2.3-slim AS test\nHEALTHCHECK CMD true\nFROM a:1.2.3-slim\nUSER app\n"
    (finding,) = judge_dockerfile("Dockerfile", other, ImageRules())
    assert (finding.rule, "in a stage of its own" in finding.message) == ("no-healthcheck", True)
    assert rules(other.replace("FROM a:1.2.3-slim\n", "FROM test\n")) == set()
    assert rules(GOOD + "HEALTHCHECK none\n") == {"no-healthcheck"}


def test_who_is_root_is_told_as_it_is_written() -> None:
    def told(user: str) -> str:
        text = f"{PINNED}ARG U=root\n{user}\n{CHECKED}"
        return judge_dockerfile("Dockerfile", text, ImageRules())[0].message.removesuffix(
            ": name a user that is not root"
        )

    assert told("USER $U:app") == "the image runs as root (USER $U)"
    assert told("USER $X") == "the image runs as root: USER $X names nobody"
    assert told("USER 4294967296") == "the image runs as 4294967296, which no uid can be"
    assert told("") == "the image has no USER and so runs as its base image says, which is root for most"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("${A:-b}", "b"),
        ("${A:-${B:-c}}", "c"),
        ("$A and ${B}", "$A and ${B}"),
        ("${D:-b}", "d"),
        ("a 'quote' and \\", "a 'quote' and \\"),
        ("${A", "${A"),
        ("$$A", "$$A"),
        ("${A:?set by}:${B:?}", "${A}:${B}"),
        ("a${A?}b ${A:-${B:?x}} ${A#x}", "a${A}b ${B} ${A}"),
        ("${A:+b}", "b"),
    ],
)
def test_a_text_of_another_file_is_filled(text: str, shown: str) -> None:
    assert filled(text, {"D": "d"}) == shown


STAGES = """FROM python:3.11.7-slim AS production
USER app
HEALTHCHECK CMD true
FROM production AS dev
USER root
"""


def asked(text: str, *builds: Asked) -> set[str]:
    return {one.rule for one in judge_dockerfile("Dockerfile", text, ImageRules(), builds)}


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("", {"container-root"}),
        ("production", set()),
        ("Production", set()),
        ("0", set()),
        ("1", {"container-root"}),
        ("dev", {"container-root"}),
    ],
)
def test_the_stage_that_is_built_is_what_runs(target: str, found: set[str]) -> None:
    assert asked(STAGES, Asked.of(target, {}, ())) == found


def test_of_several_builds_each_is_judged() -> None:
    assert asked(STAGES, Asked.of("production", {}, ()), Asked.of("dev", {}, ())) == {"container-root"}


@pytest.mark.parametrize("target", ["prod", "2", "00000000000", "\u00b2", "-1"])
def test_a_stage_that_is_not_there_is_built_by_nobody(target: str) -> None:
    with pytest.raises(ReportError, match="it has no stage"):
        asked(STAGES, Asked.of(target, {}, ()))


BY_ARGUMENT = "ARG PYTHON=3.11.7\nFROM python:${PYTHON}-slim\nARG WHO=app\nHEALTHCHECK CMD true\nUSER ${WHO}\n"


@pytest.mark.parametrize(
    ("args", "found"),
    [
        ({}, set()),
        ({"OTHER": "x"}, set()),
        ({"PYTHON": "3.12.1"}, set()),
        ({"WHO": None}, set()),
        ({"PYTHON": "3.11"}, {"base-image-unpinned"}),
        ({"PYTHON": None}, {"base-image-unpinned"}),
        ({"WHO": "root"}, {"container-root"}),
        ({"WHO": ""}, {"container-root"}),
    ],
)
def test_the_arguments_of_a_build_come_before_defaults(args: dict[str, str | None], found: set[str]) -> None:
    assert asked(BY_ARGUMENT, Asked.of("", args, ())) == found


def test_a_secret_that_a_build_gives_as_argument_is_found() -> None:
    text = "FROM python:3.11.7-slim\nARG API_KEY\nUSER app\nHEALTHCHECK CMD true\n"
    assert asked(text, Asked()) == set()
    assert asked(text, Asked.of("", {"API_KEY": "hunter2"}, ())) == {"secret-in-image"}


@pytest.mark.parametrize(
    ("line", "contexts", "found"),
    [
        ("COPY --from=wheels / /w", (), set()),
        ("RUN --mount=type=bind,from=wheels,target=/w x", (), set()),
        ("COPY --from=docs / /w", ("docs",), set()),
        ("COPY --from=docs:latest / /w", ("Docs",), set()),
        ("COPY --from=docs:1 / /w", ("docs",), {"base-image-unpinned"}),
        ("COPY --from=docs / /w", ("other",), {"base-image-unpinned"}),
        ("COPY --from=team/wheels / /w", (), {"base-image-unpinned"}),
    ],
)
def test_a_named_context_is_no_image(line: str, contexts: tuple[str, ...], found: set[str]) -> None:
    text = f"FROM python:3.11.7-slim\nUSER app\nHEALTHCHECK CMD true\n{line}\n"
    assert asked(text, Asked.of("", {}, contexts)) == found


def test_a_context_stands_in_place_of_an_image_and_of_a_stage() -> None:
    text = "FROM base\nUSER app\nHEALTHCHECK CMD true\n"
    assert asked(text, Asked.of("", {}, ("base",))) == set()
    assert asked(text, Asked()) == {"base-image-unpinned", "base-image-large"}
    text = "FROM python:3.11.7-slim AS base\nUSER app\nHEALTHCHECK CMD true\nFROM base\n"
    assert asked(text, Asked()) == set()
    assert asked(text, Asked.of("", {}, ("base",))) == {"container-root", "no-healthcheck"}
