"""A proposal for a person, as tables, and for a machine, as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from cli.screen import console, escape, say
from gates.adopt.propose import Proposal
from gates.adopt.readiness import Row
from gates.adopt.tree import Tree
from tasks.adopt.repository import shown

MOST_ROWS = 60


def print_proposal(tree: Tree, proposal: Proposal, seconds: float) -> None:
    """Print what was found, what could not be known, what was not looked at, and what blocks."""
    draft = proposal.draft
    table = Table("what", "found", "because")
    for row in draft.found[:MOST_ROWS]:
        table.add_row(*(escape(text) for text in (row.what, row.value, row.because)))
    console.print(table)
    if (more := len(draft.found) - MOST_ROWS) > 0:
        say(f"and {more} more rows: --json has all of them")
    for question in draft.questions:
        say(f"not known: {question.ask}: taken: {question.default or 'nothing'} ({question.why})")
    for note in draft.notes:
        say(f"note: {note}")
    for left_out in shown(tree.left_out):
        say(f"not looked at: {left_out}")
    for block in draft.blocks:
        console.print(f"[red]blocks:[/red] {escape(block.what)}; {escape(block.cure)}")
    say(f"looked at {len(tree.names)} files in {seconds:.1f} s")


def as_json(
    tree: Tree, proposal: Proposal, files: Mapping[str, str], rows: Sequence[Row], seconds: float
) -> dict[str, Any]:
    """Return all of it as plain values."""
    draft = proposal.draft
    return {
        "version": 1,
        "seconds": round(seconds, 2),
        "files": len(tree.names),
        "left_out": list(tree.left_out),
        "found": [asdict(one) for one in draft.found],
        "questions": [asdict(one) for one in draft.questions],
        "notes": draft.notes,
        "blocks": [asdict(one) for one in draft.blocks],
        "first_release": [asdict(row) for row in rows],
        "config": dict(files),
    }
