"""Reports are judged by what they say, from the moment an archive is built."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from reference.trying import OPEN, read_trying

from coin_retrieval.archive.measured.closeness import TextCloseness
from coin_retrieval.calibrating.text_closeness import Holdings, text_closeness
from coin_retrieval.encoding.sentences import SentenceEncoder
from coin_retrieval.reports.plain import read_and_choose
from coin_retrieval.search.judging.closeness import Because, Closeness, ReportJudge, Verdict, judged
from coin_retrieval.search.judging.text_closeness import packed, unpacked
from coin_retrieval.search.query import Query
from coin_retrieval.search.site import plan_site
from coin_retrieval.wordings.captions import load_lexicon
from coin_retrieval.wordings.known import known_sentences

BLOOD = ("basophil", "eosinophil", "lymphocyte", "monocyte", "neutrophil", "platelet")
CERVIX = (
    "low-grade squamous intraepithelial lesion",
    "high-grade squamous intraepithelial lesion",
    "Candida",
    "Trichomonas vaginalis",
)


@pytest.fixture(scope="module")
def sentences() -> SentenceEncoder:
    return SentenceEncoder()


def block_of(
    labels: Iterable[str], sentences: SentenceEncoder, *, sites: Iterable[str] | None = None
) -> TextCloseness:
    findings = load_lexicon().findings
    held = Holdings(
        findings=frozenset(labels),
        sites=frozenset({findings[x].site for x in labels if x in findings})
        if sites is None
        else frozenset(sites),
    )
    block = text_closeness(held, known_sentences(), sentences)
    assert block is not None
    return block


def verdict(
    block: TextCloseness, sentences: SentenceEncoder, text: str, *, elsewhere: int = 1
) -> Closeness:
    """``elsewhere``: how many pictures have no told site."""
    judge = ReportJudge(block, block.threshold, sentences)
    reading, words = read_and_choose(text)
    site = plan_site(reading, Query(), dict.fromkeys(block.sites, 1) | {"unspecified": elsewhere})
    return judge.verdict(site, words, sentences.embed([words]))


@pytest.mark.parametrize(
    "report",
    [
        "Bilobed nucleus; the cytoplasm is packed with coarse orange-red granules.",
        "Koilocytes with enlarged dark nuclei and halos: low-grade lesion",
        "Pseudohyphae and budding yeasts.",
    ],
)
def test_what_the_archive_holds_is_close(sentences: SentenceEncoder, report: str) -> None:
    found = verdict(block_of([*BLOOD, *CERVIX], sentences), sentences, report)
    assert found.verdict is Verdict.YES, found
    assert found.score is not None
    assert found.limit is not None
    assert found.score >= found.limit.threshold


@pytest.mark.parametrize(
    ("report", "likest"),
    [
        ("Papillary carcinoma with nuclear grooves and pseudoinclusions", "papillary thyroid"),
        ("Rings of Plasmodium in red cells", "malaria"),
        ("Drunken honeycomb, adenocarcinoma, EUS-FNA of a pancreatic mass", "pancreatic"),
    ],
)
def test_what_it_lacks_is_not_and_the_reason_names_what_the_report_reads_like(
    sentences: SentenceEncoder, report: str, likest: str
) -> None:
    found = verdict(block_of([*BLOOD, *CERVIX], sentences), sentences, report)
    assert found.verdict is Verdict.NO
    reason = next(one for one in found.reasons if one.because is Because.LABEL_LACKING)
    assert likest in reason.named


def test_a_label_that_is_taken_out_is_missed_and_the_others_are_not(
    sentences: SentenceEncoder,
) -> None:
    report = "Eosinophil granulocyte; granules large, round and brick red."
    left = block_of([label for label in BLOOD if label != "eosinophil"], sentences)
    found = verdict(left, sentences, report)
    assert (found.verdict, found.reasons[0].named) == (Verdict.NO, "eosinophil")
    assert verdict(left, sentences, "Kidney-shaped nucleus, monocyte").verdict is Verdict.YES


def test_a_report_longer_than_any_known_one_goes_by_what_it_concludes(
    sentences: SentenceEncoder,
) -> None:
    long = next(one.report for one in read_trying(OPEN).reports if one.id == "open-long-02")
    concluded = "High-grade squamous intraepithelial lesion, severe dysplasia"
    other = long.replace(concluded, "Malignant mesothelioma, epithelioid")
    assert other != long
    block = block_of([*BLOOD, *CERVIX], sentences)
    assert verdict(block, sentences, long).verdict is Verdict.YES
    assert verdict(block, sentences, other).verdict is Verdict.NO


def test_a_site_that_is_lacking_weighs_most(sentences: SentenceEncoder) -> None:
    block = block_of(CERVIX, sentences)
    found = verdict(block, sentences, "Anal smear: HSIL")
    assert found.verdict is Verdict.NO
    assert (found.reasons[0].because, found.reasons[0].named) == (Because.SITE_LACKING, "anus")
    assert verdict(block, sentences, "Cervical smear: HSIL").verdict is Verdict.YES


def test_a_part_of_a_site_is_not_lacking_where_the_whole_is_there(
    sentences: SentenceEncoder,
) -> None:
    block = block_of(CERVIX, sentences, sites=["serous fluid"])
    found = verdict(block, sentences, "Pleural effusion: HSIL")
    assert found.reasons[0].because is not Because.SITE_LACKING


def test_what_is_seen_at_many_sites_may_be_among_pictures_without_one(
    sentences: SentenceEncoder,
) -> None:
    block = block_of([*CERVIX, "neuroendocrine tumour"], sentences, sites=["cervix"])
    report = "Pancreas, touch smear: neuroendocrine tumour, well differentiated"
    assert verdict(block, sentences, report).verdict is Verdict.YES
    assert verdict(block, sentences, report, elsewhere=0).verdict is Verdict.NO


def test_where_a_label_is_described_by_no_report_the_unlike_is_not_judged(
    sentences: SentenceEncoder,
) -> None:
    block = block_of(["lymphocyte", "Zelltyp 7"], sentences, sites=["peripheral blood"])
    assert block.unworded == ("Zelltyp 7",)
    foreign = verdict(block, sentences, "Sickle cells, HbSS")
    assert foreign.verdict is Verdict.NOT_JUDGED
    assert foreign.reasons[0].because is Because.UNDESCRIBED
    elsewhere = verdict(block, sentences, "Pleomorphic adenoma of the parotid gland")
    assert elsewhere.verdict is Verdict.NO, "no label of the blood lies in a salivary gland"


def test_without_labels_only_what_lies_beyond_the_sites_can_be_told(
    sentences: SentenceEncoder,
) -> None:
    held = Holdings(sites=frozenset({"peripheral blood"}))
    block = text_closeness(held, known_sentences(), sentences)
    assert block is not None
    assert not block.labelled
    inside = verdict(block, sentences, "a monocyte")
    assert (inside.verdict, inside.reasons[0].because) == (Verdict.NOT_JUDGED, Because.UNLABELLED)
    assert verdict(block, sentences, "Warthin tumour of the parotid").verdict is Verdict.NO


def test_of_labels_that_nobody_describes_nothing_is_said(sentences: SentenceEncoder) -> None:
    assert text_closeness(Holdings(frozenset({"x7"})), known_sentences(), sentences) is None
    nothing = ReportJudge(None, None, sentences)
    assert nothing.verdict(None, "", None).reasons[0].because is Because.NOT_MEASURED


def test_an_archives_own_reports_describe_a_label_that_the_program_does_not_know(
    sentences: SentenceEncoder,
) -> None:
    own = (
        "Green glittering flake cells in small groups",
        "A flake: emerald sheen, no nucleus",
        "Glittering green bodies, flake type, many of them",
        "flakes, typical green glitter",
        "Greenish scales that glitter; flake cell",
        "Numerous flake cells with a green shine on dark ground",
        "FLAKE, green, single",
        "Thin glittering cells the colour of grass: flakes",
    )
    held = Holdings(findings=frozenset({"flake"}), reports={"flake": own})
    block = text_closeness(held, known_sentences(), sentences)
    assert block is not None
    assert block.unworded == ()
    assert verdict(block, sentences, "glittering green flake cells").verdict is Verdict.YES
    assert verdict(block, sentences, "Trichomonads").verdict is Verdict.NO


def test_vectors_are_kept_to_a_percent(sentences: SentenceEncoder) -> None:
    rows = sentences.embed(["one", "two and a half"])
    kept = unpacked(packed("label", rows))
    assert kept.shape == rows.shape
    assert np.all((kept * rows).sum(axis=1) > 0.999)


def test_a_score_without_a_threshold_is_no_verdict() -> None:
    found = judged(0.9, None)
    assert (found.verdict, found.close, found.score) == (Verdict.NOT_JUDGED, None, 0.9)


def test_reports_that_repeat_a_template_do_not_set_a_threshold_for_new_words(
    sentences: SentenceEncoder,
) -> None:
    template = tuple(
        f"Green glittering flake cells in groups, no nuclei, clean ground; flake ({letter})"
        for letter in "ABCDEFGHIJ"
    )
    held = Holdings(findings=frozenset({"flake"}), reports={"flake": template})
    block = text_closeness(held, known_sentences(), sentences)
    assert block is not None
    assert block.threshold is None
