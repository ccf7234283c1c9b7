"""The folders in which config/pipeline.toml has commands run: does the commit have them?"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from gates.repository_paths import is_top
from host.errors import ConfigError
from settings.pipeline import Pipeline
from tasks.source.git import Source

LINK, SUBMODULE = "120000", "160000"


def check_folders(source: Source, pipeline: Pipeline) -> None:
    """Raise ConfigError, in one line, for the first folder that a commit does not have as a folder of its own."""
    there = {str(folder) for path in source.files for folder in PurePosixPath(path).parents}
    for key, folder in _named(pipeline):
        if is_top(folder) or folder in there:
            continue
        raise ConfigError(f"config/pipeline.toml: {key}: got {folder!r}, expected a folder: {_why(source, folder)}")


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
