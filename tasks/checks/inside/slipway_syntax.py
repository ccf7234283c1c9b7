"""Tell what the Python files of a commit mean: `python -I slipway_syntax.py UID < ARCHIVE`, a tar; JSON to stdout.

    {"modules": {PATH: {"meaning": DIGEST, "shape": DIGEST, "lines": [...], "imports": [...], "words": [...],
                        "loads": BOOL, "reads_source": BOOL}},
     "settings": {PATH: TEXT}, "words": {PATH: [...]}}

`settings` are the files in which pytest's options may stand, `words` what configuration files may name. It parses and
runs nothing of them. `meaning` is the syntax tree's digest: comments and layout change nothing. `shape` says besides
which parts share a line, so files of one shape differ by whole lines of comments and blanks alone, and the n-th of
one's `lines` is the n-th of the other's. A file whose tree does not tell all is left out: links, other encodings than
UTF-8, what does not parse, what the parser warns of (an invalid escape has the tree of a valid one).
"""

import ast
import hashlib
import io
import json
import os
import re
import resource
import sys
import tarfile
import tokenize
import warnings
from typing import Any, Optional

LARGEST_BYTES = 2_000_000
MOST_MEMORY_BYTES, MOST_CPU_S = 1_500_000_000, 600
# How a module loads what no import statement names: each by one of these.
LOADERS = frozenset(
    "archunitpython celery cloudpickle code codeop ctypes dill django grimp imp importlib importlinter joblib "
    "jsonpickle multiprocessing nox pexpect pickle pkg_resources pkgutil plumbum pluggy pty pytest_archon pytestarch "
    "runpy scrapy sh shelve site stevedore subprocess zipimport".split()
)
LOADING_NAMES = frozenset(
    "__import__ __loader__ __path__ __spec__ compile create_subprocess_exec create_subprocess_shell eval exec execfile "
    "fork forkpty globals import_module import_string importorskip load_module load_object locate meta_path modules "
    "path_hooks popen posix_spawn posix_spawnp pytester resolve_name run_module run_path runpytest spawn_main system "
    "testdir".split()
)
LOADING_PREFIXES = ("execl", "execv", "spawnl", "spawnv")
# How a test looks at the text of a file, comments included, or at the number of a line.
TEXT_READERS = frozenset(
    "ast astroid asttokens bandit black codespell compileall coverage dis docutils doctest dulwich executing filecmp "
    "flake8 git importlib.resources importlib_resources isort jedi lib2to3 libcst linecache marshal mccabe mypy parso "
    "pkgutil py_compile pyclbr pycodestyle pydocstyle pyflakes pygit2 pylint radon redbaron rope ruff sybil symtable "
    "token tokenize torch trace traceback vulture zipapp".split()
)
TEXT_NAMES = frozenset(
    "_getframe co_code co_filename co_firstlineno co_lines copytree currentframe f_lineno findsource get_code get_data "
    "get_source getcomments getframeinfo getinnerframes getouterframes getsource getsourcefile getsourcelines glob "
    "iglob iterdir linecache listdir lineno make_archive rglob scandir tb_lineno walk walk_packages".split()
)
INSPECTING_NAMES = frozenset(("stack", "trace"))
OPENING_NAMES = frozenset(("open", "read_bytes", "read_text"))
TEXT_WORDS = re.compile(
    r"\.pyw?\b|lineno|\bgetsource|(^|[;&|/]\s*)"
    r"(black|isort|flake8|ruff|pylint|mypy|pyright|bandit|semgrep|pycodestyle|pydocstyle|pyflakes|vulture|codespell|"
    r"compileall|py_compile|tokenize|doctest|make|tox|nox|pre-commit|uv|pip|pipx|git|grep|wc|cat|tar|diff|find|sh|bash|"
    r"coverage)"
    r"(\s.*)?$",
    re.MULTILINE,
)
# Where pytest's options may stand.
SETTINGS = ("pyproject.toml", "pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "setup.cfg", "tox.ini")
# What may name a module or a file: assistant.main:app, tests/unit, settings.
NAMING = (".ini", ".cfg", ".conf", ".toml", ".yaml", ".yml", ".json", ".env", ".txt", ".xml", ".mako")
NAMED = re.compile(r"[A-Za-z_][\w.]*")
WORD = re.compile(r"[A-Za-z_][\w./-]{0,200}(:[\w.]+)?")


class Seen(ast.NodeVisitor):
    """What a module imports, which words it holds that may name another, and whether it looks at more than that."""

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self.words: set[str] = set()
        self.names: set[str] = set()
        self.texts: list[str] = []

    def visit_Import(self, node: ast.Import) -> None:
        self.imports |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = "." * node.level + (node.module or "")
        self.imports.add(base)
        joint = "" if base.endswith(".") else "."
        self.imports |= {f"{base}{joint}{alias.name}" for alias in node.names if alias.name != "*"}
        self.names |= {alias.name for alias in node.names}

    def visit_Name(self, node: ast.Name) -> None:
        self.names.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        # re.compile makes a pattern; the builtin makes code.
        if not (node.attr == "compile" and isinstance(node.value, ast.Name) and node.value.id == "re"):
            self.names.add(node.attr)
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        self.names.add(node.arg)  # a test asks for pytester by the name of a parameter
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring names much and does nothing
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.texts.append(node.value)
            if WORD.fullmatch(node.value):
                self.words.add(node.value)

    @property
    def loads(self) -> bool:
        """Return whether it may run a module that none of its imports and words names."""
        named = self.names | set(self.texts)  # getattr(builtins, "exec")
        prefixed = any(name.startswith(LOADING_PREFIXES) for name in named)
        return prefixed or bool(named & LOADING_NAMES) or self._imports_any(LOADERS)

    @property
    def reads_source(self) -> bool:
        """Return whether it may look at the text of Python files."""
        opens = "__file__" in self.names and bool(self.names & OPENING_NAMES)
        inspects = "inspect" in self.imports and bool(self.names & INSPECTING_NAMES)
        named = opens or inspects or bool(self.names & TEXT_NAMES) or self._imports_any(TEXT_READERS)
        return named or any(TEXT_WORDS.search(text) for text in self.texts)

    def _imports_any(self, modules: frozenset[str]) -> bool:
        return any(name in modules or name.split(".")[0] in modules for name in self.imports)


def look(content: bytes) -> Optional[dict[str, Any]]:
    """Return what is told of one file; None when its tree does not tell all."""
    try:
        if tokenize.detect_encoding(io.BytesIO(content).readline)[0] not in ("utf-8", "utf-8-sig"):
            return None
        content.decode("utf-8")
        tree = ast.parse(content)
        started_by = content.split(b"\n", 1)[0] if content.startswith(b"#!") else b""
        meaning = hashlib.sha256(started_by + ast.dump(tree).encode("utf-8", "surrogatepass")).hexdigest()
        seen = Seen()
        seen.visit(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError, Warning):
        return None
    spans: list[tuple[int, int]] = [
        (getattr(node, "lineno"), getattr(node, "end_lineno")) for node in ast.walk(tree) if hasattr(node, "lineno")
    ]
    # Line 1 counts always: coverage numbers a module's own beginning and end by it.
    lines = sorted({1, *(line for span in spans for line in span)})
    rank = {line: number for number, line in enumerate(lines)}
    ranks = [(rank[first], rank[last]) for first, last in spans]
    return {
        "meaning": meaning,
        "shape": hashlib.sha256(f"{meaning}{ranks}".encode()).hexdigest(),
        "lines": lines,
        "imports": sorted(seen.imports),
        "words": sorted(seen.words),
        "loads": seen.loads,
        "reads_source": seen.reads_source,
    }


def confine(uid: int) -> None:
    """Give up what a file that breaks the parser could use: root's rights, the host's memory and processor."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def main() -> None:
    warnings.simplefilter("error")
    modules: dict[str, Any] = {}
    settings: dict[str, str] = {}
    words: dict[str, list[str]] = {}
    with tarfile.open(fileobj=sys.stdin.buffer) as files:
        for member in files:
            name = member.name
            if not (name.endswith((".py", *NAMING)) and member.isreg() and member.size <= LARGEST_BYTES):
                continue
            taken = files.extractfile(member)
            content = taken.read() if taken else b""
            if name.endswith(".py"):
                if found := look(content):
                    modules[name] = found
                continue
            text = content.decode("utf-8", "replace")
            words[name] = sorted(set(NAMED.findall(text)))
            if name.rpartition("/")[2] in SETTINGS:
                settings[name] = text
    json.dump({"modules": modules, "settings": settings, "words": words}, sys.stdout)


if __name__ == "__main__":
    confine(int(sys.argv[1]))
    main()
