from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from coin_retrieval.errors import SettingsError
from coin_retrieval.reports.terminology import (
    FOLDER,
    category_book,
    load_terminologies,
)
from coin_retrieval.reports.words import tokenize
from coin_retrieval.types import DiagnosisCode

ANY = {
    "system": "S",
    "edition": "1",
    "source": "A book about it, 2nd edition, 2024.",
    "sites": ["cervix"],
    "categories": [
        {"code": "A", "name": "a", "phrases": ["aa"]},
        {"code": "B", "name": "b", "phrases": ["bb"]},
    ],
}


def folder(tmp_path: Path, **changes: object) -> Path:
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(ANY | changes))
    return tmp_path


def test_the_eight_systems_have_the_categories_of_their_editions() -> None:
    codes = {
        (t.system, t.edition): [c.code for c in t.categories if not c.additive]
        for t in load_terminologies()
    }
    five = ["INSUFFICIENT", "BENIGN", "ATYPICAL", "SUSPICIOUS", "MALIGNANT"]
    assert codes == {
        ("Bethesda cervix", "2014"): [
            *("UNSAT", "NILM", "ASC-US", "ASC-H", "LSIL", "HSIL", "SCC"),
            *("AGC", "AGC-FN", "AIS", "ADC"),
        ],
        ("TBSRTC", "2023"): ["I", "II", "III", "IV", "V", "VI"],
        ("Paris", "2022"): ["UNSAT", "NHGUC", "AUC", "SHGUC", "HGUC", "OTHER"],
        ("Milan", "2023"): ["I", "II", "III", "IVa", "IVb", "V", "VI"],
        ("Yokohama", "2020"): five,
        ("ISRSFC", "2020"): ["ND", "NFM", "AUS", "SFM", "MAL"],
        ("WHO lung", "2022"): five,
        ("WHO pancreaticobiliary", "2022"): [*five[:3], "PaN-Low", "PaN-High", *five[3:]],
    }


def test_no_phrase_means_two_categories_of_one_system() -> None:
    for wording, meanings in category_book().wordings():
        codes = {meaning.code for meaning in meanings}
        assert len({code.system for code in codes}) == len(codes), wording


@pytest.mark.parametrize(
    "changes",
    [
        {"sites": ["elbow grease"]},
        {"sites": []},
        {"source": "a book"},
        {"editions": "2"},
        {"categories": ANY["categories"][:1]},
        {"categories": [ANY["categories"][0]] * 2},
        {"categories": [*ANY["categories"], {"code": "C", "name": "c"}]},
    ],
)
def test_a_terminology_that_is_not_whole_is_refused_when_loaded(
    changes: dict[str, object], tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"s\.yaml"):
        load_terminologies(folder(tmp_path, **changes))


def test_a_phrase_that_cannot_be_read_is_refused_with_its_category(tmp_path: Path) -> None:
    broken = [*ANY["categories"], {"code": "C", "name": "c", "phrases": ["(cc"]}]
    with pytest.raises(SettingsError, match="S C"):
        category_book(folder(tmp_path, categories=broken))


@pytest.mark.parametrize("text", ["{", "- a", "\x00"])
def test_a_file_that_is_no_yaml_mapping_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(SettingsError, match=r"s\.yaml"):
        load_terminologies(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no terminology"):
        load_terminologies(tmp_path)


def test_the_documents_example_is_a_system(tmp_path: Path) -> None:
    document = Path(__file__).parents[3] / "docs" / "reports.md"
    example = document.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    (tmp_path / "sydney.yaml").write_text(example, encoding="utf-8")
    tokens = tokenize("reactive follicular hyperplasia")
    found = next(category_book(tmp_path).find(tokens))
    assert (found.end, found.meanings[0].code) == (3, DiagnosisCode("Sydney", "2020", "L2"))


def test_the_package_carries_its_words() -> None:
    import tomllib

    root = Path(__file__).parents[3]
    settings = tomllib.loads((root / "pyproject.toml").read_text())
    globs = settings["tool"]["setuptools"]["package-data"]["coin_retrieval.reports"]
    carried = {path for glob in globs for path in FOLDER.parent.glob(glob)}
    assert carried == set(FOLDER.parent.rglob("*.yaml"))
