"""What the planted corpora came to: each scan records what it caught, and the test summary prints the figures."""

from dataclasses import dataclass, field


@dataclass
class Tally:
    """Of one scan: plants that were found and that there are, clean twins that were reported and that there are."""

    found: int = 0
    planted: int = 0
    false: int = 0
    clean: int = 0


@dataclass
class Corpus:
    """The figures of one test session, by the scan's name."""

    tallies: dict[str, Tally] = field(default_factory=dict)

    def record(self, scan: str, found: int, planted: int, false: int = 0, clean: int = 0) -> None:
        """Add figures to a scan's: several tests of one scan add up."""
        tally = self.tallies.setdefault(scan, Tally())
        tally.found += found
        tally.planted += planted
        tally.false += false
        tally.clean += clean

    def as_rows(self) -> list[tuple[str, int, int, int, int]]:
        """Return what `record` takes to add these figures to another session's."""
        return [(name, one.found, one.planted, one.false, one.clean) for name, one in self.tallies.items()]

    def lines(self) -> list[str]:
        """Return the table, one line a scan and one for all; nothing when no corpus was scanned."""
        if not self.tallies:
            return []
        every = Tally()
        for tally in self.tallies.values():
            every = Tally(*(getattr(every, name) + getattr(tally, name) for name in Tally.__dataclass_fields__))
        rows = [*sorted(self.tallies.items()), ("all", every)]
        return [
            f"{name:<12} found {tally.found} of {tally.planted} planted, {tally.false} false of {tally.clean} clean"
            for name, tally in rows
        ]
