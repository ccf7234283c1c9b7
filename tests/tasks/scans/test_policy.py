import os
import sys
from pathlib import Path

import pytest

from gates.check import Check, Outcome
from gates.scans.policy import Allowed, Files, Policy
from settings.targets import Target
from tasks.scans import policy
from tasks.scans.policy import scan_policy
from tests.corpus import Corpus
from tests.tasks.scans.commits import FAILURES
from tests.tasks.scans.commits import Files as Content
from tests.tasks.scans.commits import commit, program, subject_of

# This checkout's own environment has alembic too.
ENVIRONMENT = Path(sys.prefix)
RULES = Policy(files=Files(required=("README*",), forbidden=(".env", "id_rsa")))
BASE: Content = {"README.md": "x", "requirements.lock": "", "requirements-dev.lock": ""}
SHA = "@sha256:" + "ab" * 32
DOCKERFILE = f"FROM python:3.11.7-slim{SHA}\nHEALTHCHECK CMD true\nUSER app\n"
SERVICE = f"""services:
  app:
    image: app{SHA}
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    mem_limit: 256m
    cpus: 0.5
"""
WORKFLOW = """name: ci
on: push
permissions: {}
jobs:
  test:
    name: test
    runs-on: ubuntu-24.04
    steps:
      - env:
          TITLE: ${{ github.event.pull_request.title }}
        run: echo "$TITLE"
"""
ALEMBIC_INI = "[alembic]\nscript_location = migrations\nprepend_sys_path = .\n"
ENV_PY = """from alembic import context
context.configure(url="postgresql://", dialect_name="postgresql", transaction_per_migration=True)
print("this is no SQL")
with context.begin_transaction():
    context.run_migrations()
"""


@pytest.fixture(autouse=True)
def _images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_PRODUCTION_RUNTIME", "compose")


def migrations(*bodies: str) -> Content:
    files = {"alembic.ini": ALEMBIC_INI, "migrations/env.py": ENV_PY, "migrations/script.py.mako": ""}
    for number, body in enumerate(bodies, start=1):
        before = f"'{number - 1:04}'" if number > 1 else "None"
        files[f"migrations/versions/{number:04}.py"] = (
            "from alembic import op\nimport sqlalchemy as sa\n"
            f"revision = '{number:04}'\ndown_revision = {before}\ndef upgrade():\n    {body}\n"
        )
    return files


