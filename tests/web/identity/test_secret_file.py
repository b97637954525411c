"""The files of secrets: one secret, or two during a replacement, and no secret in any sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimaster.web.identity.secret_file import parse

FIRST, SECOND = "f" * 32, "s" * 1000


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        (FIRST, [FIRST]),
        (f"# current\n{FIRST}\r\n\n  # former\n  {SECOND}  \n", [FIRST, SECOND]),
        (f"{SECOND}\n{FIRST}", [SECOND, FIRST]),
    ],
)
def test_the_first_secret_is_the_current_one(text: str, secrets: list[str]) -> None:
    assert parse(text) == tuple(each.encode() for each in secrets)


@pytest.mark.parametrize(
    "line", [FIRST[1:], SECOND + "s", f"{FIRST} {FIRST}", f"{FIRST},", "\u00e9" * 40, f"{FIRST}\u200b"]
)
def test_a_line_that_is_no_secret_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="line 2 is no secret of 32 to 1000") as refused:
        parse(f"{FIRST}\n{line}\n")
    assert line[:20] not in str(refused.value)


@given(st.text() | st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126))).map("\n".join))
def test_any_file_can_be_read(text: str) -> None:
    try:
        secrets = parse(text)
    except ValueError:
        return
    assert 1 <= len(secrets) <= 2
    assert all(32 <= len(each) <= 1000 and b"," not in each for each in secrets)
