"""Where the app's commands run: `[app] directory`, said again wherever nothing else is said."""

from typing import Any

from gates.repository_paths import is_top, source_folder


def with_directory(raw: Any) -> Any:
    """Return the tables of a pipeline.toml with `[app] directory` said in [run], and in each suite and each tool of
    Python that names none of its own.

    Raises ValueError if [run] names one, or if it is no folder of the source.
    """
    tables = raw if isinstance(raw, dict) else {}
    app, run = tables.get("app"), tables.get("run")
    if isinstance(run, dict) and "directory" in run:
        raise ValueError("run.directory is no key; where all commands of the app run stands in app.directory")
    directory = app.get("directory") if isinstance(app, dict) else None
    if not isinstance(directory, str) or not isinstance(run, dict):
        return raw
    try:
        top = is_top(source_folder(directory))
    except ValueError as error:
        raise ValueError(f"app.directory: got {directory[:80]!r}, {error}") from error
    if top:
        return raw
    named = {key: _named(tables[key], directory) for key in ("quality", "suites") if key in tables}
    return {**tables, "run": {**run, "directory": directory}, **named}


def _named(tables: Any, directory: str) -> Any:
    """Return tools or suites with the directory in those that have none. Packages of Node lie where they lie."""
    if not isinstance(tables, dict):
        return tables
    return {
        name: {"directory": directory, **one} if isinstance(one, dict) and one.get("runtime") != "node" else one
        for name, one in tables.items()
    }
