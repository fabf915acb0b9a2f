"""How slides are cut, as options of the command line: the fields of :class:`Tiling`."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Annotated, Any

import typer

from coin_retrieval.errors import InputError
from indexer.tiling.settings import Tiling

_NAMES = {"tile_mpp_um": "--tile-mpp", "overlap_px": "--tile-overlap", "slide_mpp_um": "--mpp"}
_LIMITS = {"ge": "min", "le": "max"}


def asks_tiling(command: Callable[..., None]) -> Callable[..., None]:
    """A command of which one parameter, ``tiling``, is given field by field."""

    def asked(**said: Any) -> None:
        given = {name: said.pop(name) for name in Tiling.model_fields}
        if given["overlap_px"] >= given["tile_px"]:
            raise InputError(
                "tiles overlap by all of their side",
                value=f"--tile-overlap {given['overlap_px']}",
                expected=f"less than --tile-px {given['tile_px']}",
            )
        command(**said, tiling=Tiling(**given))

    own = signature(command, eval_str=True).parameters
    shown = [*own.values()]
    at = list(own).index("tiling")
    shown[at : at + 1] = map(_option, Tiling.model_fields)
    asked.__name__, asked.__doc__ = command.__name__, command.__doc__
    asked.__annotations__ = {option.name: option.annotation for option in shown}
    asked.__signature__ = signature(command).replace(parameters=shown)  # type: ignore[attr-defined]
    return asked


def _option(name: str) -> Parameter:
    field = Tiling.model_fields[name]
    limits = {
        ours: getattr(limit, its)
        for limit in field.metadata
        for its, ours in _LIMITS.items()
        if hasattr(limit, its)
    }
    option = typer.Option(
        _NAMES.get(name, f"--{name.replace('_', '-')}"),
        help=field.description,
        rich_help_panel="Whole slides",
        **limits,
    )
    kind = Annotated[field.annotation, option]  # type: ignore[name-defined]
    return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=field.default, annotation=kind)
