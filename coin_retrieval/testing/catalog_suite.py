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

from coin_retrieval.catalog.base import Catalog, CatalogWriter
from coin_retrieval.config import CatalogSettings
from coin_retrieval.errors import FilterError, InputError, NotFoundError
from coin_retrieval.factory import make_catalog_writer, open_catalog
from coin_retrieval.types import (
    CaseRecord,
    DiagnosisCode,
    FileState,
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
        file=FileState("cases.csv", 1000 + number % 7, 2**60 + number % 7),
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
RECORDS = (LSIL, HSIL, EOSINOPHIL, DRAWN)


class CatalogSuite:
    """Subclasses name ``settings`` that the factory knows, or else give the two fixtures."""

    settings: CatalogSettings

    @pytest.fixture
    def writer(self, tmp_path: Path) -> Iterator[CatalogWriter]:
        """Empty."""
        with closing(make_catalog_writer(self.settings, tmp_path)) as writer:
            yield writer

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[..., Catalog]:
        """Opens what was sealed; told by ``alive`` which rows are there."""
        return partial(open_catalog, self.settings, tmp_path)

    @pytest.fixture
    def location(self, writer: CatalogWriter) -> Location:
        """Where all records are, put in two goes."""
        writer.put([CERVIX, BLOOD], [LSIL, HSIL])
        writer.put([], [EOSINOPHIL, DRAWN])
        return writer.seal()

    @pytest.fixture
    def full(self, location: Location, reopen: Callable[..., Catalog]) -> Iterator[Catalog]:
        with reopen(location) as catalog:
            yield catalog

    @pytest.fixture
    def reduced(self, location: Location, reopen: Callable[..., Catalog]) -> Callable[..., Catalog]:
        """Opens it without some of its images."""

        def without(*gone: ImageRecord) -> Catalog:
            return reopen(location, alive=np.array([record not in gone for record in RECORDS]))

        return without

    def test_records_come_back_as_they_were_put(self, full: Catalog) -> None:
        assert full.images([LSIL.image_id, ImageId(13)]) == {
            LSIL.image_id: LSIL,
            DRAWN.image_id: DRAWN,
        }
        assert full.cases(["c-1", "b-1"]) == {"c-1": CERVIX, "b-1": BLOOD}

    def test_rows_are_numbered_as_they_were_put(self, full: Catalog) -> None:
        assert full.ids().tolist() == [record.image_id for record in RECORDS]
        assert full.row_count == 4
        assert full.alive().tolist() == [True] * 4
        assert full.mask({"site": ["cervix"]}).tolist() == [True, True, False, False]

    def test_what_was_put_can_be_read_while_it_is_written(self, writer: CatalogWriter) -> None:
        writer.put([CERVIX], [LSIL, HSIL])
        assert writer.images([HSIL.image_id, ImageId(404)]) == {HSIL.image_id: HSIL}
        assert writer.of_contents([HSIL.content_hash, LSIL.content_hash]) == [LSIL, HSIL]
        assert writer.of_contents([DRAWN.content_hash]) == writer.of_contents([]) == []

    def test_images_are_found_by_content_and_by_place(self, full: Catalog) -> None:
        assert full.of_contents([DRAWN.content_hash, HSIL.content_hash, "f" * 64]) == [HSIL, DRAWN]
        assert full.of_uris([EOSINOPHIL.uri, "file:///nowhere"]) == [EOSINOPHIL]
        assert full.of_contents([]) == full.of_uris([]) == []

    def test_images_of_one_content_are_all_found(
        self, writer: CatalogWriter, reopen: Callable[..., Catalog]
    ) -> None:
        again = replace(EOSINOPHIL, content_hash=LSIL.content_hash)
        writer.put([CERVIX, BLOOD], [LSIL, HSIL, again])
        with reopen(writer.seal()) as catalog:
            assert catalog.of_contents([LSIL.content_hash]) == [LSIL, again]

    def test_all_cases_come_in_the_order_of_their_ids(self, full: Catalog) -> None:
        assert list(full.case_ids()) == ["b-1", "c-1"]

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

    def test_a_sample_is_of_what_fits(self, full: Catalog) -> None:
        drawn = full.sample(3, {}).tolist()
        assert len(drawn) == 3
        assert set(drawn) < set(full.select({}).tolist())
        of_cervix = full.select({"site": ["cervix"]})
        assert full.sample(9, {"site": ["cervix"]}).tolist() == of_cervix.tolist()

    def test_a_sample_leaves_out_what_was_taken_out(self, reduced: Callable[..., Catalog]) -> None:
        assert reduced(LSIL, DRAWN).sample(9, {}).tolist() == [HSIL.image_id, EOSINOPHIL.image_id]

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

    def test_an_empty_catalog_is_empty(
        self, writer: CatalogWriter, reopen: Callable[..., Catalog]
    ) -> None:
        with reopen(writer.seal()) as catalog:
            assert catalog.counts() == (0, 0)
            assert catalog.select({}).tolist() == []
            assert catalog.values("site") == {}

    def test_a_case_that_is_put_again_is_replaced(
        self, writer: CatalogWriter, reopen: Callable[..., Catalog]
    ) -> None:
        writer.put([CERVIX], [LSIL])
        writer.put([replace(CERVIX, site="vagina")], [HSIL])
        with reopen(writer.seal()) as catalog:
            assert len(catalog.select({"site": ["cervix"]})) == 0
            assert len(catalog.select({"site": ["vagina"]})) == 2

    def test_an_image_that_is_put_again_is_refused(self, writer: CatalogWriter) -> None:
        writer.put([CERVIX], [LSIL])
        with pytest.raises(InputError, match="twice"):
            writer.put([], [replace(LSIL, diagnosis="HSIL")])

    def test_an_image_of_an_unknown_case_is_refused_and_nothing_is_kept(
        self, writer: CatalogWriter, reopen: Callable[..., Catalog]
    ) -> None:
        writer.put([CERVIX], [LSIL])
        stray = image(99, CaseRecord(case_id="nobody"))
        with pytest.raises(InputError, match="nobody"):
            writer.put([BLOOD], [EOSINOPHIL, stray])
        with reopen(writer.seal()) as catalog:
            assert catalog.counts() == (1, 1)
            assert catalog.cases(["b-1"]) == {}

    def test_rows_that_are_not_there_any_more_are_in_no_answer(
        self, reduced: Callable[..., Catalog]
    ) -> None:
        with reduced(HSIL, EOSINOPHIL) as catalog:
            assert catalog.alive().tolist() == [True, False, False, True]
            assert catalog.row_count == 4
            assert catalog.counts() == (2, 2)
            assert catalog.images([HSIL.image_id, LSIL.image_id]) == {LSIL.image_id: LSIL}
            assert catalog.case_images("c-1") == [LSIL]
            assert catalog.of_contents([HSIL.content_hash]) == []
            assert catalog.of_uris([HSIL.uri]) == []
            assert catalog.select({}).tolist() == [13, LSIL.image_id]
            assert catalog.mask({"case_id": ["c-1"]}).tolist() == [True, False, False, False]
            assert catalog.values("diagnosis") == {"LSIL": 1, "eosinophil": 1}
            assert catalog.values("case_id") == {"b-1": 1, "c-1": 1}
            assert "granule colour" not in catalog.fields()
            assert "source" in catalog.fields()

    def test_a_case_of_which_no_image_is_left_is_not_there(
        self, reduced: Callable[..., Catalog]
    ) -> None:
        with reduced(LSIL, HSIL) as catalog:
            assert catalog.cases(["c-1", "b-1"]) == {"b-1": BLOOD}
            assert list(catalog.case_ids()) == ["b-1"]
            assert catalog.counts() == (1, 2)
            assert catalog.values("site") == {"Peripheral Blood": 2}
            with pytest.raises(NotFoundError):
                catalog.case_images("c-1")

    def test_thousands_of_ids_are_no_problem(
        self, writer: CatalogWriter, reopen: Callable[..., Catalog]
    ) -> None:
        case = CaseRecord(case_id="big")
        images = [image(n, case, attributes={"cell": f"cell {n}"}) for n in range(1, 3001)]
        writer.put([case], images)
        alive = np.arange(3000) >= 2500
        location = writer.seal()
        with reopen(location) as catalog, reopen(location, alive=alive) as left:
            assert len(catalog.images(map(ImageId, range(1, 3001)))) == 3000
            assert len(catalog.select({"cell": [f"CELL {n}" for n in range(1, 3001)]})) == 3000
            assert left.counts() == (1, 500)
            assert len(left.values("cell")) == 500

    def test_threads_may_read_at_the_same_time(self, full: Catalog) -> None:
        def read(_: int) -> tuple[int, int]:
            return len(full.select({"site": ["cervix"]})), len(full.images([LSIL.image_id]))

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(read, range(100))) == {(2, 1)}
