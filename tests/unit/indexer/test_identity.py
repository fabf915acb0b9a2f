from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coin_retrieval.types import ImageId, ImageRecord
from indexer.identity import ImageNumbers

HASHES = st.integers(0, 2**256 - 1).map(lambda n: f"{n:064x}")
IMAGES = st.lists(st.tuples(st.text(min_size=1), HASHES), unique=True, max_size=60)


@given(IMAGES)
def test_a_number_fits_a_double_and_is_never_negative(images: list[tuple[str, str]]) -> None:
    numbers = ImageNumbers()
    assert all(0 <= numbers.number(*image) < 2**53 for image in images)


@given(IMAGES, st.randoms())
def test_numbers_do_not_depend_on_the_order(images: list[tuple[str, str]], rng: object) -> None:
    shuffled = list(images)
    rng.shuffle(shuffled)
    one, other = ImageNumbers(), ImageNumbers()
    forwards = {image: one.number(*image) for image in images}
    assert {image: other.number(*image) for image in shuffled} == forwards


def test_a_known_number_stays_what_it_was_in_earlier_releases() -> None:
    """Ids stand in other systems' records: changing the hash would cut them loose."""
    assert ImageNumbers().number("case-1", "ab" * 32) == 2710539916169893


def test_two_images_that_collide_get_two_numbers() -> None:
    numbers = ImageNumbers(bits=3)
    given_out = [numbers.number(f"case {n}", "00" * 32) for n in range(8)]
    assert sorted(given_out) == list(range(8))
    assert [numbers.number(f"case {n}", "00" * 32) for n in range(8)] == given_out


def test_an_image_of_the_version_before_keeps_its_number_against_a_collision() -> None:
    first = ImageNumbers(bits=3)
    taken = [first.number(f"case {n}", "00" * 32) for n in range(5)]
    known = [
        ImageRecord(ImageId(number), f"case {n}", "", "00" * 32, 1, 1)
        for n, number in enumerate(taken)
    ]
    later = ImageNumbers(known, bits=3)
    new = [later.number(f"new {n}", "00" * 32) for n in range(3)]
    assert not set(new) & set(taken)
    assert [later.number(f"case {n}", "00" * 32) for n in range(5)] == taken


def test_the_same_content_under_two_cases_has_two_numbers() -> None:
    numbers = ImageNumbers()
    assert numbers.number("a", "00" * 32) != numbers.number("b", "00" * 32)
