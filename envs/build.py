"""From an env to a folder of Parquet files and a manifest: whole or not at all, the same bytes for the same spec."""

from __future__ import annotations

import errno
import hashlib
import importlib.metadata
import json
import multiprocessing
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from .env import Env, SplitFacts
from .errors import EnvError, brief
from .parquet import GROUP_ROWS, to_cells, write_parquet
from .record import Entry

MANIFEST = "manifest.json"
POOL_FROM = 20_000  # below it the gain is seconds, and a script without a main guard still works
_PACKAGES = ("medrft", "numpy", "scipy", "pillow", "pyarrow")

Cells = list[dict[str, Any]]


class FileFacts(BaseModel):
    """One Parquet file: name in the folder, SHA-256, size in bytes, and what it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str
    bytes: int
    facts: SplitFacts


class Manifest(BaseModel):
    """`manifest.json`. No time in it and no path but those that the spec names: the same spec and versions give the
    same text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: str
    spec: dict[str, Any]
    seed: int | None
    versions: dict[str, str]
    splits: dict[str, FileFacts]


def build(env: Env, out_dir: str | Path, splits: Sequence[str] | None = None, workers: int | None = None) -> Manifest:
    """Write `<split>.parquet` for each split, and `manifest.json`, into `out_dir`.

    Everything is written beside `out_dir` and renamed at the end: after an error nothing is left and what stood there
    before still stands. An earlier build is replaced; a folder with anything else in it is not touched.

    workers: processes that make images; 1 makes them here; None takes this machine's cores from `POOL_FROM` rows on.
    They are spawned, so a script has to call this under `if __name__ == "__main__":`.

    Raises:
        EnvError: for bad data, an unknown split, a folder that is not a build, a full disk, a lost worker.
    """
    out = Path(out_dir)
    chosen = tuple(dict.fromkeys(splits if splits is not None else env.splits))
    if not chosen:
        raise EnvError(f"{env.id}: no split to build; name at least one of {', '.join(env.splits)}.")
    if workers is not None and workers < 1:
        raise EnvError(f"expected workers of 1 or more but got {workers}.")
    facts = {split: env.describe(split) for split in chosen}
    _check_target(out)
    count = sum(each["rows"] for each in facts.values())
    if workers is None:
        workers = min(os.cpu_count() or 1, 8) if count >= POOL_FROM else 1
    temporary: Path | None = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.building-", dir=out.parent))
        temporary.chmod(0o755)  # mkdtemp's 0700 would hide the data from the nodes of a cluster
        manifest = _write_all(env, temporary, facts, workers)
        _put_in_place(temporary, out)
        return manifest
    except OSError as error:
        raise EnvError(_disk_sentence(error, out)) from error
    except BrokenProcessPool:
        raise EnvError(
            'a worker process ended before its work was done; call build under `if __name__ == "__main__":`, or with '
            "workers=1, and check that memory suffices."
        ) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _write_all(env: Env, folder: Path, facts: dict[str, SplitFacts], workers: int) -> Manifest:
    files = {}
    pool = None
    try:
        if workers > 1:
            context = multiprocessing.get_context("spawn")
            pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(env,))
        for split, each in facts.items():
            path = folder / f"{split}.parquet"
            write_parquet(path, _in_pool(pool, env, split, workers) if pool else _here(env, split))
            files[split] = FileFacts(name=path.name, sha256=_sha256(path), bytes=path.stat().st_size, facts=each)
    finally:
        if pool:
            pool.shutdown(wait=True, cancel_futures=True)
    manifest = Manifest(
        env=env.id,
        spec=env.spec.model_dump(mode="json"),
        seed=getattr(env.spec.source, "seed", None),
        versions={name: importlib.metadata.version(name) for name in _PACKAGES},
        splits=files,
    )
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return manifest


def _chunks(env: Env, split: str) -> Iterator[list[Entry]]:
    entries = env.entries(split)
    while chunk := list(islice(entries, GROUP_ROWS)):
        yield chunk


def _here(env: Env, split: str) -> Iterator[Cells]:
    for chunk in _chunks(env, split):
        yield [to_cells(env.id, env.row(entry)) for entry in chunk]


def _in_pool(pool: ProcessPoolExecutor, env: Env, split: str, workers: int) -> Iterator[Cells]:
    """Row groups in order, never more than two a worker under way: memory stays constant."""
    waiting: deque[Future[Cells]] = deque()
    for chunk in _chunks(env, split):
        waiting.append(pool.submit(_make_cells, chunk))
        if len(waiting) >= 2 * workers:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


_worker_env: Env | None = None


def _start_worker(env: Env) -> None:
    global _worker_env
    _worker_env = env


def _make_cells(entries: list[Entry]) -> Cells:
    assert _worker_env is not None, "the pool's initializer has run"
    return [to_cells(_worker_env.id, _worker_env.row(entry)) for entry in entries]


def read_manifest(folder: str | Path) -> Manifest:
    """The manifest of a built folder.

    Raises:
        EnvError: if there is none, or it is not ours.
    """
    path = Path(folder) / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EnvError(f"{path} does not exist; build the env into that folder first.") from None
    except (OSError, ValueError) as error:
        raise EnvError(f"{path} is not the manifest of a build ({brief(error)}); build the env again.") from None


def _check_target(out: Path) -> None:
    """Refuse to replace anything but an earlier build."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir() or out.is_symlink():
        raise EnvError(f"{out} is not a plain folder; choose another output folder.")
    present = {path.name for path in out.iterdir()}
    if not present:
        return
    ours = {MANIFEST}
    if MANIFEST in present:
        ours |= {each.name for each in read_manifest(out).splits.values()}
    if MANIFEST not in present or not present <= ours:
        stray = sorted(present - ours)[0]
        raise EnvError(
            f"{out} holds {stray}, which is not part of an earlier build; choose another output folder or empty it."
        )


def _put_in_place(temporary: Path, out: Path) -> None:
    if not out.exists():
        temporary.rename(out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}.replaced-", dir=out.parent))
    out.rename(old)  # a folder replaces an empty one
    try:
        temporary.rename(out)
    except OSError:
        old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _disk_sentence(error: OSError, out: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk of {out} is full; free some space or choose another output folder; nothing was left behind."
    return f"{out} cannot be written ({error.strerror or error}); check the path and its permissions."
