"""Reports that were once answered badly, each with its answer then and now, as a page.

    python bench/quoted_answers.py ARCHIVE [--out docs/answers.md]

The archive should hold several sites (blood, cervix, the smears of the atlas; split val). What the
answers were before is quoted from those who tried the program in November 2026, on an archive of
3,422 pictures that held urine as well; what they are now is asked here.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from coin_retrieval.cli.opening import open_retriever
from coin_retrieval.errors import ReportError
from coin_retrieval.presenting.answering import to_answer
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever

PLACES = 10
LONG = """
Specimen: cervical scrape, liquid based preparation. Clinical history: 34 year old, last smear
in 2021 reported as HSIL, LLETZ performed, follow-up negative. No visible lesion today.
Adequacy: satisfactory for evaluation, endocervical and transformation zone component present,
well preserved, about 12,000 squamous cells. General: the background is clean with few
lymphocytes and scattered lactobacilli. There are many superficial and intermediate squamous
cells in small sheets and singly, with folded polygonal cytoplasm. Endocervical cells are seen
in a honeycomb pattern with uniform basal nuclei. No Trichomonas, no Candida, no changes of
herpes simplex virus. Reactive changes are mild. Among them lie several groups of mature
squamous cells whose nuclei are enlarged to more than three times that of an intermediate cell
nucleus, hyperchromatic, with slightly irregular outlines and occasional binucleation; the
cytoplasm around them is sharply cleared with a dense rim. Parabasal cells with a raised nuclear
to cytoplasmic ratio were searched for and are not found; there is no evidence of a high grade
lesion and no tumour diathesis. Glandular atypia is absent. Conclusion: low grade squamous
intraepithelial lesion (LSIL), with koilocytes. Advice: HPV test, repeat cytology in twelve
months.
"""


@dataclass(frozen=True)
class Quoted:
    """A report, what it must find (empty: nothing that the archive has), and its answer then."""

    report: str
    then: str
    right: str = ""


QUOTED = (
    Quoted("No HSIL", "7 of 10 HSIL"),
    Quoted("Clinical history: HSIL 2020, LLETZ. Conclusion: NILM", "10 of 10 HSIL", "NILM"),
    Quoted("Neutrophil, not an eosinophil: no orange granules",
           "10 eosinophils, and eosinophils were drawn", "neutrophil"),
    Quoted("(thyroid FNA) papillary carcinoma, nuclear grooves and pseudoinclusions",
           "AGC 50 %, \"close cases found\""),
    Quoted("Bilobed nucleus; the cytoplasm is packed with coarse orange-red granules.",
           "\"no close match\" after calibration", "eosinophil"),
    Quoted("(urine) High grade urothelial carcinoma: hyperchromatic nuclei, high N/C ratio",
           "1 of 10 urothelial of an archive that held 112 pictures of urine"),
    Quoted("(pleural effusion) clusters of large atypical cells, eccentric nuclei; adenocarcinoma",
           "answered as cervix, with a word about it in the last line"),
    Quoted("(breast FNA) cohesive groups of ductal cells, myoepithelial cells, fibroadenoma",
           "answered as cervix, with a word about it in the last line"),
    Quoted(" ".join(LONG.split()), "no LSIL in ten", "LSIL"),
    Quoted("hi grade squamus intraepitelial leison, cin3", "10 of 10 NILM, \"close\"", "HSIL"),
    Quoted("宫颈涂片见假丝酵母菌菌丝和孢子", "10 of 10 HSIL, \"close\""),
    Quoted("(CSF) lymphoid cells, some with irregular nuclei", "all of one diagnosis, nobody told"),
)  # fmt: skip


def section(retriever: Retriever, quoted: Quoted, number: int) -> str:
    """One report with both answers."""
    lines = [f"## {number}", "", f"> {quoted.report}", "", f"**Then**: {quoted.then}.", ""]
    try:
        answer = to_answer(retriever.search(Query.of(report=quoted.report, k=PLACES)))
    except ReportError as error:
        return "\n".join([*lines, f"**Now**, refused: {error}."])
    labels = Counter(case.diagnosis or "no diagnosis" for case in answer.cases)
    found = ", ".join(f"{label} {count}" for label, count in labels.most_common())
    right = f" ({labels[quoted.right]} of {len(answer.cases)} right)" if quoted.right else ""
    drawn = f", {len(answer.prototypes)} prototypes" if answer.prototypes else ", nothing drawn"
    lines += [f"**Now**, mode {answer.query.mode}{drawn}: {found}{right}.", ""]
    lines += [f"- {sentence.text}" for sentence in answer.summary]
    if answer.query.left_out:
        parts = "; ".join(f"“{part.text}” ({part.why})" for part in answer.query.left_out)
        lines += ["", f"Searched: “{answer.query.searched}”. Left out: {parts}."]
    return "\n".join(lines)


def main() -> None:
    """Ask all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/answers.md"))
    asked = parser.parse_args()
    retriever = open_retriever(asked.archive)
    cases, images = retriever.archive.catalog.counts()
    encoder = retriever.archive.manifest.encoder
    head = (
        "# Answers then and now\n\n"
        "Reports that were answered badly in November 2026, asked again by "
        f"`bench/quoted_answers.py`: an archive of {images:,} pictures of {cases:,} cases (blood, "
        "cervix, smears of the atlas; split val), not calibrated, encoder weights "
        f"`{encoder.weights[:12]}`. It holds no urine, thyroid, pleura or breast. Nobody’s report: "
        "all were composed."
    )
    sections = [section(retriever, one, at) for at, one in enumerate(QUOTED, 1)]
    asked.out.write_text("\n\n".join([head, *sections]) + "\n", encoding="utf-8")
    retriever.archive.close()


if __name__ == "__main__":
    main()
