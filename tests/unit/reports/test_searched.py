"""What of a report is searched: sentences of reports, each with what must be left out of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.trying import OPEN, read_trying

from coin_retrieval.errors import ReportError
from coin_retrieval.files import read_yaml
from coin_retrieval.reports.plain import affirms, read_for_search
from coin_retrieval.reports.reading import read_closely
from coin_retrieval.reports.searched.affirmed import Affirmed, Because
from coin_retrieval.reports.words import tokenize

TRYING = [
    one for one in read_trying(OPEN).reports if one.stratum not in ("other_language", "misspelt")
]


def searched(text: str) -> Affirmed:
    return read_closely(text).searched


@pytest.mark.parametrize(
    ("report", "kept"),
    [
        ("Koilocytes. No HSIL.", "Koilocytes."),
        ("Neutrophil, not an eosinophil: no orange granules", "Neutrophil"),
        ("Clinical history: HSIL 2020, LLETZ. Cervical smear: flat squames. Conclusion: NILM",
         "Cervical smear: flat squames. NILM"),
        ("No nucleoli, smooth contour.", "No nucleoli, smooth contour."),
        ("No pigment, smooth contour.", "smooth contour."),
        ("No blasts, myelocytes or fungi, smooth contour.", "smooth contour."),
        ("Clear cells, no necrosis and a clean background.", "Clear cells, clean background."),
        ("No necrosis and pigment. Clear cells.", "Clear cells."),
        ("No HSIL, LSIL or SCC. Squames.", "Squames."),
        ("Keratin, fibre cells and debris are lacking. Small cells.", "Small cells."),
        ("Large; nucleoli are not seen.", "Large; nucleoli are not seen."),
        ("Nuclei are large and mitoses are not seen.", "Nuclei are large"),
        ("Blasts? No. Myelocytes.", "Myelocytes."),
        ("Granules: none. Round nucleus.", "Granules: none. Round nucleus."),
        ("Pigment: none. Round nucleus.", "Round nucleus."),
        ("Orange beads that do not obscure the wall, two lobes", "Orange beads, two lobes"),
        ("A stoma instead of a round window; red cell", "A stoma. red cell"),
        ("Cells lacking pigment, two lobes", "Cells, two lobes"),
        ("Mother had lymphoma. Blasts.", "Blasts."),
        ("Satisfactory for evaluation. Candida.", "Candida."),
        ("LSIL, colposcopy advised.", "LSIL"),
        ("Previous smear (2022): LSIL. Today: HSIL.", "HSIL."),
        ("Treated for LSIL in 2019, now superficial cells only.", "now superficial cells only."),
    ],
)  # fmt: skip
def test_what_a_report_affirms_is_searched(report: str, kept: str) -> None:
    assert searched(report).text == kept


@pytest.mark.parametrize(
    "report",
    [
        "There is no doubt that this is HSIL.",
        "Not only koilocytes but parakeratosis too.",
        "Atypical squamous cells, cannot exclude HSIL.",
        "Borderline changes, high-grade dyskaryosis not excluded.",
        "Negative for intraepithelial lesion or malignancy.",
        "An erythrocyte that has not lost its nucleus.",
        "Non-keratinizing squamous cell carcinoma.",
        "Hardly any cytoplasm, almost no rim.",
        "Cell fragment without a nucleus.",
        "A forget-me-not blue rim.",
        "Bethesda 2014: LSIL.",
        "More than 2000 cells, koilocytes.",
        "Budding daughter cells of yeast.",
        "Each grain easily resolved, past the cell's edge.",
        "High N:C ratio, 5,000 squames counted.",
        "Cells.",
    ],
)
def test_what_only_looks_like_a_denial_or_the_past_is_searched(report: str) -> None:
    assert searched(report).text == report
    assert searched(report).left_out == ()


def test_what_is_left_out_is_told_with_its_cue_and_reason() -> None:
    left = searched(
        "Hx: CIN 3 2019. Sister has HSIL. Smear adequate. Koilocytes; no fungi. Repeat in a year."
    ).left_out
    assert [(one.because, one.words.text, one.cue and one.cue.text) for one in left] == [
        (Because.HISTORICAL, "Hx: CIN 3 2019.", None),
        (Because.OTHER_PERSON, "Sister has HSIL", "Sister"),
        (Because.ADEQUACY, "Smear adequate", "adequate"),
        (Because.NEGATED, "no fungi", "no"),
        (Because.ADVICE, "Repeat in a year", "Repeat"),
    ]


def test_a_negative_smear_is_searched_as_such() -> None:
    assert searched("No dyskaryosis.").text == "No dyskaryosis"
    assert searched("Cervical smear. No malignancy.").text == "Cervical smear. No malignancy"


def test_a_report_that_affirms_nothing_is_refused_and_told_the_way_out() -> None:
    assert not affirms("No HSIL.")
    with pytest.raises(ReportError, match="affirms nothing") as refused:
        read_for_search("No HSIL.")
    assert "--as-written" in str(refused.value)
    assert "HSIL" not in str(refused.value.value)


def test_a_report_as_written_is_searched_whole() -> None:
    assert read_for_search("No HSIL.", whole=True)[1].text == "No HSIL."


@pytest.mark.parametrize(
    ("report", "kept", "left_out"),
    [
        *(
            pytest.param(
                one.report, one.searched, [(p.text, p.because) for p in one.left_out], id=one.id
            )
            for one in TRYING
        ),
        *(
            pytest.param(one["report"], one["searched"], one["left_out"], id=one["id"])
            for half in read_yaml(OPEN.with_name("long_reports.yaml")).values()
            for one in half
        ),
    ],
)
def test_reports_are_split_as_a_cytologist_would(
    report: str, kept: list[str], left_out: list[tuple[str, str]]
) -> None:
    reading = read_closely(report)
    text = reading.report.text
    searched = {
        place
        for piece in reading.searched.pieces
        for place in range(piece.span.start, piece.span.end)
    }
    left = {
        place: part.because.value
        for part in reading.searched.left_out
        for place in range(part.words.start, part.words.end)
    }
    for quoted in kept:
        assert set(_words(text, quoted)) <= searched, quoted
    for quoted, because in left_out:
        places = _words(text, quoted)
        assert places <= left.keys(), quoted
        assert because in {left[place] for place in places}, quoted


@pytest.mark.parametrize(
    ("report", "kept", "left_out"),
    [
        ("Pertinent history: HSIL 2020. Final cytological diagnosis: NILM", "NILM",
         "Pertinent history: HSIL 2020."),
        ("Hx - HSIL 2020. Micro - flat squames", "flat squames", "Hx - HSIL 2020."),
        ("Koilocytes\nFollow-up recommended: repeat", "Koilocytes.",
         "Follow-up recommended: repeat"),
        ("CONCLUSION\nNILM\nCLINICAL HISTORY\nHSIL", "NILM", "CLINICAL HISTORY: HSIL"),
        ("Koilocytes. There are no clue cells and no yeasts.", "Koilocytes.",
         "There are no clue cells and no yeasts"),
        ("Koilocytes. Suggest colposcopy.", "Koilocytes.", "Suggest colposcopy"),
        ("Koilocytes - binucleate cells", "Koilocytes - binucleate cells", ""),
    ],
)  # fmt: skip
def test_headings_and_idle_words_go_with_what_they_say(
    report: str, kept: str, left_out: str
) -> None:
    found = searched(report)
    assert found.text == kept
    assert " ".join(part.words.text for part in found.left_out).startswith(left_out.rstrip("."))


@pytest.mark.parametrize(
    ("report", "kept"),
    [
        # the whole name of a category is denied as its abbreviation is
        ("Koilocytes. No high-grade squamous intraepithelial lesion.", "Koilocytes."),
        ("Keratin pearls. Adenocarcinoma not seen.", "Keratin pearls."),
        ("Clue cells. Negative for intraepithelial lesion or malignancy.",
         "Clue cells. Negative for intraepithelial lesion or malignancy."),
        ("No Trichomonas vaginalis, Candida present", "Candida present"),
        ("Yeasts +, trich -, BV -.", "Yeasts +"),
        ("Target cells, spherocytes 0, grade 0", "Target cells, grade 0"),
        ("CD45 neg, GATA3 pos.", "GATA3 pos."),
        ("Negative; clue cells seen", "Negative; clue cells seen"),
        ("LBC neg; TZ +", "LBC neg; TZ +"),
        ("baso, blue-blk gran, lobes ?", "baso, blue-blk gran, lobes ?"),
        ("Large gram negative rods.", "Large gram negative rods."),
        ("Excluded: blast, lymphocyte. Monocyte.", "Monocyte."),
        ("Target cells (splenectomised 1999), few.", "Target cells, few."),
        ("Koilocytes; HSIL (2019)", "Koilocytes"),
        ("Clue cells\n* yeasts: 0\n- koilocytes", "Clue cells. koilocytes"),
        ("Adequacy: good. Background: necrotic debris.", "Background: necrotic debris."),
        ("Findings. Clue cells. Plan. Metronidazole.", "Clue cells."),
    ],
)  # fmt: skip
def test_what_is_denied_or_past_is_told_by_its_place(report: str, kept: str) -> None:
    assert searched(report).text == kept


def _words(text: str, quoted: str) -> set[int]:
    """Where the words of a quotation begin in a tidied report."""
    tidied = " ".join(quoted.split())
    start = text.index(tidied)
    return {start + token.start for token in tokenize(tidied) if token.is_word}


_VOCABULARY = (
    "no not without HSIL koilocytes nuclei are seen absent mother had history of 2019 , . ; : ( ) "
    "? - and or smear satisfactory repeat conclusion today neither nor lacking cells the"
)
_WORDS = st.sampled_from(_VOCABULARY.split())


@given(st.one_of(st.lists(_WORDS, min_size=1, max_size=25).map(" ".join), st.text(min_size=1)))
def test_every_span_is_the_reports_and_none_is_searched_and_left_out(text: str) -> None:
    try:
        reading = read_closely(text)
    except ReportError:
        return
    report, parts = reading.report.text, reading.searched
    spans = [piece.span for piece in parts.pieces] + [one.words for one in parts.left_out]
    assert all(report[span.start : span.end] == span.text for span in spans)
    assert all(
        report[one.cue.start : one.cue.end] == one.cue.text for one in parts.left_out if one.cue
    )
    cut = [p for one in parts.left_out for p in range(one.words.start, one.words.end)]
    assert len(cut) == len(set(cut))
    if affirms(text):
        last = parts.last(len(parts.text))
        assert [span.text for span in last] == [piece.span.text for piece in parts.pieces]
