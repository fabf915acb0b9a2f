"""An archive's embeddings and records as a folder that clip-retrieval and others read."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from coin_retrieval.catalog.writing import chunks
from coin_retrieval.errors import InputError
from coin_retrieval.factory import open_archive
from coin_retrieval.files import replace_file, replacing
from coin_retrieval.types import CaseRecord, ImageId, ImageRecord
from indexer.sources.clip_retrieval import EMBEDDINGS, METADATA, SPACE

ROWS_A_FILE = 100_000


def export(root: Path, folder: Path) -> int:
    """Write ``img_emb/*.npy`` (float32, L2 norm 1), ``metadata/*.parquet``, and the encoder.

    Pictures are named by their URIs, not copied. Returns how many.

    Raises:
        NotFoundError, ArchiveError: no archive there that can be opened.
        InputError: the folder is not empty, or cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if folder.exists() and any(folder.iterdir()):
            raise InputError(
                "the folder is not empty", value=str(folder), expected="a new or an empty folder"
            )
        written = 0
        with open_archive(root) as archive:
            ids = archive.store.ids()
            digits = len(str(max(0, len(ids) - 1) // ROWS_A_FILE))
            for number, some in enumerate(chunks(ids.tolist(), ROWS_A_FILE)):
                images = archive.catalog.images(ImageId(i) for i in some)
                cases = archive.catalog.cases({image.case_id for image in images.values()})
                rows = [_row(cases[images[i].case_id], images[i]) for i in some]
                name = f"{number:0{digits}d}"
                with replacing(folder / METADATA / f"metadata_{name}.parquet") as path:
                    pq.write_table(_table(rows, pa), path)
                with (
                    replacing(folder / EMBEDDINGS / f"img_emb_{name}.npy") as path,
                    path.open("wb") as file,
                ):
                    np.save(file, archive.store.vectors(np.array(some, np.int64)))
                written += len(rows)
            replace_file(folder / SPACE, json.dumps(asdict(archive.manifest.encoder), indent=2))
    except OSError as error:
        raise InputError(
            f"the folder cannot be written ({error.strerror or error})", value=str(folder)
        ) from error
    return written


def _row(case: CaseRecord, image: ImageRecord) -> dict[str, Any]:
    own = {
        "image_path": image.uri,
        "uri": image.uri,
        "caption": case.report,
        "case_id": case.case_id,
        "patient_id": case.patient_id,
        "slide_id": image.slide_id,
        "site": case.site,
        "specimen": case.specimen,
        "stain": case.stain,
        "diagnosis": image.diagnosis,
        "finding": image.finding,
        "mpp_um": image.mpp_um,
        "origin": image.origin.value,
    }
    return {**image.attributes, **own}


def _table(rows: list[dict[str, Any]], pa: Any) -> Any:
    """A column for each attribute that any picture has; empty where it has none."""
    names = dict.fromkeys(name for row in rows for name in row)
    kinds = {"mpp_um": pa.float64()}
    fields = [(name, kinds.get(name, pa.string())) for name in names]
    columns = [pa.array([row.get(name) for row in rows], kind) for name, kind in fields]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))
