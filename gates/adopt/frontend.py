"""Frontends: folders with a package.json, what builds them, and the tools that look at them."""

import re
from itertools import count, islice

from gates.adopt.draft import Draft
from gates.adopt.tree import Tree, below, joined, subtable
from gates.other_locks import NODE_LOCKS, NPM_LOCK

TOOLS = {"eslint": ("eslint", "."), "typescript": ("tsc", "--noEmit"), "vitest": ("vitest", "run")}
OUTPUTS = {
    "next": ".next",
    "react-scripts": "build",
    "vite": "dist",
    "@angular/cli": "dist",
    "parcel": "dist",
    "webpack": "dist",
    "nuxt": ".output",
}
OUT_DIR = re.compile(r"outDir\s*:\s*[\"']([^\"']+)")
MOST = 3


def propose_frontends(tree: Tree, folder: str, draft: Draft) -> None:
    """Propose a [[build]] step for each frontend that npm's own lock describes; the others are named with the cure."""
    manifests = [name for name in tree.called(r"package\.json") if name.count("/") < 4 and "node_modules/" not in name]
    for manifest in manifests[:MOST]:
        table = tree.table(manifest)
        build = subtable(table, "scripts").get("build")
        place = manifest.rpartition("/")[0] or "."
        if not build:
            continue
        draft.tell("frontend", f"{place}: {str(build)[:60]}", tree.where(manifest, r'"build"\s*:'))
        if table.get("workspaces") is not None:
            draft.note(
                f"{manifest}: npm's workspaces are not built here; give each its own {NPM_LOCK} and [[build]] step"
            )
        elif tree.has(joined(place, NPM_LOCK)):
            _propose(tree, place, manifest, draft)
        else:
            other = next((joined(place, one) for one in NODE_LOCKS if tree.has(joined(place, one))), "")
            why = f"{other} is not read" if other else "no lock is there"
            where = "" if place == "." else f" --prefix {place}"
            draft.note(
                f"{manifest}: {why}: only {NPM_LOCK} builds without network; npm install --package-lock-only{where}, "
                "or a [[build]] step with network = true"
            )


def _propose(tree: Tree, place: str, manifest: str, draft: Draft) -> None:
    wanted = {**subtable(tree.table(manifest), "dependencies"), **subtable(tree.table(manifest), "devDependencies")}
    name = (
        "frontend"
        if place == "."
        else re.sub("[^a-z0-9]+", "-", place.lower()).strip("-")[-30:].strip("-") or "frontend"
    )
    output, because = _output(tree, place, wanted)
    name = _free("build", name, draft)
    answer, why = draft.ask(
        f"build.{name}.outputs", f"which folder does `npm run build` in {place} make", output, because
    )
    table = f"build.{name}"
    draft.put(table, "name", name, manifest)
    draft.put(table, "directory", place, manifest)
    commands = (("npm", "ci", "--no-audit", "--no-fund"), ("npm", "run", "build"))
    draft.put(table, "commands", commands, tree.where(manifest, r'"build"\s*:'))
    draft.put(table, "inputs", (place,), "all of its folder")
    draft.put(table, "outputs", (answer,), why)
    for package, command in TOOLS.items():
        if package in wanted:
            tool = command[0] if place in (".", "frontend") else f"{command[0]}-{name}"[:28]
            tool = f"quality.{_free('quality', tool, draft)}"
            draft.put(tool, "runtime", "node", tree.where(manifest, rf'"{package}"'))
            draft.put(tool, "directory", place, manifest)
            draft.put(tool, "command", command, tree.where(manifest, rf'"{package}"'))
            draft.put(tool, "inputs", ("**" if place == "." else f"/{place}",), manifest)


def _free(table: str, name: str, draft: Draft) -> str:
    """Return a name that no other table of its kind has yet."""
    taken = {entry.table for entry in draft.entries}
    numbered = (f"{name}-{number}" for number in count(2))
    return next(one for one in (name, *islice(numbered, len(taken))) if f"{table}.{one}" not in taken)


def _output(tree: Tree, place: str, wanted: dict[str, object]) -> tuple[str, str]:
    for name in tree.called(r"vite\.config\.[jt]s"):
        if below(place, name) and (found := OUT_DIR.search(tree.texts.get(name, ""))):
            path = joined(place, found[1])
            if not path.startswith((".", "/")):
                return path, tree.where(name, "outDir")
    tool = next((one for one in OUTPUTS if one in wanted), "")
    return joined(place, OUTPUTS.get(tool, "dist")), f"what {tool or 'most tools'} makes by default"