CREATE = "op.create_table('a', sa.Column('id', sa.BigInteger, primary_key=True), sa.Column('b', sa.Text))"
PLANTED: dict[str, tuple[Content, str]] = {
    "root container": ({"Dockerfile": DOCKERFILE.replace("USER app\n", "")}, "container-root"),
    "latest": ({"Dockerfile": DOCKERFILE.replace(f":3.11.7-slim{SHA}", ":latest")}, "base-image-unpinned"),
    "secret in image": ({"api.Dockerfile": DOCKERFILE + "ENV API_KEY=abc\n"}, "secret-in-image"),
    "privileged": ({"compose.yml": SERVICE + "    privileged: true\n"}, "compose-privileged"),
    "host network": ({"docker-compose.prod.yml": SERVICE + "    network_mode: host\n"}, "compose-host-network"),
    "docker socket": (
        {"compose.yaml": SERVICE + "    volumes: ['/var/run/docker.sock:/s']\n"},
        "compose-host-mount",
    ),
    "no limits": ({"compose.yml": SERVICE.replace("    mem_limit: 256m\n", "")}, "compose-no-memory-limit"),
    "public port": ({"compose.yml": SERVICE + "    ports: ['80:80']\n"}, "compose-public-port"),
    "privileged after a tag": (
        {"compose.yml": SERVICE, "compose.override.yml": "services: {app: {privileged: !override true}}\n"},
        "compose-privileged",
    ),
    "included": (
        {"compose.yml": "include: [ops/more.yml]\n" + SERVICE, "ops/more.yml": SERVICE + "    privileged: true\n"},
        "compose-privileged",
    ),
    "extended": (
        {
            "compose.yml": SERVICE + "    extends: {file: ops/base.yml, service: base}\n",
            "ops/base.yml": "services: {base: {pid: host}}\n",
        },
        "compose-host-pid",
    ),
    "a key of compose's that nobody knows": ({"compose.yml": SERVICE + "    privilegd: true\n"}, "compose-unknown-key"),
    "workflow injection": (
        {".github/workflows/ci.yml": WORKFLOW.replace('"$TITLE"', "${{ github.event.pull_request.title }}")},
        "template-injection",
    ),
    "unpinned action": (
        {".github/workflows/ci.yml": WORKFLOW + "      - uses: actions/setup-python@v5\n"},
        "unpinned-uses",
    ),
    "dropped column": (migrations(CREATE, "op.drop_column('a', 'b')"), "ban-drop-column"),
    "dropped table": (migrations(CREATE, "op.drop_table('a')"), "ban-drop-table"),
    "required column": (
        migrations(CREATE, "op.add_column('a', sa.Column('c', sa.Text, nullable=False))"),
        "adding-required-field",
    ),
    "renamed column": (migrations(CREATE, "op.alter_column('a', 'b', new_column_name='c')"), "renaming-column"),
    "index that locks": (
        migrations(CREATE, "op.create_index('i', 'a', ['b'])"),
        "require-concurrent-index-creation",
    ),
    "environment file": ({".env": "A=b"}, "forbidden-file"),
    "private key": ({"deploy/id_rsa": "x"}, "forbidden-file"),
    "large file": ({"large.bin": b"\0" * 21_000_000}, "large-file"),
}
CLEAN: dict[str, Content] = {
    "container": {"Dockerfile": DOCKERFILE},
    "compose": {"compose.yml": SERVICE + "    ports: ['127.0.0.1:80:80']\n"},
    "compose's own tags": {
        "compose.yml": SERVICE,
        "docker-compose.override.yml": "services:\n  db:\n    ports: !reset []\n    privileged: !reset null\n"
        "  app:\n    volumes: !override\n      - media:/app/media\n    deploy: !override {replicas: 1}\n"
        "    command: !override serve\nvolumes: {media: {}}\n",
    },
    "compose files that include each other": {
        "compose.yml": "include: [other.yml]\n" + SERVICE,
        "other.yml": "include: [compose.yml]\n",
    },
    "workflow": {".github/workflows/ci.yml": WORKFLOW},
    "added column": migrations(CREATE, "op.add_column('a', sa.Column('c', sa.Text))"),
    "first tables with an index": migrations(f"{CREATE}; op.create_index('i', 'a', ['b'])"),
    "a new table that changes": migrations(f"{CREATE}; op.drop_column('a', 'b'); op.drop_table('a')"),
    "index beside traffic": migrations(
        CREATE,
        "ctx = op.get_context().autocommit_block()\n"
        "    with ctx: op.create_index('i', 'a', ['b'], postgresql_concurrently=True, if_not_exists=True)",
    ),
    "files": {".env.example": "A=b", "id_rsa.pub": "x", "yaml.yml": "not: [compose"},
}
LOW_ONLY = {"require-lock-timeout", "require-statement-timeout"}


def scanned(tmp_path: Path, files: Content, rules: Policy = RULES) -> Check:
    repository = tmp_path / "app"
    commit(repository, {**BASE, **files})
    subject = subject_of(repository, tmp_path / "work", environment=ENVIRONMENT)
    return scan_policy(subject, rules)


@pytest.mark.parametrize("name", PLANTED)
def test_each_plant_is_found(tmp_path: Path, corpus: Corpus, name: str) -> None:
    files, rule = PLANTED[name]
    check = scanned(tmp_path, files)
    found = {one.rule for one in check.findings}
    corpus.record("policy", found=int(rule in found), planted=1)
    assert (check.outcome, rule in found) == (Outcome.PASSED, True), (check.reason, found)


@pytest.mark.parametrize("name", CLEAN)
def test_clean_twins_raise_nothing(tmp_path: Path, corpus: Corpus, name: str) -> None:
    check = scanned(tmp_path, CLEAN[name])
    found = {one.rule for one in check.findings} - LOW_ONLY
    corpus.record("policy", found=0, planted=0, false=len(found), clean=1)
    assert (check.outcome, found) == (Outcome.PASSED, set()), check.reason


