"""docs/python.md, the notebook and the package's own example stay true: all of them run."""

from __future__ import annotations

import ast
import csv
import doctest
import json
import re
from pathlib import Path
from typing import Any

import pytest

import coin_retrieval as coin
from coin_retrieval.images.decoding import load_image
from coin_retrieval.images.png import encode_png
from coin_retrieval.starter import DEMONSTRATION

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text("utf-8"), re.DOTALL)
NOTEBOOK = json.loads((DOCS / "python.ipynb").read_text("utf-8"))
CELLS = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
EVERY = 6


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with some cases of the demonstration and a picture of its own."""
    with (DEMONSTRATION / "cases.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["site"] == "cervix"][::EVERY]
    for row in rows:
        row["image_path"] = str(DEMONSTRATION / row["image_path"])
    with (tmp_path / "cases.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    picture = load_image(Path(rows[0]["image_path"]))
    (tmp_path / "cell.png").write_bytes(encode_png(picture))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def run_cell(source: str, names: dict[str, Any]) -> str:
    """Run a cell as a notebook does; gives the HTML, else the words, of its last expression."""
    tree = ast.parse(source)
    if isinstance(tree.body[-1], ast.Expr):
        shown = ast.Assign([ast.Name("_", ast.Store())], tree.body[-1].value)
        tree.body[-1] = ast.fix_missing_locations(ast.copy_location(shown, tree.body[-1]))
    names["_"] = None
    exec(compile(tree, "cell", "exec"), names)  # noqa: S102  the document's own code
    value = names["_"]
    html: str = value._repr_html_() if hasattr(value, "_repr_html_") else repr(value)
    return html


@pytest.mark.usefixtures("desk")
def test_every_block_of_the_guide_runs_as_it_stands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names: dict[str, Any] = {}
    shown = [run_cell(block, names) for block in BLOCKS]
    assert "SYNTHETIC" in shown[0]
    assert "k cannot be used" in capsys.readouterr().out
    assert Path("saved/sheet.png").is_file()


@pytest.mark.usefixtures("desk")
def test_the_notebook_runs_and_its_saved_outputs_are_of_its_own_kind() -> None:
    names: dict[str, Any] = {}
    for cell in CELLS:
        shown = run_cell("".join(cell["source"]), names)
        saved = "".join(
            "".join(output.get("data", {}).get("text/html", [])) for output in cell["outputs"]
        )
        # figures may move with the starter's weights; what is shown may not
        assert ("SYNTHETIC" in shown) == ("SYNTHETIC" in saved)
        assert "error" not in {output["output_type"] for output in cell["outputs"]}


def test_the_notebook_is_small_and_shows_no_path_of_a_machine() -> None:
    text = (DOCS / "python.ipynb").read_text("utf-8")
    assert len(text) < 250_000
    assert not re.search(r"/(home|work|tmp|root)/|C:\\\\", text)


@pytest.mark.usefixtures("desk")
def test_the_example_of_the_package_runs_as_a_doctest() -> None:
    (example,) = doctest.DocTestFinder(recurse=False).find(coin, "coin_retrieval", globs={})
    told: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=told.append)
    assert outcome.attempted >= 10
    assert not outcome.failed, "".join(told)
