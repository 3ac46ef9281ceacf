import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.domain.attribution import (
    CLICK_ID_FIELDS,
    MAX_VALUE_CHARS,
    UTM_FIELDS,
    Attribution,
    from_url,
    from_values,
    without_query,
)

# A busy machine makes examples slowly; that is no failure.
bounded = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

NOTHING = Attribution()


def test_from_url_with_all_parameters_reads_each() -> None:
    query = "&".join(f"{name}={name}-1" for name in (*UTM_FIELDS, *CLICK_ID_FIELDS))
    attribution = from_url(f"https://www.example.com/flat?{query}&other=1")
    assert attribution.utm == {name: f"{name}-1" for name in UTM_FIELDS}
    assert attribution.click_ids == {name: f"{name}-1" for name in CLICK_ID_FIELDS}


@pytest.mark.parametrize(
    "url",
    [
        "https://www.example.com/?UTM_Source=ads",
        "https://www.example.com/?x=1&utm_source=ads#utm_source=no",
        "/relative?utm_source=ads",
        "?utm_source=%61ds",
        "https://www.example.com/?utm_source=&utm_source=ads",
    ],
)
def test_from_url_in_any_form_finds_the_source(url: str) -> None:
    assert from_url(url) == Attribution(utm={"utm_source": "ads"})


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://www.example.com",
        "https://www.example.com/?utm_source=",
        "https://www.example.com/?utm_source",
        "https://www.example.com/#utm_source=ads",
        "https://[::1/?utm_source=ads",
        "https://www.example.com/?" + "a=1&" * 200 + "utm_source=ads",
        "mailto:ann@example.com",
        "\x00",
        "\ud800",
    ],
)
def test_from_url_that_names_nothing_or_cannot_be_read_is_nothing(url: str) -> None:
    assert from_url(url) == NOTHING


def test_from_url_with_spaces_and_escapes_decodes_them() -> None:
    url = "https://www.example.com/?utm_campaign=Palm+Jumeirah%20%26%20more&gclid=a%2Bb"
    assert from_url(url) == Attribution({"utm_campaign": "Palm Jumeirah & more"}, {"gclid": "a+b"})


def test_from_url_with_bytes_that_are_no_text_keeps_a_mark_for_them() -> None:
    assert from_url("?utm_source=%ff").utm == {"utm_source": "\ufffd"}


def test_from_values_leaves_out_unknown_and_empty_ones() -> None:
    values = {"utm_source": "ads", "utm_medium": "", "utm_id": "7", "GCLID": "no", "fbclid": "f"}
    assert from_values(values) == Attribution({"utm_source": "ads"}, {"fbclid": "f"})


@pytest.mark.parametrize("length", [499, 500, 501, 10_000])
def test_from_values_over_the_limit_are_cut(length: int) -> None:
    attribution = from_values({"utm_source": "s" * length, "gclid": "g" * length})
    assert len(attribution.utm["utm_source"]) == min(length, MAX_VALUE_CHARS)
    assert len(attribution.click_ids["gclid"]) == min(length, MAX_VALUE_CHARS)


ADS = Attribution({"utm_source": "ads"}, {"gclid": "g"})


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (NOTHING, ADS),
        (ADS, ADS),
        (Attribution({"utm_medium": "mail"}), Attribution({"utm_medium": "mail"}, {"gclid": "g"})),
        (Attribution({}, {"fbclid": "f"}), Attribution({"utm_source": "ads"}, {"fbclid": "f"})),
    ],
)
def test_or_else_fills_campaign_and_click_each_as_a_whole(
    own: Attribution, expected: Attribution
) -> None:
    assert own.or_else(ADS) == expected


@bounded
@given(
    st.text(st.characters(exclude_categories=()), max_size=200),
    st.text("[]:/?#@%&=utm_", max_size=60),
)
def test_from_url_of_any_text_never_raises(text: str, punctuation: str) -> None:
    for url in (text, punctuation, f"https://www.example.com/?utm_source={text}"):
        attribution = from_url(url)
        assert all(attribution.utm.values())
        assert set(attribution.utm) <= set(UTM_FIELDS)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://www.example.com/a?gclid=1#x", "https://www.example.com/a"),
        ("https://www.example.com/a", "https://www.example.com/a"),
        ("/a?b", "/a"),
        ("", ""),
        ("https://[broken/?gclid=1", ""),
    ],
)
def test_address_without_its_query_ends_with_the_path(url: str, kept: str) -> None:
    assert without_query(url) == kept
