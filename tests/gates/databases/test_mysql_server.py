"""What keeps a release from an external MySQL or MariaDB, both sides of each rule."""

from dataclasses import replace

import pytest

from gates.databases.mysql_server import MysqlFacts, MysqlWants, mysql_notes, mysql_problems

GOOD = MysqlFacts("10.11.6-MariaDB-0+deb12u1-log", False, True, True)
MYSQL = replace(GOOD, version="8.0.36-28")
ALL = MysqlWants(tables=True, encrypted=True, product="MariaDB")


@pytest.mark.parametrize(
    ("facts", "wants"),
    [
        pytest.param(GOOD, ALL, id="all-there"),
        pytest.param(MYSQL, MysqlWants(True), id="mysql"),
        pytest.param(replace(GOOD, version="10.5.0-MariaDB"), ALL, id="oldest-mariadb"),
        pytest.param(replace(GOOD, version="12.1.2-MariaDB"), ALL, id="new-mariadb"),
        pytest.param(replace(GOOD, version="8.0.0"), MysqlWants(True), id="oldest-mysql"),
        pytest.param(replace(GOOD, may_create=False), MysqlWants(False), id="no-migration"),
        pytest.param(replace(GOOD, encrypted=False), MysqlWants(True), id="no-tls-wanted"),
    ],
)
def test_a_server_that_has_what_is_wanted_will_do(facts: MysqlFacts, wants: MysqlWants) -> None:
    assert mysql_problems(facts, wants) == []


@pytest.mark.parametrize(
    ("facts", "wants", "why"),
    [
        pytest.param(
            replace(GOOD, version="10.4.34-MariaDB"), ALL, "it is MariaDB 10.4.34, expected MariaDB 10.5", id="mariadb"
        ),
        pytest.param(
            replace(GOOD, version="5.7.44-log"), MysqlWants(True), "it is MySQL 5.7.44, expected MySQL 8.0", id="mysql"
        ),
        pytest.param(
            replace(GOOD, version="unheard of"), MysqlWants(True), "MySQL of an unknown version", id="no-version"
        ),
        pytest.param(replace(GOOD, read_only=True), ALL, "it is read-only, as a replica is", id="replica"),
        pytest.param(MYSQL, ALL, "takes MariaDB only; set [database] scheme to mysql+...", id="dialect"),
        pytest.param(replace(GOOD, may_create=False), ALL, "may not create tables", id="no-tables"),
        pytest.param(replace(GOOD, encrypted=False), ALL, "it speaks no TLS", id="no-tls"),
        pytest.param(
            GOOD, replace(ALL, no_dump="no view"), "cannot be dumped: no view; grant what is missing", id="dump"
        ),
    ],
)
def test_what_is_missing_is_named_with_the_way_out(facts: MysqlFacts, wants: MysqlWants, why: str) -> None:
    (problem,) = mysql_problems(facts, wants)
    assert why in problem


def test_who_approves_hears_of_missing_tls_of_ddl_and_of_tables_that_a_dump_has_not_as_of_one_moment() -> None:
    plain = replace(GOOD, encrypted=False, single=("a", "b", "c", "d"))
    where, ddl, dump = mysql_notes(plain, near=False, shown="h:3306", migrates=True, backup=True)
    assert where == "The database is an external MariaDB 10.11.6 at h:3306, WITHOUT TLS (ssl_mode in DATABASE_URL)."
    assert "Nobody judges migrations" in ddl and "is not undone" in ddl
    assert "a, b, c and 1 more not as of one moment" in dump
    (near,) = mysql_notes(replace(plain, single=()), near=True, shown="/run/s", migrates=False, backup=True)
    assert "TLS" not in near
    assert len(mysql_notes(plain, near=True, shown="/run/s", migrates=False, backup=False)) == 1
