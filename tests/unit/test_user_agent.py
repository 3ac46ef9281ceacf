import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.domain.user_agent import MAX_CHARS, bot_reason, parse

# A busy machine makes examples slowly; that is no failure.
bounded = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
)
IPAD = (
    "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1"
)
CHROME = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/126.0.0.0 Safari/537.36"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
ANDROID = f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/126.0.0.0 Mobile Safari/537.36"
TELEVISION = (
    "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/538.1"
    " (KHTML, like Gecko) Version/6.0 TV Safari/538.1"
)
FACEBOOK_APP = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/468.0.0.37.105;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS]"
)
INSTAGRAM_APP = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Mobile/15E148 Instagram 336.0.0.0 (iPhone14,5; iOS 17_5; en_GB; en; scale=3.00)"
)
CUBOT_PHONE = (
    f"Mozilla/5.0 (Linux; Android 9; CUBOT_X19) {WEBKIT} Chrome/120.0.0.0 Mobile Safari/537.36"
)
PEOPLE = [IPHONE, IPAD, CHROME, FIREFOX, ANDROID, TELEVISION, FACEBOOK_APP, INSTAGRAM_APP]

BOTS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "WhatsApp/2.24.10 A",
    "curl/8.4.0",
    "python-requests/2.31.0",
    f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/126.0.0.0 Safari/537.36",
]


@pytest.mark.parametrize(
    ("user_agent", "browser", "system", "device"),
    [
        (IPHONE, "Mobile Safari", "iOS", "mobile"),
        (IPAD, "Mobile Safari", "iOS", "tablet"),
        (CHROME, "Chrome", "Windows", "desktop"),
        (FIREFOX, "Firefox", "Linux", "desktop"),
        (ANDROID, "Chrome Mobile", "Android", "mobile"),
        (TELEVISION, "Safari", "Tizen", "other"),
        ("", "Other", "Other", "other"),
    ],
)
def test_parse_of_common_agents_names_browser_system_and_device(
    user_agent: str, browser: str, system: str, device: str
) -> None:
    agent = parse(user_agent)
    assert (agent.browser, agent.os, agent.device) == (browser, system, device)


@pytest.mark.parametrize("user_agent", [*PEOPLE, CUBOT_PHONE])
def test_bot_reason_of_a_persons_browser_or_app_is_empty(user_agent: str) -> None:
    assert bot_reason(user_agent, automation=False) == ""


@pytest.mark.parametrize("user_agent", PEOPLE)
def test_bot_reason_of_a_driven_browser_alone_is_empty(user_agent: str) -> None:
    assert bot_reason(user_agent, automation=True) == ""


@pytest.mark.parametrize("automation", [False, True])
@pytest.mark.parametrize("user_agent", BOTS)
def test_bot_reason_of_an_agent_that_says_so_is_its_word(
    user_agent: str, *, automation: bool
) -> None:
    assert bot_reason(user_agent, automation=automation) == (
        "the user agent names a crawler or a program"
    )


@pytest.mark.parametrize("user_agent", ["", " ", "\t"])
def test_bot_reason_without_an_agent_needs_a_driven_browser_too(user_agent: str) -> None:
    assert bot_reason(user_agent, automation=False) == ""
    assert bot_reason(user_agent, automation=True) == "a driven browser and no user agent"


def test_parse_of_a_huge_agent_looks_only_at_its_beginning() -> None:
    assert parse(CHROME + " x" * 30_000).browser == "Chrome"
    assert parse("x" * MAX_CHARS + "Googlebot").bot_reason == ""


@bounded
@given(
    user_agent=st.text(st.characters(exclude_categories=()), max_size=200),
    automation=st.booleans(),
)
def test_parse_of_any_text_never_raises(user_agent: str, *, automation: bool) -> None:
    agent = parse(user_agent)
    assert agent.device in {"mobile", "tablet", "desktop", "other"}
    assert isinstance(bot_reason(user_agent, automation=automation), str)


@pytest.mark.parametrize(
    ("automation", "hosted", "reason"),
    [
        (False, False, ""),
        (True, False, ""),
        (False, True, ""),
        (True, True, "a driven browser and an address of a hosting network"),
    ],
)
def test_bot_verdict_on_a_browser_needs_two_kinds_of_signal(
    *, automation: bool, hosted: bool, reason: str
) -> None:
    assert bot_reason(CHROME, automation=automation, hosted=hosted) == reason


def test_bot_verdict_on_the_agents_own_word_needs_nothing_else() -> None:
    assert "crawler" in bot_reason(BOTS[0], automation=True, hosted=True)
