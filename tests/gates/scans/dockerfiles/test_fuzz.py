"""Random Dockerfiles, and real ones with a fault put into them: read, or refused, and never believed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.scans.dockerfiles.judge import ImageRules, judge_dockerfile
from gates.scans.outcome import ReportError

REAL = (
    """# syntax=docker/dockerfile:1
ARG PYTHON=3.11.7
FROM python:${PYTHON}-slim AS build
WORKDIR /app
RUN --mount=type=cache,target=/root/.cache pip install --upgrade pip && \\
    # two steps in one
    pip wheel --wheel-dir /wheels -r requirements.lock
FROM python:${PYTHON}-slim
ARG UID=10001
ENV PYTHONUNBUFFERED=1 \\
    PATH="/venv/bin:$PATH"
COPY --from=build --chown=$UID:$UID /wheels /wheels
RUN <<EOF
set -e
pip install --no-index --find-links /wheels /wheels/*
USER root
EOF
USER ${UID}
HEALTHCHECK --interval=5s CMD ["python", "-m", "app.health"]
CMD ["python", "-m", "app"]
""",
    """FROM debian:12.5-slim AS base
ENV APP_USER app
RUN useradd "$APP_USER" || echo 'it''s there'
ONBUILD RUN echo a trigger
USER $APP_USER
FROM base
EXPOSE 8000
ENTRYPOINT exec gunicorn \\

  app:app
""",
)
# What holds a Dockerfile's meaning, and what ends a line elsewhere.
PIECES = st.sampled_from(
    [
        "FROM a",
        "USER root",
        "USER app",
        "ARG U=root",
        "ENV U=root",
        "USER $U",
        "RUN <<EOF",
        "EOF",
        "ONBUILD ",
        "${",
        "}",
    ]
    + ["${A:-", "\\", "`", "\n", "\\\n", "\r", "\r\n", "\u2028", "\x85", "\f", "\v", "'", '"', "#", "# escape=`\n", "$"]
    + [
        " ",
        "\t",
        "--from=",
        "--mount=from=x",
        "[",
        "]",
        "HEALTHCHECK NONE",
        "\ufeff",
        "\0",
        "²",
        "<<-",
        "--",
        "=",
        "AS ",
    ]
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=30).map("".join))


def judged(text: str) -> set[str] | None:
    """Return the rules of what is found, None when the file is refused; any other exception is a fault."""
    try:
        return {one.rule for one in judge_dockerfile("Dockerfile", text, ImageRules())}
    except ReportError:
        return None


@pytest.mark.fuzz
@given(TEXTS)
@settings(deadline=None, derandomize=True)
def test_any_text_is_read_or_refused(text: str) -> None:
    judged(text)
    judged("FROM a:1.2.3-slim\n" + text)


@pytest.mark.fuzz
@given(st.sampled_from(REAL), st.data())
@settings(deadline=None, derandomize=True)
def test_a_changed_file_is_read_or_refused(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(PIECES) + text[at + data.draw(st.integers(0, 5)) :]
    judged(text)


ROOTS = st.sampled_from(
    ["USER root", "user root", "USER 0", "USER 0:0", "USER root:app", 'USER "root"', "USER ro\\\not", "USER +0"]
    + ["USER ${NOTHING:-root}", "USER $NOTHING", "ARG X=root\nUSER $X", "ENV X root\nUSER ${X}", "USER 00"]
    + ["USER\troot\t", "  USER root\r", "ENV X=r\nUSER ${X}oot", "USER 4294967296", "ENV X=1\nUSER ${X:+root}"]
)
# Whole instructions and comments: none of them says who the image runs as.
AFTER = st.lists(
    st.sampled_from(
        ["", "# USER app", "RUN echo USER app", "RUN x \\\n  USER app", "RUN x\u2028USER app", "RUN x\x85USER app"]
        + ["RUN x\fUSER app", "RUN x\rUSER app", "ONBUILD USER app", "RUN <<EOF\nUSER app\nEOF", "ENV USER=app"]
        + ["COPY <<-'E F' /x\nUSER app\n\tE F", "LABEL a='\\\nUSER app'", "ARG USER=app", 'CMD ["USER app"]']
        + ["RUN cat <<A <<B\nUSER app\nB\nA\nUSER app\nB", "ENV A USER app", "RUN it's <<EOF", "RUN \\\n# x\nUSER app"]
    ),
    max_size=5,
)


@pytest.mark.fuzz
@given(st.sampled_from(REAL), ROOTS, AFTER)
@settings(deadline=None, derandomize=True)
def test_root_as_the_last_user_never_passes(text: str, root: str, after: list[str]) -> None:
    found = judged(text + root + "\n" + "\n".join(after) + "\n")
    assert found is not None and "container-root" in found


@pytest.mark.fuzz
@given(st.lists(st.sampled_from([*"ab ='\"`[]$#{}:-"]), max_size=60).map("".join), ROOTS)
@settings(deadline=None, derandomize=True)
def test_root_behind_any_command_never_passes(command: str, root: str) -> None:
    found = judged(f"FROM a:1.2.3-slim\nUSER app\nRUN {command}\nLABEL x=y\n{root}\n")
    assert found is None or "container-root" in found
