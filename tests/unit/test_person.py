import pytest

from server.domain.person import MAX_IDENTITIES, Identity, IdentityKind, from_texts, recognise

EMAIL, PHONE, VISITOR = IdentityKind


@pytest.mark.parametrize(
    ("typed", "identity"),
    [
        (" Ana@Example.com ", Identity(EMAIL, "ana@example.com")),
        ("+44 20 7946 0123", Identity(PHONE, "+442079460123")),
        ("020 7946 0123", Identity(PHONE, "+442079460123")),
        ("v1a13bfc4fb15ab751a07a32", Identity(VISITOR, "v1a13bfc4fb15ab751a07a32")),
        ("3f2504e0-4f89-41d3-9a0c-0305e82c3301", None),
    ],
)
def test_recognise_tells_by_the_form_what_was_typed(typed: str, identity: Identity | None) -> None:
    found = recognise(typed, "GB")
    assert found == (identity or Identity(VISITOR, typed))


@pytest.mark.parametrize("typed", ["v1a1f08dd9f706e051e8936d", "4711"])
def test_recognise_of_an_id_without_a_region_is_a_visitor(typed: str) -> None:
    assert recognise(typed, None) == Identity(VISITOR, typed)


@pytest.mark.parametrize("typed", ["", "  ", "two words", "a" * 400, "<script>"])
def test_recognise_of_what_is_no_identity_is_none(typed: str) -> None:
    assert recognise(typed, None) is None


def test_identities_written_and_read_again_are_the_same() -> None:
    person = from_texts(["email:ana@example.com", "visitor:v1", "email:ana@example.com"])
    assert [str(one) for one in person.identities] == ["email:ana@example.com", "visitor:v1"]
    assert person.values(VISITOR) == ["v1"]


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["ana@example.com"],
        ["email:"],
        ["ip:203.0.113.7"],
        ["email:" + "a" * 400],
        [f"visitor:v{number}" for number in range(MAX_IDENTITIES + 1)],
    ],
)
def test_identities_that_nobody_wrote_are_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match=r"(?i)identit"):
        from_texts(texts)
