"""The BentoML store keeps exactly what was registered; a changed, foreign or half-written entry is never served."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bentoml
import pytest
from bentoml._internal.models.model import ModelStore

from facesocial.errors import ModelIntegrityError, ModelNotInstalled
from models import convert
from models.catalogue import Catalogue
from models.library import Library
from models.spec import ModelSpec, Quantisation
from models.store import Store, home

pytestmark = pytest.mark.integration

MakeOnnx = Callable[..., bytes]
MakeSpec = Callable[..., ModelSpec]


@pytest.fixture
def tiny(library: Library) -> ModelSpec:
    return library.store.catalogue.models[0]


def test_the_right_digest_loads(library: Library, tiny: ModelSpec, make_onnx: MakeOnnx) -> None:
    """R34, second case."""
    content = make_onnx()
    digest = hashlib.sha256(content).hexdigest()

    model = library.store.register(tiny, content)

    assert model.tag == f"tiny:{digest[:12]}"
    assert model.sha256 == digest
    assert model.path.name == "model.onnx"
    assert model.read() == content
    assert sorted(path.name for path in model.path.parent.iterdir()) == ["model.onnx", "model.yaml"]
    assert library.store.get(model.tag) == library.store.get("tiny") == library.store.find(tiny) == model
    assert library.installed() == (model,)


def test_h_a_wrong_digest_is_refused(library: Library, tiny: ModelSpec, make_onnx: MakeOnnx) -> None:
    """R34, first case."""
    with pytest.raises(ModelIntegrityError, match="other bytes than the catalogue says of tiny"):
        library.store.register(tiny, make_onnx(2.0))
    assert library.installed() == ()


def test_h_a_file_that_changed_on_disk_is_refused(library: Library, tiny: ModelSpec, make_onnx: MakeOnnx) -> None:
    """R34, third case: also a change that leaves the size as it was."""
    model = library.store.register(tiny, make_onnx())
    model.path.write_bytes(make_onnx(2.0))
    with pytest.raises(ModelIntegrityError, match="changed since it was registered"):
        model.verify()
    with pytest.raises(ModelIntegrityError, match="changed since it was registered"):
        library.store.get(model.tag).read()
    model.path.unlink()
    with pytest.raises(ModelIntegrityError, match="cannot be read"):
        model.read()


def test_registering_again_repairs_a_changed_file(library: Library, tiny: ModelSpec, make_onnx: MakeOnnx) -> None:
    model = library.store.register(tiny, make_onnx())
    model.path.write_bytes(b"damage")
    assert library.store.find(tiny) is None
    assert library.store.register(tiny, make_onnx()).read() == make_onnx()


def test_registering_twice_changes_nothing(library: Library, tiny: ModelSpec, make_onnx: MakeOnnx) -> None:
    model = library.store.register(tiny, make_onnx())
    before = model.path.stat()
    assert library.store.register(tiny, make_onnx()) == model
    assert model.path.stat().st_mtime_ns == before.st_mtime_ns


def test_h_external_data_is_refused_at_registration_and_at_load(
    library: Library, make_onnx: MakeOnnx, make_spec: MakeSpec
) -> None:
    import onnx

    made = onnx.ModelProto.FromString(make_onnx())
    weight = made.graph.initializer[0]
    weight.ClearField("float_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="weights.bin")
    content = made.SerializeToString()
    with pytest.raises(ModelIntegrityError, match="external data"):
        library.store.register(make_spec(content, name="outside"), content)

    model = library.store.register(make_spec(make_onnx(3.0), name="inside"), make_onnx(3.0))
    model.path.write_bytes(content)
    forged = type(model)(model.spec, model.tag, model.path, hashlib.sha256(content).hexdigest())
    with pytest.raises(ModelIntegrityError, match="external data"):
        forged.read()


def test_the_metadata_serve_without_the_catalogue(library: Library, make_onnx: MakeOnnx, make_spec: MakeSpec) -> None:
    content = make_onnx(5.0)
    spec = make_spec(content, name="own", threshold={"value": 0.3, "metric": "m", "data": "d"})
    library.store.register(spec, content)
    assert Store(library.store.folder, library.store.catalogue).get("own").spec == spec


def test_the_catalogue_describes_a_file_better_than_the_day_it_was_pulled(
    library: Library, tiny: ModelSpec, make_onnx: MakeOnnx
) -> None:
    """A new threshold for the same bytes counts at once; for other bytes the registration's own holds."""
    library.store.register(tiny, make_onnx())
    newer = tiny.model_copy(update={"limits": "now known"})
    source = tiny.sources[0].model_copy(update={"sha256": "0" * 64})
    other = tiny.model_copy(update={"limits": "another file", "sources": (source,)})

    assert Store(library.store.folder, Catalogue(models=(newer,))).get("tiny").spec == newer
    assert Store(library.store.folder, Catalogue(models=(other,))).get("tiny").spec == tiny
    assert Store(library.store.folder, Catalogue(models=(other,))).find(other) is None


