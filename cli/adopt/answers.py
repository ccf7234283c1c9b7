"""Questions in the terminal: one by one, each with its default and why it is asked."""

import re
from collections.abc import Callable, Mapping, Sequence

import typer

from cli.screen import fail, say
from gates.adopt.draft import Question
from gates.adopt.propose import Proposal
from gates.adopt.web import APP

INTERRUPTED = 130


def ask_each(proposal: Proposal, again: Callable[[Mapping[str, str]], Proposal]) -> Proposal:
    """Return the proposal with the answers, asking too what an answer leaves open. An empty answer is the default; the
    end of the input answers all that are left so. Ctrl-C ends the command.
    """
    answers: dict[str, str] = {}
    while proposal.draft.questions:
        first = proposal.draft.questions[0]
        asked = [first] if first.key == APP else proposal.draft.questions  # which app it is decides about the others
        given = _asked(asked)
        answers |= given
        whole = len(given) == len(asked)
        proposal = again(answers)
        if not whole:
            break
    return proposal


def _asked(questions: Sequence[Question]) -> dict[str, str]:
    answers: dict[str, str] = {}
    for number, question in enumerate(questions, 1):
        say(f"{number}/{len(questions)} {question.why}")
        try:
            answers[question.key] = _answer(question)
        except typer.Abort as error:
            if isinstance(error.__context__, KeyboardInterrupt):
                fail("interrupted: nothing was written")
                raise typer.Exit(INTERRUPTED) from error
            say("no answer: the defaults are taken for this and what follows")
            break
    return answers


def _answer(question: Question) -> str:
    while True:
        given = str(
            typer.prompt(f"    {question.ask}", default=question.default, show_default=bool(question.default))
        ).strip()
        if given == question.default or re.fullmatch(question.form, given):
            return given
        say(f"    that is none of {question.ask!r}")
