"""How values are written for people."""

from __future__ import annotations

from server.web.dashboard.presenting import breakable


def test_address_that_may_be_broken_is_broken_behind_its_sign_and_still_escaped() -> None:
    assert breakable("ana@example.com") == "ana@<wbr>example.com"
    assert breakable("<b>@<i>") == "&lt;b&gt;@<wbr>&lt;i&gt;"
    assert breakable("Ana") == "Ana"