def test_another_converter_version_is_another_model(
    library: Library, tiny: ModelSpec, make_onnx: MakeOnnx, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted = tiny.model_copy(update={"converter": "mobilefacenet"})
    model = library.store.register(converted, make_onnx(7.0))
    assert library.store.find(converted) == model
    monkeypatch.setattr(convert, "VERSION", convert.VERSION + 1)
    assert library.store.find(converted) is None
    assert library.store.register(converted, make_onnx(7.0)).tag == model.tag
    assert library.store.find(converted) is not None


def test_other_calibration_pictures_make_another_model(library: Library, tiny: ModelSpec, make_onnx: MakeOnnx) -> None:
    """Even where the bytes came out the same."""
    one, two = (tiny.quantised(Quantisation(method="m", calibration=digit * 64, samples=1), "") for digit in ("0", "1"))
    model = library.store.register(one, make_onnx(7.0))
    assert model.spec == one
    assert library.store.find(one) == model
    assert library.store.find(two) is None
    assert library.store.register(two, make_onnx(7.0)).spec == two
    assert library.store.find(one) is None


def test_bentoml_sees_the_models_and_their_metadata(library: Library, tiny: ModelSpec, make_onnx: MakeOnnx) -> None:
    model = library.store.register(tiny, make_onnx())
    entry = bentoml.models.get(model.tag, _model_store=ModelStore(library.store.folder / "models"))
    metadata: Any = entry.info.metadata["facesocial"]
    assert entry.info.labels == {"app": "facesocial", "capability": "detection", "zone": "critical"}
    assert metadata["sha256"] == model.sha256
    assert metadata["sources"] == [tiny.sources[0].sha256]
    assert metadata["licence"] == "MIT"


def test_other_programs_and_half_written_entries_are_no_models(
    library: Library, tiny: ModelSpec, make_onnx: MakeOnnx
) -> None:
    with bentoml.models.create("stranger:1", _model_store=ModelStore(_models(library))):
        pass
    digest = tiny.sources[0].sha256[:12]
    for version in (digest, "cut0off"):
        (_models(library) / "tiny" / version).mkdir(parents=True)
    assert library.installed() == ()
    for tag in ("stranger:1", "absent", "absent:1", "not a tag", "../tiny"):
        with pytest.raises(ModelNotInstalled):
            library.store.get(tag)
    with pytest.raises(ModelIntegrityError, match="damaged"):
        library.store.get(f"tiny:{digest}")

    model = library.store.register(tiny, make_onnx())

    assert library.installed() == (model,)
    assert not (_models(library) / "tiny" / "cut0off").exists()


@pytest.mark.parametrize(("old", "new"), [("sha256: ", "sha256: 0"), ("name: tiny\n    ", "surname: tiny\n    ")])
def test_a_damaged_registration_is_refused_and_can_be_removed(
    library: Library, tiny: ModelSpec, make_onnx: MakeOnnx, old: str, new: str
) -> None:
    model = library.store.register(tiny, make_onnx())
    record = model.path.with_name("model.yaml")
    record.write_text(record.read_text().replace("    sha256: ", "    sha256: 0").replace(old, new))
    with pytest.raises(ModelIntegrityError, match="damaged"):
        library.store.get(model.tag)
    assert library.remove(model.tag) == model.tag
    assert library.installed() == ()


def test_creating_a_model_calls_nobody(tmp_path: Path, make_onnx: MakeOnnx) -> None:
    """BentoML reports each saved model to its makers; a fresh process of ours must not open one connection."""
    program = (
        "import socket, sys\n"
        "def refuse(*a): sys.exit('a connection was opened')\n"
        "socket.socket.connect = refuse\n"
        "from pathlib import Path\n"
        "from models.catalogue import load_catalogue\n"
        "from models.store import Store\n"
        "import hashlib, time\n"
        "content = Path(sys.argv[1]).read_bytes()\n"
        "spec = load_catalogue().spec('minifasnet_fused')\n"
        "print(Store(Path(sys.argv[2])).register(spec, content).tag)\n"
    )
    (tmp_path / "m").write_bytes(make_onnx())
    environment = {key: value for key, value in os.environ.items() if key != "BENTOML_DO_NOT_TRACK"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "m"), str(tmp_path / "home")],
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(convert.__file__).parents[2],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("minifasnet_fused:")


def test_home_is_bentomls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BENTOML_HOME", "$PLACE/b")
    monkeypatch.setenv("PLACE", str(tmp_path))
    assert home() == tmp_path / "b"
    monkeypatch.delenv("BENTOML_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home() == tmp_path / "bentoml"


def _models(library: Library) -> Path:
    folder = library.store.folder / "models"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_who_reads_while_a_model_is_registered_finds_no_half_of_it(
    library: Library, tiny: ModelSpec, make_onnx: MakeOnnx, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BentoML copies file by file: `model.yaml` is there before it is written."""
    seen: list[int] = []

    def copied(source: str, target: str, **_: Any) -> str:
        content = Path(source).read_bytes()
        for end in (0, len(content) // 2, len(content)):
            Path(target).write_bytes(content[:end])
            seen.append(len(library.store.installed()))
        return target

    monkeypatch.setattr(shutil, "copyfile", copied)
    model = library.store.register(tiny, make_onnx())
    assert seen == [0] * 6, "a model and its description"
    assert library.store.installed() == (model,)
    assert library.store.get("tiny") == model
    assert not list((library.store.folder / "facesocial").glob("register-*"))
