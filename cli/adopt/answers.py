"""Questions in the terminal: one by one, each with its default and why it is asked."""

from collections.abc import Sequence

import typer

from cli.screen import say
from gates.adopt.draft import Question


def ask_each(questions: Sequence[Question]) -> dict[str, str]:
    """Return the answers. An empty one is the default; the end of the input answers all that are left so."""
    answers: dict[str, str] = {}
    for number, question in enumerate(questions, 1):
        say(f"{number}/{len(questions)} {question.why}")
        try:
            given = typer.prompt(f"    {question.ask}", default=question.default, show_default=bool(question.default))
        except typer.Abort:
            say("no answer: the defaults are taken for this and what follows")
            break
        answers[question.key] = str(given).strip()
    return answers
