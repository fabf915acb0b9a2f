from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from indexer.embedding.shared_room import SharedRoom


def _most_held(room: SharedRoom, sizes: list[int]) -> int:
    """What threads that each held one of these had together."""
    lock, held, most = threading.Lock(), [0], [0]

    def hold(size: int) -> None:
        with room.holding(size):
            with lock:
                held[0] += size
                most[0] = max(most[0], held[0])
            time.sleep(0.002)
            with lock:
                held[0] -= size

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hold, sizes))
    return most[0]


def test_threads_hold_no_more_than_there_is_room_for() -> None:
    assert 1 < _most_held(SharedRoom(3), [1] * 40) <= 3


def test_what_is_too_large_has_the_room_alone() -> None:
    assert _most_held(SharedRoom(3), [1, 10, 1, 10, 2, 1] * 4) == 10


def test_room_is_given_back_by_what_fails() -> None:
    room = SharedRoom(1)
    try:
        with room.holding(1):
            raise ValueError
    except ValueError:
        pass
    with room.holding(1):
        pass
