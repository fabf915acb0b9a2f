"""What the server's tests stand on: pictures, reports, a held-up generator."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2
import numpy as np
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image, ImageDraw
from starlette.types import ASGIApp

from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.types import Provenance, RgbImage, Source
from server.http.network import NetworkSettings
from server.http.serving import configured, listen
from server.limits import ServerLimits

PATIENCE_S = 60
OWN = "http://127.0.0.1:8000"
"""Where the server of a test stands: it answers under no foreign name."""
REPORT = "Bilobed nucleus; the cytoplasm is packed with coarse orange-red granules."
PRIVATE = "Zebrafish-patterned Quixotic nucleoli"
"""Words that stand in no source file but this one."""

MakeApp = Callable[..., FastAPI]
"""An application on the archive of all tests: a generator or none, and ``create_app``'s options."""

COLUMNS = ("image_path", "case_id", "site", "stain", "diagnosis", "report", "cell_size")
ROWS = (
    ("a.png", "A-1", "cervix", "Papanicolaou", "LSIL", "A report of case A-1.", "large"),
    ("b.png", "A-1", "cervix", "Papanicolaou", "HSIL", "A report of case A-1.", "small"),
    ("c.png", "B/2", "urine", "Papanicolaou", "benign", "", "small"),
    ("d.png", "C-3", "urine", "Giemsa", "malignant", "", ""),
    ("e.png", "D-4", "thyroid", "Giemsa", "benign", "", "large"),
    ("photo.jpg", "E-5", "thyroid", "Giemsa", "benign", "", ""),
)
PHOTO_SIZE_PX = (900, 600)
PHOTO_NOTE = "Patient Name In Metadata"


def disc(number: int, size_px: tuple[int, int] = (64, 64)) -> Image.Image:
    """A seeded picture."""
    random = np.random.default_rng(number)
    ground, cell, nucleus = (tuple(map(int, random.integers(40, 255, 3))) for _ in range(3))
    image = Image.new("RGB", size_px, ground)
    draw = ImageDraw.Draw(image)
    width, height = size_px
    draw.ellipse((width * 0.2, height * 0.2, width * 0.8, height * 0.8), fill=cell)
    draw.ellipse((width * 0.4, height * 0.35, width * 0.6, height * 0.6), fill=nucleus)
    return image


def png(image: Image.Image) -> bytes:
    """An image as a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def write_sources(folder: Path) -> Path:
    """The pictures and their manifest; returns the manifest's path."""
    folder.mkdir()
    for number, row in enumerate(ROWS):
        if row[0].endswith(".png"):
            disc(number).save(folder / row[0])
    exif = Image.Exif()
    exif[0x010E] = PHOTO_NOTE
    disc(9, PHOTO_SIZE_PX).save(folder / "photo.jpg", exif=exif)
    table = folder / "cases.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *ROWS])
    return table


@contextmanager
def serving(app: FastAPI) -> Iterator[TestClient]:
    """A client of a running server that has finished loading, well or badly."""
    with TestClient(app, base_url=OWN, raise_server_exceptions=False) as client:
        until(lambda: client.get("/readyz").json()["status"] != "loading")
        yield client


@contextmanager
def listening_at(app: ASGIApp, limits: ServerLimits | None = None) -> Iterator[str]:
    """The address of a real HTTP server around an application, ready to answer."""
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(configured(app, NetworkSettings(), limits or ServerLimits()))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with httpx2.Client(base_url=address) as asking:
            until(lambda: asking.get("/readyz").json()["status"] != "loading")
        yield address
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        listener.close()


def until(fact: Callable[[], bool]) -> None:
    """Wait for something that will be so."""
    waiting = threading.Event()
    for _ in range(PATIENCE_S * 20):
        if fact():
            return
        waiting.wait(0.05)
    raise AssertionError("it has not come to pass")


class GatedGenerator(Prototyper):
    """A real generator whose drawing can be held up."""

    def __init__(self, inner: Prototyper) -> None:
        self.name, self.identity = inner.name, inner.identity
        self.batch_size = inner.batch_size
        self.open = threading.Event()
        self.open.set()
        self.drawing = threading.Event()
        self._inner = inner

    def _plan(self, source: Source) -> Provenance:
        return self._inner._plan(source)

    def _draw(self, plans: Sequence[Provenance], on_step: Callable[[int], None]) -> list[RgbImage]:
        self.drawing.set()
        assert self.open.wait(PATIENCE_S)
        return self._inner._draw(plans, on_step)
