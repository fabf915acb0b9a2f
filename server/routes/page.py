"""The pages at /, /study and /docs: files of this package, no network needed."""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parents[1] / "static"

_REVALIDATE = {"Cache-Control": "no-cache"}
"""A page of yesterday must not talk to a server of today."""

router = APIRouter(include_in_schema=False)


class PageFiles(StaticFiles):
    """Scripts and styles, checked for a newer version at each visit."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """A file, or 304 where the browser has it."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(_REVALIDATE)
        return response


@router.get("/")
@router.get("/study")
@router.get("/docs")
async def page(request: Request) -> FileResponse:
    """The page that searches, that of a study, and the reference drawn from /openapi.json."""
    name = request.scope["route"].path.strip("/") or "index"
    return FileResponse(STATIC / f"{name}.html", headers=_REVALIDATE)
