import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.domain.directory import (
    FIRST_CLIENT,
    ApiKey,
    Scope,
    hash_of_key,
    name_fault,
    new_key,
    origin_of,
)

# A busy machine makes examples slowly; that is no failure.
bounded = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("Saffron Quay — لندن", ""),
        ("x" * 80, ""),
        (" ", "is missing"),
        ("x" * 81, "has more than 80 characters"),
        ("a\nb", "has characters that cannot be shown"),
        ("\udcff", "has characters that cannot be shown"),
    ],
)
def test_name_fault_says_what_nothing_can_be_called(name: str, fault: str) -> None:
    assert name_fault(name) == fault


@pytest.mark.parametrize(
    ("scope", "may_write"), [(Scope.READ, False), (Scope.WRITE, True), (Scope.ADMIN, True)]
)
def test_key_may_write_with_write_and_admin_scope(scope: Scope, *, may_write: bool) -> None:
    assert ApiKey(1, "partner", "hash", FIRST_CLIENT, scope).may(Scope.WRITE) is may_write


@pytest.mark.parametrize(
    ("scope", "may_read"), [(Scope.READ, True), (Scope.WRITE, False), (Scope.ADMIN, True)]
)
def test_key_may_read_with_read_and_admin_scope(scope: Scope, *, may_read: bool) -> None:
    assert ApiKey(1, "partner", "hash", FIRST_CLIENT, scope).may(Scope.READ) is may_read


def test_new_key_is_prefixed_long_and_never_the_same() -> None:
    keys = {new_key() for _ in range(50)}
    assert len(keys) == 50
    assert all(key.startswith("pg_") and len(key) == 35 for key in keys)


def test_hash_of_key_is_sha_256_in_hex() -> None:
    assert hash_of_key("pg_abc") == hashlib.sha256(b"pg_abc").hexdigest()
    assert hash_of_key("pg_é") != hash_of_key("pg_e")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://www.example.com", "https://www.example.com"),
        ("https://www.example.com/", "https://www.example.com"),
        ("https://www.example.com/flat?a=b#c", "https://www.example.com"),
        ("https://www.example.com?a=b", "https://www.example.com"),
        ("HTTPS://WWW.Example.COM/Flat", "https://www.example.com"),
        ("https://www.example.com:443/", "https://www.example.com"),
        ("http://www.example.com:80", "http://www.example.com"),
        ("https://www.example.com:", "https://www.example.com"),
        ("https://www.example.com:80", "https://www.example.com:80"),
        ("http://www.example.com:443", "http://www.example.com:443"),
        ("http://localhost:8787/demo/", "http://localhost:8787"),
        ("http://127.0.0.1:8787", "http://127.0.0.1:8787"),
        ("http://[::1]:3000/x", "http://[::1]:3000"),
        ("http://[2001:DB8::1]/x", "http://[2001:db8::1]"),
        ("https://xn--exmple-cua.com", "https://xn--exmple-cua.com"),
    ],
)
def test_origin_of_an_address_is_as_browsers_send_it(url: str, origin: str) -> None:
    assert origin_of(url) == origin
    assert origin_of(origin) == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "null",
        "*",
        "www.example.com",
        "//www.example.com",
        "/flat",
        "https:",
        "https://",
        "https:///flat",
        "https:www.example.com",
        "https:\\\\evil.example\\@www.example.com",
        "ftp://www.example.com",
        "javascript:alert(1)",
        "data:text/html,x",
        "chrome-extension://abc",
        "https://www.example.com:99999",
        "https://www.example.com:x",
        "https://[::1",
        "https://[fe80::1%25eth0]/",
        "https://exämple.com",
        "https://a b.example.com",
        "https://www.example.com%2eevil.example",
        "https://*.example.com",
        "https://<script>",
        "\x00",
        "\ud800",
    ],
)
def test_origin_of_anything_else_is_empty(url: str) -> None:
    assert origin_of(url) == ""


@pytest.mark.parametrize(
    "url",
    [
        "https://www.example.com@evil.example/",
        "https://www.example.com.evil.example/",
        "https://evil.example/https://www.example.com",
        "https://evil.example#@www.example.com",
        "https://evil.example?@www.example.com",
        "https://www.example.com\\.evil.example",
    ],
)
def test_origin_of_an_address_that_poses_as_another_is_not_the_others(url: str) -> None:
    assert origin_of(url) != "https://www.example.com"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example\\@www.example.com/",
        "https://evil.example\\\\@www.example.com",
        "https://evil.example\\x:y@www.example.com",
    ],
)
def test_origin_of_an_address_with_a_backslash_is_empty(url: str) -> None:
    assert origin_of(url) == ""


@bounded
@given(
    st.text(st.characters(exclude_categories=()), max_size=60),
    st.text("htps:/.@\\[]%?#a1-", max_size=40),
)
def test_origin_of_any_text_never_raises_and_is_its_own_origin(text: str, looks: str) -> None:
    for url in (text, looks, f"https://{text}", f"https://{looks}"):
        origin = origin_of(url)
        assert origin_of(origin) == origin
