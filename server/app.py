"""The composition root: the only file that knows everything."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from server import form_ai
from server.config import ROOT, Config
from server.destinations import Destination, make_webhook, meta_capi
from server.destinations.demo_egress import EgressWithDemo
from server.destinations.make_webhook import MakeWebhook, WebhookTarget
from server.destinations.meta_capi import MetaCapi, MetaTarget
from server.domain import clock, timezone, user_agent
from server.domain.delivery import Delivery, Outcome
from server.domain.directory import FIRST_CLIENT, FIRST_SITE, Client, origin_of
from server.domain.errors import AppError
from server.domain.ids import ClientId
from server.domain.qualification import LeadScoringConfig
from server.domain.visitor import NetworkKind
from server.form_ai.chain import Chain
from server.geo import AddressBook
from server.store import directory as directory_store
from server.store import integrity, remote
from server.store import scripts as script_store
from server.store.contract import Store, StoreError, UnfinishedError
from server.store.file import FileStore
from server.store.migrate import migrate
from server.store.vault import Vault
from server.usecases.capture_lead import LeadCapture
from server.usecases.change_settings import SettingsChange
from server.usecases.deliver_outbox import Clocks, OutboxWorker
from server.usecases.fire_event import EventFiring
from server.usecases.keep_rollups import RollupKeeper
from server.usecases.predict import Predictions
from server.usecases.purge_expired import PurgeWorker
from server.usecases.receive_response import SCORE_JOB, ResponseIntake
from server.usecases.record_beacons import BeaconRecorder
from server.usecases.run_jobs import JobWorker
from server.usecases.score_response import ResponseScoring
from server.usecases.score_response import parse as parse_response
from server.usecases.sign_in import SignIn
from server.usecases.site_directory import REFRESH_SECONDS, SiteDirectory
from server.usecases.watch_leads import LeadWatch
from server.usecases.watch_site import SiteWatches
from server.usecases.watch_store import StoreWatch
from server.web import builds, lead, lead_patch, leads, pages, problems, snippets
from server.web import demo as demo_site
from server.web.access import Access, Declared
from server.web.dashboard import site as dashboard
from server.web.dashboard.assets import Assets
from server.web.dashboard.errors import ErrorPages
from server.web.dashboard.gate import Gate
from server.web.dashboard.parts import Parts
from server.web.dashboard.rendering import Renderer
from server.web.demo import Demo
from server.web.docs import ApiReference
from server.web.lead import LeadEndpoint
from server.web.lead_intake import LeadIntake
from server.web.lead_patch import LeadPatchEndpoint
from server.web.leads import LeadsEndpoint
from server.web.leadscoring import LeadScoringEndpoints, ScoringParts
from server.web.metrics import Metrics, StoreMetrics
from server.web.operations import Operations
from server.web.peers import PeerReader
from server.web.rate_limits import Policy, RateLimiter
from server.web.scripts import Scripts
from server.web.track import TrackEndpoint

logger = logging.getLogger(__name__)

MIGRATIONS = ROOT / "migrations"
DEMO = ROOT / "demo"

DEMO_CLIENT = "Demo"
DRAIN_SECONDS = 4.0
"""How long deliveries under way may take at the end, if `stop_by` leaves so much."""

MIN_DRAIN_SECONDS = 1.0


def open_store(config: Config) -> Store:
    """The store that DATABASE_URL names; needs the running event loop. Raises StoreError."""
    if config.database_is_file:
        return FileStore.open(config.database_path)
    return remote.connect(config.database_url, config.libsql_auth_token)


async def prepare_store(store: Store) -> list[str]:
    """Migrate, and make client 1 with its site; changes nothing where all stands."""
    applied = await migrate(store, MIGRATIONS)
    await directory_store.seed(store, DEMO_CLIENT, FIRST_SITE, clock.now())
    return applied


async def refuse_unfinished(store: Store) -> None:
    """Raise UnfinishedError for half a restore: who repeats it would lose what a server took."""
    if since := await integrity.unfinished_restore(store):
        raise UnfinishedError(f"the restore of {since} has not ended")


def demo_webhook(config: Config) -> str:
    """The demo's own receiver, "" without the demo."""
    return config.local_url + demo_site.WEBHOOK_PATH if config.demo else ""


def first_client(config: Config) -> Client:
    """Client 1's defaults: the webhook of the settings, else the demo's receiver."""
    return Client(
        FIRST_CLIENT,
        DEMO_CLIENT,
        make_webhook_url=config.make_webhook_url or demo_webhook(config),
        make_webhook_secret=config.make_webhook_secret,
        scoring=LeadScoringConfig(typeform_secret=config.typeform_secret),
    )


def accesses(config: Config) -> dict[str, form_ai.Access]:
    """How the model providers are reached."""
    return {
        "gemini": form_ai.Access(config.gemini_api_key, config.gemini_base_url),
        "openai": form_ai.Access(config.openai_api_key, config.openai_base_url),
    }


