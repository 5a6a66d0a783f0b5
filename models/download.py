"""Brings one file of a model here: several urls, resume, a mirror, and nothing kept with another digest than expected.

    url, or its place in the mirror → <sha256>.part → size bound and sha256 while it streams → <sha256>

A part outlives a broken connection and the process; the next call continues it with a Range request, from whichever
url comes next, since all of them must give the same bytes. A part whose digest is wrong is dropped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx

from facesocial.errors import DownloadError, ModelIntegrityError
from models import archive
from models.mirror import VARIABLE, Mirror
from models.spec import Archive, Source
from models.starter import packaged_file

Progress = Callable[[int, int | None], None]
"""Called with bytes done and bytes in all (None: not known)."""

CHUNK: Final = 1 << 18
MAX_BYTES: Final = 1 << 30
MAX_REDIRECTS: Final = 5
MAX_ATTEMPTS: Final = 5
TIMEOUT: Final = httpx.Timeout(30, connect=10)
HINT: Final = (
    f"connect this machine to the internet (without {VARIABLE}), "
    f"or set {VARIABLE} to a directory or url that holds <host>/<path>"
)


class _SourceError(Exception):
    """This url does not give the file; the reason is for the user."""


class _DigestError(_SourceError):
    """This url gives other bytes."""


def silent(done: int, total: int | None) -> None:
    """Reports to nobody."""


class Downloader:
    """Fetches sources into `folder`, one at a time.

    Args:
        folder: cache and place of the parts; made if missing.
        mirror: replaces every host. With it, nothing else is contacted, not by a redirect either.
        max_bytes: bound for files whose publisher states no size.
        transport: how http is spoken; None: the network.
    """

    def __init__(
        self,
        folder: Path,
        mirror: Mirror | None,
        *,
        max_bytes: int = MAX_BYTES,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._folder = folder
        self._mirror = mirror
        self._max_bytes = max_bytes
        self._transport = transport
        self._silent: dict[str, str] = {}

    def fetch(self, source: Source, progress: Progress = silent) -> Path:
        """The path of a file with exactly the source's bytes, from its urls or else from its archive.

        Raises:
            DownloadError: no place gave the file; the message names each and why.
            ModelIntegrityError: a place answered, with other bytes than the catalogue says, and no other had them.
        """
        if source.packaged:
            file = _packaged(source.packaged, source.sha256)
            progress(_size(file), _size(file))
            return file
        try:
            return self._download(source, progress)
        except (DownloadError, ModelIntegrityError) as direct:
            if source.archive is None:
                raise
            try:
                return self._unpack(source, source.archive, progress)
            except (DownloadError, ModelIntegrityError) as packed:
                kind = type(direct) if isinstance(direct, ModelIntegrityError) else type(packed)
                raise kind(f"{direct}\n{packed}" if source.urls else str(packed)) from packed

    def _unpack(self, source: Source, pack: Archive, progress: Progress) -> Path:
        target = self._folder / source.sha256
        archive.extract(self._download(pack, progress), pack.member, target, source.bytes or self._max_bytes)
        if _digest(target) != source.sha256:
            target.unlink()
            raise ModelIntegrityError(f"{pack.member} in the zip has other bytes than the catalogue says")
        return target

    def _download(self, source: Source | Archive, progress: Progress) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._folder / source.sha256
        if target.exists() and _digest(target) == source.sha256:
            return target
        reasons: list[str] = []
        kind: type[DownloadError | ModelIntegrityError] = DownloadError
        for url in source.urls:
            try:
                self._get(url, source, target, progress)
            except _DigestError as error:
                kind = ModelIntegrityError
                reasons.append(f"{url}: {error}")
            except _SourceError as error:
                reasons.append(f"{url}: {error}")
            except OSError as error:
                raise DownloadError(f"the download cannot be written: {error.strerror}") from error
            else:
                return target
        raise kind("\n".join(reasons) or "the catalogue names no url for this file; import it from a local copy")

    def _get(self, url: str, source: Source | Archive, target: Path, progress: Progress) -> None:
        """Leaves the whole file at `target`. A part that somebody else's bytes spoiled costs one fresh start."""
        part = target.with_name(target.name + ".part")
        resumed = part.exists()
        self._complete(url, source, part, progress)
        if _digest(part) != source.sha256:
            part.unlink()
            if not resumed:
                raise _DigestError("other bytes than the catalogue says")
            self._get(url, source, target, progress)
            return
        part.replace(target)

    def _complete(self, url: str, source: Source | Archive, part: Path, progress: Progress) -> None:
        limit = source.bytes or self._max_bytes
        place = self._mirror.locate(url) if self._mirror else url
        if isinstance(place, Path):
            _copy(place, part, limit, progress)
            return
        host = httpx.URL(place).host
        if host in self._silent:
            raise _SourceError(self._silent[host])
        for attempt in range(1, MAX_ATTEMPTS + 1):
            before = _size(part)
            if before == source.bytes:
                return
            try:
                self._stream(place, part, limit, source.bytes, progress)
            except httpx.HTTPError as error:
                if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
                    self._silent[host] = _reason(error)  # its other files need not wait for it again
                if attempt == MAX_ATTEMPTS or _size(part) == before:  # no progress: another try would be the same
                    raise _SourceError(_reason(error)) from error
            else:
                return

    def _stream(self, url: str, part: Path, limit: int, stated: int | None, progress: Progress) -> None:
        have = _size(part)
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with httpx.Client(transport=self._transport, timeout=TIMEOUT, headers=headers) as client:
            response = self._open(client, url)
            try:
                if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and have:
                    return  # nothing beyond what we have: the digest decides
                if not response.is_success:
                    raise _SourceError(f"HTTP {response.status_code}")
                if have and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                    part.unlink()
                length = response.headers.get("Content-Length", "")
                total = _size(part) + int(length) if length.isdecimal() else stated
                _append(part, response.iter_raw(), limit, total, progress)
            finally:
                response.close()

    def _open(self, client: httpx.Client, url: str) -> httpx.Response:
        """The answer behind at most `MAX_REDIRECTS` redirects: https only, and never away from a mirror."""
        request = client.build_request("GET", url)
        origin = request.url
        for _ in range(MAX_REDIRECTS + 1):
            response = client.send(request, stream=True)
            if response.next_request is None:
                return response
            response.close()
            request = response.next_request
            same_place = (request.url.scheme, request.url.netloc) == (origin.scheme, origin.netloc)
            if not same_place and (self._mirror or request.url.scheme != "https"):
                raise _SourceError(f"redirects to {request.url.scheme}://{request.url.host}, which is refused")
        raise _SourceError(f"more than {MAX_REDIRECTS} redirects")


