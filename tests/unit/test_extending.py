"""docs/extending.md stays true: what it adds, put where it says, is all that a backend needs."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from textwrap import indent

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "extending.md").read_text("utf-8")
BLOCKS = re.findall(r"```(?:python|toml)\n# (.*?)\n(.*?)```", DOCUMENT, re.DOTALL)
PLACES = {
    "encoder": ("encoding", "make_encoder", "test_encoders.py", "TestTorchvisionEncoder"),
    "generator": ("generation", "make_generator", "test_prototypers.py", "TestNumpyGenerator"),
    "store": ("stores", "_store_classes", "test_stores.py", "TestNumpyStore"),
    "catalog": ("catalog", "_catalog_classes", "test_catalogs.py", "TestJsonCatalog"),
}

BUILD = """
import sys
from pathlib import Path
from tiny_archives import build_archive, write_pictures
from coin_retrieval.archive.verify import verify
from coin_retrieval.factory import open_archive

root = Path(sys.argv[1])
build_archive(root, write_pictures(root.with_name("in"), 5), store="numpy", catalog="json")
assert not [*root.rglob("*.faiss"), *root.rglob("*.sqlite")]
with open_archive(root) as archive:
    assert verify(archive) == []
    assert archive.manifest.segments[0].store.files == ("ids.npy", "vectors.npy")
    assert archive.manifest.segments[0].catalog.files == ("catalog.json",)
    assert archive.store.search(archive.store.vectors(archive.store.ids()[:1]), 1)
again = build_archive(root, root.with_name("in"), store="numpy", catalog="json")
assert (again.embedded, again.reused) == (0, 5)
"""


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program and its suites, changed in the places that the document names."""
    copy = tmp_path_factory.mktemp("extended")
    for name in ("coin_retrieval", "indexer", "tests/conformance"):
        shutil.copytree(
            ROOT / name,
            copy / name,
            copy_function=os.symlink,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    for name in (
        "pyproject.toml",
        "tests/conftest.py",
        "tests/servers.py",
        "tests/tiny_archives.py",
    ):
        shutil.copy(ROOT / name, copy / name)
    for heading, code in BLOCKS:
        _put(copy, heading, code)
    return copy


def _put(copy: Path, heading: str, code: str) -> None:
    """A new file as it is; else into a function, a table, instead of a name, or below."""
    name, _, where = heading.partition(", ")
    path = copy / name
    text = path.read_text("utf-8") if path.exists() else ""
    path.unlink(missing_ok=True)  # it is a link to the program's own
    lines = text.splitlines(keepends=True)
    if where.startswith("instead of "):
        replaced = next(
            node
            for node in ast.parse(text).body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == where[11:]
        )
        lines[replaced.lineno - 1 : replaced.end_lineno] = [code]
    elif where.startswith("in ["):
        at = lines.index(f"{where[3:]}\n") + 1
        lines[at:at] = [code]
    elif where:
        function = next(
            node
            for node in ast.parse(text).body
            if isinstance(node, ast.FunctionDef) and node.name == where[3:]
        )
        documented = ast.get_docstring(function) is not None
        at = function.body[1 if documented else 0].lineno - 1
        lines[at:at] = [indent(code, "    ")]
    else:
        # settings stand before the unions that are replaced by what names them
        unions = (i for i, line in enumerate(lines) if line.startswith("EncoderSettings ="))
        at = next(unions, len(lines))
        lines[at:at] = [code, "\n\n"]
    path.write_text("".join(lines), "utf-8")


def _run(extended: Path, *words: object) -> None:
    paths = os.pathsep.join((str(extended), str(extended / "tests")))
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=extended,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_documented_backend_passes_its_roles_suite(extended: Path) -> None:
    suites = [f"tests/conformance/{file}::{name}" for _, _, file, name in PLACES.values()]
    _run(extended, "-m", "pytest", "-q", "-p", "no:cacheprovider", *suites)


def test_an_archive_is_built_and_opened_with_the_documented_store_and_catalog(
    extended: Path, tmp_path: Path
) -> None:
    _run(extended, "-c", BUILD, tmp_path / "archive")


def test_the_documented_extra_can_be_installed(extended: Path) -> None:
    extras = tomllib.loads((extended / "pyproject.toml").read_text("utf-8"))["project"]
    assert extras["optional-dependencies"]["torchvision"] == ["torchvision"]


@pytest.mark.parametrize("role", PLACES)
def test_a_backend_of_each_role_touches_the_five_places_and_no_other(role: str) -> None:
    room, function, suite, _ = PLACES[role]
    union = {"encoder": "Encoder", "generator": "Generator", "store": "Store", "catalog": "Catalog"}
    headings = [heading for heading, _ in BLOCKS]
    own = [heading for heading in headings if heading.startswith(f"coin_retrieval/{room}/")]
    assert len(own) == 1
    assert f"coin_retrieval/config.py, instead of {union[role]}Settings" in headings
    assert any(h.endswith(f", in {function}") and "/factory/" in h for h in headings)
    assert f"tests/conformance/{suite}" in headings
    places = {heading.split(", ")[0] for heading in headings}
    assert {p for p in places if not re.match(r"coin_retrieval/\w+/|tests/conformance/", p)} == {
        "coin_retrieval/config.py",
        "pyproject.toml",
    }
