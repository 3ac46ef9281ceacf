"""The site directory: whose a request is, answered from memory."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace

from server.domain import clock
from server.domain.directory import FIRST_CLIENT, ApiKey, Client, Site, hash_of_key
from server.domain.ids import ClientId
from server.store import directory
from server.store.contract import Store, StoreError
from server.store.vault import Vault

REFRESH_SECONDS = 5.0
MISS_REFRESH_SECONDS = 0.5
"""How often an unknown site key may make the directory look again."""

KEY_USE_SECONDS = 3600.0
"""How stale a key's last use may be, so that not every lead writes it."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a request is: the client, and the site when one could be told."""

    client_id: ClientId
    site: Site | None


class SiteDirectory:
    """Clients and sites as of the last refresh; keys are always looked up in the store.

    `first_client` carries the settings that are client 1's defaults; `own_origin` is this
    server's, whose pages may post for every site.
    """

    def __init__(
        self, store: Store, vault: Vault, first_client: Client, own_origin: str = ""
    ) -> None:
        self._store = store
        self._vault = vault
        self._first_client = first_client
        self._own_origin = own_origin
        self._clients: dict[ClientId, Client] = {}
        self._client_of_form: dict[str, Client] = {}
        self._own: dict[ClientId, Client] = {}
        self._sites: dict[str, Site] = {}
        self._site_of_origin: dict[str, Site] = {}
        self._origins_of_client: dict[ClientId, frozenset[str]] = {}
        self._refreshed_at = float("-inf")
        self._key_used_at: dict[int, float] = {}

    async def refresh(self) -> None:
        """Read the store again."""
        self._refreshed_at = time.monotonic()
        entries = await directory.load(self._store, self._vault)
        self._clients = {
            client.client_id: self._with_defaults(client) for client in entries.clients
        }
        self._own = {client.client_id: client for client in entries.clients}
        self._client_of_form = {
            form_id: client
            for client in reversed(self._clients.values())
            for form_id in client.scoring.typeform_form_ids
        }
        self._sites = {site.site_key: site for site in entries.sites}
        self._site_of_origin = {
            origin: site for site in reversed(entries.sites) for origin in site.allowed_origins
        }
        self._origins_of_client = {
            client_id: frozenset(
                origin
                for site in entries.sites
                if site.client_id == client_id
                for origin in site.allowed_origins
            )
            for client_id in self._clients
        }

    def should_refresh_for(self, site_key: str) -> bool:
        """Whether to look again for a site key that is not known, at most twice a second."""
        if not site_key or site_key in self._sites:
            return False
        return time.monotonic() - self._refreshed_at >= MISS_REFRESH_SECONDS

    async def api_key(self, token: str) -> ApiKey | None:
        """The key in force behind a token; its use is kept, to the hour."""
        key = await directory.find_key(self._store, hash_of_key(token))
        if key is not None:
            await self._keep_use(key)
        return key

    async def _keep_use(self, key: ApiKey) -> None:
        moment = time.monotonic()
        if moment - self._key_used_at.get(key.key_id, float("-inf")) < KEY_USE_SECONDS:
            return
        self._key_used_at[key.key_id] = moment
        # A store that takes no writes must not close the door to who reads.
        with contextlib.suppress(StoreError):
            await directory.use_key(self._store, key.key_id, clock.now())

    def owner(self, *, key: ApiKey | None, site_key: str, origin: str) -> Owner:
        """Whose a request is: the key's client, else the site key's, else the origin's, else 1."""
        site = self._sites.get(site_key)
        if key is not None:
            of_client = site if site and site.client_id == key.client_id else None
            return Owner(key.client_id, of_client)
        site = site or self._site_of_origin.get(origin)
        return Owner(site.client_id, site) if site else Owner(FIRST_CLIENT, None)

    def client(self, client_id: ClientId) -> Client:
        """A client with its defaults filled in."""
        return self._clients.get(client_id) or Client(client_id, f"client {client_id}")

    def clients(self) -> list[Client]:
        """All clients by id."""
        return list(self._clients.values())

    def sites_of(self, client_id: ClientId) -> list[Site]:
        """A client's sites by key."""
        return [site for site in self._sites.values() if site.client_id == client_id]

    def knows(self, client_id: ClientId) -> bool:
        """Whether there is such a client."""
        return client_id in self._clients

    def own(self, client_id: ClientId) -> Client:
        """A client as stored, without the defaults of this server's settings."""
        return self._own.get(client_id) or Client(client_id, f"client {client_id}")

    def client_of_form(self, form_id: str) -> Client | None:
        """The client whose settings name a Typeform form."""
        return self._client_of_form.get(form_id)

    def lists(self, owner: Owner, origin: str) -> bool:
        """Whether a browser's origin is on the site's list (any of the client's without a site)."""
        if origin == self._own_origin:
            return True
        if owner.site is not None:
            return origin in owner.site.allowed_origins
        return origin in self._origins_of_client.get(owner.client_id, frozenset())

    def lists_anywhere(self, origin: str) -> bool:
        """Whether any site lists the origin: all that a preflight request lets us ask."""
        return origin in self._site_of_origin

    def _with_defaults(self, client: Client) -> Client:
        if client.client_id != FIRST_CLIENT:
            return client
        default = self._first_client
        if not client.scoring.typeform_secret:
            secret = default.scoring.typeform_secret
            scoring = client.scoring.model_copy(update={"typeform_secret": secret})
            client = replace(client, scoring=scoring)
        if client.make_webhook_url:
            return client
        return replace(
            client,
            make_webhook_url=default.make_webhook_url,
            make_webhook_secret=client.make_webhook_secret or default.make_webhook_secret,
        )
