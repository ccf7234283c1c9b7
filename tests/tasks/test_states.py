"""A run's message holds no secret that this host knows."""

from pathlib import Path

import pytest

from tasks.states import Completed, Failed


def test_known_secrets_in_a_message_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "prefect-auth").write_text("slipway:the-credential\n")
    state = Failed(name="Blocked", message="it said slipway:the-credential")
    assert (state.name, state.message) == ("Blocked", "it said ***")
    done = Completed(message="fine", data="digest")
    assert (done.message, done.is_completed()) == ("fine", True)
    assert Completed().message is None
