"""What every catalog promises. Subclass it, and name the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coin_retrieval.catalog.base import Catalog
from coin_retrieval.config import CatalogSettings
from coin_retrieval.errors import FilterError, InputError, NotFoundError
from coin_retrieval.factory import make_catalog, open_catalog
from coin_retrieval.types import (
    CaseRecord,
    DiagnosisCode,
    ImageId,
    ImageRecord,
    Location,
    Origin,
)

CERVIX = CaseRecord(
    case_id="c-1",
    site="cervix",
    specimen="Pap smear",
    stain="Papanicolaou",
    report="Koilocytes. LSIL.",
    codes=(DiagnosisCode("Bethesda cervix", "2014", "LSIL"),),
    patient_id="p-1",
)
BLOOD = CaseRecord(case_id="b-1", site="Peripheral Blood", stain="May-Grünwald-Giemsa")


def image(number: int, case: CaseRecord, **fields: Any) -> ImageRecord:
    record = ImageRecord(
        image_id=ImageId(number),
        case_id=case.case_id,
        uri=f"file:///{number}.png",
        content_hash=f"{number:064x}",
        width_px=224,
        height_px=200,
    )
    return replace(record, **fields)


LSIL = image(
    2**53 - 1,
    CERVIX,
    diagnosis="LSIL",
    finding="koilocytes",
    mpp_um=0.25,
    attributes={"split": "train", "source": "Zürich"},
    slide_id="S-1",
)
HSIL = image(11, CERVIX, diagnosis="HSIL", attributes={"split": "val"})
EOSINOPHIL = image(
    12, BLOOD, diagnosis="eosinophil", attributes={"split": "val", "granule colour": "orange"}
)
DRAWN = image(13, BLOOD, diagnosis="eosinophil", origin=Origin.GENERATED)


class CatalogSuite:
    """Subclasses name ``settings`` that the factory knows, or else give the two fixtures."""

    settings: CatalogSettings

    @pytest.fixture
    def catalog(self, tmp_path: Path) -> Iterator[Catalog]:
        """Empty."""
        with closing(make_catalog(self.settings, tmp_path)) as catalog:
            yield catalog

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[Location], Catalog]:
        """Opens what was sealed."""
        return partial(open_catalog, self.settings, tmp_path)

    @pytest.fixture
    def full(self, catalog: Catalog) -> Catalog:
        catalog.put([CERVIX, BLOOD], [LSIL, HSIL, EOSINOPHIL, DRAWN])
        return catalog

    def test_records_come_back_as_they_were_put(self, full: Catalog) -> None:
        assert full.images([LSIL.image_id, ImageId(13)]) == {
            LSIL.image_id: LSIL,
            DRAWN.image_id: DRAWN,
        }
        assert full.cases(["c-1", "b-1"]) == {"c-1": CERVIX, "b-1": BLOOD}

    def test_a_sealed_catalog_answers_as_before(
        self, full: Catalog, reopen: Callable[[Location], Catalog]
    ) -> None:
        with closing(reopen(full.seal())) as opened:
            assert opened.case_images("c-1") == [HSIL, LSIL]
            assert opened.select({"site": ["CERVIX"]}).tolist() == [11, 2**53 - 1]
            assert opened.cases(["b-1"]) == {"b-1": BLOOD}
            assert (opened.fields(), opened.counts()) == (full.fields(), full.counts())

    def test_unknown_ids_are_left_out(self, full: Catalog) -> None:
        assert full.images([ImageId(404)]) == {}
        assert full.cases(["nobody"]) == {}

    def test_the_images_of_a_case_come_by_id(self, full: Catalog) -> None:
        assert full.case_images("c-1") == [HSIL, LSIL]

    def test_the_images_of_many_cases_come_in_one_answer(self, full: Catalog) -> None:
        assert full.images_of(["b-1", "c-1", "nobody"]) == {
            "c-1": [HSIL, LSIL],
            "b-1": full.case_images("b-1"),
        }
        assert full.images_of([]) == {}

    def test_a_case_that_is_not_there_is_an_error(self, full: Catalog) -> None:
        with pytest.raises(NotFoundError, match="nobody"):
            full.case_images("nobody")

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            ({}, [LSIL, HSIL, EOSINOPHIL, DRAWN]),
            ({"site": ["cervix"]}, [LSIL, HSIL]),
            ({"site": ["PERIPHERAL blood"]}, [EOSINOPHIL, DRAWN]),
            ({"stain": ["MAY-GRÜNWALD-GIEMSA"]}, [EOSINOPHIL, DRAWN]),
            ({"diagnosis": ["lsil", "Eosinophil"]}, [LSIL, EOSINOPHIL, DRAWN]),
            ({"diagnosis": ["eosinophil"], "origin": ["real"]}, [EOSINOPHIL]),
            ({"origin": ["generated"]}, [DRAWN]),
            ({"split": ["val"], "site": ["cervix"]}, [HSIL]),
            ({"granule colour": ["Orange"]}, [EOSINOPHIL]),
            ({"source": ["zürich"]}, [LSIL]),
            ({"case_id": ["b-1"]}, [EOSINOPHIL, DRAWN]),
            ({"patient_id": ["P-1"]}, [LSIL, HSIL]),
            ({"slide_id": ["s-1"]}, [LSIL]),
            ({"finding": ["koilo"]}, []),
            ({"site": ["liver"]}, []),
            ({"site": []}, []),
        ],
    )
    def test_a_filter_selects_exactly_what_fits(
        self, full: Catalog, where: dict[str, list[str]], expected: list[ImageRecord]
    ) -> None:
        found = full.select(where)
        assert found.dtype == np.int64
        assert sorted(found.tolist()) == sorted(int(record.image_id) for record in expected)

    def test_a_filter_is_compared_exactly_and_never_as_a_pattern(self, full: Catalog) -> None:
        assert len(full.select({"diagnosis": ["%SIL"]})) == 0
        assert len(full.select({"diagnosis": ["' OR 1=1 --"]})) == 0

    def test_a_filter_on_an_unknown_field_says_which_exist(self, full: Catalog) -> None:
        with pytest.raises(FilterError, match=r"organ.*diagnosis.*granule colour"):
            full.select({"organ": ["cervix"]})

    def test_fields_are_those_of_case_and_image_and_the_attributes_in_use(
        self, full: Catalog
    ) -> None:
        assert full.fields() == (
            *("case_id", "site", "specimen", "stain", "diagnosis", "finding", "origin"),
            *("granule colour", "patient_id", "slide_id", "source", "split"),
        )

    def test_an_attribute_that_nothing_has_any_more_is_no_field(self, full: Catalog) -> None:
        full.remove([EOSINOPHIL.image_id])
        assert "granule colour" not in full.fields()

    def test_values_are_counted_by_image_most_frequent_first(self, full: Catalog) -> None:
        assert full.values("diagnosis") == {"eosinophil": 2, "HSIL": 1, "LSIL": 1}
        assert list(full.values("diagnosis")) == ["eosinophil", "HSIL", "LSIL"]
        assert full.values("site") == {"Peripheral Blood": 2, "cervix": 2}
        assert full.values("split") == {"val": 2, "train": 1}

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            ({"site": ["CERVIX"]}, {"HSIL": 1, "LSIL": 1}),
            (
                {"site": ["cervix", "peripheral blood"], "split": ["val"]},
                {"eosinophil": 1, "HSIL": 1},
            ),
            ({"site": ["liver"]}, {}),
            ({"site": []}, {}),
            ({}, {"eosinophil": 2, "HSIL": 1, "LSIL": 1}),
        ],
    )
    def test_values_are_counted_among_what_fits_a_filter(
        self, full: Catalog, where: dict[str, list[str]], expected: dict[str, int]
    ) -> None:
        assert full.values("diagnosis", where) == expected

    def test_values_of_an_unknown_field_are_an_error(self, full: Catalog) -> None:
        with pytest.raises(FilterError):
            full.values("organ")

    def test_counts_are_of_cases_and_images(self, full: Catalog) -> None:
        assert full.counts() == (2, 4)

    def test_an_empty_catalog_is_empty(self, catalog: Catalog) -> None:
        assert catalog.counts() == (0, 0)
        assert catalog.select({}).tolist() == []
        assert catalog.values("site") == {}

    def test_putting_an_image_again_replaces_it(self, full: Catalog) -> None:
        changed = replace(LSIL, diagnosis="ASC-H", attributes={"split": "held out"})
        full.put([], [changed])
        assert full.images([LSIL.image_id]) == {LSIL.image_id: changed}
        assert full.counts() == (2, 4)
        assert LSIL.image_id not in full.select({"diagnosis": ["LSIL"]})
        assert full.select({"split": ["held out"]}).tolist() == [LSIL.image_id]

    def test_a_case_that_changes_is_found_by_its_new_values(self, full: Catalog) -> None:
        full.put([replace(CERVIX, site="vagina")], [])
        assert len(full.select({"site": ["cervix"]})) == 0
        assert len(full.select({"site": ["vagina"]})) == 2

    def test_an_image_that_moves_to_another_case_is_found_there_only(self, full: Catalog) -> None:
        full.put([], [replace(HSIL, case_id="b-1")])
        assert HSIL.image_id not in full.select({"site": ["cervix"]})
        assert HSIL.image_id in full.select({"site": ["peripheral blood"]})
        assert full.case_images("c-1") == [LSIL]

    def test_an_image_of_an_unknown_case_is_refused_and_nothing_is_kept(
        self, full: Catalog
    ) -> None:
        stray = image(99, CaseRecord(case_id="nobody"))
        with pytest.raises(InputError, match="nobody"):
            full.put([CaseRecord(case_id="new")], [stray])
        assert full.counts() == (2, 4)
        assert full.cases(["new"]) == {}

    def test_removing_counts_what_was_there_and_takes_empty_cases_along(
        self, full: Catalog
    ) -> None:
        assert full.remove([LSIL.image_id, ImageId(11), ImageId(404)]) == 2
        assert full.counts() == (1, 2)
        assert full.cases(["c-1"]) == {}
        assert full.values("site") == {"Peripheral Blood": 2}

    def test_thousands_of_ids_are_no_problem(self, catalog: Catalog) -> None:
        case = CaseRecord(case_id="big")
        images = [image(n, case, attributes={"cell": f"cell {n}"}) for n in range(1, 3001)]
        catalog.put([case], images)
        ids = [record.image_id for record in images]
        assert len(catalog.images(ids)) == 3000
        assert len(catalog.select({"cell": [f"CELL {n}" for n in ids]})) == 3000
        assert catalog.remove(ids[:2500]) == 2500
        assert catalog.counts() == (1, 500)

    def test_threads_may_read_at_the_same_time(self, full: Catalog) -> None:
        def read(_: int) -> tuple[int, int]:
            return len(full.select({"site": ["cervix"]})), len(full.images([LSIL.image_id]))

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(read, range(100))) == {(2, 1)}
