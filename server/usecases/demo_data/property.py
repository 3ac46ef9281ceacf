"""Property that nobody can buy: projects, the pages of their sites, campaigns, what people ask."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlencode


class Project(NamedTuple):
    """A development and the host of its site."""

    name: str
    host: str
    town: str


PROJECTS = (
    Project("Saffron Quay", "www.saffronquay.example.com", "Port Merrow"),
    Project("Cedar Heights", "cedarheights.example.com", "Northgate"),
    Project("Al Noor Residences", "alnoor.example.com", "Creek Island"),
    Project("Orchard Row", "orchardrow.example.com", "Merrowdown"),
    Project("The Foundry Lofts", "foundrylofts.example.com", "Old Docks"),
)
PROJECT_WEIGHTS = (40, 18, 20, 12, 10)


class Page(NamedTuple):
    """A page of each site; `event` is what people do there, `weight` how often they come."""

    path: str
    title: str
    weight: int
    event: str = ""
    props: str = "{}"


LANDING = Page("/", "Waterfront residences", 0)
CONTACT = Page("/contact/", "Arrange a visit", 0, "form_start", '{"form":"enquiry"}')
FINDER = Page("/find-your-home/", "Find your home", 0, "form_start", '{"form":"typeform"}')
THANKS = Page("/thank-you/", "Thank you", 0)
PAGES = (
    Page("/residences/", "Residences", 30, "floor_plan_open", '{"plan":"two-bedroom"}'),
    Page("/gallery/", "Gallery", 24, "gallery_open", '{"picture":"terrace"}'),
    Page("/brochure/", "Brochure", 12, "brochure_download", '{"file":"brochure.pdf"}'),
    Page("/location/", "Location", 14, "map_open"),
    Page("/prices/", "Prices and payment plan", 16, "price_list_open"),
    Page("/contact/", "Contact", 10, "phone_click", '{"place":"contact"}'),
)
PAGE_WEIGHTS = tuple(page.weight for page in PAGES)


class Campaign(NamedTuple):
    """Where visitors come from; `click_id` is the parameter that the platform adds."""

    weight: int
    referrer: str
    source: str = ""
    medium: str = ""
    name: str = ""
    content: str = ""
    click_id: str = ""

    def query(self, click: str) -> str:
        """The landing address's query, with `?`; "" for who came by themselves."""
        if not self.source:
            return ""
        told = {
            "utm_source": self.source,
            "utm_medium": self.medium,
            "utm_campaign": self.name,
            "utm_content": self.content,
            self.click_id: click,
        }
        return "?" + urlencode({key: text for key, text in told.items() if key and text})


CAMPAIGNS = (
    Campaign(26, "https://www.google.com/"),
    Campaign(16, ""),
    Campaign(17, "https://www.google.com/", "google", "cpc", "waterfront-homes", "text-a", "gclid"),
    Campaign(
        16, "https://m.facebook.com/", "facebook", "paid_social", "launch-reel", "reel", "fbclid"
    ),
    Campaign(9, "https://l.instagram.com/", "instagram", "paid_social", "terrace", "", "fbclid"),
    Campaign(6, "", "newsletter", "email", "first-release"),
    Campaign(5, "https://portal.example.org/", "portal", "referral", "featured-listing"),
    Campaign(3, "https://www.linkedin.com/", "linkedin", "paid_social", "investors"),
    Campaign(2, "", "hoarding", "qr", "site-hoarding"),
)
CAMPAIGN_WEIGHTS = tuple(campaign.weight for campaign in CAMPAIGNS)

PARTNERS = {"Facebook": 34, "WhatsApp": 26, "JustLead": 22, "Call centre": 10, "Portal": 8}
"""Lead sources without a tracked visit, with their weights."""

HOMES = ("Studio", "One bedroom", "Two bedrooms", "Three bedrooms", "Penthouse")
BUDGETS = (
    "Up to £300,000",
    "£300,000 to £450,000",
    "£450,000 to £700,000",
    "£700,000 to £1 million",
    "Over £1 million",
)
WHEN = ("As soon as possible", "Within 3 months", "Within 6 months", "Next year", "Just looking")

_OPENERS = (
    "Hello,",
    "Good morning,",
    "Hi there.",
    "Dear sales team,",
    "Hello from abroad!",
    "Good evening,",
)
_WISHES = (
    "we are looking for a {home} at {project}.",
    "could you send me the floor plans of the {home} at {project}?",
    "I would like to view the {home} at {project}.",
    "is the {home} on floor {floor} at {project} still free?",
    "my wife and I liked the {home} in the brochure of {project}.",
    "what is the service charge of a {home} at {project}?",
    "we are moving to {town} and a {home} at {project} would suit us.",
)
_DETAILS = (
    "We could come on the {day}th.",
    "Our budget is around {budget},000.",
    "We have sold our flat and can move quickly.",
    "It would be an investment, to be let.",
    "A parking space matters to us.",
    "Please call after {hour} o'clock.",
    "Is there a payment plan over {day} months?",
)
MESSAGE_PARTS = (_OPENERS, _WISHES, _DETAILS)
"""A message is one of each."""

SPAM_MESSAGES = (
    (
        "Rank your site first! https://seo.example.org/offer https://seo.example.org/x "
        "http://cheap.example.org"
    ),
    "We buy followers, see https://followers.example.org and www.example.org/deal",
    "Congratulations, you were selected: https://prize.example.org/claim",
)

NOTES = (
    "Called, no answer. Left a message.",
    "Wants to come with family on Saturday.",
    "Mortgage agreed in principle, decision this month.",
    "Asked for the payment plan in writing.",
    "Prefers a high floor with a view of the harbour.",
    "Compares with {other}.",
    "Investor, buys to let. Interested in two units.",
    "Speaks little English, colleague calls back.",
    "Sent the floor plans and the price list.",
    "Will decide after the school holidays.",
)

QUESTION_BUDGET = "What is your budget?"
QUESTION_WHEN = "When do you want to buy?"
QUESTION_HOMES = "Which homes would suit you?"
QUESTION_MORTGAGE = "Do you need a mortgage?"
QUESTION_WHY = "What are you looking for?"
REASONS = (
    "A home near the water for the four of us.",
    "An apartment to let, with a steady yield.",
    "Something smaller now that the children have left.",
    "A base for the weeks that I work in {town}.",
    "Just curious what it costs.",
)
