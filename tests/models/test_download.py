"""A source arrives whole, with the catalogue's digest and within its size, from the hosts or from the mirror alone."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from facesocial.errors import ConfigurationError, DownloadError, ModelIntegrityError
from models.download import Downloader
from models.mirror import Mirror
from models.spec import Source
from tests.models.web import Web

pytestmark = pytest.mark.unit

CONTENT = bytes(range(256)) * 4096  # 1 MiB
URL = "https://one.example/files/tiny.onnx"
OTHER = "https://two.example/files/tiny.onnx"


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def fetcher(web: Web, tmp_path: Path) -> Downloader:
    return Downloader(tmp_path / "cache", Mirror(web.url), max_bytes=2 * len(CONTENT))


def source(*urls: str, size: int | None = len(CONTENT), content: bytes = CONTENT, **fields: Any) -> Source:
    return Source(urls=urls or (URL,), sha256=hashlib.sha256(content).hexdigest(), bytes=size, **fields)


def part(tmp_path: Path) -> Path:
    return tmp_path / "cache" / f"{source().sha256}.part"


def refuse_network(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request.url} was contacted")


def test_a_file_arrives_and_its_progress_is_told(web: Web, fetcher: Downloader) -> None:
    web.files["/one.example/files/tiny.onnx"] = CONTENT
    told: list[tuple[int, int | None]] = []

    path = fetcher.fetch(source(), lambda done, total: told.append((done, total)))

    assert path.read_bytes() == CONTENT
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert told == sorted(told)


def test_a_file_that_is_here_is_not_fetched_again_unless_it_changed(web: Web, fetcher: Downloader) -> None:
    web.files["/one.example/files/tiny.onnx"] = CONTENT
    path = fetcher.fetch(source())
    fetcher.fetch(source())
    assert len(web.asked) == 1
    path.write_bytes(b"changed")
    assert fetcher.fetch(source()).read_bytes() == CONTENT


def test_the_next_url_is_tried_when_one_fails(web: Web, fetcher: Downloader) -> None:
    web.files["/two.example/files/tiny.onnx"] = CONTENT
    assert fetcher.fetch(source(URL, OTHER)).read_bytes() == CONTENT
    assert [path for path, _ in web.asked] == ["/one.example/files/tiny.onnx", "/two.example/files/tiny.onnx"]


def test_the_next_url_is_tried_when_one_gives_other_bytes(web: Web, fetcher: Downloader) -> None:
    web.files |= {"/one.example/files/tiny.onnx": b"<html>", "/two.example/files/tiny.onnx": CONTENT}
    assert fetcher.fetch(source(URL, OTHER)).read_bytes() == CONTENT


def test_every_url_and_its_reason_is_named_when_all_fail(web: Web, fetcher: Downloader) -> None:
    with pytest.raises(DownloadError) as error:
        fetcher.fetch(source(URL, OTHER))
    assert str(error.value).splitlines() == [f"{URL}: HTTP 404", f"{OTHER}: HTTP 404"]


def test_wrong_bytes_are_an_integrity_error_and_nothing_is_kept(web: Web, fetcher: Downloader, tmp_path: Path) -> None:
    web.files["/one.example/files/tiny.onnx"] = CONTENT[:-1] + b"!"
    with pytest.raises(ModelIntegrityError, match="other bytes"):
        fetcher.fetch(source())
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_broken_connection_is_continued_where_it_broke(web: Web, fetcher: Downloader) -> None:
    web.files["/one.example/files/tiny.onnx"] = CONTENT
    web.cut_after = 300_000
    assert fetcher.fetch(source()).read_bytes() == CONTENT
    assert [wanted for _, wanted in web.asked] == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"]


def test_a_part_of_an_earlier_process_is_continued(web: Web, fetcher: Downloader, tmp_path: Path) -> None:
    web.files["/one.example/files/tiny.onnx"] = CONTENT
    part(tmp_path).parent.mkdir()
    part(tmp_path).write_bytes(CONTENT[:1000])
    assert fetcher.fetch(source()).read_bytes() == CONTENT
    assert [wanted for _, wanted in web.asked] == ["bytes=1000-"]


@pytest.mark.parametrize("size", [len(CONTENT), None], ids=["size known", "size unknown"])
def test_a_part_that_is_already_whole_is_taken(web: Web, fetcher: Downloader, tmp_path: Path, size: int | None) -> None:
    web.files["/one.example/files/tiny.onnx"] = CONTENT
    part(tmp_path).parent.mkdir()
    part(tmp_path).write_bytes(CONTENT)
    assert fetcher.fetch(source(size=size)).read_bytes() == CONTENT


@pytest.mark.parametrize("spoiled", [b"x" * 1000, b"x" * (2 * len(CONTENT))], ids=["short", "too long"])
def test_a_spoiled_part_costs_one_fresh_start(web: Web, fetcher: Downloader, tmp_path: Path, spoiled: bytes) -> None:
    web.files["/one.example/files/tiny.onnx"] = CONTENT
    part(tmp_path).parent.mkdir()
    part(tmp_path).write_bytes(spoiled)
    assert fetcher.fetch(source()).read_bytes() == CONTENT
    assert web.asked[-1] == ("/one.example/files/tiny.onnx", None)


def test_a_server_without_ranges_starts_over(web: Web, fetcher: Downloader, tmp_path: Path) -> None:
    web.files["/one.example/files/tiny.onnx"] = CONTENT
    web.ranges = False
    part(tmp_path).parent.mkdir()
    part(tmp_path).write_bytes(CONTENT[:1000])
    assert fetcher.fetch(source()).read_bytes() == CONTENT
    assert len(web.asked) == 1


@pytest.mark.parametrize("lengths", [True, False], ids=["declared", "not declared"])
@pytest.mark.parametrize("size", [1000, None], ids=["size known", "size unknown"])
def test_a_file_over_its_size_is_refused_and_not_kept(
    web: Web, tmp_path: Path, lengths: bool, size: int | None
) -> None:
    web.files["/one.example/files/tiny.onnx"] = CONTENT
    web.lengths = lengths
    fetcher = Downloader(tmp_path / "cache", Mirror(web.url), max_bytes=1000)
    with pytest.raises(DownloadError, match="larger than 1000 bytes"):
        fetcher.fetch(source(size=size))
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_mirror_folder_is_all_that_is_read(tmp_path: Path) -> None:
    place = tmp_path / "mirror" / "one.example" / "files" / "tiny.onnx"
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)
    fetcher = Downloader(tmp_path / "cache", Mirror(tmp_path / "mirror"), transport=httpx.MockTransport(refuse_network))
    assert fetcher.fetch(source()).read_bytes() == CONTENT
    with pytest.raises(DownloadError, match="in the mirror: No such file"):
        fetcher.fetch(source(OTHER, content=b"absent", size=6))


def test_a_mirror_folder_bounds_and_checks_too(tmp_path: Path) -> None:
    place = tmp_path / "mirror" / "one.example" / "files" / "tiny.onnx"
    place.parent.mkdir(parents=True)
    fetcher = Downloader(tmp_path / "cache", Mirror(tmp_path / "mirror"))
    place.write_bytes(CONTENT + b"more")
    with pytest.raises(DownloadError, match="larger than"):
        fetcher.fetch(source())
    place.write_bytes(b"x" * len(CONTENT))
    with pytest.raises(ModelIntegrityError, match="other bytes"):
        fetcher.fetch(source())


def test_with_a_mirror_no_other_host_is_contacted(tmp_path: Path) -> None:
    hosts: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(302, headers={"Location": "https://elsewhere.example/tiny.onnx"})

    fetcher = Downloader(tmp_path, Mirror("https://mirror.example/models"), transport=httpx.MockTransport(answer))
    with pytest.raises(DownloadError, match="redirects to https://elsewhere"):
        fetcher.fetch(source(URL, OTHER))
    assert set(hosts) == {"mirror.example"}


def test_a_mirror_may_redirect_within_itself(web: Web, fetcher: Downloader) -> None:
    web.redirects["/one.example/files/tiny.onnx"] = "/store/1"
    web.files["/store/1"] = CONTENT
    assert fetcher.fetch(source()).read_bytes() == CONTENT


def redirecting(*places: str) -> Callable[[httpx.Request], httpx.Response]:
    hops = iter(places)

    def answer(request: httpx.Request) -> httpx.Response:
        place = next(hops, None)
        return (
            httpx.Response(302, headers={"Location": place})
            if place
            else httpx.Response(200, stream=httpx.ByteStream(CONTENT))
        )

    return answer


def test_a_host_may_redirect_to_another_over_https(tmp_path: Path) -> None:
    transport = httpx.MockTransport(redirecting("https://cdn.example/1", "/2"))
    assert Downloader(tmp_path, None, transport=transport).fetch(source()).read_bytes() == CONTENT


@pytest.mark.parametrize("place", ["http://cdn.example/1", "http://one.example/files/tiny.onnx", "file:///etc/passwd"])
def test_a_redirect_away_from_https_is_refused(tmp_path: Path, place: str) -> None:
    fetcher = Downloader(tmp_path, None, transport=httpx.MockTransport(redirecting(place)))
    with pytest.raises(DownloadError):
        fetcher.fetch(source())


def test_a_redirect_loop_ends(tmp_path: Path) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(302, headers={"Location": URL}))
    with pytest.raises(DownloadError, match="more than 5 redirects"):
        Downloader(tmp_path, None, transport=transport).fetch(source())


def test_silence_is_a_reason(tmp_path: Path) -> None:
    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("", request=request)

    with pytest.raises(DownloadError, match="no answer in time"):
        Downloader(tmp_path, None, transport=httpx.MockTransport(silent)).fetch(source())


def test_a_host_that_does_not_answer_is_asked_once(tmp_path: Path) -> None:
    """Its other files do not wait for it again."""
    asked: list[str] = []

    def nobody(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        raise httpx.ConnectTimeout("", request=request)

    fetcher = Downloader(tmp_path, None, transport=httpx.MockTransport(nobody))
    for _ in range(3):
        with pytest.raises(DownloadError, match="no answer in time"):
            fetcher.fetch(source(URL, OTHER))
    assert asked == ["one.example", "two.example"]


def packed(content: bytes = CONTENT) -> tuple[bytes, Source]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("pack/tiny.onnx", content)
    archive = {
        "urls": ["https://two.example/pack.zip"],
        "sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        "member": "tiny.onnx",
    }
    return buffer.getvalue(), source(archive=archive)


def test_the_archive_is_tried_after_the_urls(web: Web, fetcher: Downloader) -> None:
    content, wanted = packed()
    web.files["/two.example/pack.zip"] = content
    assert fetcher.fetch(wanted).read_bytes() == CONTENT
    assert [path for path, _ in web.asked] == ["/one.example/files/tiny.onnx", "/two.example/pack.zip"]


def test_other_bytes_in_the_archive_are_refused(web: Web, fetcher: Downloader, tmp_path: Path) -> None:
    content, wanted = packed(b"x" * len(CONTENT))
    web.files["/two.example/pack.zip"] = content
    with pytest.raises(ModelIntegrityError, match="in the zip has other bytes"):
        fetcher.fetch(wanted)
    assert not (tmp_path / "cache" / wanted.sha256).exists()


def test_without_url_and_archive_an_import_is_proposed(fetcher: Downloader) -> None:
    with pytest.raises(DownloadError, match="import it from a local copy"):
        fetcher.fetch(Source(sha256="0" * 64))


@pytest.mark.parametrize("value", ["/no/such/folder", "ftp://mirror.example", "https://", "http://[::bad"])
def test_a_mirror_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="FACESOCIAL_MODEL_MIRROR"):
        Mirror.from_environment({"FACESOCIAL_MODEL_MIRROR": value})


def test_the_environment_names_a_folder_a_url_or_nothing(tmp_path: Path) -> None:
    assert Mirror.from_environment({}) is None
    assert Mirror.from_environment({"FACESOCIAL_MODEL_MIRROR": str(tmp_path)}) == Mirror(tmp_path)
    mirror = Mirror.from_environment({"FACESOCIAL_MODEL_MIRROR": "https://mirror.example/m/"})
    assert mirror is not None
    assert mirror.locate(URL) == "https://mirror.example/m/one.example/files/tiny.onnx"
