"""How `make test` shares the tests out among its processes: by file, and what needs the one installation together."""

from xdist.scheduler import LoadFileScheduling

# These use the installation that `conftest.py` makes once, or break things that others must not see broken.
TOGETHER = ("tests/e2e/", "tests/chaos/")


class FilesSideBySide(LoadFileScheduling):
    """One file is one piece of work; those of TOGETHER are one, which comes last: so its tests are sorted."""

    def _split_scope(self, nodeid: str) -> str:
        return "installation" if nodeid.startswith(TOGETHER) else super()._split_scope(nodeid)
