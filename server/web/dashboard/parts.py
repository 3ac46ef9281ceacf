"""What the pages are made of: one frozen bundle that the composition root fills."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from server.config import Config
from server.destinations import Destination
from server.domain.script import ScriptBuild
from server.form_ai.chain import Chain
from server.store.contract import Store
from server.store.vault import Vault
from server.usecases.change_settings import SettingsChange
from server.usecases.fire_event import EventFiring
from server.usecases.sign_in import SignIn
from server.usecases.site_directory import SiteDirectory
from server.usecases.watch_leads import LeadWatch
from server.usecases.watch_site import SiteWatches
from server.web.dashboard.gate import Gate
from server.web.dashboard.rendering import Renderer
from server.web.peers import PeerReader


@dataclass(frozen=True, slots=True)
class Parts:
    """`wake` tells the workers that something is due."""

    config: Config
    store: Store
    vault: Vault
    directory: SiteDirectory
    sign_in: SignIn
    gate: Gate
    renderer: Renderer
    peers: PeerReader
    builds: tuple[ScriptBuild, ...]
    destinations: Mapping[str, Destination]
    chain: Chain
    firing: EventFiring
    lead_watch: LeadWatch
    site_watches: SiteWatches
    settings: SettingsChange
    wake: Callable[[], None]
    now: Callable[[], datetime]
