"""What mkdocs cannot know by itself: pages beside docs/, tables, and a reference of every room.

Model cards, CONTRIBUTING and CHANGELOG stay where people look for them, and links to them are those
that work in the repository; here they become pages of the site. The rooms come from the contract of
floors in pyproject.toml, so that a new room has its page without being listed again.
"""

from __future__ import annotations

import posixpath
import re
import tomllib
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
BESIDE = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "coin_retrieval/starter/generator/README.md": "models/generator.md",
    "coin_retrieval/starter/encoder/README.md": "models/encoder.md",
}
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
ROLE = re.compile(r":(?:func|class|meth|mod|data|attr|exc):<code>~?")


def rooms() -> list[str]:
    """Every room by its import name: the front door, the programs, then the floors downwards."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    floors = " | ".join(contracts["contracts"][0]["layers"]).split(" | ")
    inner = [f"coin_retrieval.{name}" for name in floors if not name.startswith("(")]
    return ["coin_retrieval", "indexer", "server", *inner]


def on_config(config: Any) -> Any:
    """Name the rooms' pages, the measured tables and pages without a place in the navigation."""
    pages: list[Any] = [
        {name.removeprefix("coin_retrieval."): f"reference/{name}.md"} for name in rooms()
    ]
    pages[0] = {"The front door": "reference/coin_retrieval.md"}
    tables = sorted(path.stem for path in (ROOT / "docs/results").glob("*.md"))
    new = {path.name for path in (ROOT / "docs").glob("*.md")} - set(
        re.findall(r"[\w-]+\.md", str(config.nav))
    )
    filled = {
        "Reference": pages,
        "Results": [{name: f"results/{name}.md"} for name in tables],
        "How to": sorted(new),
    }
    for entry in config.nav:
        for title, more in filled.items():
            if title in entry:
                entry[title] += more
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are no files of docs/."""
    for path, uri in BESIDE.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    for name in rooms():
        whole = str(name != "coin_retrieval").lower()
        text = f"# {name}\n\n::: {name}\n    options:\n      show_submodules: {whole}\n"
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links that are right in the repository into links of the site."""
    uri = page.file.src_uri
    here = next((path for path, at in BESIDE.items() if at == uri), f"docs/{uri}")

    def turned(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(here), link[1]))
        target = BESIDE.get(target, target.removeprefix("docs/"))
        return f"]({posixpath.relpath(target, posixpath.dirname(uri) or '.')}{link[2] or ''})"

    return LINK.sub(turned, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Docstrings name things as Sphinx does; the site shows the name."""
    return ROLE.sub("<code>", html)
