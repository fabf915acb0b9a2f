from __future__ import annotations

import pytest

from coin_retrieval.reports.lexicons import load_sites
from coin_retrieval.reports.plain import read_report


@pytest.mark.parametrize("site", sorted(load_sites().sites))
def test_every_site_is_read_by_its_own_name_anywhere(site: str) -> None:
    assert read_report(f"Some cells. They come from {site}. End of it.").site == site


def test_more_than_sixteen_sites_are_known() -> None:
    assert len(load_sites().sites) > 16


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("Cervical lymph node FNA.", "lymph node"),
        ("Cervical smear.", "cervix"),
        ("Cervical spine, no more told.", ""),
        ("EBUS of the subcarinal node. Lymph node.", "lymph node"),
        ("EBUS-TBNA.", "bronchus"),
        ("Pap test.", "cervix"),
        ("Bronchial washing from the lung.", "bronchus"),
        ("Pleural fluid, an effusion.", "pleural effusion"),
        ("BAL", "bronchus"),
        ("CSF", "cerebrospinal fluid"),
        ("Ascitic tap", "ascites"),
        ("Metastatic breast carcinoma.", ""),
        ("Lymph node: metastasis from the lung.", "lymph node"),
        ("Carcinoma of the breast, cells from ascites.", "ascites"),
        ("History of thyroid disease. Urine.", "urine"),
        ("No lymph node tissue.", ""),
        ("Thyroid and breast.", ""),
        ("(Urine) Cells like those of the kidney.", "urine"),
        ("Specimen: urine. Comment: kidney is normal.", "urine"),
        ("Blood in the background, eyebrow, livery, bilestone.", ""),
    ],
)
def test_the_site_is_what_the_cells_come_from(text: str, site: str) -> None:
    assert read_report(text).site == site


@pytest.mark.parametrize(
    ("text", "procedure"),
    [
        ("Thyroid, CT-guided FNA", "fine-needle aspiration"),
        ("Thyroid fine needle aspirate", "fine-needle aspiration"),
        ("EUS-FNA of the pancreas", "EUS-FNA"),
        ("Urine, voided", "voided urine"),
        ("Bronchoalveolar lavage", "bronchoalveolar lavage"),
        ("ThinPrep, cervix", "liquid-based cytology"),
        ("Smear made by FNA", "fine-needle aspiration"),
        ("Cells of the cervix", ""),
        ("No cell block was made.", ""),
    ],
)
def test_the_procedure_is_read(text: str, procedure: str) -> None:
    assert read_report(text).procedure == procedure
