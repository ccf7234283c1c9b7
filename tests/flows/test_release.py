"""The order of a release's effects and the state it ends in, on a real environment without a control plane."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from prefect.client.schemas.objects import State

import flows.release
from evidence.bundle import Image
from flows.release import release
from host.docker.engine import Engine
from settings.targets import Target
from tests.deployments.shop import Shop, shop

pytestmark = pytest.mark.usefixtures("prefect_server")
NO_IMAGE = Image(id="sha256:" + "0" * 64, compose={"staging": "compose.yml"})
MORE = "APPROVAL=none\nSEED=full\nBACKUP_BEFORE_MIGRATION=true\nMIN_FREE_DISK_MB=1\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("release"), "process", Engine(), MORE, Target("staging")) as one:
        text = one.settings.read_text().replace("STRATEGY=blue-green", "STRATEGY=direct")
        one.settings.write_text(text.replace("MAX_DOWNTIME_SECONDS=0", "MAX_DOWNTIME_SECONDS=300"))
        yield one


def released(made: Shop, monkeypatch: pytest.MonkeyPatch, how: str, **settings: str) -> State[str]:
    """Vouch for a version and release it as the deployment would."""
    digest = made.vouched(how, NO_IMAGE)
    monkeypatch.setattr(flows.release, "open_place", lambda environment: made.place())
    with ExitStack() as changed:
        for key, value in settings.items():
            changed.enter_context(made.set(key, value))
        ended: State[str] = release(Target("staging"), digest, return_state=True)
    return ended


def test_a_release_backs_up_migrates_and_seeds_before_it_starts_anything(
    made: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = released(made, monkeypatch, "good one")
    assert ended.name == "Promoted", ended.message
    kinds = [entry.kind for entry in made.place().journal.entries()]
    wanted = [
        "backup",
        "begin",
        "migrating",
        "migrated",
        "seeding",
        "seeded",
        "slot.starting",
        "routed",
        "judged",
        "end",
    ]
    assert [kind for kind in dict.fromkeys(kinds) if kind in wanted] == wanted

    blocked = released(made, monkeypatch, "good two", MIN_FREE_DISK_MB="1e9")
    assert blocked.name == "Blocked" and "the backup before the migration failed, and nothing was changed" in str(
        blocked.message
    )
    assert len(made.place().ledger().operations) == 1 and made.says() == ["good", "one"]

    late = released(made, monkeypatch, "good three", MAX_DOWNTIME_SECONDS="0.001")
    assert late.name == "DowntimeExceeded" and late.is_failed()
    assert "serves staging, but it was down for" in str(late.message) and "limit 0.001 s" in str(late.message)
    assert made.says() == ["good", "three"]
    assert made.place().ledger().operations[-1].reason.startswith("it was down for")
