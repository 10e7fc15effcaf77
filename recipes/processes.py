"""Start a stage's process, watch it, and leave nothing of it behind.

verl starts Ray, and Ray starts a dozen processes in sessions of their own; vLLM adds more. Three things together make
sure that each of them can be found again: this process adopts orphaned descendants (PR_SET_CHILD_SUBREAPER), a child
is told when its parent dies (PR_SET_PDEATHSIG), and all carry a marker in their environment.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from .errors import RunError

MARKER = "MEDRFT_RUN"
GRACE_SECONDS = 10.0
TICK_SECONDS = 0.5
MEMORY_TICK_SECONDS = 3.0

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

# Lines that say nothing of the cause, at the end of nearly every log of Ray or vLLM.
_NOISE = (
    "Traceback",
    "During handling",
    "The above exception",
    "^^^",
    'File "',
    "INFO",
    "WARNING",
    "DeprecationWarning",
)


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _die_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def marked(run: Path) -> list[psutil.Process]:
    """All processes started for this run folder, whoever is their parent now."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARKER) == str(run):
                found.append(process)
    return found


def end_all(run: Path) -> int:
    """End every process of this run: a request first, then no more asking. Returns how many there were."""
    processes = {process.pid: process for process in [*psutil.Process().children(recursive=True), *marked(run)]}
    for process in processes.values():
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(list(processes.values()), timeout=GRACE_SECONDS)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=GRACE_SECONDS)
    return len(processes)


class Memory:
    """Peak of the proportional set size (shared pages counted once) over this process and all that it started."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._next = 0.0

    def sample(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + MEMORY_TICK_SECONDS
        me = psutil.Process()
        total = sum(_pss(process) for process in [me, *me.children(recursive=True)])
        self.peak_bytes = max(self.peak_bytes, total)


def _pss(process: psutil.Process) -> int:
    try:
        with open(f"/proc/{process.pid}/smaps_rollup") as file:
            return 1024 * sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    except (OSError, ValueError):
        with contextlib.suppress(psutil.Error):
            return int(process.memory_info().rss)
        return 0


def tell(log: Path, count: int = 6) -> list[str]:
    """The few lines of a log that say what went wrong: the last ones that look like an error."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 200_000))
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    except OSError:
        return []
    telling = [line for line in lines if ("Error" in line or "error:" in line) and not any(n in line for n in _NOISE)]
    unique = list(dict.fromkeys(telling or lines))
    return [line[:300] for line in unique[-count:]]


def run(
    argv: Sequence[str],
    *,
    folder: Path,
    log: Path,
    what: str,
    env: Mapping[str, str],
    progress: Callable[[], int],
    start_seconds: float,
    step_seconds: float,
    memory: Memory,
    tick: Callable[[], None],
) -> None:
    """Run one process to its end.

    progress: a number that grows with each step; without growth for `start_seconds` (before the first step) or
        `step_seconds` (after it) everything is ended.
    tick: called twice a second, for the display.

    Raises:
        RunError: it hung, or it ended with another exit code than 0. By then nothing of it runs any more.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("ab") as out:
            out.write(f"\n$ {' '.join(argv)}\n".encode())
            out.flush()
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the others in order
                preexec_fn=_die_with_parent,
                # SPT_NOENV: Ray and vLLM rename their processes over the environment, and the marker with it.
                env={**env, MARKER: str(folder), "SPT_NOENV": "1"},
            )
        _watch(child, what, log, progress, start_seconds, step_seconds, memory, tick)
    finally:
        end_all(folder)


def _watch(
    child: subprocess.Popen[bytes],
    what: str,
    log: Path,
    progress: Callable[[], int],
    start_seconds: float,
    step_seconds: float,
    memory: Memory,
    tick: Callable[[], None],
) -> None:
    first = seen = progress()
    since = time.monotonic()
    while (code := child.poll()) is None:
        time.sleep(TICK_SECONDS)
        memory.sample()
        tick()
        now = progress()
        if now != seen:
            seen, since = now, time.monotonic()
        limit = start_seconds if seen == first else step_seconds
        if time.monotonic() - since > limit:
            raise RunError(
                f"{what} made no progress for {limit:.0f} s (a hung weight sync or a dead worker) and was ended. "
                "Run the same command again to go on from the last checkpoint",
                log=str(log),
                lines=tell(log),
            )
    tick()
    if code != 0:
        how = f"was killed by signal {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        raise RunError(
            f"{what} {how}. Run the same command again to go on from the last checkpoint",
            log=str(log),
            lines=tell(log),
        )


@contextlib.contextmanager
def signals_as_interrupts() -> Iterator[None]:
    """SIGTERM and SIGHUP end a run as Ctrl-C does: in order, with everything it started."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
