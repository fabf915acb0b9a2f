"""A picture on its way out: bytes, content type, and the tag that lets a browser keep it."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request, Response

CACHE_CONTROL = "private, max-age=3600"
"""Pictures of patients stay out of shared caches."""


@dataclass(frozen=True, slots=True)
class ServedPicture:
    """Encoded bytes; ``etag`` names their content. ``data`` ``None``: the client has it."""

    data: bytes | None
    media_type: str
    etag: str

    def response(self) -> Response:
        """200 with the bytes, or 304."""
        headers = {"ETag": quoted(self.etag), "Cache-Control": CACHE_CONTROL}
        if self.data is None:
            return Response(status_code=304, headers=headers)
        return Response(self.data, media_type=self.media_type, headers=headers)


def tags_known(request: Request) -> frozenset[str]:
    """The tags of the versions that the client has."""
    tags = request.headers.get("if-none-match", "").split(",")
    return frozenset(tag.strip().removeprefix("W/") for tag in tags)


def quoted(etag: str) -> str:
    """A tag as the header has it."""
    return f'"{etag}"'
