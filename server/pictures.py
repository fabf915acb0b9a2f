"""A picture on its way out: bytes, content type, and the tag that lets a browser keep it."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request, Response

CACHE_CONTROL = "private, max-age=3600"
"""Pictures of patients stay out of shared caches."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Encoded bytes; ``etag`` names their content."""

    data: bytes
    media_type: str
    etag: str

    def response(self, request: Request) -> Response:
        """200 with the bytes, or 304 for a browser that has them."""
        headers = {"ETag": f'"{self.etag}"', "Cache-Control": CACHE_CONTROL}
        known = request.headers.get("if-none-match", "")
        if headers["ETag"] in (tag.strip().removeprefix("W/") for tag in known.split(",")):
            return Response(status_code=304, headers=headers)
        return Response(self.data, media_type=self.media_type, headers=headers)
