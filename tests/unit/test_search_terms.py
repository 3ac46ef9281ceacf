import pytest

from server.domain.search_terms import MAX_QUERY_CHARS, MAX_TERMS, search_terms


def test_search_terms_of_words_are_all_of_them_once() -> None:
    assert search_terms("  ada  lovelace ada ", None) == (("ada",), ("lovelace",))


@pytest.mark.parametrize(
    "written",
    [
        "+44 20 7946 0123",
        "+442079460123",
        "0044 20 7946 0123",
        "020 7946 0123",
        "(020) 7946-0123",
        "+44 (0)20 7946 0123",
        "020.7946.0123",
    ],
)
def test_search_terms_of_a_number_hold_it_without_country_and_trunk(written: str) -> None:
    (term,) = search_terms(written, "GB")
    assert "2079460123" in term


@pytest.mark.parametrize("around", ["{},", "{}.", "tel:{}", "ada {}; bob", "({})"])
def test_search_terms_of_a_number_in_a_text_hold_it(around: str) -> None:
    terms = search_terms(around.format("+442079460123"), None)
    assert any("442079460123" in term for term in terms)
    assert {word for term in terms for word in term if not word.isdecimal()} <= {"ada", "bob"}


@pytest.mark.parametrize(
    "word",
    ["ada1234567@example.com", "ada-1234567b", "1234567-a", "A1-234567/b", "v_1234567", "1234567x"],
)
def test_search_terms_of_a_word_with_digits_are_the_word(word: str) -> None:
    assert search_terms(word, "GB") == ((word,),)
    assert search_terms(f"ada {word} bob", "GB") == (("ada",), (word,), ("bob",))


def test_search_terms_of_a_name_and_a_number_are_both() -> None:
    number, name = search_terms("ada +44 20 7946 0123", None)
    assert name == ("ada",)
    assert "442079460123" in number


def test_search_terms_of_a_short_number_are_words() -> None:
    assert search_terms("2 bed 2026", "GB") == (("2",), ("bed",), ("2026",))


def test_search_terms_of_a_long_text_end() -> None:
    assert len(search_terms("x" * 100_000, None)[0][0]) == MAX_QUERY_CHARS
    assert len(search_terms("a b c d e f g h i j k l", None)) == MAX_TERMS


def test_search_terms_of_nothing_are_none() -> None:
    assert search_terms(" \t ", "GB") == ()


def test_search_terms_of_a_number_of_no_known_country_are_its_digits() -> None:
    assert search_terms("0207 946 0123", None) == (("02079460123", "2079460123"),)
