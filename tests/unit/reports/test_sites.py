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


@pytest.mark.parametrize(
    "text",
    [
        "Kidney-shaped nucleus.",
        "A nucleus like a kidney bean.",
        "Brain-like folds.",
        "Bladder-like outline.",
        "Thyroid-like follicles.",
        "Lung-like spaces.",
        "Breast-feeding, Candida.",
        "Liver failure, target cells.",
        "Chronic kidney disease, burr cells.",
        "Kidney transplant, decoy cells.",
        "Bone marrow transplant, blasts.",
        "Bone pain.",
        "Skin rash.",
        "Bronchial asthma.",
        "Pleural plaques.",
        "Bull's-eye red cells.",
        "Owl's eye inclusions.",
        "To the naked eye.",
        "G-CSF given.",
        "GM-CSF given.",
        "Pap-stained cells.",
        "Papanicolaou stain.",
        "Bile pigment.",
        "Urine culture sterile.",
        "Oral contraceptive.",
        "MRI brain normal.",
        "Cerebral infarct.",
        "Cervical spine collar.",
        "Carcinoma metastatic from lung.",
        "Adenocarcinoma, lung primary likely.",
        "Carcinoma, consistent with origin from the breast.",
        "Carcinoma in keeping with the breast.",
        "Known primary of the tongue.",
        "The father had his gall bladder removed.",
        "Biopsy of the cervix recommended.",
    ],
)
def test_what_only_sounds_like_a_site_is_none(text: str) -> None:
    assert read_report(text).site == ""


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("Cervical LBC: squames.", "cervix"),
        ("Smear of blood: monocyte.", "peripheral blood"),
        ("Blood film with a urine-like tinge: basophil.", "peripheral blood"),
        ("Left shift on G-CSF. Peripheral blood, MGG.", "peripheral blood"),
        ("CSF, Pap-stained: carcinoma in keeping with the breast.", "cerebrospinal fluid"),
        ("Breast cancer 2014. Bile duct brushing: ductal cells.", "bile duct"),
        ("Breast lump, FNA.", "breast"),
    ],
)
def test_a_site_is_read_beside_what_only_sounds_like_one(text: str, site: str) -> None:
    assert read_report(text).site == site