@pytest.mark.parametrize("failure", [*FAILURES, "is absent"])
@pytest.mark.parametrize("tool", ["zizmor", "squawk"])
def test_a_tool_that_fails_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str, failure: str
) -> None:
    absent = failure == "is absent"
    path = tmp_path / "none" if absent else program(tmp_path, FAILURES[failure], tool)
    monkeypatch.setenv(f"SLIPWAY_{tool.upper()}", str(path))
    monkeypatch.setattr(policy, "TOOL_TIMEOUT_S", 1)
    files = CLEAN["workflow"] if tool == "zizmor" else CLEAN["added column"]
    check = scanned(tmp_path, files)
    assert (check.outcome, path.name in check.reason) == (Outcome.NO_VERDICT, True)


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"Dockerfile": "FRM x\n"}, "Dockerfile"),
        ({"Dockerfile": b"\xff\xfe\x00"}, "Dockerfile"),
        ({"Dockerfile": "FROM x\n" + "# y\n" * 600_000}, "too large"),
        ({"compose.yml": "services: ["}, "compose.yml"),
        ({"compose.yml": "!!python/object/apply:os.system ['true']"}, "compose.yml"),
        ({"compose.yml": "[" * 5000}, "compose.yml"),
        ({"compose.yml": "services: 3"}, "compose.yml"),
        ({".github/workflows/ci.yml": "on: ["}, "ci.yml"),
        ({".github/workflows/ci.yml": "just: text"}, "workflow"),
        ({"alembic.ini": "not an ini"}, "alembic"),
        (migrations("raise ValueError('broken')"), "broken"),
        ({**migrations(CREATE), "migrations/env.py": "# runs nothing\n"}, "0 of 1 revisions"),
    ],
)
def test_what_cannot_be_parsed_is_named(tmp_path: Path, files: Content, named: str) -> None:
    check = scanned(tmp_path, files)
    assert (check.outcome, named in check.reason) == (Outcome.NO_VERDICT, True), check.reason


def test_one_broken_file_does_not_hide_the_others(tmp_path: Path) -> None:
    check = scanned(tmp_path, {"a.Dockerfile": "FRM x", "b.Dockerfile": DOCKERFILE.replace("USER app\n", "")})
    assert check.outcome is Outcome.NO_VERDICT
    assert [one.rule for one in check.findings] == ["container-root"]


def test_loops_of_links_are_not_followed(tmp_path: Path) -> None:
    repository = tmp_path / "app"
    repository.mkdir()
    os.symlink(".", repository / "self")
    os.symlink("compose.yaml", repository / "compose.yml")
    os.symlink("compose.yml", repository / "compose.yaml")
    assert scanned(tmp_path, {}).outcome is Outcome.PASSED


def test_migrations_that_are_history_are_not_judged(tmp_path: Path) -> None:
    files = migrations(CREATE, "op.drop_column('a', 'b')")
    rules = RULES.model_copy(update={"migrations": RULES.migrations.model_copy(update={"judged_after": "0002"})})
    assert scanned(tmp_path, files, rules=rules).findings == ()


def test_what_is_allowed_is_noted(tmp_path: Path) -> None:
    rules = RULES.model_copy(update={"allow": (Allowed(rule="forbidden-file", file=".env", reason="holds no secret"),)})
    check = scanned(tmp_path, {".env": "A=b"}, rules=rules)
    assert (check.findings, check.notes) == ((), ("allowed: forbidden-file in .env: holds no secret",))


IMAGE = {"dockerfile": "build/image.txt", "compose": {"production": "deploy/prod.yml"}}


def test_what_the_pipeline_allows_is_noted_for_this_app_alone(tmp_path: Path) -> None:
    repository = tmp_path / "app"
    commit(repository, {**BASE, "compose.yml": SERVICE + "    network_mode: host\n", ".env": "A=b"})
    allow = {"rule": "compose-host-network", "file": "compose.yml", "reason": "it looks at what listens on the host"}
    subject = subject_of(repository, tmp_path / "work", environment=ENVIRONMENT, scans={"allow": [allow]})
    check = scan_policy(subject, RULES)
    assert [one.rule for one in check.findings] == ["forbidden-file"]
    assert any("compose-host-network" in note and allow["reason"] in note for note in check.notes)


def test_files_that_the_pipeline_names_are_judged_whatever_their_names(tmp_path: Path) -> None:
    repository = tmp_path / "app"
    files = {"build/image.txt": "FROM a:latest\nUSER app\nHEALTHCHECK CMD true\n", "deploy/prod.yml": SERVICE}
    commit(repository, {**BASE, **files})
    check = scan_policy(subject_of(repository, tmp_path / "work", image_section=IMAGE), RULES)
    assert (check.outcome, "1 Dockerfiles, 1 compose files" in check.examined) == (Outcome.PASSED, True)
    assert "base-image-unpinned" in {one.rule for one in check.findings}


BUILDS = """\
services:
  web: {build: {context: ., dockerfile: build/web.prod}}
  edge: {build: ../deploy/edge}
  same: {build: {context: .., dockerfile: build/other}}
  away: {build: "https://example.org/x.git"}
  odd: {build: {context: $WHERE}}
  up: {build: ../../..}
  list: {build: [a]}
  none:
"""


