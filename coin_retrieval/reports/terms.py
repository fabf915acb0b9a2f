"""Standard diagnosis terms as people type them: the names of categories and their synonyms.

The patterns of `terminologies/` recognise a category in any wording; these are the few wordings by
which one looks it up, spelled as they are written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from coin_retrieval.errors import SettingsError
from coin_retrieval.reports.lexicons import Words, load_yaml

FOLDER = Path(__file__).with_name("terms")


class StandardTerm(Words):
    """One category: its name and what else it is called."""

    code: str = Field(min_length=1)
    name: str = Field(min_length=1)
    synonyms: tuple[str, ...] = ()

    @property
    def wordings(self) -> tuple[str, ...]:
        """The name, then the synonyms."""
        return (self.name, *self.synonyms)


class StandardTerms(Words):
    """The terms of one system, and the publication that they are of."""

    system: str = Field(min_length=1)
    edition: str = Field(min_length=1)
    source: str = Field(min_length=20)
    terms: tuple[StandardTerm, ...] = Field(min_length=1)

    @property
    def wordings(self) -> tuple[str, ...]:
        """Of all terms."""
        return tuple(wording for term in self.terms for wording in term.wordings)

    @model_validator(mode="after")
    def _says_nothing_twice(self) -> Self:
        wordings = self.wordings
        twice = {wording for wording in wordings if wordings.count(wording) > 1}
        if twice:
            raise ValueError(f"{self.system}: twice the wording {', '.join(sorted(twice))}")
        return self


def known_terms() -> tuple[str, ...]:
    """The names of the systems that come with the program."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def load_terms(name: str) -> StandardTerms:
    """The terms of a known system, or of a YAML file of the same form.

    Raises:
        SettingsError: neither, or a file that does not fit.
    """
    if name in known_terms():
        return load_yaml(FOLDER / f"{name}.yaml", StandardTerms)
    if not Path(name).is_file():
        raise SettingsError(
            "there are no such terms",
            value=name,
            expected=f"{', '.join(known_terms())}, or a YAML file",
            remedy="docs/operations.md shows such a file",
        )
    return load_yaml(Path(name), StandardTerms)
