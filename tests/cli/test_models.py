"""`facesocial models …`: tables on stdout, words on stderr, exit code 1 with one message and no traceback."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import yaml
from onnx import TensorProto, helper
from typer.testing import CliRunner, Result

from cli.models import app
from models.catalogue import load_catalogue

pytestmark = pytest.mark.integration

Run = Callable[..., Result]
SCRFD = "scrfd_500m"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in a BentoML home of its own, without starter models, with a mirror that holds nothing as yet."""
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FACESOCIAL_MODEL_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("FACESOCIAL__MODELS__STARTER", "false")

    def invoke(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """A model file and its entry as YAML."""

    def make(name: str, value: float = 1.0, **fields: object) -> tuple[Path, Path]:
        weight = helper.make_tensor("w", TensorProto.FLOAT, [1], [value])
        ports = [helper.make_tensor_value_info(port, TensorProto.FLOAT, [1]) for port in ("x", "y")]
        node = helper.make_node("Add", ["x", "w"], ["y"])
        made: onnx.ModelProto = helper.make_model(helper.make_graph([node], "g", ports[:1], ports[1:], [weight]))
        file, spec = tmp_path / f"{name}.onnx", tmp_path / f"{name}.yaml"
        file.write_bytes(made.SerializeToString())
        entry = load_catalogue().spec("yunet_n_dynamic").model_dump(mode="json") | {"name": name, "packs": []}
        entry["sources"] = [{"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}]
        spec.write_text(yaml.safe_dump(entry | fields))
        return file, spec

    return make


def test_the_life_of_two_models(run: Run, own: Callable[..., tuple[Path, Path]]) -> None:
    """Imported, listed, switched, rolled back, removed."""
    one, one_spec = own("one")
    two, two_spec = own("two", 2.0)
    assert "now serves face-detection" in run("import", one, "--spec", one_spec).stdout
    assert "now serves" not in run("import", two, "--spec", two_spec).stdout

    listed = json.loads(run("list", "--json").stdout)
    assert [(row["model"], row["serves"]) for row in listed] == [("one", ["face-detection"]), ("two", [])]

    assert "face-detection serves two:" in run("activate", "face-detection", "two").stdout
    assert "face-detection serves two:" in run("remove", "two", code=1).stderr
    assert "face-detection serves one:" in run("rollback", "face-detection").stdout
    assert "removed two:" in run("remove", "two").stdout
    assert "is not installed" in run("remove", "two", code=1).stderr
    assert [row["model"] for row in json.loads(run("list", "--json").stdout)] == ["one"]


def test_verify_finds_a_changed_file(run: Run, own: Callable[..., tuple[Path, Path]], tmp_path: Path) -> None:
    file, spec = own("one")
    run("import", file, "--spec", spec)
    assert " ok" in run("verify").stdout
    (stored,) = (tmp_path / "home").rglob("model.onnx")
    stored.write_bytes(b"changed")
    result = run("verify", code=1)
    assert "changed since it was registered" in result.stdout
    assert "1 of 1 models are not what was registered" in result.stderr
    assert "changed since it was registered" in run("activate", "face-detection", "one", code=1).stderr


def test_starter_models_are_listed_and_stand_in(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their terms and as what they are; forbidden, the failure is one."""
    assert "cannot be installed" in run("pull", "--or-starters", code=1).stderr
    monkeypatch.setenv("FACESOCIAL__MODELS__STARTER", "true")
    said = run("pull", "--or-starters").stderr
    assert "stand in for detection, recognition, liveness, deepfake, demographics" in said
    assert "research and evaluation; commercial use: no" in said
    assert "yunet_n_dynamic.onnx" in said
    rows = {row["capability"]: row for row in json.loads(run("list", "--json").stdout)}
    assert len(rows) == 5
    assert all(row["serves"] and row["commercial"] is False for row in rows.values())
    assert rows["recognition"]["weights"] == "int8"


def test_what_cannot_be_had_is_named_with_the_way_to_get_it(run: Run) -> None:
    error = run("pull", code=1).stderr
    for spec in load_catalogue().pack("permissive"):
        assert f"{spec.name} cannot be installed" in error
        for source in spec.sources:
            assert source.file_name in error
    assert "FACESOCIAL_MODEL_MIRROR" in error


def test_closed_weights_are_refused_until_accepted(run: Run) -> None:
    error = run("pull", "buffalo_sc", code=1).stderr
    assert "--accept-license" in error
    assert SCRFD in error
    assert "w600k_mbf" in error


def test_unknown_names_are_refused(run: Run) -> None:
    assert "no_such" in run("pull", "no_such", code=1).stderr
    assert "face-nose" in run("activate", "face-nose", "x", code=1).stderr
    assert "served no other model" in run("rollback", "face-mesh", code=1).stderr


def test_list_all_shows_the_whole_catalogue(run: Run) -> None:
    rows = json.loads(run("list", "--all", "--json").stdout)
    assert [row["model"] for row in rows] == [spec.name for spec in load_catalogue().models]
    assert all(row["tag"] is None for row in rows)
    table = run("list", "--all").stdout
    assert all(spec.name in table for spec in load_catalogue().models)


def test_import_wants_one_entry_of_its_own(run: Run, own: Callable[..., tuple[Path, Path]]) -> None:
    file, spec = own("one")
    run("import", file, code=2)
    run("import", file, "--as", SCRFD, "--spec", spec, code=2)
    assert "not a file of" in run("import", file, "--as", "yunet_n_dynamic", code=1).stderr
    file, spec = own(SCRFD)
    assert "already" in run("import", file, "--spec", spec, code=1).stderr
    spec.write_text("name: [")
    assert "cannot be read" in run("import", file, "--spec", spec, code=1).stderr


def test_a_pack_needs_no_name(mirror: Path, run: Run, tmp_path: Path) -> None:
    """A zip as InsightFace packs it, with a file that the catalogue does not know."""
    found = next(mirror.rglob("scrfd_500m.onnx"))
    path = tmp_path / "buffalo_sc.zip"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.write(found, "det_500m.onnx")
        bundle.writestr("1k3d68.onnx", "?")
    assert "--accept-license" in run("import", path, code=1).stderr
    result = run("import", path, "--accept-license")
    assert "scrfd_500m:5e4447f50245" in result.stdout
    assert "now serves face-detection" in result.stdout
    assert "skipped: 1k3d68.onnx" in result.stderr
    assert "no zip that the catalogue names" in result.stderr
    assert "was installed" in run("import", path, "--accept-license").stdout


def test_help_loads_neither_bentoml_nor_httpx() -> None:
    program = "import sys; import cli.models; print({'bentoml', 'httpx', 'numpy'} & sys.modules.keys())"
    root = Path(sys.modules["cli.models"].__file__ or "").parents[1]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "set()"


def test_pull_installs_from_the_mirror(mirror: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESOCIAL_MODEL_MIRROR", str(mirror))
    result = run("pull", SCRFD, "yunet_n_dynamic", "--accept-license")
    assert "installed" in result.stdout
    assert "scrfd_500m.onnx" in result.stderr  # its progress bar
    again = run("pull", SCRFD, "yunet_n_dynamic")
    assert again.stdout.count("was installed") == 2
    assert "scrfd_500m.onnx" not in again.stderr
    run("verify")