def test_dockerfiles_that_services_are_built_of_are_judged_whatever_their_names(tmp_path: Path) -> None:
    repository, bad = tmp_path / "app", "FROM a:latest\nUSER app\nHEALTHCHECK CMD true\n"
    files = {
        "deploy/compose.yml": BUILDS,
        "deploy/build/web.prod": bad,
        "deploy/edge/Dockerfile": bad,
        "build/other": bad,
    }
    commit(repository, {**BASE, **files})
    check = scan_policy(subject_of(repository, tmp_path / "work"), RULES)
    found = {one.file for one in check.findings if one.rule == "base-image-unpinned"}
    assert found >= {"deploy/build/web.prod", "deploy/edge/Dockerfile", "build/other"}
    image = {"compose": {"production": "deploy/compose.yml"}}  # and no Dockerfile is named
    check = scan_policy(subject_of(repository, tmp_path / "work2", image_section=image), RULES)
    assert "is not there" not in check.reason


# Compose files beside one that names the others, and the Dockerfile that a release builds of them.
LED_TO: dict[str, tuple[Content, str]] = {
    "included": (
        {
            "compose.yml": "include: [ops/more.yml]\n",
            "ops/more.yml": "services: {a: {build: {dockerfile: a.img}}}\n",
        },
        "ops/a.img",
    ),
    "included twice over": (
        {
            "compose.yml": "include: [ops/more.yml]\n",
            "ops/more.yml": "include: {path: deep/last.yml}\n",
            "ops/deep/last.yml": "services: {a: {build: {dockerfile: a.img}}}\n",
        },
        "ops/deep/a.img",
    ),
    "included with a folder": (
        {
            "compose.yml": "include: [{path: ops/more.yml, project_directory: .}]\n",
            "ops/more.yml": "include: [other.yml]\n",
            "other.yml": "services: {a: {build: {dockerfile: a.img}}}\n",
            "ops/other.yml": "services: {a: {image: decoy}}\n",
        },
        "a.img",
    ),
    "extended": (
        {
            "compose.yml": "services: {a: {extends: {file: ops/base.yml, service: w}}}\n",
            "ops/base.yml": "services: {w: {build: {context: ., dockerfile: a.img}}}\n",
        },
        "ops/a.img",
    ),
    "extended in one file": (
        {"compose.yml": "services: {b: {build: ops}, a: {extends: b, build: {dockerfile: a.img}}}\n"},
        "ops/a.img",
    ),
}


@pytest.mark.parametrize("case", LED_TO)
def test_dockerfiles_of_files_that_are_led_to_are_judged(tmp_path: Path, case: str) -> None:
    files, dockerfile = LED_TO[case]
    check = scanned(tmp_path, {**files, dockerfile: "FROM a:latest\nUSER root\n"})
    assert dockerfile in {one.file for one in check.findings if one.rule == "container-root"}
    assert f"{1 + ('Dockerfile' in files)} Dockerfiles" in check.examined


TARGETS = f"""FROM python:3.11.7-slim{SHA} AS production
USER app
HEALTHCHECK CMD true
COPY --from=wheels / /wheels
COPY --from=docs / /docs
FROM production AS dev
USER root
"""
PRODUCTION = "services: {a: {build: {context: ., target: production, additional_contexts: [docs=docs]}}}\n"


def test_a_dockerfile_is_judged_as_a_release_builds_it(tmp_path: Path) -> None:
    repository = tmp_path / "app"
    dev = "services: {a: {build: {context: ., target: dev}}}\n"
    commit(repository, {**BASE, "Dockerfile": TARGETS, "compose.yml": PRODUCTION, "compose.dev.yml": dev})
    image = {"dockerfile": "Dockerfile", "compose": {"production": "compose.yml"}}
    rules = {"container-root", "base-image-unpinned"}
    found = scan_policy(subject_of(repository, tmp_path / "work", image_section=image), RULES).findings
    assert not rules & {one.rule for one in found}
    image["compose"] = {"production": "compose.dev.yml"}
    found = scan_policy(subject_of(repository, tmp_path / "work2", image_section=image), RULES).findings
    assert "container-root" in {one.rule for one in found}


