"""Strategies for JSON that no sender means: any value, and payloads broken in one place or many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

_Place = tuple[Any, ...]

texts = st.text(st.characters(codec=None), max_size=20)  # with NUL and unpaired surrogates
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.just("form_response")


def values(names: st.SearchStrategy[str] = texts) -> st.SearchStrategy[Any]:
    """Any JSON value, NaN and infinities too; its objects have the names given."""
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
        max_leaves=12,
    )


def broken(whole: Any) -> st.SearchStrategy[Any]:
    """A payload with up to five of its parts replaced by any value."""
    places = st.sampled_from(list(_places(whole)))
    changes = st.lists(st.tuples(places, values()), min_size=1, max_size=5)
    return changes.map(lambda chosen: _changed(whole, dict(chosen)))


def _places(value: Any, place: _Place = ()) -> Iterator[_Place]:
    yield place
    for name, inner in _parts(value):
        yield from _places(inner, (*place, name))


def _parts(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _changed(value: Any, changes: Mapping[_Place, Any], place: _Place = ()) -> Any:
    if place in changes:
        return changes[place]
    inner = {name: _changed(part, changes, (*place, name)) for name, part in _parts(value)}
    if isinstance(value, dict):
        return inner
    return list(inner.values()) if isinstance(value, list) else value
