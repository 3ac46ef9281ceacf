"""What `propgauge site show` prints, taken apart as a reader does: a title, a line, a text."""

from __future__ import annotations

import re

_SECTION = re.compile(
    r"^(?P<title>[^\n]+)\n-+\n(?P<text>.*?)(?=\n\n[^\n]+\n-+\n|\Z)", re.MULTILINE | re.DOTALL
)


def shown_snippets(output: str) -> dict[str, str]:
    """Each text by its title, exactly as it stands to be copied."""
    return {
        section["title"]: section["text"].removesuffix("\n")
        for section in _SECTION.finditer(output)
    }