def test_every_build_is_given_the_version_of_python(tmp_path: Path) -> None:
    repository = tmp_path / "app"
    text = "ARG PYTHON=3.11.7\nFROM python:${PYTHON}-slim\nUSER app\nHEALTHCHECK CMD true\n"
    services = SERVICE.replace(f"image: app{SHA}", "build: {args: {PYTHON: 3.11.9}}")
    commit(repository, {**BASE, "Dockerfile": text, "compose.yml": services, "prod.yml": SERVICE})
    for number, (name, found) in enumerate({"compose.yml": [], "prod.yml": ["base-image-unpinned"]}.items()):
        image = {"dockerfile": "Dockerfile", "compose": {"production": name}}
        check = scan_policy(subject_of(repository, tmp_path / f"work{number}", image_section=image), RULES)
        assert [one.rule for one in check.findings if one.file == "Dockerfile"] == found
    assert [one.message for one in check.findings if one.file == "Dockerfile"][0].startswith(
        "base image python:3.11-slim"
    )


def test_named_files_that_are_not_there_are_no_verdict(tmp_path: Path) -> None:
    repository = tmp_path / "app"
    commit(repository, BASE)
    check = scan_policy(subject_of(repository, tmp_path / "work", image_section=IMAGE), RULES)
    assert check.outcome is Outcome.NO_VERDICT
    assert "build/image.txt is not there" in check.reason and "deploy/prod.yml is not there" in check.reason


def test_files_of_the_release_repository_are_judged(tmp_path: Path) -> None:
    repository = tmp_path / "app"
    commit(repository, BASE)
    named = {"dockerfile": "{release}/docker/Dockerfile", "compose": {"production": "{release}/README.md"}}
    check = scan_policy(subject_of(repository, tmp_path / "work", image_section=named), RULES)
    assert "{release}/docker/Dockerfile" in {one.file for one in check.findings}
    assert "{release}/README.md" in check.reason


def test_a_dockerfile_that_nothing_is_built_of_is_left_out_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in Target.all():
        monkeypatch.setenv(f"SLIPWAY_{name.value.upper()}_RUNTIME", "process")
    files = {f"{letter}.Dockerfile": "FROM a:latest\n" for letter in "abcdefg"}
    check = scanned(tmp_path, files)
    assert not {one.file for one in check.findings} & set(files)
    assert "0 Dockerfiles (others left out, see the notes)" in check.examined
    (note,) = (note for note in check.notes if note.startswith("left out"))
    assert "a.Dockerfile, b.Dockerfile, c.Dockerfile, d.Dockerfile, e.Dockerfile and 2 more" in note


def test_what_ends_a_line_elsewhere_ends_none_of_a_dockerfile(tmp_path: Path) -> None:
    check = scanned(tmp_path, {"Dockerfile": f"FROM a:1.2.3-slim{SHA}\nRUN x\rUSER app\n"})
    assert "container-root" in {one.rule for one in check.findings}


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"compose.yml": "include: [none.yml]\n" + SERVICE}, "none.yml is not there"),
        ({"compose.yml": "include: [../x.yml]\n" + SERVICE}, "../x.yml is not a file of the commit"),
        ({"compose.yml": "include: ['{release}/pyproject.yml']\n" + SERVICE}, "is not a folder of the commit"),
        ({"compose.yml": SERVICE + "    extends: {file: none.yml, service: x}\n"}, "none.yml is not there"),
        ({"compose.yml": "services: {a: {user: !mine x}}\n"}, "compose.yml is not valid YAML"),
        ({"compose.yml": "services: {? [a] : {}}\n"}, "compose.yml is not"),
        ({"compose.yml": "services: {1: {extends: {service: 2}}}\n"}, "that is extended is not there"),
        ({"compose.yml": "services: &a {b: *a}\n"}, "levels"),
        ({"compose.yml": "services: [" + "[" * 5_000}, "compose.yml"),
        ({"compose.yml": "#" * 2_000_001}, "too large to be parsed"),
        (
            {
                "compose.yml": "a0: &a0 [x, x]\n"
                + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))
            },
            "values",
        ),
    ],
)
def test_a_compose_file_that_nobody_can_read_is_no_verdict(tmp_path: Path, files: Content, why: str) -> None:
    check = scanned(tmp_path, files)
    assert check.outcome is Outcome.NO_VERDICT and why in check.reason


def test_a_finding_names_the_line_of_its_service(tmp_path: Path) -> None:
    check = scanned(tmp_path, {"compose.yml": SERVICE + "  other:\n    privileged: true\n"})
    assert [(one.file, one.line) for one in check.findings if one.rule == "compose-privileged"] == [("compose.yml", 9)]
