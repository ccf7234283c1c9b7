"""An image is built with the lock that has the hashes of built wheels, and with these wheels."""

from pathlib import Path

import pytest

from evidence.scopes import OURS
from gates.locks import read_lock
from host.files import sha256_file
from settings.locks import Locks
from tasks.build.image import _rewrite_locks
from tasks.source.app_locks import AppLocks
from tests.host.sdists.archives import make_sdist, with_setup
from tests.tasks.small_app import pipeline


def test_the_lock_that_a_dockerfile_gets_has_the_wheel_that_was_built(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "index"
    index.mkdir()
    index.chmod(0o755)  # the sandbox's user reads it
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    context = tmp_path / "image" / "context"
    context.mkdir(parents=True)
    (context / "a.lock").write_text(f"said==1.0 --hash=sha256:{make_sdist(index, with_setup())}\n")
    (context / "b.lock").write_text(f"x==1 --hash=sha256:{'0' * 64}\n")
    locks = Locks.model_validate(
        {"runtime": "a.lock", "ci": "a.lock", "smoke": "b.lock", "build_from_source": ["said"]}
    )
    made = pipeline({}).model_copy(update={"locks": locks})
    _rewrite_locks(made, context, OURS)
    later = AppLocks.of(made, context)  # as the build's own words are made
    folder = later.wheels(locks.runtime)
    assert folder
    (wheel,) = folder.glob("*.whl")
    for file in (context / "a.lock", later.file(locks.runtime)):
        assert [one.hashes for one in read_lock(file.read_text()).packages] == [(sha256_file(wheel),)]
    assert [one.hashes for one in read_lock((context / "b.lock").read_text()).packages] == [("0" * 64,)]
