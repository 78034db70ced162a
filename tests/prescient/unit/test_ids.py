"""Ids are unique, sortable by time, safe in a URL, and reproducible where they must be."""

from __future__ import annotations

import re
import threading
import time

import pytest

from prescient.adapters.ids import SequenceIds, SystemIds, base32


def test_system_ids_are_unique_and_sorted_even_within_one_millisecond() -> None:
    ids = SystemIds()
    made = [ids.new("cycle") for _ in range(5000)]
    assert made == sorted(made)
    assert len(set(made)) == 5000
    assert all(re.fullmatch(r"cycle-[0-9a-hjkmnp-tv-z]{20}", one) for one in made)


def test_ids_of_two_processes_sort_by_their_times() -> None:
    earlier = SystemIds().new("order")
    time.sleep(0.003)
    later = SystemIds().new("order")
    assert earlier < later


def test_threads_that_share_one_source_never_get_the_same_id() -> None:
    ids = SystemIds()
    made: list[str] = []

    def draw() -> None:
        made.extend([ids.new("x") for _ in range(500)])

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 2000


def test_sequence_ids_repeat_from_their_seed() -> None:
    one, same, other = SequenceIds(7), SequenceIds(7), SequenceIds(8)
    first = [one.new("cycle"), one.new("trade"), one.new("cycle")]
    assert first == ["cycle-7-00000001", "trade-7-00000002", "cycle-7-00000003"]
    assert first == [same.new("cycle"), same.new("trade"), same.new("cycle")]
    assert other.new("cycle") not in first


@pytest.mark.parametrize(
    ("number", "letters", "text"),
    [(0, 3, "000"), (31, 2, "0z"), (32, 2, "10"), (32**3 - 1, 3, "zzz")],
)
def test_base32(number: int, letters: int, text: str) -> None:
    assert base32(number, letters) == text


@pytest.mark.parametrize("number", [-1, 1024])
def test_base32_refuses_what_does_not_fit(number: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        base32(number, 2)