class Propgauge:
    """One server: its store, its background work and its ASGI application."""

    def __init__(self, config: Config, store: Store) -> None:
        self.config = config
        self.store = store
        self.addresses = AddressBook(
            config.country_db,
            config.network_db,
            {NetworkKind.VPN: config.vpn_ranges, NetworkKind.HOSTING: config.hosting_ranges},
        )
        self.metrics = Metrics()
        self.vault = vault = Vault(config.secret_key)
        self.sign_in = SignIn(store, clock.now)
        self.lead_watch = LeadWatch(store)
        self.new_admin_password = ""
        """Of the admin that `prepare` made, to be shown once; "" when there was one."""
        self.directory = SiteDirectory(
            store, vault, first_client(config), origin_of(config.public_url)
        )
        self.store_watch = self._watch()
        self.recorder = BeaconRecorder(store)
        self.egress = EgressWithDemo(
            allow_private=config.allow_private_targets, demo_url=demo_webhook(config)
        )
        self.destinations = destinations = self._destinations()
        self.worker = OutboxWorker(store, destinations, Clocks(clock.now), self._count_attempt)
        self.peers = peers = PeerReader(config.trusted_proxies, self.addresses)
        self.site_watches = SiteWatches(time.monotonic)
        self.track = TrackEndpoint(
            self.recorder, self.directory, peers, self.metrics, self.site_watches, clock.now
        )
        self.track.also_at(config.track_path)
        self.builds = builds.build(config.track_path)
        capture = LeadCapture(store, self.worker.wake, require_key=config.require_api_key)
        quotas = {Policy(name): quota for name, quota in config.rate_limit.items()}
        limiter = RateLimiter(quotas, time.monotonic)
        intake = LeadIntake(self.directory, peers, limiter, clock.now)
        self.lead = LeadEndpoint(capture, self.directory, intake, self.metrics)
        self.leads = LeadsEndpoint(store, capture, intake, self.metrics)
        self.lead_patch = LeadPatchEndpoint(store, intake, clock.now)
        self.chain = Chain(form_ai.connect(accesses(config)), config.form_ai_models)
        scoring = ResponseScoring(
            store,
            self.chain,
            config.form_ai_models,
            self.directory.client,
            clock.now,
            self.worker.wake,
        )
        self.jobs = JobWorker(store, {SCORE_JOB: scoring.run}, clock.now)
        self.purging = PurgeWorker(store, self.directory.clients, config.retention_days, clock.now)
        self.firing = EventFiring(store, destinations[meta_capi.NAME], parse_response, clock.now)
        self.settings = SettingsChange(store, vault, self.directory, clock.now, self._wake)
        self.assets = Assets(urlsplit(config.public_url).path)
        self.renderer = Renderer(config, self.assets)
        self.gate = Gate(config, self.sign_in, self.directory, self.renderer, clock.now)
        parts = ScoringParts(
            store,
            ResponseIntake(store, self._wake),
            Predictions(store, scoring, self._wake),
            self.firing,
            self.settings,
            self.gate,
        )
        self.leadscoring = LeadScoringEndpoints(
            parts,
            self.directory,
            intake,
            self.metrics,
            clock.now,
            allow_unsigned=config.allow_unsigned_webhooks,
        )
        self.error_pages = ErrorPages(self.gate, self.renderer)
        self.rollups = RollupKeeper(store, self.metrics.dropped_of_clients, clock.now)
        self.stop_by: float | None = None
        """When, by the loop's clock, `stop` should be through with deliveries."""
        self._refreshing: asyncio.Task[None] | None = None

    def _watch(self) -> StoreWatch | None:
        """Of a server of its own; a file is asked whenever somebody wants to know."""
        if self.config.database_is_file:
            return None
        return StoreWatch(self.store, StoreMetrics(self.metrics.registry).observe)

    def _destinations(self) -> dict[str, Destination]:
        return {
            make_webhook.NAME: MakeWebhook(self.egress, self._webhook_target),
            meta_capi.NAME: MetaCapi(self.egress, self._meta_target),
        }

    def _meta_target(self, client_id: ClientId) -> MetaTarget | None:
        scoring = self.directory.client(client_id).scoring
        if not scoring.reports_to_meta:
            return None
        return MetaTarget(
            scoring.pixel_id,
            scoring.capi_token,
            self.config.meta_graph_url,
            scoring.test_code(clock.now()),
            scoring.limited_data_use,
            scoring.app_secret,
        )

    def _wake(self) -> None:
        self.worker.wake()
        self.jobs.wake()

    def _webhook_target(self, client_id: ClientId) -> WebhookTarget | None:
        client = self.directory.client(client_id)
        if not client.make_webhook_url:
            return None
        return WebhookTarget(client.make_webhook_url, client.make_webhook_secret)

    def _count_attempt(self, delivery: Delivery, outcome: Outcome) -> None:
        self.metrics.deliveries.labels(delivery.destination, outcome.verdict).inc()

    async def prepare(self) -> None:
        """Make the store ready and read what is needed; raises StoreError."""
        await prepare_store(self.store)
        await refuse_unfinished(self.store)
        await script_store.freeze(self.store, self.builds, clock.now())
        await self.directory.refresh()
        self.new_admin_password = await self.sign_in.make_first_admin(self.config.admin_password)

    async def start(self) -> None:
        """Begin background work."""
        _warm_up()
        if self.store_watch is not None:
            self.store_watch.start()
        self.worker.start()
        self.jobs.start()
        self.rollups.start()
        self.purging.start()
        self._refreshing = asyncio.get_running_loop().create_task(self._refresh_forever())

    async def stop(self) -> None:
        """End background work, finish what was accepted, close everything."""
        if self._refreshing is not None:
            self._refreshing.cancel()
        seconds = self._drain_seconds()
        await asyncio.gather(
            self.recorder.close(),
            self.jobs.stop(seconds),
            self.worker.stop(seconds),
            self.rollups.stop(),
            self.purging.stop(),
        )
        if self.store_watch is not None:
            await self.store_watch.stop()
        await self.chain.close()
        await self.egress.close()
        await self.store.close()
        self.addresses.close()

    def _drain_seconds(self) -> float:
        if self.stop_by is None:
            return DRAIN_SECONDS
        left = self.stop_by - asyncio.get_running_loop().time()
        return min(DRAIN_SECONDS, max(MIN_DRAIN_SECONDS, left))

    async def _refresh_forever(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self.directory.refresh()
            except StoreError as error:
                logger.warning("site directory not refreshed: %s", error)

    def application(self) -> ASGIApp:
        """Beacons go straight to their endpoint, everything else through Starlette."""
        starlette, beacons = self._starlette(), self.track

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"] in beacons.paths:
                await beacons(scope, receive, send)
            else:
                await starlette(scope, receive, send)

        return app

    def _starlette(self) -> Starlette:
        return Starlette(
            routes=self._routes(),
            lifespan=self._lifespan,
            exception_handlers={
                AppError: problems.on_error,
                StoreError: problems.on_error,
                HTTPException: self.error_pages.on_http_error,
                Exception: self.error_pages.on_crash,
            },
        )

    def _routes(self) -> list[BaseRoute]:
        operations = Operations(self.store, self.metrics, clock.now, self.store_watch)
        files = Scripts(self.store, self.builds, self.site_watches)
        routes: list[BaseRoute] = [
            Declared(lead.PATH, self.lead.post, Access.PUBLIC, ["POST"]),
            Declared(lead.PATH, self.lead.options, Access.PUBLIC, ["OPTIONS"]),
            *self.leadscoring.routes(),
            Declared(leads.PATH, self.leads.get, Access.PARTNER),
            Declared(leads.PATH, self.leads.post, Access.PARTNER, ["POST"]),
            Declared(lead_patch.PATH, self.lead_patch.patch, Access.PARTNER, ["PATCH"]),
            Declared(pages.THANK_YOU_PATH, pages.thank_you, Access.PUBLIC),
            Declared("/healthz", operations.healthz, Access.PUBLIC),
            Declared("/readyz", operations.readyz, Access.PUBLIC),
            Declared("/metrics", operations.metrics, Access.PUBLIC),
            *files.routes(builds.paths(self.config)),
            *ApiReference(snippets.base_url(self.config)).routes(),
            *self._dashboard_routes(),
        ]
        return [*routes, *self._demo_routes()] if self.config.demo else routes

    def _demo_routes(self) -> list[BaseRoute]:
        config = self.config
        external = bool(config.make_webhook_url)
        demo = Demo(DEMO, demo_webhook(config), clock.now, external=external)
        return list(demo.routes())

    def _dashboard_routes(self) -> list[BaseRoute]:
        parts = Parts(
            config=self.config,
            store=self.store,
            vault=self.vault,
            directory=self.directory,
            sign_in=self.sign_in,
            gate=self.gate,
            renderer=self.renderer,
            peers=self.peers,
            builds=self.builds,
            destinations=self.destinations,
            chain=self.chain,
            firing=self.firing,
            lead_watch=self.lead_watch,
            site_watches=self.site_watches,
            settings=self.settings,
            wake=self._wake,
            now=clock.now,
        )
        return [*self.assets.routes(), *dashboard.routes(parts)]

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        await self.start()
        try:
            yield
        finally:
            await self.stop()


def _warm_up() -> None:
    """Build the tables that the first visitor would otherwise wait for, and keep them from gc."""
    user_agent.parse("")
    timezone.countries_of("")
    gc.collect()
    gc.freeze()
