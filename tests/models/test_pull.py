"""Pulling: the licence first, then only what is missing; what fails is named and keeps nothing else back."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from facesocial.errors import DownloadError, LicenceNotAccepted, ModelError, ModelIntegrityError, UnknownModel
from models.catalogue import Catalogue, load_catalogue
from models.download import Downloader, Progress
from models.library import Library
from models.mirror import Mirror
from models.pull import Installer, select
from models.spec import ModelSpec
from models.store import Store

pytestmark = pytest.mark.integration

MakeOnnx = Callable[..., bytes]
MakeSpec = Callable[..., ModelSpec]


class Web:
    """Serves `files` by url, and counts."""

    def __init__(self, **files: bytes) -> None:
        self.files = {f"https://models.example/{name}.onnx": content for name, content in files.items()}
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        content = self.files.get(str(request.url))
        return httpx.Response(404) if content is None else httpx.Response(200, stream=httpx.ByteStream(content))

    def installer(self, library: Library) -> Installer:
        cache = library.store.folder / "facesocial" / "downloads"
        return Installer(library, Downloader(cache, None, transport=httpx.MockTransport(self)))


def test_a_model_is_pulled_registered_and_activated_once(library: Library, make_onnx: MakeOnnx) -> None:
    web = Web(tiny=make_onnx())
    specs = select(library.store.catalogue, [])

    (first,) = web.installer(library).pull(specs)
    (second,) = web.installer(library).pull(specs)

    assert (first.fresh, first.activated) == (True, True)
    assert (second.fresh, second.activated) == (False, False)
    assert first.model == second.model
    assert first.model.read() == make_onnx()
    assert library.aliases.resolve("face-detection") == first.model.tag
    assert len(web.asked) == 1
    assert not (library.store.folder / "facesocial" / "downloads").exists()


def test_pulling_what_is_installed_reads_no_model(library: Library, make_onnx: MakeOnnx) -> None:
    specs = select(library.store.catalogue, [])
    (pulled,) = Web(tiny=make_onnx()).installer(library).pull(specs)
    pulled.model.path.write_bytes(b"x" * len(make_onnx()))  # a hash would tell, the size does not
    (again,) = Web().installer(library).pull(specs)
    assert not again.fresh
    with pytest.raises(ModelIntegrityError):
        again.model.verify()


def test_weights_that_are_not_free_need_acceptance(tmp_path: Path, make_onnx: MakeOnnx, make_spec: MakeSpec) -> None:
    closed = {"name": "research only", "commercial": False, "note": "says its author"}
    specs = [
        make_spec(make_onnx(), licence=closed),
        make_spec(make_onnx(2.0), name="other", licence=closed),
        make_spec(make_onnx(3.0), name="free"),
    ]
    library, web = Library(Store(tmp_path, Catalogue(models=tuple(specs)))), Web(tiny=make_onnx())
    with pytest.raises(LicenceNotAccepted) as error:
        web.installer(library).pull(specs)
    assert "tiny: research only. says its author" in str(error.value)
    assert "other: research only" in str(error.value)
    assert "free" not in str(error.value).split("\n", 1)[1]
    assert web.asked == []

    web.installer(library).pull(specs[:1], accept_licence=True)
    web.installer(library).pull(specs[:1])  # accepted when it was installed


def test_activate_switches_and_a_plain_pull_does_not(tmp_path: Path, make_onnx: MakeOnnx, make_spec: MakeSpec) -> None:
    one = make_spec(make_onnx())
    source = {"urls": ["https://models.example/two.onnx"], "sha256": make_spec(make_onnx(2.0)).sources[0].sha256}
    two = make_spec(make_onnx(2.0), name="two", sources=[source])
    library = Library(Store(tmp_path, Catalogue(models=(one, two))))
    installer = Web(tiny=make_onnx(), two=make_onnx(2.0)).installer(library)

    assert [pulled.activated for pulled in installer.pull([one, two])] == [True, False]
    assert [pulled.activated for pulled in installer.pull([two], activate=True)] == [True]
    assert [pulled.activated for pulled in installer.pull([two], activate=True)] == [False]
    with pytest.raises(ModelError, match="one model at a time can be activated for face-detection"):
        installer.pull([one, two], activate=True)


def test_one_failure_keeps_nothing_else_back(tmp_path: Path, make_onnx: MakeOnnx, make_spec: MakeSpec) -> None:
    lost = [{"urls": [f"https://models.example/lost{n}.onnx"], "sha256": str(n) * 64} for n in (1, 2)]
    absent = make_spec(b"", name="absent", sources=lost, converter="minifasnet_fused")
    good = make_spec(make_onnx())
    library = Library(Store(tmp_path, Catalogue(models=(absent, good))))
    with pytest.raises(DownloadError) as error:
        Web(tiny=make_onnx()).installer(library).pull([absent, good])
    for told in ("absent cannot", "lost1.onnx", "lost2.onnx: HTTP 404", "FACESOCIAL_MODEL_MIRROR"):
        assert told in str(error.value)
    assert [model.spec.name for model in library.installed()] == ["tiny"]
    assert library.aliases.resolve("face-detection") is not None


def test_failures_of_different_kinds_are_told_together(
    tmp_path: Path, make_onnx: MakeOnnx, make_spec: MakeSpec
) -> None:
    absent = make_spec(b"", name="absent", sources=[{"urls": ["https://models.example/a.onnx"], "sha256": "1" * 64}])
    wrong = make_spec(make_onnx(9.0), name="wrong")
    library = Library(Store(tmp_path, Catalogue(models=(absent, wrong))))
    with pytest.raises(ModelError, match=r"(?s)absent cannot be installed.*wrong cannot be installed.*other bytes"):
        Web(tiny=b"x" * len(make_onnx())).installer(library).pull([absent, wrong])


def test_two_pulls_at_once_fetch_once(library: Library, make_onnx: MakeOnnx) -> None:
    web, specs = Web(tiny=make_onnx()), select(library.store.catalogue, [])
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: web.installer(library).pull(specs), range(2)))
    assert done[0][0].model == done[1][0].model
    assert len(web.asked) == 1


def test_names_packs_and_everything_are_selected_once_each() -> None:
    catalogue = load_catalogue()
    assert select(catalogue, []) == catalogue.pack("permissive")
    assert [spec.name for spec in select(catalogue, ["scrfd_500m", "buffalo_sc"])] == ["scrfd_500m", "w600k_mbf"]
    assert select(catalogue, ["all"]) == catalogue.models
    with pytest.raises(UnknownModel, match="no_such"):
        select(catalogue, ["permissive", "no_such"])


def test_a_local_copy_is_imported(library: Library, tmp_path: Path, make_onnx: MakeOnnx) -> None:
    (path := tmp_path / "any name").write_bytes(make_onnx())
    pulled = Web().installer(library).add(library.store.catalogue.models[0], [path])
    assert pulled.activated
    assert pulled.model.read() == make_onnx()


def test_an_import_takes_only_plain_files_with_the_right_digest(
    library: Library, tmp_path: Path, make_onnx: MakeOnnx
) -> None:
    spec, installer = library.store.catalogue.models[0], Web().installer(library)
    wrong, right, link = (tmp_path / name for name in ("wrong", "right", "link"))
    wrong.write_bytes(make_onnx(2.0))
    right.write_bytes(make_onnx())
    link.symlink_to(right)
    for files, reason in (
        ([wrong], "not a file of tiny"),
        ([], "also needs"),
        ([link], "link"),
        ([right, wrong], "not a"),
    ):
        with pytest.raises(ModelIntegrityError, match=reason):
            installer.add(spec, files)
    os.link(right, tmp_path / "hard")
    with pytest.raises(ModelIntegrityError, match="link"):
        installer.add(spec, [right])
    assert library.installed() == ()


def test_the_licence_holds_for_imports_too(library: Library, tmp_path: Path, make_onnx: MakeOnnx) -> None:
    free = library.store.catalogue.models[0]
    closed = free.model_copy(update={"licence": free.licence.model_copy(update={"commercial": False})})
    (tmp_path / "m").write_bytes(make_onnx())
    with pytest.raises(LicenceNotAccepted):
        Web().installer(library).add(closed, [tmp_path / "m"])
    assert Web().installer(library).add(closed, [tmp_path / "m"], accept_licence=True).fresh


@pytest.fixture
def pack(tmp_path: Path, make_onnx: MakeOnnx, make_spec: MakeSpec) -> tuple[Path, Catalogue]:
    """A zip with two models under strange names and a readme, and a catalogue that knows three models and the zip."""
    path = tmp_path / "pack.zip"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("x/one", make_onnx(1.0))
        bundle.writestr("../two.bin", make_onnx(2.0))
        bundle.writestr("x/readme.txt", "hello")
    archive = {
        "urls": ["https://models.example/pack.onnx"],
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    closed = {"name": "research only", "commercial": False, "note": "says its author"}
    specs = []
    for value, (name, member) in enumerate((("one", "one"), ("two", "two.bin"), ("three", "three")), 1):
        content = make_onnx(float(value))
        source = {"sha256": hashlib.sha256(content).hexdigest(), "archive": archive | {"member": member}}
        specs.append(make_spec(content, name=name, licence=closed, sources=[source]))
    return path, Catalogue(models=tuple(specs))


def test_a_pack_is_imported_as_a_whole(pack: tuple[Path, Catalogue], tmp_path: Path, make_onnx: MakeOnnx) -> None:
    """Members are told by digest; the licence is asked once, before anything is installed; again costs nothing."""
    path, catalogue = pack
    library = Library(Store(tmp_path / "bentoml", catalogue))
    installer = Web().installer(library)
    with pytest.raises(LicenceNotAccepted, match=r"(?s)one: research only.*two: research only"):
        installer.add_pack(path)
    assert library.installed() == ()

    unpacked = installer.add_pack(path, accept_licence=True)

    assert [(one.model.spec.name, one.fresh, one.activated) for one in unpacked.pulled] == [
        ("one", True, True),
        ("two", True, False),
    ]
    assert [one.model.read() for one in unpacked.pulled] == [make_onnx(1.0), make_onnx(2.0)]
    assert unpacked.skipped == ("readme.txt",)
    assert unpacked.known
    assert [one.fresh for one in installer.add_pack(path, accept_licence=True).pulled] == [False, False]
    assert sorted(entry.name for entry in (tmp_path / "bentoml" / "facesocial").iterdir() if entry.is_dir()) == []


def test_a_zip_that_is_not_the_catalogues_gives_what_is_known_or_nothing(
    pack: tuple[Path, Catalogue], tmp_path: Path, make_onnx: MakeOnnx
) -> None:
    library = Library(Store(tmp_path / "bentoml", pack[1]))
    installer, other = Web().installer(library), tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as bundle:
        bundle.writestr("wrong.onnx", make_onnx(9.0))
    with pytest.raises(ModelIntegrityError, match=r"other\.zip holds no model of the catalogue: wrong\.onnx"):
        installer.add_pack(other, accept_licence=True)
    with zipfile.ZipFile(other, "a") as bundle:
        bundle.writestr("right.onnx", make_onnx(3.0))
    unpacked = installer.add_pack(other, accept_licence=True)
    assert [one.model.spec.name for one in unpacked.pulled] == ["three"]
    assert (unpacked.skipped, unpacked.known) == (("wrong.onnx",), False)
    (tmp_path / "link").symlink_to(other)
    with pytest.raises(ModelIntegrityError, match="link"):
        installer.add_pack(tmp_path / "link", accept_licence=True)


def test_a_pack_is_downloaded_once_for_all_its_models(pack: tuple[Path, Catalogue], tmp_path: Path) -> None:
    path, catalogue = pack
    web = Web(pack=path.read_bytes())
    pulled = web.installer(Library(Store(tmp_path / "bentoml", catalogue))).pull(
        catalogue.models[:2], accept_licence=True
    )
    assert [one.model.spec.name for one in pulled] == ["one", "two"]
    assert web.asked == ["https://models.example/pack.onnx"]


class Recorder:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.steps: list[str] = []

    def file(self, label: str, /) -> Progress:
        self.files.append(label)
        return lambda done, total: None

    def step(self, text: str, /) -> None:
        self.steps.append(text)


def test_every_original_that_is_onnx_or_a_task_installs_from_the_mirror(mirror: Path, tmp_path: Path) -> None:
    """Real weights: whatever the mirror holds and needs no conversion."""
    specs = [
        spec
        for spec in load_catalogue().models
        if spec.converter is None
        and any((mirror / url.removeprefix("https://")).exists() for url in spec.sources[0].urls)
    ]
    library = Library(Store(tmp_path))
    report = Recorder()
    installer = Installer(library, Downloader(tmp_path / "cache", Mirror(mirror)), report)

    pulled = installer.pull(specs, accept_licence=True)

    assert len(pulled) == len(specs) > 10
    assert len(report.files) == len(specs)
    for one in pulled:
        one.model.verify()
    assert library.aliases.resolve("face-mesh") == "face_landmarker:64184e229b26"


def test_an_original_that_is_not_onnx_is_converted(mirror: Path, tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    library, report = Library(Store(tmp_path)), Recorder()
    installer = Installer(library, Downloader(tmp_path / "cache", Mirror(mirror)), report)
    (pulled,) = installer.pull([load_catalogue().spec("mesoinception_df")])
    assert report.steps == ["converting mesoinception_df"]
    assert pulled.model.path.name == "model.onnx"
    pulled.model.verify()
    assert not (tmp_path / "facesocial" / "downloads").exists()
