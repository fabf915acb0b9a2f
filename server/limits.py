"""How much one server takes on: sizes of requests, and how many may work or wait at once."""

from __future__ import annotations

from pydantic import Field

from coin_retrieval.config import Settings

MAX_SIZE_PX = 1024
"""Longer side of a served picture; up to the thumbnails' it comes from the archive itself."""


class ServerLimits(Settings):
    """Caps of one server process.

    A queue is a number of worker threads with a bounded queue before them. Drawing has its own, so
    that reports waiting for the generator never hold up image searches or pictures; a request that
    finds its queue full is refused with 503 at once.
    """

    json_bytes: int = Field(default=256 * 1024, ge=1024)
    upload_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    upload_pixels: int = Field(default=50_000_000, ge=1)
    bytes_in_flight: int = Field(
        default=128 * 1024 * 1024, ge=1024, description="bodies of all requests together"
    )
    connections: int = Field(
        default=400, ge=1, description="open at once; file descriptors are few"
    )
    headers_s: float = Field(default=15, gt=0, description="for the headers of a request")
    body_s: float = Field(default=60, gt=0, description="for the body of a request")
    unread_s: float = Field(default=60, gt=0, description="for a client that stops reading")
    look_every_s: float = Field(default=5, gt=0, description="for a new version of the archive")
    audit_days: int = Field(default=400, ge=184, description="that audit records are kept")
    shutdown_s: int = Field(default=20, ge=1, description="for what is being answered at the end")
    drawing_workers: int = Field(default=16, ge=1, description="whose reports are drawn together")
    drawing_queue: int = Field(default=48, ge=0)
    drawing_batch: int = Field(default=16, ge=1, le=64, description="pictures at most")
    drawing_s: float = Field(default=300, gt=0, description="that a request may wait and draw")
    jobs: int = Field(default=256, ge=1, description="at work or kept")
    jobs_of_one: int = Field(default=16, ge=1, description="of one principal")
    jobs_kept_s: float = Field(default=600, gt=0, description="that an answer is kept")
    search_workers: int = Field(default=2, ge=1)
    search_queue: int = Field(default=32, ge=0)
    picture_workers: int = Field(default=4, ge=1)
    picture_queue: int = Field(default=256, ge=0)
