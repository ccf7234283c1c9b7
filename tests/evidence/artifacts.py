"""A small artifact with real wheels in a store."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence.bundle import Bundle, Run, put_bundle
from evidence.store import Store

COMMIT = "c0ffee" + "0" * 34
LICENCES = {
    "expression": "License-Expression: MIT OR Apache-2.0",
    "classifier": "Classifier: License :: OSI Approved :: BSD License",
    "free": "License: ISC\n  and more",
    "none": "Summary: nothing",
}


def wheel(folder: Path, name: str, version: str, extra: str = "Summary: a package") -> Path:
    """Write a wheel that holds nothing but its metadata."""
    file = folder / f"{name}-{version}-py3-none-any.whl"
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        text = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{extra}\n\nlong text\n"
        archive.writestr(f"{name}-{version}.dist-info/METADATA", text)
    return file


def source(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write a source archive."""
    file = folder / "source.tar"
    with tarfile.open(file, "w") as archive:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return file


def artifact(
    store: Store, commit: str = COMMIT, app: str = "assistant", files: Mapping[str, bytes] | None = None, **more: Any
) -> tuple[str, Bundle]:
    """Put an artifact with a wheel of each kind of licence into the store; return its digest and manifest.

    `files` are of its source, beside one that tells it from other commits'.
    """
    folder = store.root.parent / "wheels"
    wheels = {}
    for number, (kind, text) in enumerate(sorted(LICENCES.items())):
        file = wheel(folder, f"pkg_{kind}", f"1.{number}", text)
        wheels[file.name] = store.put_file(file)
    (folder / "lock").write_text(f"lock of {commit}")
    fields: dict[str, Any] = {
        "app": app,
        "commit": commit,
        "version": "v1",
        "python": "3.11",
        "source": store.put_file(source(folder, {"commit.txt": commit.encode(), **(files or {})})),
        "lock": store.put_file(folder / "lock"),
        "wheels": wheels,
        "run": Run(command=("python", "-m", "app")),
    }
    bundle = Bundle(**{**fields, **more})
    return put_bundle(store, bundle), bundle
