"""What tcptop says is free of the words that people stumbled over."""

from __future__ import annotations

import pytest

from tcptop import explain
from tests.wording import PACKAGE, miscounted, sentences, stumbles


@pytest.mark.parametrize(
    "text",
    [
        "and 44 mores",
        "left in CLOSE_WAIT",
        "the oldest in FIN_WAIT2",
        "SYNs are sent again and again",
        "a single look is enough",
        "5 s of looking are too short",
        '"and" cannot stand here',
        "(nobody known)",
    ],
)
def test_the_worst_are_known(text: str) -> None:
    assert stumbles(text)


@pytest.mark.parametrize("text", ["1 sockets are open", "it holds 1 idle-connections"])
def test_one_is_not_many(text: str) -> None:
    assert miscounted(text)


@pytest.mark.parametrize(
    "text",
    [
        "1 socket is open, 1 is not",
        "1 process has it, for 1 ms or 1 s",
        "fe80::1 answers, 10.0.0.1 drops it",
        "1.1 sockets a second, 0.1 handshakes/s, 1 SYNs/s",
        "look at the queue, and for what fills it",
        "CLOSE-WAIT, FIN-WAIT-2, ESTAB",
    ],
)
def test_plain_words_are_not_taken_for_them(text: str) -> None:
    assert not stumbles(text) + miscounted(text)


def test_no_sentence_of_the_source_has_one() -> None:
    found = [f"{place}: {each}" for place, said in sentences() for each in stumbles(said)]
    assert found == []


@pytest.mark.parametrize("page", explain.pages(), ids=lambda page: page.name)
def test_no_page_has_one(page: explain.Page) -> None:
    assert stumbles(page.text) == []


def test_the_manual_has_none() -> None:
    assert stumbles((PACKAGE / "man" / "tcptop.1").read_text()) == []
