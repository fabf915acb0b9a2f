"""``import coin_retrieval``: what it offers, and that it costs nothing until it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import coin_retrieval as coin

HEAVY = (
    "torch", "faiss", "numpy", "pandas", "PIL", "diffusers", "transformers", "open_clip", "timm",
    "pydantic", "sqlalchemy", "httpx2", "jinja2", "yaml", "rich", "typer", "fastapi",
)  # fmt: skip


def loaded_after(*statements: str) -> set[str]:
    """The modules that a new interpreter has after some statements."""
    code = "; ".join((*statements, "import sys; print(*sys.modules)"))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_the_import_loads_no_library() -> None:
    loaded = loaded_after("import coin_retrieval as coin", "dir(coin)")
    assert not loaded & set(HEAVY)
    assert not [name for name in loaded if name.startswith("coin_retrieval.")]


def test_a_client_loads_no_model_library_and_no_numpy() -> None:
    loaded = loaded_after(
        "import coin_retrieval as coin", "coin.Client('http://127.0.0.1'), coin.Query(report='x')"
    )
    assert "httpx2" in loaded
    assert not loaded & {"torch", "faiss", "numpy", "PIL", "sqlalchemy", "yaml", "jinja2"}


def test_the_commands_of_coin_load_no_numpy_before_one_is_chosen() -> None:
    assert not loaded_after("import coin_retrieval.cli.main") & {"torch", "numpy", "pydantic"}


@pytest.mark.parametrize("name", coin.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    assert name in dir(coin)
    assert getattr(coin, name).__doc__


def test_a_public_name_is_the_same_object_every_time() -> None:
    assert coin.Query is coin.Query
    assert vars(coin)["Query"] is coin.Query


def test_what_is_not_offered_is_an_attribute_error_as_of_any_module() -> None:
    with pytest.raises(AttributeError, match="'coin_retrieval' has no attribute 'serach'"):
        coin.serach  # noqa: B018
