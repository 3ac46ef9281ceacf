"""Processes of the program, forked from one that has imported it already.

Importing takes longer than anything else a server does at start, and the tests start hundreds.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from unittest import mock

import coverage

from server.cli import main
from server.config import ROOT

MEASURING = "COVERAGE_PROCESS_CONFIG"
"""Tells coverage in the environment of a process that it is to be measured."""

PRELOADED = ["server.form_ai.gemini", "server.form_ai.openai", "server.launcher", "tests.forked"]


@cache
def _forkserver() -> ForkServerContext:
    """The process to fork from, one for each worker of pytest.

    It is not measured itself: it ends after the results are put together.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with mock.patch.dict(os.environ, PYTHONPATH=str(ROOT)):
        os.environ.pop(MEASURING, None)
        first = context.Process(target=_check_forkserver)
        first.start()
        first.join()
    assert first.exitcode == 0
    return context


def _check_forkserver() -> None:
    """A thread would be missing in whatever is forked, and with it the locks that it holds."""
    threads = Path(f"/proc/{os.getppid()}/task")
    assert not threads.exists() or len(list(threads.iterdir())) == 1, "an import starts threads"


class Forked:
    """`propgauge` with these words in a process of its own; as much of `Popen` as tests use.

    `output` is the end of standard output and error together, to be read by lines.
    """

    def __init__(self, words: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        reader, writer = multiprocessing.Pipe(duplex=False)
        with writer, reader:
            args = (list(words), dict(env), str(cwd), writer)
            self._process = _forkserver().Process(target=_run, args=args, daemon=True)
            self._process.start()
            self.output = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")

    @property
    def pid(self) -> int:
        """Its number among the processes."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit status, or minus the signal that ended it; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The same once it has ended; raises TimeoutExpired."""
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired("propgauge", timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it without asking."""
        self.send_signal(signal.SIGKILL)


def _run(words: list[str], environment: dict[str, str], folder: str, output: Connection) -> None:
    """Become what `python -m server` with these words would be."""
    for standard in (1, 2):
        os.dup2(output.fileno(), standard)
    output.close()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    measured = coverage.process_startup(force=True)
    try:
        main(words)
    finally:
        if measured is not None:
            measured.stop()
            measured.save()
