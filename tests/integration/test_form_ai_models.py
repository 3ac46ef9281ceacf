"""Models by name: how settings name them, and what is known of their end."""

from __future__ import annotations

from datetime import date

import pytest

from server.form_ai import PROVIDERS
from server.form_ai.catalogue import CATALOGUE, DEFAULT_MODELS, retirement_notice
from server.form_ai.chain import parse_models
from server.form_ai.contract import ModelSpec

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("text", "models"),
    [
        ("gemini:gemini-2.0-flash", [("gemini", "gemini-2.0-flash", 0.0)]),
        (
            "gemini:gemini-2.0-flash,openai:gpt-4o@none",
            [("gemini", "gemini-2.0-flash", 0.0), ("openai", "gpt-4o", None)],
        ),
        (
            " openai:gpt-4o@0.7 ,\n gemini:a@2 ",
            [("openai", "gpt-4o", 0.7), ("gemini", "a", 2.0)],
        ),
        ("openai:ft:gpt-4o:org::id@0", [("openai", "ft:gpt-4o:org::id", 0.0)]),
        ("gemini:tunedModels/sales-1@1", [("gemini", "tunedModels/sales-1", 1.0)]),
    ],
)
def test_parse_models_of_a_setting_reads_each(
    text: str, models: list[tuple[str, str, float | None]]
) -> None:
    assert parse_models(text) == tuple(ModelSpec(*model) for model in models)


@pytest.mark.parametrize(
    "item",
    [
        "",
        "gpt-4o",
        "openai",
        "openai:",
        "azure:gpt-4o",
        "OpenAI:gpt-4o",
        "openai:gpt 4o",
        "gemini:../files",
        "gemini:a/../../b",
        "openai:gpt-4o@",
        "openai:gpt-4o@low",
        "openai:gpt-4o@None",
        "openai:gpt-4o@-1",
        "openai:gpt-4o@2.1",
        "openai:gpt-4o@nan",
        "openai:gpt-4o@1e0",
        "openai:gpt-4o@٠",
        "openai:gpt-4o@0@1",
        f"openai:{'x' * 200}",
    ],
)
def test_parse_models_of_a_malformed_item_names_it(item: str) -> None:
    with pytest.raises(
        ValueError, match=r"does not begin with|names no model|has neither"
    ) as error:
        parse_models(f"gemini:good,{item}")
    assert repr(item) in str(error.value)


@pytest.mark.parametrize("text", ["", " ", ",", "gemini:a,,openai:b"])
def test_parse_models_with_an_empty_item_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not begin with gemini: or openai:"):
        parse_models(text)


def test_default_models_are_one_of_each_provider() -> None:
    assert {model.provider for model in parse_models(DEFAULT_MODELS)} == set(PROVIDERS)


def test_default_models_are_known_and_have_no_end() -> None:
    known = {(one.provider, one.name): one for one in CATALOGUE}
    ends = [known[model.provider, model.name].retires_on for model in parse_models(DEFAULT_MODELS)]
    assert ends == [None, None]


def test_catalogue_names_each_model_once() -> None:
    names = [(one.provider, one.name) for one in CATALOGUE]
    assert len(names) == len(set(names))


def test_catalogue_names_a_successor_without_an_end_for_each_model_that_has_one() -> None:
    lasting = {(one.provider, one.name) for one in CATALOGUE if one.retires_on is None}
    ending = [one for one in CATALOGUE if one.retires_on]
    assert [one.name for one in ending if (one.provider, one.successor) not in lasting] == []


@pytest.mark.parametrize(
    ("label", "notice"),
    [
        (
            "gemini:gemini-2.0-flash",
            (
                "gemini:gemini-2.0-flash was shut down on 2026-06-01; "
                "its successor is gemini:gemini-3.8-flash"
            ),
        ),
        (
            "openai:gpt-4o@none",
            "openai:gpt-4o will be shut down on 2027-01-14; its successor is openai:gpt-6-luna",
        ),
        ("openai:gpt-6-luna@none", ""),
        ("openai:nobody-knows", ""),
        ("gemini:gpt-4o", ""),
    ],
)
def test_retirement_notice_tells_what_is_known(label: str, notice: str) -> None:
    assert retirement_notice(parse_models(label)[0], TODAY) == notice


@pytest.mark.parametrize(("day", "told"), [(13, "will be"), (14, "was"), (15, "was")])
def test_retirement_notice_from_the_day_itself_tells_that_it_is_gone(day: int, told: str) -> None:
    notice = retirement_notice(ModelSpec("openai", "gpt-4o"), date(2027, 1, day))
    assert f"openai:gpt-4o {told} shut down on 2027-01-14" in notice
