"""The command of the server: on the slot's port, and with connections that idle longer than the router's 4 s."""

from collections.abc import Sequence

from gates.adopt.draft import Draft
from gates.adopt.packages import Packages
from gates.adopt.python_source import Framework
from gates.adopt.web import Served, is_asgi

LOCAL = "127.0.0.1"
KEEP_ALIVE = ("--keep-alive", "5")  # gunicorn's own default is 2 s, and the router keeps a connection for 4 s
# In this order, of those that the lock has.
FOR_ASGI = ("uvicorn", "granian", "hypercorn", "gunicorn", "daphne")
FOR_WSGI = ("gunicorn", "granian", "waitress")
WORKERS = ("uvicorn-worker", "uvicorn")


def propose_server(served: Served, packages: Packages, draft: Draft) -> None:
    """Propose [run] command, or say what keeps it from being known."""
    app, target = served.app, f"{served.module}:{served.app.name}"
    draft.tell("framework", f"{app.framework}: {target}", app.because)
    if app.framework is Framework.OTHER:
        draft.block(f"{target} is of a framework that is not known here", "write [run] command for it", app.because)
    server = _server(served, packages)
    if app.framework is Framework.AIOHTTP and server != "gunicorn":
        return _aiohttp(served, draft)
    if not server:
        wanted = FOR_ASGI[0] if is_asgi(served, packages) else FOR_WSGI[0]
        if not packages.unread:
            what = f"no server for {app.framework} is among the app's packages"
            draft.block(what, f"add {wanted} to them", packages.because)
        server = wanted
    if app.given:
        draft.block(f"{target} must be given arguments, which no server has", "add a function without any", app.because)
    where = served.started.because if served.started else app.because
    because = f"{app.framework} at {where}; {server} at {packages.where(server) or 'no lock yet'}"
    draft.put("run", "command", ("python", "-m", server, *_arguments(server, served, target, packages)), because)
    draft.tell("server", server, packages.where(server) or "not locked yet")


def _server(served: Served, packages: Packages) -> str:
    """Return the server that the repository itself starts if that is locked, else the first one that is."""
    asgi = is_asgi(served, packages)
    wanted: Sequence[str] = FOR_ASGI if asgi else FOR_WSGI
    if served.app.framework is Framework.AIOHTTP:
        return "gunicorn" if packages.where("gunicorn") else ""
    stated = (served.started.server if served.started else "").replace("waitress-serve", "waitress")
    if stated in wanted and packages.where(stated):
        return stated
    has = [one for one in wanted if packages.where(one)]
    return has[0] if has else "uvicorn" if asgi and packages.where("fastapi-cli") else ""


def _arguments(server: str, served: Served, target: str, packages: Packages) -> tuple[str, ...]:
    asgi, factory, path = is_asgi(served, packages), served.app.factory, served.path
    if server == "uvicorn":
        options = ("--factory",) * factory + (("--app-dir", path) if path else ())
        return (target, "--host", LOCAL, "--port", "{port}", *options)
    if server == "gunicorn":
        worker = next((one for one in WORKERS if packages.where(one)), WORKERS[0])
        kind = f"{worker.replace('-', '_')}{'.workers' * (worker == 'uvicorn')}.UvicornWorker"
        kind = "aiohttp.GunicornWebWorker" if served.app.framework is Framework.AIOHTTP else kind
        asynchronous = asgi or served.app.framework is Framework.AIOHTTP
        options = (("--worker-class", kind) if asynchronous else ()) + (("--pythonpath", path) if path else ())
        called = "()" if factory and served.app.framework is not Framework.AIOHTTP else ""
        return (f"{target}{called}", "--bind", f"{LOCAL}:{{port}}", *KEEP_ALIVE, *options)
    if server == "granian":
        options = ("--factory",) * factory + (("--working-dir", path) if path else ())
        return ("--interface", "asgi" if asgi else "wsgi", "--host", LOCAL, "--port", "{port}", *options, target)
    if server == "hypercorn":
        return (f"{target}{'()' * factory}", "--bind", f"{LOCAL}:{{port}}")
    if server == "daphne":
        return ("-b", LOCAL, "-p", "{port}", target)
    return (*("--call",) * factory, f"--listen={LOCAL}:{{port}}", target)


def _aiohttp(served: Served, draft: Draft) -> None:
    """Propose aiohttp's own starter, which takes a function that it gives the rest of the command line."""
    app = served.app
    target = f"{served.module}:{app.name}"
    if not app.factory:
        draft.block(
            f"{target} is an object, and aiohttp.web starts a function: `def {app.name}_for(argv)` that returns it",
            "write one, or add gunicorn to the packages",
            app.because,
        )
    command = ("python", "-m", "aiohttp.web", "-H", LOCAL, "-P", "{port}", target)
    draft.put(
        "run", "command", command, f"aiohttp at {app.because}; aiohttp.web calls it with the arguments that are left"
    )
    draft.tell("server", "aiohttp.web", app.because)
