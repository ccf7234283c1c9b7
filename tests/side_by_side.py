"""How `make test` shares the tests out among its processes: by file, and what needs the one installation together."""

from xdist.scheduler import LoadFileScheduling

from tests.installation import TOGETHER


class FilesSideBySide(LoadFileScheduling):
    """One file is one piece of work; those of TOGETHER are one."""

    def _split_scope(self, nodeid: str) -> str:
        return "installation" if nodeid.startswith(TOGETHER) else super()._split_scope(nodeid)
