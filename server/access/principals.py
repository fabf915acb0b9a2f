"""Who asks, and what that allows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from starlette.types import Scope


class Role(StrEnum):
    """What a principal may do; each may do what those before it may."""

    READER = "reader"
    CURATOR = "curator"
    ADMIN = "admin"

    def allows(self, needed: Role) -> bool:
        """Whether this role may do what ``needed`` may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody, or a program, that the server knows.

    ``name`` is for logs and limits: ``key:ward-3`` or ``oidc:SUBJECT``; it is unique.
    """

    name: str
    role: Role


LOCAL = Principal("local", Role.ADMIN)
"""Whoever can reach a server without accounts: it listens on the loopback only."""


def principal_of(scope: Scope) -> Principal:
    """Who sent this request, as :class:`.Access` found out."""
    found: Principal = scope["coin.principal"]
    return found
