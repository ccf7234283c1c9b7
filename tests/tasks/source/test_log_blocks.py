import logging

import pytest

from host.masking import masked, secret_values
from tasks.source import log_blocks
from tasks.source.log_blocks import LogBlocks


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    log = logging.Logger("run")
    log.addHandler(logging.NullHandler())
    monkeypatch.setattr(log, "info", lambda template, text: lines.append(template % text))
    monkeypatch.setattr(log_blocks, "get_run_logger", lambda: log)
    return lines


@pytest.mark.parametrize(
    ("environment", "secrets"),
    [
        ({"API_TOKEN": "t0ken-value"}, ["t0ken-value"]),
        ({"DATABASE_URL": "postgresql://app:p%40ssword@h/db"}, ["p%40ssword", "p@ssword"]),
        ({"PATH": "/usr/bin", "LANG": "C.UTF-8"}, []),
        ({"MY_PASSWORD": "abc"}, []),
        ({"URL": "http://[broken"}, []),
    ],
)
def test_the_secrets_of_an_environment_are_known(environment: dict[str, str], secrets: list[str]) -> None:
    assert secret_values(environment) == secrets


def test_the_longest_secret_goes_first() -> None:
    assert masked("a secret-long and a secret", secret_values({"A_TOKEN": "secret", "B_TOKEN": "secret-long"})) == (
        "a *** and a ***"
    )


def test_a_secret_cut_by_two_blocks_is_masked(said: list[str]) -> None:
    blocks = LogBlocks(["hunter2hunter2"])
    for part in ("one\nthe password is hunter2", "hunter2, he said\n", "end"):
        blocks(part)
    blocks.close()
    assert said == ["one", "the password is ***, he said", "end"]


@pytest.mark.parametrize("before", [3_990, 3_996, 4_001, 4_010])
@pytest.mark.parametrize("secret", ["hunt3rTwo!9", "Zk3vQ9xLmW8TbY2pQr7sNd"])
def test_a_secret_in_a_line_without_end_is_masked_wherever_it_is_cut(said: list[str], before: int, secret: str) -> None:
    for cut in range(1, len(secret)):
        blocks = LogBlocks([secret])
        for part in ("." * before + secret[:cut], f"{secret[cut:]} end", "." * 4_000, "\n"):
            blocks(part)
        blocks.close()
        assert "".join(said) == "." * before + "*** end" + "." * 4_000
        said.clear()


def test_binary_output_is_made_harmless(said: list[str]) -> None:
    LogBlocks()("a\0b\x1b[31mred\x07\n")
    assert said == ["a�b�[31mred�"]


def test_a_line_without_end_is_passed_on(said: list[str]) -> None:
    blocks = LogBlocks()
    blocks("x" * 3_000)
    assert said == []
    blocks("x" * 3_000)
    blocks.close()
    assert said == ["x" * 6_000]
