"""The folders in which config/pipeline.toml has commands run: are they there, and do its globs begin at the top?"""

from collections.abc import Iterator
from pathlib import PurePosixPath

import pathspec

from gates.repository_paths import is_top
from host.errors import ConfigError
from settings.pipeline import Pipeline
from tasks.source.git import Source

LINK, SUBMODULE = "120000", "160000"


def check_folders(source: Source, pipeline: Pipeline) -> None:
    """Raise ConfigError, in one line, for the first folder that a commit does not have as a folder of its own, and for
    the first glob that only matches when it is read from such a folder: then a result would depend on nothing.
    """
    there = {str(folder) for path in source.files for folder in PurePosixPath(path).parents}
    for key, folder in _named(pipeline):
        if is_top(folder) or folder in there:
            continue
        raise ConfigError(f"config/pipeline.toml: {key}: got {folder!r}, expected a folder: {_why(source, folder)}")
    for key, folder, globs in _globs(pipeline):
        if not is_top(folder) and (wrong := _from_below(source, folder, globs)):
            raise ConfigError(
                f"config/pipeline.toml: {key}: {wrong!r} matches nothing of this commit, and"
                f" {_prefixed(folder, wrong)!r} does: globs begin at the top of the repository"
            )


def _named(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    yield "app.directory", pipeline.app.directory
    for kind, tables in (("suites", pipeline.suites), ("quality", pipeline.quality)):
        for name, one in tables.items():
            yield f"{kind}.{name}.directory", one.directory
    for step in pipeline.build:
        yield f"build.{step.name}.directory", step.directory


def _why(source: Source, folder: str) -> str:
    for path in (folder, *map(str, PurePosixPath(folder).parents)):
        about = source.files.get(path, "")
        if about.startswith(LINK):
            return f"{path} is a link in this commit, and no command starts behind one"
        if about:
            return f"{path} is a {'submodule' if about.startswith(SUBMODULE) else 'file'} in this commit"
    return "this commit has nothing there"


def _globs(pipeline: Pipeline) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield the globs of what runs in the app's folder, each with the folder from which they may have been written."""
    app = pipeline.app.directory
    if is_top(app):  # a file of before there were such folders is taken as it is
        return
    for name, tool in pipeline.quality.items():
        yield f"quality.{name}.inputs", tool.directory, tool.inputs
    for name, suite in pipeline.suites.items():
        yield f"suites.{name}.inputs", suite.directory, suite.inputs
        yield f"suites.{name}.covers", app, suite.covers
    if pipeline.coverage:
        yield "coverage.covers", app, pipeline.coverage.covers
    if pipeline.performance:
        yield "performance.inputs", app, pipeline.performance.inputs


def _from_below(source: Source, folder: str, globs: tuple[str, ...]) -> str:
    wanted = [glob for glob in globs if not glob.startswith("!")]
    return next((one for one in wanted if not _any(source, one) and _any(source, _prefixed(folder, one))), "")


def _prefixed(folder: str, glob: str) -> str:
    return f"{folder}/{glob.removeprefix('/')}"


def _any(source: Source, glob: str) -> bool:
    chosen = pathspec.GitIgnoreSpec.from_lines([glob])
    return any(chosen.match_file(path) for path in source.files)
