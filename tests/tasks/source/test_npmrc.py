import pytest

from host.errors import ToolError
from tasks.source.npmrc import refuse_npmrc


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# a comment\n; another\n\nlegacy-peer-deps=true\n",
        " save-exact = true\nfund=false\n",
        "registry=https://npm.example.org/mirror/\n@ours:registry=https://npm.example.org:8443/~us/\n",
        "engine-strict\n",
    ],
)
def test_harmless_settings_are_passed_on(text: str) -> None:
    refuse_npmrc(text.encode(), ".npmrc")


@pytest.mark.parametrize(
    "line",
    [
        "ignore-scripts=false",
        "registry=https://u:p@host/",
        "registry=https://host/?x=${TOKEN}",
        "fund=${HOME}",
        "prefix=/x",
        "\xff",
    ],
)
def test_anything_else_is_named_with_its_line(line: str) -> None:
    with pytest.raises(ToolError, match="^page/.npmrc, line 3: "):
        refuse_npmrc(f"fund=false\n\n{line}\n".encode("latin-1"), "page/.npmrc")
