"""Lead scoring: webhooks accepted, 200 after commit, and responses scored by an instant model."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from bench.measured import baseline, propgauge
from tests import typeform_payloads
from tests.llm_servers import GeminiServer

SECRET = "bench"  # noqa: S105  signs the bodies of the load
CONNECTIONS = 16
RESPONSES = 2_000
SCORED = 300


def run() -> None:
    """Print webhooks per second against bare uvicorn, and scores per second."""
    print(f"\nform responses, {CONNECTIONS} connections")
    with baseline("bare") as bare:
        ceiling = asyncio.run(_send(bare.url, _requests(RESPONSES, "bare")))
    print(f"  bare uvicorn 204            {ceiling:8.0f} requests/s")
    unscored = {"FORM_AI_MODELS": "gemini:gemini-2.0-flash"}
    with tempfile.TemporaryDirectory() as folder:
        with propgauge(Path(folder), {"TYPEFORM_SECRET": SECRET, **unscored}) as server:
            rate = asyncio.run(_send(server.url, _requests(RESPONSES, "hook")))
        stored = _count(Path(folder), "SELECT COUNT(*) FROM form_responses")
    print(f"  webhook, 200 after commit   {rate:8.0f} requests/s  ratio {rate / ceiling:.2f}")
    print(
        f"  acknowledged {RESPONSES}, stored {stored} ({'ok' if stored == RESPONSES else 'LOST'})"
    )
    _scoring()


def _scoring() -> None:
    with tempfile.TemporaryDirectory() as folder, GeminiServer() as model:
        settings = {
            "TYPEFORM_SECRET": SECRET,
            "FORM_AI_MODELS": "gemini:gemini-2.0-flash",
            "GEMINI_API_KEY": "bench",
            "GEMINI_BASE_URL": model.url,
        }
        with propgauge(Path(folder), settings) as server:
            began = time.perf_counter()
            asyncio.run(_send(server.url, _requests(SCORED, "scored")))
            done = "SELECT COUNT(*) FROM form_responses WHERE scored_at IS NOT NULL"
            while _count(Path(folder), done) < SCORED and time.perf_counter() - began < 120:
                time.sleep(0.05)
            seconds = time.perf_counter() - began
            print(
                f"  responses scored            {SCORED / seconds:8.0f} /s  with an instant local"
                f" model, {len(model.requests)} asked ({server.resident_mb():.0f} MB resident)"
            )


def _requests(count: int, run: str) -> list[bytes]:
    """Whole HTTP requests, each a response of its own with answers of its own."""
    return [_request(f"{run}{number:06}") for number in range(count)]


def _request(token: str) -> bytes:
    why = typeform_payloads.answer("text", f"Close to {token}", "qWhy", "long_text", "why")
    email = f"{token}@example.com"
    body = typeform_payloads.encoded(
        typeform_payloads.payload(
            email=email,
            token=token,
            event_id=token,
            answers=[why, *typeform_payloads.contact_answers(email)],
        )
    )
    signature = typeform_payloads.signed(body, SECRET)["Typeform-Signature"]
    head = (
        f"POST /api/v1/leadscoring/webhook?client_id=1 HTTP/1.1\r\nHost: bench\r\n"
        f"Typeform-Signature: {signature}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _send(url: str, requests: Sequence[bytes]) -> float:
    """Send them over a few connections, one after the other on each; requests per second."""
    began = time.perf_counter()
    shares = [requests[place::CONNECTIONS] for place in range(CONNECTIONS)]
    await asyncio.gather(*(_one_after_the_other(url, share) for share in shares))
    return len(requests) / (time.perf_counter() - began)


async def _one_after_the_other(url: str, requests: Sequence[bytes]) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 204")):
            raise RuntimeError(head.decode())
        length = [line for line in head.lower().split(b"\r\n") if b"content-length" in line]
        if length:
            await reader.readexactly(int(length[0].partition(b":")[2]))
    writer.close()
    await writer.wait_closed()


def _count(data_dir: Path, sql: str) -> int:
    with closing(sqlite3.connect(data_dir / "propgauge.db")) as database:
        (count,) = database.execute(sql).fetchone()
        return int(count)
