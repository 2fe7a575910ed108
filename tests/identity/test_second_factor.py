"""One-time codes as every app makes them, each good once."""

import pytest

from headgate.identity.second_factor import address, code_of, new_secret, step_of

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""Of the RFC: "12345678901234567890"."""


@pytest.mark.parametrize(
    ("now", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_codes_are_those_of_the_rfc(now, code):
    assert code_of(SECRET, now // 30) == code
    assert step_of(SECRET, code, now) == now // 30


def test_a_code_counts_for_the_step_before_and_after_and_no_other():
    code = code_of(SECRET, 1000)
    for now, right in [(29_940, False), (29_970, True), (30_000, True), (30_059, True), (30_060, False)]:
        assert (step_of(SECRET, code, now) == 1000) is right


def test_a_code_counts_once():
    code, later = code_of(SECRET, 1000), code_of(SECRET, 1001)
    assert step_of(SECRET, code, 30_000, after=999) == 1000
    assert step_of(SECRET, code, 30_000, after=1000) is None
    assert step_of(SECRET, later, 30_000, after=1000) == 1001
    assert step_of(SECRET, code, 30_000, after=1001) is None


@pytest.mark.parametrize(
    "code", ["", "0", "28708", "2870820", "287082\n", "\u0662\u0668\u0667\u0660\u0668\u0662", "-87082"]
)
def test_what_is_no_code_is_none(code):
    assert step_of(SECRET, code, 59) is None


def test_a_code_may_be_typed_with_spaces():
    assert step_of(SECRET, "287 082", 59) == 1


def test_a_secret_is_for_an_app():
    assert new_secret() != new_secret()
    assert len(new_secret()) == 32
    code_of(new_secret(), 1)
    assert address(SECRET, "ann@acme.example", "Head gate") == (
        f"otpauth://totp/Head%20gate:ann%40acme.example?secret={SECRET}&issuer=Head%20gate"
    )
    with pytest.raises(ValueError, match="no base32"):
        code_of("not base32!", 1)
