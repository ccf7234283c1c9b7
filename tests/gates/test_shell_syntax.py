"""What only a shell understands is told, and what looks like it and is plain is left alone."""

import pytest

from gates.shell_syntax import CURE, ShellSyntax, command_words, shell_problem

PLAIN = {
    "port": ["python", "-m", "uvicorn", "a:app", "--port", "{port}"],
    "pattern": ["pytest", "-k", "^a$"],
    "money": ["say", "costs 5$"],
    "shell on purpose": ["sh", "-c", "exec gunicorn -b 127.0.0.1:$PORT && true"],
    "shell with its path": ["/bin/bash", "-c", "exec a > b"],
    "code": ["python", "-c", "import os; print(f'${os.getpid()}')"],
    "option": ["a", "--x=~", "--y=a|b", "a;b", "--allow=*"],
    "assignment for env": ["env", "A=1", "program"],
    "tilde inside": ["a", "x~y"],
    "blank in an argument": ["a", "two words"],
}
SHELL = {
    "variable": (["gunicorn", "-b", "0.0.0.0:$PORT"], "got '$PORT'"),
    "default": (["gunicorn", "-w", "${WORKERS:-2}"], "got '${WORKERS:-2}'"),
    "substitution": (["a", "$(nproc)"], "got '$(nproc)'"),
    "backticks": (["a", "`nproc`"], "got '`nproc`'"),
    "and": (["a", "&&", "b"], "got '&&'"),
    "pipe": (["a", "|", "b"], "got '|'"),
    "into a file": (["a", ">log"], "got '>log'"),
    "home": (["~/bin/a"], "got '~/bin/a'"),
    "configuration, no code": (["gunicorn", "-c", "$CONF"], "got '$CONF'"),
    "assignment": (["A=1", "program"], "got 'A=' before the program"),
    "builtin": (["cd", "backend"], "no program but a word of a shell"),
    "one word": (["gunicorn a:app"], "as one word"),
}


@pytest.mark.parametrize("command", PLAIN.values(), ids=PLAIN)
def test_a_plain_command_is_plain(command: list[str]) -> None:
    assert shell_problem(command) == ""


@pytest.mark.parametrize(("command", "why"), SHELL.values(), ids=SHELL)
def test_what_a_shell_would_do_is_named_with_the_cure(command: list[str], why: str) -> None:
    assert why in shell_problem(command) and shell_problem(command).endswith(CURE)


LINES = {
    "port": ("gunicorn a:app --bind 0.0.0.0:$PORT", "gunicorn|a:app|--bind|0.0.0.0:{port}"),
    "braces": ("a -p ${PORT}", "a|-p|{port}"),
    "default": ("a -p ${PORT:-8000}", "a|-p|{port}"),
    "in quotes": ('a "127.0.0.1:$PORT" x', "a|127.0.0.1:{port}|x"),
    "quotes": ("""a 'b c' "d \\" \\e" f''g ''""", 'a|b c|d " \\e|fg|'),
    "escape": ("a b\\ c", "a|b c"),
    "exec": ("exec  celery -A a worker", "celery|-A|a|worker"),
    "option with a star": ("uvicorn a --forwarded-allow-ips=*", "uvicorn|a|--forwarded-allow-ips=*"),
    "quoted operators": ("a '&&' x", None),
    "shell on purpose": ("sh -c 'a && b $C'", "sh|-c|a && b $C"),
    "address": ("a --bind [::]:$PORT", "a|--bind|[::]:{port}"),
    "hash inside": ("celery -n w@#1", "celery|-n|w@#1"),
}
REFUSED = {
    "and": ("python manage.py migrate && gunicorn a", "got '&&'"),
    "or": ("a || b", "got '||'"),
    "pipe": ("a | b", "got '|'"),
    "semicolon": ("a; b", "got ';'"),
    "background": ("a &", "got '&'"),
    "into a file": ("a >log 2>&1", "got '>'"),
    "other variable": ("celery -c $WORKERS", "got '$WORKERS'"),
    "longer name": ("a $PORTS", "got '$PORTS'"),
    "in quotes": ('a "x $HOME"', "got '$HOME'"),
    "nested default": ("a ${PORT:-$OTHER}", "got '${PORT:-$OTHER}'"),
    "substitution": ("a $(nproc)", "got '$(nproc)'"),
    "backticks": ("a `nproc`", "got '`nproc`'"),
    "assignment": ("A=1 b", "got 'A=' before"),
    "group": ("(a)", "got '('"),
    "files": ("a *.py", "a pattern of file names"),
    "open quote": ("a 'b", "a quote that nobody closes"),
    "end": ("a \\", "a \\ at the end"),
    "comment": ("a # b", "a comment"),
    "empty": (" ", "no command"),
    "only exec": ("exec", "no command"),
}


@pytest.mark.parametrize(("line", "words"), LINES.values(), ids=LINES)
def test_a_command_line_becomes_words(line: str, words: str | None) -> None:
    if words is None:
        with pytest.raises(ShellSyntax):
            command_words(line)
    else:
        assert command_words(line) == tuple(words.split("|"))


@pytest.mark.parametrize(("line", "why"), REFUSED.values(), ids=REFUSED)
def test_a_command_line_that_needs_a_shell_is_refused(line: str, why: str) -> None:
    with pytest.raises(ShellSyntax) as refused:
        command_words(line)
    assert why in str(refused.value)
