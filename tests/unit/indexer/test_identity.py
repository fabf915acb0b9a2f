from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coin_retrieval.types import ImageId
from indexer.embedding.identity import BITS, ImageNumbers


class Numbers:
    """Numbers that are given out, and remembered."""

    def __init__(self, *, bits: int = BITS) -> None:
        self._owner: dict[ImageId, tuple[str, str]] = {}
        self._numbers = ImageNumbers(self._owner.get, bits=bits)

    def number(self, case_id: str, content_hash: str) -> ImageId:
        number = self._numbers.number(case_id, content_hash)
        self._owner[number] = (case_id, content_hash)
        return number


HASHES = st.integers(0, 2**256 - 1).map(lambda n: f"{n:064x}")
IMAGES = st.lists(st.tuples(st.text(min_size=1), HASHES), unique=True, max_size=60)


@given(IMAGES)
def test_a_number_fits_a_double_and_is_never_negative(images: list[tuple[str, str]]) -> None:
    numbers = Numbers()
    assert all(0 <= numbers.number(*image) < 2**53 for image in images)


@given(IMAGES, st.randoms())
def test_numbers_do_not_depend_on_the_order(images: list[tuple[str, str]], rng: object) -> None:
    shuffled = list(images)
    rng.shuffle(shuffled)
    one, other = Numbers(), Numbers()
    forwards = {image: one.number(*image) for image in images}
    assert {image: other.number(*image) for image in shuffled} == forwards


def test_a_known_number_stays_what_it_was_in_earlier_releases() -> None:
    """Ids stand in other systems' records: changing the hash would cut them loose."""
    assert Numbers().number("case-1", "ab" * 32) == 2710539916169893


def test_two_images_that_collide_get_two_numbers() -> None:
    numbers = Numbers(bits=3)
    given_out = [numbers.number(f"case {n}", "00" * 32) for n in range(8)]
    assert sorted(given_out) == list(range(8))
    assert [numbers.number(f"case {n}", "00" * 32) for n in range(8)] == given_out


def test_the_same_content_under_two_cases_has_two_numbers() -> None:
    numbers = Numbers()
    assert numbers.number("a", "00" * 32) != numbers.number("b", "00" * 32)
