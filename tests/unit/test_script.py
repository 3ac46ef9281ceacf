import base64
import hashlib

import pytest

from server.domain.script import ScriptBuild, hashed_path

HASH = "0123456789abcdef"


def test_build_hash_is_the_first_16_digits_of_the_sha256_of_its_bytes() -> None:
    build = ScriptBuild("tracker.js", "let naïve = 'é';")
    assert build.hash == hashlib.sha256("let naïve = 'é';".encode()).hexdigest()[:16]


def test_build_integrity_is_the_base64_of_the_sha384_of_its_bytes() -> None:
    # The value of the SRI specification's own example, `alert('Hello, world.');`.
    build = ScriptBuild("hello.js", "alert('Hello, world.');")
    assert build.integrity == (
        "sha384-H8BRh8j48O9oYatfu5AZzq6A9RINhZO5H16dQZngK7T62em8MUt1FLm52t+eX6xO"
    )
    digest = hashlib.sha384(build.text.encode()).digest()
    assert base64.b64decode(build.integrity.removeprefix("sha384-")) == digest


@pytest.mark.parametrize(
    ("path", "hashed"),
    [
        ("/tracker.js", f"/tracker-{HASH}.js"),
        ("/assets/pg.js", f"/assets/pg-{HASH}.js"),
        ("/assets/pg.min.js", f"/assets/pg.min-{HASH}.js"),
        ("/v1.2/pg", f"/v1.2/pg-{HASH}"),
    ],
)
def test_hashed_path_holds_the_hash_before_its_ending(path: str, hashed: str) -> None:
    assert hashed_path(path, HASH) == hashed
