"""A Procfile gives the command of each process; what needs a shell is told with its line."""

from gates.procfile import LARGEST, read_procfile

GOOD = """\
# of this app

web: gunicorn shop.wsgi --bind 127.0.0.1:$PORT --log-file -\r
worker:celery -A shop worker
release : python manage.py migrate
"""


def test_a_procfile_gives_commands_by_name() -> None:
    found = read_procfile("\ufeff" + GOOD)
    assert found.problems == ()
    assert list(found.commands.items()) == [
        ("web", ("gunicorn", "shop.wsgi", "--bind", "127.0.0.1:{port}", "--log-file", "-")),
        ("worker", ("celery", "-A", "shop", "worker")),
        ("release", ("python", "manage.py", "migrate")),
    ]


def test_what_cannot_be_read_is_told_with_its_line_and_the_rest_is_there() -> None:
    text = "web: a && b\nno colon\nbeat: celery beat\nbeat: other\nok: x\nbad\x00: y\nodd name: z\nempty:\n"
    found = read_procfile(text)
    assert dict(found.commands) == {"ok": ("x",)}
    starts = [
        "1: web: got '&&'",
        "2: got 'no colon'",
        "4: beat stands twice",
        "6: got",
        "7: got 'odd",
        "8: empty: there",
    ]
    assert len(found.problems) == len(starts)
    for problem, start in zip(found.problems, starts, strict=True):
        assert problem.startswith(f"Procfile:{start}")
    assert '["sh", "-c", "exec ..."]' in found.problems[0]


def test_one_that_is_too_long_is_not_read() -> None:
    assert read_procfile("a: b\n" * LARGEST).problems[0].startswith("Procfile: got more than")
    assert read_procfile("") == read_procfile("# nothing\n")
