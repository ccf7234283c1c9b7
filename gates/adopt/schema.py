"""How the app changes its database's schema: [run] migrate and [migrations]."""

import posixpath
import re

from gates.adopt.draft import Draft
from gates.adopt.packages import Packages
from gates.adopt.python_source import Framework
from gates.adopt.tree import Tree, below, joined, relative
from gates.adopt.web import Served
from gates.migrations.migrate_command import ToolKind
from gates.migrations.tools import MigrationTool, choose_tool, telling

FLASK = ("python", "-m", "flask")
LITESTAR = ("litestar",)


def propose_migrations(tree: Tree, served: Served, packages: Packages, draft: Draft) -> MigrationTool | str:
    """Propose how to migrate. Returns the tool, or why nobody can tell which it is."""
    migrate, because = _command(tree, served, packages, draft)
    if migrate:
        draft.put("run", "migrate", migrate, because)
    if migrate[:1] == LITESTAR:
        draft.put("migrations", "kind", ToolKind.NONE.value, f"{because}: its revisions run through the app alone")
        draft.tell("migrations", "Litestar's own command", f"{because}; a person judges them")
        return MigrationTool(ToolKind.NONE)
    texts = {name: tree.texts.get(name, "") for name in telling(tree.names, "", migrate)}
    tool = choose_tool(None, "", tree.names, texts, migrate, served.folder or ".")
    if isinstance(tool, str) and (config := _config(tree, served, migrate)):
        kind, file = config
        said = choose_tool(
            kind, file, tree.names, {**texts, file: tree.texts.get(file, "")}, migrate, served.folder or "."
        )
        if not isinstance(said, str):
            draft.put("migrations", "kind", kind.value, because)
            draft.put("migrations", "config", file, f"{because}: the repository has others")
            tool = said
    if isinstance(tool, str):
        draft.block(f"migrations cannot be judged: {tool}", "say so in [migrations] of pipeline.toml", because)
        draft.tell("migrations", "could not tell", tool)
    else:
        draft.tell(
            "migrations",
            tool.kind.value if tool.kind is not ToolKind.NONE else "none",
            tool.config or "no tool's files",
        )
    return tool


def _command(tree: Tree, served: Served, packages: Packages, draft: Draft) -> tuple[tuple[str, ...], str]:
    """Return the command that migrates, as run in the app's folder."""
    if served.app.framework is Framework.DJANGO and tree.has(manage := joined(served.folder, "manage.py")):
        return ("python", "manage.py", "migrate", "--noinput"), manage
    inis = [name for name in tree.called(r"alembic\.ini") if below(served.folder, name) or "/" not in name]
    if packages.where("flask-migrate"):
        own = next((name for name in inis if name.rpartition("/")[0].endswith("migrations")), "")
        folder = relative(served.folder, own.rpartition("/")[0]) if own else "migrations"
        directory = () if folder == "migrations" else ("--directory", folder)
        app = f"{served.module}:{served.app.name}{'()' * served.app.factory}"
        return (*FLASK, "--app", app, "db", "upgrade", *directory), packages.where("flask-migrate")
    return _alembic(tree, served, packages, inis, draft)


def _alembic(
    tree: Tree, served: Served, packages: Packages, inis: list[str], draft: Draft
) -> tuple[tuple[str, ...], str]:
    ini = next((name for name in inis if below(served.folder, name)), next(iter(inis), ""))
    project = joined(served.folder, "pyproject.toml")
    if not ini and tree.has(project) and "[tool.alembic]" in tree.texts.get(project, ""):
        return ("python", "-m", "alembic", "upgrade", "head"), tree.where(project, r"^\[tool\.alembic\]")
    if not ini or not packages.where("alembic"):
        return (), "no alembic.ini, manage.py or Flask-Migrate"
    place = _script_location(tree, served, ini)
    if place and not tree.has(f"{place}/env.py"):
        if served.app.framework is Framework.LITESTAR and (where := packages.where("advanced-alchemy")):
            app = ("--app", f"{served.module}:{served.app.name}")
            folder = ("--app-dir", served.path) if served.path else ()
            return (*LITESTAR, *app, *folder, "database", "upgrade", "--no-prompt"), where
        what = f"{ini}: its script_location means {place}, where no env.py is"
        draft.block(what, "say in [run] migrate which command migrates, and in [migrations] how it is set up", ini)
        return (), f"{ini} is used by something that is not known"
    path = relative(served.folder, ini)
    config = () if path == "alembic.ini" else ("-c", path)
    return ("python", "-m", "alembic", *config, "upgrade", "head"), ini


def _script_location(tree: Tree, served: Served, ini: str) -> str:
    """Return the folder that alembic takes when it starts in the app's folder, "" when the file leaves it open."""
    text = tree.texts.get(ini, "")
    found = re.search(r"^\s*script_location\s*[=:]\s*(\S+)\s*$", text, re.MULTILINE)
    if not found or ":" in found[1]:  # `package:folder` is looked up among the packages
        return ""
    here = posixpath.dirname(ini) or "."
    own = found[1].startswith("%(here)s")
    return joined(here if own else served.folder, found[1].removeprefix("%(here)s").lstrip("/"))


def _config(tree: Tree, served: Served, migrate: tuple[str, ...]) -> tuple[ToolKind, str] | None:
    """Return what [migrations] must say when the files alone leave it open."""
    if "manage.py" in migrate:
        return ToolKind.DJANGO, joined(served.folder, "manage.py")
    if "alembic" in migrate or "flask" in migrate:
        inis = [name for name in tree.called(r"alembic\.ini") if below(served.folder, name)]
        if inis:
            return ToolKind.ALEMBIC, inis[0]
    return None
