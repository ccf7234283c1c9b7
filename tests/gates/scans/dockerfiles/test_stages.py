import subprocess
from pathlib import Path

import pytest

import docker
from gates.scans.dockerfiles.instructions import instructions
from gates.scans.dockerfiles.judge import user_of
from gates.scans.dockerfiles.stages import Stage, stages
from gates.scans.outcome import ReportError
from tests.waiting import NEVER_S

DIGEST = "@sha256:" + "ab" * 32


def read(text: str) -> list[Stage]:
    return stages(instructions(text))


def test_a_stage_inherits_its_user() -> None:
    text = f"FROM a{DIGEST} AS base\nUSER app\nFROM base AS next\nFROM next\n"
    assert user_of(read(text)[-1]) == "app"
    assert user_of(read(f"FROM a{DIGEST} AS a\nFROM b{DIGEST}\n")[-1]) == ""
    assert user_of(read("FROM base AS base\n")[-1]) == ""


def test_a_stage_is_known_from_its_name_on() -> None:
    first, second, third, last = read("FROM b AS a\nFROM a AS b\nFROM B AS a\nFROM a\n")
    assert first.base is None
    assert (second.base is first, third.base is second, last.base is third, last.origin is first) == (True,) * 4


def test_an_image_without_a_value_stays_as_it_is_written() -> None:
    assert [one.image for one in read("ARG A\nARG B=x:$A\nARG C=c\nFROM $B\nFROM ${A}\nFROM ${A:-y}$C\n")] == [
        "$B",
        "${A}",
        "yc",
    ]


def test_a_trigger_runs_in_the_stage_built_on_it() -> None:
    text = "FROM a AS a\nONBUILD ENV U=root\nONBUILD USER $U\nFROM a AS b\nFROM b\nUSER app\n"
    assert [one.user for one in read(text)] == [None, "root", "app"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no FROM"),
        ("ARG A=b\n", "no FROM"),
        ("RUN x\nFROM a\n", "line 1: RUN stands before the first FROM"),
        ("FROM a b\n", "line 1: FROM wants"),
        ("FROM a AS\n", "line 1: FROM wants"),
        ("FROM a AS 1b\n", "line 1: FROM wants"),
        ("FROM a AS b c\n", "line 1: FROM wants"),
        ("FROM a\nUSER ${A[0]}\n", "line 2: ${A[: no such substitution"),
        ("FROM a\nUSER 'b\n", "line 2: a ' is missing"),
        ("FROM a AS b\nONBUILD USER ${\nFROM b\n", "line 2"),
        ("FROM a\nCOPY --from=0 x /x\n", "line 2: COPY --from=0 is no stage before"),
        ("FROM a\nCOPY --from=99999999999 x /x\n", "line 2: COPY --from=99999999999 is no stage"),
        ("FROM a\nRUN x\nRUN --mount='type=bind,\"c\"d' x\n", "line 3: RUN --mount: its fields"),
    ],
)
def test_what_makes_no_image_is_refused_by_its_line(text: str, says: str) -> None:
    with pytest.raises(ReportError) as raised:
        read(text)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "FROM a\nARG A0=xxxxxxxxxx\n" + "".join(f"ARG A{n + 1}=$A{n}$A{n}$A{n}\n" for n in range(60)),
        "ARG A0=xxxxxxxxxx\n" + "".join(f"ARG A{n + 1}=$A{n}$A{n}$A{n}\n" for n in range(60)) + "FROM a\n",
        "FROM a AS b\n" + "ONBUILD ENV a=b\n" * 3_000 + "FROM b\n" * 3_000,
        "FROM a\nENV a=" + "ab" * 9_000 + "\nUSER ${a/" + "*a" * 900 + "c/x}\n",
        "FROM a AS s0\n"
        + "".join(f"ENV e{n}=1\n" for n in range(4_000))
        + "".join(f"FROM s{n} AS s{n + 1}\n" for n in range(4_000)),
    ],
)
def test_a_small_file_for_much_work_is_refused(text: str) -> None:
    with pytest.raises(ReportError, match="more text than a Dockerfile needs"):
        read(text)


# Whoever builds decides what a text means: these are built, of nothing, by the engine that is here.
BUILT = [
    "ARG U=root\nUSER $U",
    "USER ${U:-root}",
    "ENV U=app\nARG U=root\nUSER $U",
    'USER ro""ot',
    "USER r\\oot",
    "USER app\\\n\n# no\nx",
    "USER app\\\\\nUSER b",
    "USER app\u2028USER root",
    "USER app\x85USER root",
    "USER app\rUSER root",
    "ENV A 1 2\nUSER x$A",
    "COPY <<EOF /x\nUSER a\n EOF\nEOF\nUSER b",
    "COPY <<-EOF /x\nUSER a\n\tEOF\nUSER b",
    "ONBUILD USER root\nUSER app",
    "HEALTHCHECK CMD x\nHEALTHCHECK none",
    "HEALTHCHECK --interval=5s CMD x",
    "USER ${X:-${Y:-${Z:-root}}}",
    "USER ${X:-'a}'}",
    "ARG A=1 B=root\nUSER $B",
]


@pytest.mark.docker
@pytest.mark.parametrize("text", BUILT)
def test_the_engine_builds_what_was_read(text: str, docker_client: docker.DockerClient, tmp_path: Path) -> None:
    file = f"FROM scratch\n{text}\n"
    command = ["docker", "buildx", "build", "--quiet", "--load", "--provenance=false", "--file", "-", tmp_path]
    built = subprocess.run(command, input=file.encode(), capture_output=True, timeout=NEVER_S, check=True)
    name = built.stdout.decode().strip()
    inspected = docker_client.api.inspect_image(name)["Config"]
    docker_client.images.remove(name, force=True)
    check = (inspected.get("Healthcheck") or {}).get("Test", ["NONE"]) != ["NONE"]
    last = read(file)[-1]
    assert (last.user or "", last.checked) == (inspected["User"], check)
