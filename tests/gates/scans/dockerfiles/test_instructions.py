import pytest

from gates.scans.dockerfiles.instructions import Instruction, assignments, directives, instructions
from gates.scans.outcome import ReportError


def read(text: str) -> list[tuple[str, str, int]]:
    return [(one.keyword, one.value, one.line) for one in instructions(text)]


def test_here_documents_and_escapes_are_not_instructions() -> None:
    text = "# escape=`\nFROM a `\n  AS b\nRUN <<EOF cat <<-'TWO'\nFROM x\nEOF\n\tUSER y\n\tTWO\nCOPY c:\\ d\n"
    assert [(one.keyword, one.line) for one in instructions(text)] == [("FROM", 2), ("RUN", 4), ("COPY", 9)]
    assert instructions("from a\n") == [Instruction("FROM", "a", 1)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("USER a\\\nb\n", "ab"),
        ("USER a\\\n\n# no\n  # no\n b\n", "a b"),
        ("USER a\\  \nb\n", "ab"),
        ("USER a\\\\\nRUN b\n", "a\\\\"),
        ("U\\\nSER a\n", "a"),
        ("\t user \t a\t\n", "a"),
        ("USER a\r\n", "a"),
        ("USER a\u2028USER b\x85USER c\n", "a\u2028USER b\x85USER c"),
        ("USER a\\", "a"),
        ("# escape=`\nUSER a`\nb\n", "ab"),
        ("#Escape = `\nUSER a`\nb\n", "ab"),
        ("# a comment\n# escape=`\nUSER a`\n", "a`"),
        ("# other=x\n# escape=`\nUSER a`\n", "a`"),
        ("#!/bin/sh\n# escape=`\nUSER a`\n", "a`"),
        ("USER -- --a\n", "--a"),
    ],
)
def test_lines_are_joined_as_the_builder_does(text: str, value: str) -> None:
    assert instructions(text)[0].value == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("FROM a\nFRM x\n", "line 2: starts with 'FRM'"),
        ("FROM a\nu\u017fer x\n", "line 2: starts with"),
        ("FROM a\nUSER\xa0x\n", "line 2: starts with"),
        ("FROM a\nONBUILD FRM x\n", "line 2: starts with 'FRM'"),
        ("FROM a\n\n\nUSER\n", "line 4: USER says nothing"),
        ("FROM --plattform=x a\n", "line 1: FROM --plattform: FROM has no such flag"),
        ("FROM a\nCOPY --form=b x /x\n", "line 2: COPY --form"),
        ("FROM a\nADD --from=b x /x\n", "line 2: ADD --from"),
        ("FROM a\nRUN --mounts=x y\n", "line 2: RUN --mounts"),
        ("FROM a\nUSER --x y\n", "line 2: USER --x"),
        ("FROM a\nHEALTHCHECK --every=1s CMD x\n", "line 2: HEALTHCHECK --every"),
        ("FROM a\nONBUILD COPY --form=b x /x\n", "line 2: COPY --form"),
        ("FROM a\nCOPY --from=b --from=c x /x\n", "line 2: COPY --from stands twice"),
        ("FROM a\nCOPY --from x /x\n", "line 2: COPY --from: a value is missing"),
        ("FROM a\nCOPY --link=perhaps x /x\n", "line 2: COPY --link: true or false"),
        ("FROM a\nCOPY x\n", "line 2: COPY names no destination"),
        ("FROM a\nHEALTHCHECK CMD\n", "line 2: HEALTHCHECK wants CMD"),
        ("FROM a\nHEALTHCHECK NONE x\n", "line 2: HEALTHCHECK wants CMD"),
        ("FROM a\nHEALTHCHECK CMD []\n", "line 2: HEALTHCHECK wants CMD"),
        ("FROM a\nHEALTHCHECK curl x\n", "line 2: HEALTHCHECK wants CMD"),
        ("FROM a\nCMD [1]\n", "line 2: a list may hold strings only"),
        ("FROM a\nSHELL bash -c\n", "line 2: SHELL wants a list"),
        ("FROM a\nENV x\n", "line 2: ENV x has no value"),
        ("FROM a\nENV a=b c\n", "line 2: ENV wants NAME=VALUE"),
        ("FROM a\nONBUILD FROM b\n", "line 2: ONBUILD FROM is not allowed"),
        ("FROM a\nRUN <<EOF\nno end\n", "line 2: the here-document EOF has no end"),
        ("FROM a\nRUN <<EOF\n EOF\n", "line 2: the here-document EOF has no end"),
        ("# escape=x\nFROM a\n", "escape directive"),
        ("# escape=`\n# escape=`\nFROM a\n", "two escape directives"),
        ("FROM a\nRUN " + "x" * 65_536 + "\n", "line 2 has more than 65535 bytes"),
        ("FROM a\n\x00\x01\n", "line 2: starts with"),
    ],
)
def test_what_the_builder_refuses_is_named_with_its_line(text: str, says: str) -> None:
    with pytest.raises(ReportError) as raised:
        instructions(text)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "COPY --from=b --link --chmod=0755 --chown=a:b --exclude=c --exclude=d --parents x /x",
        "ADD --checksum=sha256:ab --keep-git-dir=true --unpack=false https://a/x /x",
        "RUN --mount=type=cache,target=/a --mount=type=bind,target=/b --network=none --security=sandbox x",
        "HEALTHCHECK --interval=5s --timeout=3s --start-period=1m --start-interval=1s --retries=3 CMD x",
        'HEALTHCHECK CMD ["/app/health"]',
        'SHELL ["/bin/bash", "-c"]',
        "RUN",
        "CMD []",
        "CMD ['a']",
        "ENV a=b c='d e'",
        "ENV a b c",
        "MAINTAINER somebody",
        "STOPSIGNAL SIGTERM",
        "ONBUILD RUN <<EOF\nUSER x\nEOF",
    ],
)
def test_what_the_builder_reads_is_read(text: str) -> None:
    assert len(read(f"FROM a\n{text}\n")) == 2


def test_flags_are_no_part_of_the_value() -> None:
    _, copy = instructions("FROM a\nCOPY --from='b' \\\n  --link x /x\n")
    assert (copy.flag("from"), copy.flag("link"), copy.words) == (["b"], [""], ["x", "/x"])


def test_assignments_are_read_in_both_forms() -> None:
    def pairs(text: str) -> list[tuple[str, str | None]]:
        return assignments(instructions(text)[0])

    assert pairs("ENV A=b C='d e'\n") == [("A", "b"), ("C", "'d e'")]
    assert pairs("ENV A b  c=d\n") == [("A", "b  c=d")]
    assert pairs("ARG A B= C=d\n") == [("A", None), ("B", ""), ("C", "d")]


def test_the_directives_at_the_top_are_told() -> None:
    assert directives("# syntax=a/b:1 x\n# check=skip=all\n# escape=`\nFROM a\n# check=b\n") == {
        "syntax": "a/b:1 x",
        "check": "skip=all",
        "escape": "`",
    }
    assert directives("\ufeff#!/bin/x\n# syntax=a\n# escape=`\n") == {"syntax": "a"}
    assert directives("\n# syntax=a\n") == {}
