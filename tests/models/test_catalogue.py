"""The catalogue is complete, unique, and says what the published facts say."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

import models
from facesocial.capabilities import Capability
from facesocial.errors import ConfigurationError, UnknownModel
from models.catalogue import Catalogue, load_catalogue, read_spec
from models.convert import CONVERTERS
from models.spec import STARTER, ModelSpec, Quantisation, Source

pytestmark = pytest.mark.unit

RENAMED = {"version-rfb-320": "ultraface_rfb_320", "mobilefacenet_foamliu_dyn": "mobilefacenet_foamliu"}
ARCHITECTURES = {
    "detection": {
        "starter",
        "yunet",
        "scrfd",
        "yolov8_face",
        "yolov5_face",
        "yolov10_face",
        "yolov8_plain",
        "ultraface",
        "retinaface",
    },
    "recognition": {"arcface", "sface", "adaface"},
    "liveness": {"starter", "minifasnet", "hairymax"},
    "deepfake": {"starter", "mesonet"},
    "demographics": {"starter", "faceapi", "insightface_v1", "insightface_96", "fairface"},
    "mesh": {"face_landmarker"},
    "quality": {"lightqnet", "ediffiqa"},
}


@pytest.fixture(scope="module")
def facts() -> list[dict[str, Any]]:
    path = Path(os.environ.get("FACESOCIAL_MODEL_MIRROR", "")).parent / "facts.json"
    if not path.is_file():
        pytest.skip("no facts.json beside FACESOCIAL_MODEL_MIRROR")
    found: list[dict[str, Any]] = json.loads(path.read_text())
    return found


def test_every_fact_has_an_entry_with_the_same_source_and_figures(facts: list[dict[str, Any]]) -> None:
    assert len(facts) > 15
    for fact in facts:
        name = fact["name"].lower()
        spec = load_catalogue().spec(RENAMED.get(name, name))
        assert [(source.urls[0], source.sha256, source.bytes) for source in spec.sources] == [
            (source["url"], source["sha256"], source["bytes"]) for source in fact["sources"]
        ]
        assert (spec.converter is not None) == fact.get("needs_conversion", False)
        assert spec.embedding_size == fact.get("dim")
        assert spec.verified
        preprocessing = fact.get("preproc")
        if isinstance(preprocessing, dict):
            _assert_preprocessing(spec, preprocessing)
        if fact.get("commercial") is False:
            assert not spec.licence.commercial


def _assert_preprocessing(spec: ModelSpec, fact: dict[str, Any]) -> None:
    given = spec.preprocessing
    assert given.color == fact.get("color", "RGB").lower()
    assert spec.capability == "quality" or given.scale == pytest.approx(1 / 255 if fact.get("scale") == "1/255" else 1)
    assert given.mean == tuple(fact.get("mean", (0, 0, 0)))
    assert given.std == tuple(fact.get("std", (1, 1, 1)))
    if "size" in fact:
        assert given.size == tuple(fact["size"])
    assert spec.nms_iou == fact.get("nms_iou")
    assert spec.score_threshold == fact.get("score_threshold")


def test_every_source_in_the_mirror_is_listed(mirror: Path) -> None:
    listed = {url.removeprefix("https://") for spec in load_catalogue().models for s in spec.sources for url in s.urls}
    there = {str(path.relative_to(mirror)) for path in mirror.rglob("*") if path.is_file()}
    assert there <= listed


def test_the_permissive_pack_serves_every_capability_and_needs_no_acceptance() -> None:
    pack = load_catalogue().pack(load_catalogue().default_pack)
    assert sorted(str(spec.capability) for spec in pack) == sorted(Capability)
    assert not any(spec.licence.needs_acceptance for spec in pack)
    assert all(spec.limits for spec in pack)


def test_the_starter_pack_lies_in_the_package_whole_and_small() -> None:
    """Every capability but the mesh, together 8 MB at most; each says that it is not for commercial use."""
    pack = load_catalogue().pack(STARTER)
    assert sorted(str(spec.capability) for spec in pack) == sorted(set(Capability) - {Capability.MESH})
    files = {source.packaged for spec in pack for source in spec.sources}
    weights = Path(models.__file__).parent / "weights"
    there = {str(file.relative_to(weights)): file for file in weights.glob("*/*")}
    assert files == there.keys()
    assert sum(file.stat().st_size for file in there.values()) <= 8_000_000
    for spec in pack:
        (source,) = spec.sources
        content = there[str(source.packaged)].read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (source.sha256, source.bytes)
        assert spec.licence.name == "research and evaluation"
        assert "research and evaluation; commercial use: no" in spec.caveat


@pytest.mark.parametrize("spec", load_catalogue().models, ids=lambda spec: spec.name)
def test_h_an_entry_agrees_with_itself(spec: ModelSpec) -> None:
    assert spec.architecture in ARCHITECTURES[spec.capability]
    assert spec.converter is None or spec.converter in CONVERTERS
    assert (spec.embedding_size is not None) == (spec.capability == "recognition")
    assert (spec.score_threshold is not None) == (spec.capability == "detection")
    assert bool(spec.branches) == (spec.capability == "liveness")
    assert (spec.zone == "critical") == (spec.capability == "detection")
    assert spec.licence.commercial or spec.licence.note
    assert spec.licence.name
    assert all(re.fullmatch(r"[0-9a-f]{64}", source.sha256) for source in spec.sources)


def test_the_fused_pair_names_its_sources_and_branches_in_the_same_order() -> None:
    spec = load_catalogue().spec("minifasnet_fused")
    assert [source.file_name for source in spec.sources] == [
        "2.7_80x80_MiniFASNetV2.pth",
        "4_0_0_80x80_MiniFASNetV1SE.pth",
    ]
    assert [branch.crop_scale for branch in spec.branches] == [2.7, 4.0]


@pytest.mark.parametrize("pack", ["permissive", "buffalo_sc", "buffalo_m", "buffalo_l", "antelopev2"])
def test_a_pack_holds_a_detector_and_a_recogniser(pack: str) -> None:
    capabilities = [spec.capability for spec in load_catalogue().pack(pack)]
    assert capabilities.count(Capability.DETECTION) == capabilities.count(Capability.RECOGNITION) == 1


def test_quality_models_are_listed_but_serve_under_no_alias() -> None:
    assert load_catalogue().spec("lightqnet-dm100").alias is None
    assert load_catalogue().spec("scrfd_500m").alias == "face-detection"


def test_the_served_digest_is_known_unless_it_is_converted() -> None:
    assert load_catalogue().spec("scrfd_500m").served_sha256 == load_catalogue().spec("scrfd_500m").sources[0].sha256
    assert load_catalogue().spec("minifasnet_fused").served_sha256 is None


@pytest.mark.parametrize(
    "url", ["http://host/x", "https://host", "https://host/a/../b", "https://host/a?b", "file:///x"]
)
def test_a_url_that_a_mirror_could_not_hold_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        Source(urls=(url,), sha256="0" * 64)


def test_doubled_names_and_unknown_names_are_refused() -> None:
    spec = load_catalogue().models[0]
    with pytest.raises(ValidationError, match="named twice"):
        Catalogue(models=(spec, spec))
    with pytest.raises(UnknownModel, match="no_such"):
        load_catalogue().spec("no_such")
    with pytest.raises(UnknownModel, match="no_such"):
        load_catalogue().pack("no_such")


def test_several_sources_need_a_converter() -> None:
    fused = load_catalogue().spec("minifasnet_fused").model_dump(mode="json")
    with pytest.raises(ValidationError, match="need a converter"):
        ModelSpec.model_validate(fused | {"converter": None})


def test_a_users_own_entry_is_read_and_its_mistakes_are_named(tmp_path: Path) -> None:
    entry = load_catalogue().spec("scrfd_500m").model_dump(mode="json") | {"name": "mine"}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(entry))
    assert read_spec(path).name == "mine"
    path.write_text(yaml.safe_dump(entry | {"zone": "somewhere"}))
    with pytest.raises(ConfigurationError, match="zone"):
        read_spec(path)
    for content in ("{", "[1, 2]"):
        path.write_text(content)
        with pytest.raises(ConfigurationError, match="mine"):
            read_spec(path)
    with pytest.raises(ConfigurationError):
        read_spec(tmp_path / "absent.yaml")


def test_an_int8_variant_is_a_model_of_its_own() -> None:
    """Its name, contract and digest are its own; what it is for, its terms and thresholds are its source's."""
    spec = load_catalogue().spec("yunet_n_dynamic")
    made = Quantisation(method="m", calibration="0" * 64, samples=3)
    variant = spec.quantised(made, "as measured")
    assert (variant.name, variant.packs, variant.served_sha256) == ("yunet_n_dynamic_int8", (), None)
    assert "int8" in variant.limits
    assert variant.accuracy == "as measured"
    same = {"sources", "licence", "preprocessing", "threshold", "score_threshold", "capability", "architecture"}
    assert variant.model_dump(include=same) == spec.model_dump(include=same)
    other = spec.quantised(made.model_copy(update={"calibration": "1" * 64}), "as measured")
    assert len({spec.contract_id, variant.contract_id, other.contract_id}) == 3
    with pytest.raises(ValidationError):
        spec.model_copy(update={"name": "n" * 60}).quantised(made, "")


@pytest.mark.parametrize("spec", load_catalogue().pack(STARTER), ids=lambda spec: spec.name)
def test_a_starter_model_has_a_card_that_can_be_read(spec: ModelSpec) -> None:
    """Its figures are a table: as many cells in every row. It has the terms and the threshold of the catalogue."""
    card = (Path(models.__file__).parent.parent / "docs" / "models" / f"{spec.name}.md").read_text()
    rows = [line for line in card.partition("## Figures")[2].splitlines() if line.startswith("|")]
    assert len(rows) > 4
    assert len({row.count("|") for row in rows}) == 1
    assert "research and evaluation; commercial use: no" in card
    if spec.threshold:
        assert spec.threshold.value in {round(float(number), 3) for number in re.findall(r"\d\.\d+", card)}
