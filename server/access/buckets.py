"""How often one principal may ask: token buckets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_SWEPT_AT = 10_000


class Buckets:
    """A bucket for each name: full at first, filled up steadily, emptied by asking.

    Args:
        per_minute: tokens that flow in.
        burst: tokens that a full bucket holds.
    """

    def __init__(
        self, *, per_minute: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._clock = per_minute / 60, burst, clock
        self._lock = threading.Lock()
        self._held: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> float:
        """Take a token; 0 if there was one, else seconds until there is."""
        now = self._clock()
        with self._lock:
            if len(self._held) >= _SWEPT_AT:
                self._held = {n: at for n, at in self._held.items() if not self._is_full(at, now)}
            tokens = self._now(self._held.get(name, (self._burst, now)), now)
            missing = max(0.0, 1 - tokens)
            self._held[name] = (tokens if missing else tokens - 1, now)
        return missing / self._rate

    def _now(self, held: tuple[float, float], now: float) -> float:
        tokens, at = held
        return min(self._burst, tokens + (now - at) * self._rate)

    def _is_full(self, held: tuple[float, float], now: float) -> bool:
        return self._now(held, now) >= self._burst
