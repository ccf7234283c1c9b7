"""pip and uv get an environment of our making, and see nothing of ours."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from host.package_tools import pip_environment, run_package_tool, uv_environment
from host.wait import wait_for


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PREFECT_API_AUTH_STRING", "GITHUB_TOKEN", "UV_CONFIG_FILE", "UV_NO_BINARY", "UV_PUBLISH_TOKEN"):
        monkeypatch.setenv(name, "a-secret")


def test_uv_is_told_of_indexes_proxies_and_certificates_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "UV_DEFAULT_INDEX": "https://index.example",
        "UV_INDEX_OURS_PASSWORD": "word",
        "HTTPS_PROXY": "http://proxy",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    environment = uv_environment()
    assert given.items() <= environment.items()
    assert environment["UV_NO_CONFIG"] == "1"
    assert "a-secret" not in environment.values()


def test_pip_is_told_what_this_hosts_own_files_say_of_indexes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://a.example\nno-binary = :all:\n[download]\ntimeout = 7\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere /at-all")
    environment = pip_environment()
    told = {name: environment[name] for name in ("PIP_INDEX_URL", "PIP_TIMEOUT", "PIP_FIND_LINKS", "PIP_CONFIG_FILE")}
    assert told == {
        "PIP_INDEX_URL": "https://a.example",
        "PIP_TIMEOUT": "7",
        "PIP_FIND_LINKS": "/nowhere /at-all",
        "PIP_CONFIG_FILE": os.devnull,
    }
    assert "PIP_NO_BINARY" not in environment and "a-secret" not in environment.values()


def test_a_tool_sees_what_it_is_given_and_its_output_is_ours(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary")
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheels.chmod(0o755)
    (wheels / "x").touch()
    script = f"cat {secret}; env; ls {wheels}; touch {tmp_path}/out/made"
    done = run_package_tool(
        ["sh", "-c", script],
        {"PIP_FIND_LINKS": wheels.as_uri()},
        writes=[tmp_path / "out"],
        timeout_s=20,
        network=False,
    )
    assert done.returncode == 0
    assert "canary" not in done.output and "a-secret" not in done.output and "x" in done.output.splitlines()
    assert (tmp_path / "out" / "made").stat().st_uid == os.geteuid()


def test_a_cache_stays_the_tools_until_the_last_that_shares_it_has_ended(tmp_path: Path) -> None:
    cache, first, second = tmp_path / "cache", tmp_path / "first", tmp_path / "second"
    waits = (
        f"touch {cache}/a {first}/runs; while [ ! -e {first}/go ]; do sleep 0.1; done; mkdir {cache}/b {cache}/late/c"
    )

    def run(script: str, out: Path) -> str:
        done = run_package_tool(["sh", "-c", script], {}, writes=[out], cache=cache, timeout_s=600, network=False)
        return f"{done.returncode} {done.output}"

    with ThreadPoolExecutor() as pool:
        slow = pool.submit(run, waits, first)
        try:
            assert wait_for((first / "runs").exists, 300, 0.1)
            assert run(f"mkdir {cache}/late", second) == "0 "
        finally:
            (first / "go").touch()
        assert slow.result() == "0 "
    assert {path.stat().st_uid for path in (cache, *cache.rglob("*"))} == {os.geteuid()}
    assert run(f"rmdir {cache}/b", second) == "0 "


def test_a_cache_that_a_crash_left_half_given_is_given_anew(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (cache / "kept").mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(cache / "kept", 1, 1)
    done = run_package_tool(
        ["mkdir", str(cache / "kept" / "new")], {}, writes=[], cache=cache, timeout_s=600, network=False
    )
    assert done.returncode == 0, done.output


def test_an_index_in_a_folder_is_seen_with_the_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "mirror" / "simple").mkdir(parents=True)
    (tmp_path / "mirror" / "file").write_text("wheel")
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755)
    index = {"PIP_EXTRA_INDEX_URL": f"https://index.example {(tmp_path / 'mirror' / 'simple').as_uri()}"}
    argv = ["cat", str(tmp_path / "mirror" / "file")]
    assert run_package_tool(argv, index, writes=[tmp_path / "out"], timeout_s=20).output == "wheel"
