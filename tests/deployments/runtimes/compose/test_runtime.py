"""What only containers can do wrong, on a real engine: the old version serves on, and the next release works."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deployments.environment import Environment
from deployments.rollback import plan_rollback
from deployments.runtimes.compose.adopting.looked import look
from evidence.bundle import Image, Process, read_bundle
from gates.release.rollback import Refusal
from host.docker.engine import Engine
from host.errors import ConfigError, ToolError
from host.home import Home
from settings.targets import Target
from tests.deployments.shop import COMPOSE, Shop, shop

pytestmark = pytest.mark.docker
LIVE = "good before"
WORK = Process(command=("python", "app.py", "work"), role="slot")
# The third request is one of those by which a version is measured, before the switch. Those are six, and health is
# looked at three times beside them: the request after the next one is a probe of the bake, not its last.
MEASURED, IN_THE_BAKE = 3, 11


@pytest.fixture(scope="module")
def made(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("compose"), "compose", engine) as one:
        assert one.release(one.artifact(LIVE)) == ""
        yield one


@pytest.fixture(autouse=True)
def serves_on(made: Shop) -> Iterator[None]:
    """Whatever a test does, what was live serves on. Where it does not, that test fails, and no later one with it."""
    yield
    try:
        now = made.says()
    except (httpx.HTTPError, ValueError) as error:
        now = [repr(error)]
    if now != LIVE.split():
        again = made.release(made.artifact(LIVE))
        pytest.fail(f"live is {' '.join(now)}, not {LIVE}; released anew: {again or 'good'}")


def docker(*argv: str) -> str:
    return subprocess.run(["docker", *argv], capture_output=True, text=True, timeout=600, check=True).stdout.strip()


def test_containers_are_limited_and_hardened_and_nothing_secret_is_in_their_labels(made: Shop) -> None:
    runtime = made.compose
    (web,) = [one for one in runtime.projects.all() if one.service == "web"]
    given = docker(
        "inspect",
        web.id,
        "--format",
        "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} "
        "{{.HostConfig.SecurityOpt}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.PidsLimit}} "
        "{{json .NetworkSettings.Ports}}",
    )
    assert given.startswith("67108864 1000000000 true [ALL] [no-new-privileges:true] unless-stopped 512")
    assert '"HostIp":"127.0.0.1"' in given and "0.0.0.0" not in given
    secret = made.place().app_secret("TOKEN", "generated")
    assert secret not in str(dict(web.labels))
    for file in runtime.projects.directory.glob("*.yml"):
        assert secret not in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600
    assert "the-store" not in [one.name for one in runtime.projects.all()]


def test_an_image_that_is_gone_is_told_before_anything_is_touched(made: Shop) -> None:
    digest = made.artifact("gone", image=Image(id="sha256:" + "0" * 64, compose={"production": "compose.yml"}))
    (problem,) = made.compose.problems(made.read(digest))
    assert "is not on the engine" in problem and "ci/push" in problem
    assert "is not on" in made.release(digest)


def test_an_image_that_no_registry_has_is_told(made: Shop) -> None:
    reference = "127.0.0.1:9/none@sha256:" + "0" * 64
    image = Image(id="sha256:" + "0" * 64, reference=reference, compose={"production": "compose.yml"})
    digest = made.artifact("gone", image=image)
    (problem,) = made.compose.problems(made.read(digest))
    assert reference in problem
    assert "cannot be pulled" in made.release(digest)


def test_an_artifact_without_an_image_or_a_compose_file_for_the_environment_is_refused(made: Shop) -> None:
    good = read_bundle(made.place().store, made.artifact("good"))
    assert good.image
    other = Image(id=good.image.id, compose={"staging": "compose.yml"})
    assert "no compose file for production" in made.compose.problems(made.read(made.artifact("good", image=other)))[0]
    absent = Image(id=good.image.id, compose={"production": "absent.yml"})
    assert (
        "absent.yml: the artifact has no such compose file"
        in made.compose.problems(made.read(made.artifact("x", image=absent)))[0]
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("services:", "services: ["), "it is not YAML"),
        (("    mem_limit: 64m\n", "    mem_limit: [64m]\n"), "compose refuses it"),
        (("    labels: {slipway.role: slot}\n", ""), "service web: no label, expected slipway.role"),
        (("{slipway.role: slot}", "{slipway.role: slott}"), 'service web: got "slott"'),
        (('["8000:8000"]', "[]"), "none has a port"),
        (("    mem_limit: 64m\n", "    privileged: true\n"), "service web: privileged"),
        (("    mem_limit: 64m\n", "    network_mode: host\n"), 'network_mode "host"'),
        (("    mem_limit: 64m\n", '    volumes: ["/etc:/x"]\n'), "it mounts /etc of the host"),
        (("    mem_limit: 64m\n", '    volumes: ["/var/run/docker.sock:/s"]\n'), "it mounts /var/run/docker.sock"),
        (("    mem_limit: 64m\n", "    hostname: ${HOSTNAM}\n"), "HOSTNAM: set nowhere"),
        (("[TOKEN]", "[TOKEN, TOKN]"), "TOKN has no value; set APP_TOKN or SECRET_TOKN"),
        (("    mem_limit: 64m\n", "    secrets: [tokn]\n"), "undefined secret tokn"),
        (("image: ${SLIPWAY_IMAGE}", "image: python:3.11-slim"), "not the image that was built"),
    ],
)
def test_an_unusable_compose_file_says_why_at_preflight(made: Shop, change: tuple[str, str], why: str) -> None:
    digest = made.artifact("good", compose=COMPOSE.replace(*change, 1))
    assert why in made.compose.problems(made.read(digest))[0]
    assert why in made.release(digest)


def test_an_entrypoint_that_migrates_by_itself_is_refused_with_the_way_out(made: Shop) -> None:
    digest = made.artifact("good", start='#!/bin/sh\nset -e\npython -m alembic upgrade head\nexec "$@"\n')
    problem, other = made.compose.problems(made.read(digest))
    assert "service ticker: `alembic upgrade`" in other
    assert "service web: `alembic upgrade` in /start of the image runs when the container starts" in problem
    assert "[run] migrate" in problem and "docs/adopt.md" in problem
    assert "alembic upgrade" in made.release(digest)
    (both,) = look(made.compose, made.compose.laid_out(made.read(digest))).problems
    assert both == problem.replace("service web: ", "services web, ticker: ")
    labelled = COMPOSE.replace("slot}", 'slot, slipway.migrates: "no"}').replace(
        "singleton}", 'singleton, slipway.migrates: "no"}'
    )
    image = read_bundle(made.place().store, digest).image
    assert made.compose.problems(made.read(made.artifact("good", compose=labelled, image=image))) == []
    harmless = made.artifact("good", start='# no alembic upgrade here\nexec "$@"\n')
    assert made.compose.problems(made.read(harmless)) == []
    assert image
    ours = f"ancestor={image.id}"  # others look at images of theirs meanwhile
    assert docker("ps", "-aq", "--filter", "label=slipway.looking", "--filter", ours) == ""


def test_a_command_of_the_compose_file_that_migrates_is_refused_too(made: Shop) -> None:
    file = COMPOSE.replace("    mem_limit: 64m\n", "    command: sh -c 'flask db upgrade && exec python app.py 8000'\n")
    assert (
        "service web: `flask db upgrade` runs"
        in made.compose.problems(made.read(made.artifact("good", compose=file)))[0]
    )


def test_a_secret_that_nobody_set_is_named(made: Shop) -> None:
    file = COMPOSE.replace("    mem_limit: 64m\n", "    secrets: [other]\n") + "secrets: {other: {file: x}}\n"
    digest = made.artifact("good", compose=file)
    assert "set SECRET_OTHER to" in made.release(digest)


def test_a_strangers_container_of_the_name_is_left_alone(made: Shop) -> None:
    slot = made.place().ledger().idle_slot
    name = f"{made.project}-{slot}-web-{slot}-1"
    docker("run", "-d", "--name", name, "--label", f"slipway.test={made.project}", "python:3.11-slim", "sleep", "300")
    try:
        said = made.release(made.artifact("good"))
        assert f"the container {name}" in said and "is not Slipway's" in said
        assert docker("inspect", "-f", "{{.State.Status}}", name) == "running"
    finally:
        docker("rm", "-fv", name)


def test_a_strangers_port_is_told_by_the_engine(made: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    port = docker("run", "-d", "-p", "127.0.0.1::80", "--label", f"slipway.test={made.project}", "nginx")
    try:
        taken = int(docker("port", port, "80").rsplit(":", 1)[1])
        monkeypatch.setattr("deployments.runtimes.compose.runtime.free_port", lambda: taken)
        said = made.release(made.artifact("good"))
        assert "3 ports were tried" in said and f"listens on 127.0.0.1:{taken}, and is not the slot's" in said
    finally:
        docker("rm", "-fv", port)


@pytest.mark.parametrize("at", [MEASURED, IN_THE_BAKE])
def test_a_leak_is_ended_by_its_limit_and_said(made: Shop, at: int) -> None:
    said = made.release(made.artifact(f"leaks {at}"))
    assert "memory limit of 64 MB and was killed" in said


@pytest.mark.parametrize("at", [MEASURED, IN_THE_BAKE])
def test_one_that_dies_after_it_was_healthy_says_its_exit_code_and_last_lines(made: Shop, at: int) -> None:
    said = made.release(made.artifact(f"dies {at}"))
    assert "exit code 3" in said and "giving up" in said and "starting with ***" in said


def test_a_flapping_health_endpoint_is_not_promoted(made: Shop) -> None:
    assert made.release(made.artifact("flapping"))


def test_an_engine_that_is_away_is_told_and_changes_nothing(made: Shop) -> None:
    digest = made.artifact("good")
    with made.set("DOCKER_HOST", "unix:///nowhere/docker.sock"):
        (problem,) = made.compose.problems(made.read(digest))
        assert "unix:///nowhere/docker.sock does not answer" in problem and "systemctl start docker" in problem
        with pytest.raises(ToolError, match="does not answer"):
            made.place().runtime.prepare()


def test_too_little_disk_is_told(made: Shop) -> None:
    with made.set("MIN_FREE_DISK_MB", "1e9"):
        assert "MIN_FREE_DISK_MB" in made.compose.problems()[0]


def test_an_engine_whose_restart_stops_everything_is_noted_or_blocks(made: Shop) -> None:
    if made.engine.info()["LiveRestoreEnabled"]:
        assert made.compose.notes() == []
        return
    assert "live-restore" in made.compose.notes()[0] and made.compose.problems() == []
    with made.set("REQUIRE_LIVE_RESTORE", "true"):
        assert "live-restore" in made.compose.problems()[0]


def test_data_of_a_lost_state_directory_is_named_and_left_alone(made: Shop, engine: Engine, tmp_path: Path) -> None:
    fresh = Shop(tmp_path, "compose", engine)
    before = fresh.compose.problems()
    engine.ensure_volume(f"{fresh.project}-data", fresh.compose.names.owner)
    try:
        (problem,) = [one for one in fresh.compose.problems() if one not in before]
        assert f"docker volume rm {fresh.project}-data" in problem and "whose state directory" in problem
    finally:
        engine.remove_volumes(fresh.compose.names.owner)
    assert fresh.compose.problems() == before


def test_a_rollback_looks_for_the_image_before_it_touches_anything(made: Shop) -> None:
    first = made.artifact("good first")
    image = read_bundle(made.place().store, first).image
    assert image
    with made.set("BAKE_SECONDS", "0"):
        assert made.release(first) == ""
        assert made.release(made.artifact(LIVE)) == ""
    made.compose.stop(made.place().ledger().idle_slot)
    docker("rmi", "-f", image.id)
    plan = plan_rollback(made.place(), None, None)
    assert isinstance(plan, Refusal) and "is not on the engine" in plan.reason and not plan.harmless


def test_singletons_are_the_live_versions_only(made: Shop) -> None:
    live = made.place().ledger().live
    assert live
    found = made.compose.projects.containers(made.compose.names.singleton)
    assert [one.labels["slipway.digest"] for one in found] == [live.version.digest]
    shared = [one for one in made.compose.projects.all() if one.service == "store"]
    assert len(shared) == 1 and shared[0].state == "running"


def test_after_all_that_the_shared_service_was_never_recreated_and_a_good_version_is_released(made: Shop) -> None:
    (before,) = made.compose.projects.containers(made.compose.names.shared)
    assert made.release(made.artifact(LIVE)) == ""
    (after,) = made.compose.projects.containers(made.compose.names.shared)
    assert (after.id, after.started) == (before.id, before.started)


@pytest.mark.parametrize("line", ["SECRET_TOKEN=", "SECRET_TOKN=oops", "PORTT=1", "RUNTIME=composed"])
def test_a_bad_key_in_the_environment_file_is_named_before_anything_is_done(
    made: Shop, line: str, tmp_path: Path
) -> None:
    key = line.split("=")[0]
    with made.set(key, line.split("=")[1]), pytest.raises(ConfigError, match=key):
        Environment.open(Target("production"), "shop", Home(tmp_path), made.settings.parent)


BROKEN = COMPOSE.replace("    command: [sleep, infinity]\n", "    command: {command}\n    restart: 'no'\n")


def test_a_shared_container_that_never_ran_is_made_anew(engine: Engine, tmp_path: Path) -> None:
    with shop(tmp_path, "compose", engine) as made:
        image = read_bundle(made.place().store, made.artifact("good")).image
        never = made.artifact(
            "good", compose=BROKEN.replace("{command}", "[sleep, '9']\n    user: no-such-user"), image=image
        )
        assert "no-such-user" in made.release(never)
        (store,) = [one for one in made.compose.projects.all() if one.service == "store"]
        assert store.never_ran
        assert made.release(made.artifact("good", image=image)) == ""
        assert store.id not in [one.id for one in made.compose.projects.all()]


def test_a_shared_container_that_ran_is_left_and_named_with_the_way_out(engine: Engine, tmp_path: Path) -> None:
    with shop(tmp_path, "compose", engine) as made:
        image = read_bundle(made.place().store, made.artifact("good")).image
        ends = made.artifact("good", compose=BROKEN.replace("{command}", "[sh, -c, 'exit 3']"), image=image)
        name = f"{made.project}-shared-store-1"
        assert f"reaches {name} (exited) after docker rm -f {name}" in made.release(ends)
        assert f"docker rm -f {name}" in made.release(made.artifact("good", image=image))
        docker("rm", "-f", name)
        assert made.release(made.artifact("good", image=image)) == ""


def test_a_secret_that_no_container_gets_is_told(made: Shop) -> None:
    with made.set("SECRET_FORGOTTEN", "generated"):
        notes = made.compose.notes(made.read(made.artifact("good", processes={"work": WORK})))
    assert "Processes: only the live version has ticker (never two at a time)." in notes
    assert "Not run here: work of [run.processes]; the compose file says what runs." in notes
    assert [one for one in notes if "SECRET_" in one] == [
        "No container gets SECRET_FORGOTTEN: the compose file does not name it."
    ]


def test_what_a_release_would_fail_of_is_told_at_preflight(made: Shop) -> None:
    taken = COMPOSE.replace(
        "    init: true\n", f'    init: true\n    ports: ["127.0.0.1:{made.place().settings.port}:5432"]\n'
    )
    (problem,) = made.compose.problems(made.read(made.artifact("good", compose=taken)))
    assert f"service store: port 127.0.0.1:{made.place().settings.port} is taken by " in problem


def test_files_of_the_repository_do_not_take_the_place_of_the_images_own(made: Shop) -> None:
    def told(*mounts: str) -> list[str]:
        mounted = COMPOSE.replace("    mem_limit: 64m\n", f"    mem_limit: 64m\n    volumes: {list(mounts)}\n", 1)
        return made.compose.problems(made.read(made.artifact("good", compose=mounted)))

    over, file = told(".:/app", "./how:/app/how:ro")
    assert over.startswith("service web: it mounts ./. of the repository over /app of the image: ")
    assert "./how of the repository over /app/how" in file
    (absent,) = told("./logs:/var/log/shop")
    assert (
        "it mounts ./logs of the repository, which the artifact does not have" in absent and "COMPOSE_BINDS" in absent
    )
    assert told("./how:/etc/shop/how:ro") == []
    assert docker("ps", "-aq", "--filter", "label=slipway.looking") == ""


def test_what_is_left_out_is_told(made: Shop) -> None:
    looked = look(made.compose, made.compose.laid_out(made.read(made.artifact("good"))))
    said = looked.left_out
    assert looked.problems == looked.unseen == [] and f"{made.project}-shared" in looked.files
    assert any("store" in line and ": container_name: " in line for line in said)
