"""Nothing is written per request (check S7): the service on a file system where only one tmpfs can be written.

That tmpfs is looked at before and after, and watched meanwhile, for a file that Starlette spools a large body into has
no name and is gone with the request. The kernel, too, is told to refuse the processes every byte.
"""

from __future__ import annotations

import base64
import ctypes
import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from cli.process import Service
from cli.serve import command
from tests.bentos.processes import workers, written
from tests.pictures import noise

pytestmark = pytest.mark.integration

SCRIPT = """
set -e
mount -t tmpfs -o mode=0700 tmpfs "$0"
mkdir "$0/tmp"
cut -d' ' -f5 /proc/self/mountinfo | while read -r place; do
  [ "$place" = "$0" ] || mount -o remount,bind,ro "$place" 2> /dev/null || [ ! -w "$place" ]
done
if touch /var/tmp/written 2> /dev/null; then echo "still writable" >&2; exit 1; fi
exec env -u COVERAGE_PROCESS_START -u COVERAGE_PROCESS_CONFIG "$@"
"""
"""`$0` becomes the only place that can be written; `$@` is the program. Coverage would write its own files."""

ISOLATED = ("unshare", "--mount", "--map-root-user", "sh", "-ec", SCRIPT)

METRICS = "prometheus_multiproc_dir"
"""BentoML's counters, which processes share through memory-mapped files; they hold numbers by route and status."""

LARGE = noise("PNG", 1600, 1200)
"""5.8 MB; Starlette spools from 1 MiB on."""

IN_CHANGES = 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800
"""inotify(7): modified, attributes, closed after writing, moved, created, deleted."""


@pytest.fixture(scope="module")
def confined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Path]]:
    """A service with the starter models, and its tmpfs as it can be seen from here."""
    place = tmp_path_factory.mktemp("tmpfs")
    tried = subprocess.run([*ISOLATED, str(place), "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no mount namespace can be had here: {tried.stderr.strip()}")
    variables = {"TMPDIR": str(place / "tmp"), "BENTOML_HOME": str(place / "home"), "PYTHONDONTWRITEBYTECODE": "1"}
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cli.process.command", lambda *of: [*ISOLATED, str(place), *command(*of)])
            service = stack.enter_context(Service.start(variables))
        yield service, Path(f"/proc/{service.pid}/root", *place.parts[1:])


def found(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Everything in it but the metrics: path → inode, size, time of change (ns)."""
    places = (path for path in folder.rglob("*") if METRICS not in path.parts)
    return {str(path): ((of := path.lstat()).st_ino, of.st_size, of.st_mtime_ns) for path in places}


@contextmanager
def watched(folder: Path) -> Iterator[list[str]]:
    """What happens in it meanwhile, but to the metrics: the kernel's words, when the block is over."""
    libc, seen = ctypes.CDLL(None, use_errno=True), list[str]()
    descriptor = libc.inotify_init1(os.O_NONBLOCK)
    assert descriptor >= 0
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        if METRICS not in path.parts:
            assert libc.inotify_add_watch(descriptor, os.fsencode(path), IN_CHANGES) >= 0
    try:
        yield seen
        if select.select([descriptor], [], [], 0)[0]:
            seen.append(repr(os.read(descriptor, 1 << 16).replace(b"\0", b"")))
    finally:
        os.close(descriptor)


def ask(client: httpx.Client) -> None:
    """Multipart, raw and base64, small and large, good and bad, and what does not exist."""
    for content, kind, status in (
        (LARGE, "image/png", 200),
        (noise(), "image/jpeg", 200),
        (LARGE[:2_000_000], "image/png", 422),
        (bytes(3_000_000), "image/png", 415),
    ):
        for response in (
            client.post("/v1/detect", files={"image": ("anna.jpg", content, kind)}),
            client.post("/v1/detect", content=content, headers={"Content-Type": kind}),
            client.post("/v1/detect", json={"image": base64.b64encode(content).decode()}),
        ):
            assert response.status_code == status, response.text
    client.post("/v1/analyze", files={"image": ("anna.png", LARGE)}, data={"tasks": "embed"}).raise_for_status()
    pair = {f"image_{name}": (f"{name}.png", LARGE) for name in "ab"}
    assert client.post("/v1/verify", files=pair).status_code in (200, 422)
    assert client.post("/nothing", files={"image": ("anna.png", LARGE)}).status_code == 404
    assert client.get("/v1/models").status_code == 200


def test_no_request_writes(confined: tuple[Service, Path]) -> None:
    """The tmpfs is the same after as before, and nothing happened in it; nor was any byte kept elsewhere."""
    service, folder = confined
    with httpx.Client(base_url=service.url, timeout=60) as client:
        client.post("/v1/detect", files={"image": ("anna.jpg", noise())}).raise_for_status()  # makes the metrics' files
        before = found(folder)
        assert any("starter_detector" in path for path in before), "this is not where the service lives"
        for worker in workers(service).values():
            worker.rlimit(psutil.RLIMIT_FSIZE, (0, 0))  # the metrics' files have their size from the start
        with watched(folder) as happened:
            ask(client)
            assert client.get("/v1/models", headers={"X-Request-Id": "the-last-line"}).status_code == 200
        assert happened == []
        assert found(folder) == before
    written(service, "the-last-line")