def _packaged(name: str, sha256: str) -> Path:
    file = packaged_file(name)
    if not file.is_file():
        raise DownloadError("this installation lacks the file: install FaceSocial again")
    if _digest(file) != sha256:
        raise ModelIntegrityError("this installation has other bytes than the catalogue says: install FaceSocial again")
    return file


def _copy(place: Path, part: Path, limit: int, progress: Progress) -> None:
    part.unlink(missing_ok=True)
    try:
        file = place.open("rb")
    except OSError as error:
        raise _SourceError(f"in the mirror: {error.strerror}") from error
    with file:
        _append(part, iter(lambda: file.read(CHUNK), b""), limit, place.stat().st_size, progress)


def _append(part: Path, chunks: Iterator[bytes], limit: int, total: int | None, progress: Progress) -> None:
    """Adds the chunks to the part and reports after each; a file over `limit` bytes is refused and its part dropped."""
    done = _size(part)
    with part.open("ab") as out:
        progress(done, total)
        for chunk in chunks if (total or 0) <= limit else ():
            done += len(chunk)
            if done > limit:
                break
            out.write(chunk)
            progress(done, total)
    if max(done, total or 0) > limit:
        part.unlink()
        raise _SourceError(f"larger than {limit} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: httpx.HTTPError) -> str:
    return "no answer in time" if isinstance(error, httpx.TimeoutException) else str(error) or type(error).__name__
