import pytest

from server.store.contract import StoreError
from server.store.vault import Vault

KEY = "a secret key of at least 32 characters"


@pytest.mark.parametrize(
    "text", ["x", "https://hook.example.com/abc", "whsec_é📞", " ", "y" * 10_000]
)
def test_decrypt_of_what_was_encrypted_is_the_text(text: str) -> None:
    assert Vault(KEY).decrypt(Vault(KEY).encrypt(text)) == text


def test_encrypt_of_nothing_is_nothing_and_back() -> None:
    assert Vault(KEY).encrypt("") == ""
    assert Vault(KEY).decrypt("") == ""


def test_encrypt_hides_the_text_names_its_scheme_and_differs_each_time() -> None:
    vault = Vault(KEY)
    one, other = vault.encrypt("hook.example.com"), vault.encrypt("hook.example.com")
    assert one.startswith("v1:")
    assert "hook" not in one
    assert one != other


def test_decrypt_with_another_key_is_refused() -> None:
    token = Vault(KEY).encrypt("text")
    with pytest.raises(StoreError, match="another SECRET_KEY"):
        Vault(KEY + "!").decrypt(token)


def test_decrypt_of_a_changed_token_is_refused() -> None:
    token = Vault(KEY).encrypt("text")
    changed = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]
    with pytest.raises(StoreError):
        Vault(KEY).decrypt(changed)


@pytest.mark.parametrize("token", ["v1:", "v1:junk", "plain text", "v2:abc", "v1:" + "A" * 100])
def test_decrypt_of_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(StoreError):
        Vault(KEY).decrypt(token)


def test_decrypt_of_a_token_beyond_ascii_is_refused() -> None:
    with pytest.raises(StoreError):
        Vault(KEY).decrypt("v1:é")


def test_pseudonym_is_equal_for_equal_texts_under_one_key_only() -> None:
    told = Vault(KEY).pseudonym("ana@example.com")
    assert told == Vault(KEY).pseudonym("ana@example.com")
    assert told != Vault(KEY + "!").pseudonym("ana@example.com")
    assert told != Vault(KEY).pseudonym("bob@example.com")
