"""Credentials that the application has recognised: each owner behind an address takes turns of its own."""

from cimaster.common.serving.recognised_callers import RecognisedCallers

ADDRESS, TOKEN, OTHER_TOKEN = "192.0.2.1", b"token", b"other token"


def test_a_credential_counts_for_its_address_until_recognised() -> None:
    recognised = RecognisedCallers()
    assert recognised.caller(ADDRESS, TOKEN) == ADDRESS
    recognised.note(TOKEN, "@ci", refused=False)
    assert recognised.caller(ADDRESS, TOKEN) != ADDRESS
    assert recognised.caller(ADDRESS, OTHER_TOKEN) == recognised.caller(ADDRESS, b"") == ADDRESS


def test_credentials_of_an_owner_share_turns_and_addresses_do_not() -> None:
    recognised = RecognisedCallers()
    for credential in (TOKEN, OTHER_TOKEN):
        recognised.note(credential, "@ci", refused=False)
    assert recognised.caller(ADDRESS, TOKEN) == recognised.caller(ADDRESS, OTHER_TOKEN)
    assert recognised.caller(ADDRESS, TOKEN) != recognised.caller("192.0.2.2", TOKEN)


def test_a_refused_credential_counts_for_its_address_again() -> None:
    recognised = RecognisedCallers()
    recognised.note(TOKEN, "@ci", refused=True)  # it lacked a role
    recognised.note(TOKEN, "", refused=False)  # a page that asks for no credential
    assert recognised.caller(ADDRESS, TOKEN) != ADDRESS
    recognised.note(TOKEN, "", refused=True)
    assert recognised.caller(ADDRESS, TOKEN) == ADDRESS


def test_no_credential_is_never_an_owners() -> None:
    recognised = RecognisedCallers()
    recognised.note(b"", "@ci", refused=False)
    assert recognised.caller(ADDRESS, b"") == ADDRESS


def test_of_many_credentials_those_used_last_are_remembered() -> None:
    recognised = RecognisedCallers()
    for number in range(5000):
        recognised.note(b"%d" % number, "@ci", refused=False)
        recognised.note(TOKEN, "@ci", refused=False)
    assert recognised.caller(ADDRESS, TOKEN) != ADDRESS
    assert recognised.caller(ADDRESS, b"4999") != ADDRESS
    assert recognised.caller(ADDRESS, b"0") == ADDRESS
