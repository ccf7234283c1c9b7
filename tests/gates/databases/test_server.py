"""What keeps a release from an external server, both sides of each rule."""

from dataclasses import replace

import pytest

from gates.databases.server import Facts, Wants, server_problems

GOOD = Facts(160004, False, True, True, {"pg_trgm": True, "postgis": False}, frozenset({"plpgsql"}))
ALL = Wants(tables=True, extensions=("pg_trgm",), dump_major=18)


@pytest.mark.parametrize(
    ("facts", "wants"),
    [
        pytest.param(GOOD, ALL, id="all-there"),
        pytest.param(replace(GOOD, may_create=False), Wants(tables=False), id="no-migration"),
        pytest.param(replace(GOOD, installed=frozenset({"postgis"})), Wants(True, ("postgis",)), id="installed-before"),
        pytest.param(GOOD, Wants(True, dump_major=16), id="pg_dump-of-the-same"),
        pytest.param(replace(GOOD, version=120000), Wants(True), id="oldest"),
    ],
)
def test_a_server_that_has_what_is_wanted_will_do(facts: Facts, wants: Wants) -> None:
    assert server_problems(facts, wants) == []


@pytest.mark.parametrize(
    ("facts", "wants", "why"),
    [
        pytest.param(replace(GOOD, version=110022), ALL, "it is PostgreSQL 11.22, expected 12", id="too-old"),
        pytest.param(replace(GOOD, standby=True), ALL, "it is a standby", id="standby"),
        pytest.param(replace(GOOD, may_create=False), ALL, "GRANT CREATE, USAGE ON SCHEMA", id="no-tables"),
        pytest.param(GOOD, Wants(True, ("postgis",)), "the role may not create it", id="not-allowed"),
        pytest.param(GOOD, Wants(True, ("uuid-ossp",)), "the server does not have it", id="absent"),
        pytest.param(
            GOOD, Wants(True, dump_major=15), "SLIPWAY_POSTGRES_BIN to the programs of PostgreSQL 16", id="dump"
        ),
    ],
)
def test_what_is_missing_is_named_with_the_way_out(facts: Facts, wants: Wants, why: str) -> None:
    (problem,) = server_problems(facts, wants)
    assert why in problem
