"""Options of a command line that are fields of settings: what they are is said there alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer
from pydantic import BaseModel

Command = Callable[..., None]
_LIMITS = {"ge": "min", "le": "max"}


def asks(
    parameter: str,
    model: type[BaseModel],
    fields: Sequence[str] = (),
    *,
    names: Mapping[str, str] | None = None,
    panel: str | None = None,
    unset: bool = False,
    make: Callable[[dict[str, Any]], Any] = dict,
) -> Callable[[Command], Command]:
    """Decorates a command of which one parameter is given field by field.

    Args:
        fields: which of the model's; none named: all.
        names: of options that are not called as their field is.
        panel: the heading of their help.
        unset: what is not given is ``None``, whatever the field's default.
        make: the parameter's value, of what was given by field.
    """
    chosen = fields or tuple(model.model_fields)

    def decorated(command: Command) -> Command:
        def asked(**said: Any) -> None:
            given = {name: said.pop(name) for name in chosen}
            command(**said, **{parameter: make(given)})

        def option(name: str) -> Parameter:
            field = model.model_fields[name]
            limits = {
                ours: getattr(limit, its)
                for limit in field.metadata
                for its, ours in _LIMITS.items()
                if hasattr(limit, its)
            }
            shown = typer.Option(
                (names or {}).get(name, f"--{name.replace('_', '-')}"),
                help=field.description,
                rich_help_panel=panel,
                **limits,
            )
            kind = _maybe(field.annotation) if unset else field.annotation
            return Parameter(
                name,
                Parameter.POSITIONAL_OR_KEYWORD,
                default=None if unset else field.default,
                annotation=Annotated[kind, shown],
            )

        own = signature(command, eval_str=True).parameters
        shown = [*own.values()]
        at = list(own).index(parameter)
        shown[at : at + 1] = map(option, chosen)
        asked.__name__, asked.__doc__ = command.__name__, command.__doc__
        asked.__annotations__ = {option.name: option.annotation for option in shown}
        vars(asked)["__signature__"] = signature(command).replace(parameters=shown)
        return asked

    return decorated


def _maybe(annotation: Any) -> Any:
    """What the command line reads of a field, which is checked when the settings are made."""
    if get_origin(annotation) is tuple:
        return list[str] | None
    plain = next((kind for kind in (Path, int) if kind in (annotation, *get_args(annotation))), str)
    return plain | None
