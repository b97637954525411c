"""Texts are stored and compared as one line of visible characters."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimaster.common.texts import brief, composed, folded, has_unseen, printable, same

UNSEEN = (
    "\x00\x07\x1b\x7f\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u180e\u200b\u200d\u200e\u202e\u2060\u2066\u2800\u3164"
)
UNSEEN += "\ufe0f\ufeff\uffa0\ufff9\ufffe\ue000\ud800\U0001d159\U000e0041\U000e0101"
MARKS = st.text(st.sampled_from("a\u0301\u0344\u0335\u200d\u0f71\u20dd ")) | st.text()


@pytest.mark.parametrize("char", UNSEEN, ids=lambda char: f"U+{ord(char):04X}")
def test_invisible_characters_are_dropped(char: str) -> None:
    assert printable(f"a{char}b") == "ab"
    assert printable(char * 3) == ""
    assert has_unseen(f"a{char}b")
    assert same(f"a{char}b", "ab")


@pytest.mark.parametrize(
    "char", "\n\r\t\v\f\x1c\x85\xa0\u2003\u2028\u2029\u3000", ids=lambda char: f"U+{ord(char):04X}"
)
def test_line_breaks_and_blanks_of_all_kinds_are_one_blank(char: str) -> None:
    assert printable(f"{char}a{char}{char}b{char}") == "a b"


@given(MARKS)
def test_cleaned_texts_are_one_line_and_stable(text: str) -> None:
    cleaned = printable(text)
    assert cleaned.isprintable()
    assert cleaned == cleaned.strip() == unicodedata.normalize("NFC", cleaned)
    assert printable(cleaned) == cleaned
    assert not has_unseen(cleaned)
    assert same(text, cleaned)
    assert folded(text) == folded(folded(text))


@pytest.mark.parametrize(("one", "other"), [("José", "JOSE\u0301"), ("Straße", "STRASSE"), ("alice", "Alice")])
def test_names_that_differ_in_case_only_are_the_same(one: str, other: str) -> None:
    assert folded(one) == folded(other)


def test_of_many_marks_in_a_row_four_are_kept() -> None:
    assert printable("z" + "\u0335" * 499 + "a") == "z" + "\u0335" * 4 + "a"
    assert printable("z" + "\u0335\u200b" * 499) == "z" + "\u0335" * 4
    assert has_unseen("z" + "\u0335" * 5)
    for spoken in ("Nguyễn Thị", "שָׁלוֹם", "กำลังใจ", "हिन्दी", "தமிழ்"):
        assert not has_unseen(spoken)


def test_marks_that_take_long_to_sort_are_dropped() -> None:
    marks = "\u0315\u0301\u0327" * 10_000
    assert len(composed(f"z{marks}")) == 32  # z and the acute accent are one character
    assert len(printable(f"z{marks}y")) == 6
    assert has_unseen(f"z{marks}")
    assert composed("e\u0301") == "é"


def test_texts_are_quoted_briefly() -> None:
    assert brief("a\nb") == "a b"
    assert brief("x" * 60) == "x" * 60
    assert brief("x" * 61) == "x" * 60 + "..."
