"""What the tests share: weights and data where the environment names them, one model store, one served FaceSocial."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("facesocial", deadline=None)  # speed is for benchmarks
settings.load_profile("facesocial")

ROOT = Path(__file__).parent.parent
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")  # tests activate models: each worker has a store of its own
STORE = "bentoml" if WORKER == "gw0" else f"bentoml-{WORKER}"
os.environ["BENTOML_HOME"] = str(ROOT / ".cache" / STORE)  # before anything imports bentoml; kept between runs
os.environ["BENTOML_DO_NOT_TRACK"] = "True"

from bentos.composition import Parts, compose  # noqa: E402
from cli.bench.accuracy_table import DEEPFAKE, DEMOGRAPHICS, DETECTORS, LIVENESS, RECOGNISERS  # noqa: E402
from cli.demo import sample  # noqa: E402
from cli.process import Service  # noqa: E402
from facesocial.configuration import load_configuration  # noqa: E402
from models.catalogue import load_catalogue  # noqa: E402
from models.library import Library  # noqa: E402
from models.pull import Installer  # noqa: E402

OTHERS = (*DETECTORS, *RECOGNISERS, *LIVENESS, *DEEPFAKE, *(model for model, _ in DEMOGRAPHICS))
"""Every model of the accuracy tables; those of the permissive pack are among them."""


def _folder(variable: str) -> Path:
    named = os.environ.get(variable)
    if not named:
        pytest.skip(f"{variable} is not set: the weights or data are not here")
    return Path(named)


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder of original weights; the test skips without."""
    return _folder("FACESOCIAL_MODEL_MIRROR")


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of evaluation data; the test skips without."""
    return _folder("FACESOCIAL_TEST_DATA")


@pytest.fixture(scope="session")
def library(mirror: Path) -> Library:
    """The permissive pack and OTHERS, pulled from the mirror into the tests' own store; the pack serves."""
    library, catalogue = Library.open(), load_catalogue()
    pack = catalogue.pack("permissive")
    others = tuple(catalogue.spec(name) for name in OTHERS)
    Installer(library).pull((*pack, *others), accept_licence=True)
    for spec in pack:
        assert spec.alias
        installed = library.store.find(spec)
        assert installed
        library.aliases.activate(spec.alias, installed.tag)
    return library


@pytest.fixture(scope="session")
def parts(library: Library) -> Iterator[Parts]:
    """The real pipeline in this process."""
    parts = compose(load_configuration())
    yield parts
    parts.desk.close()


@pytest.fixture(scope="session")
def service(library: Library) -> Iterator[Service]:
    """A real `bentoml serve` of this tree on a free port."""
    with Service.start() as service:
        yield service


@pytest.fixture(scope="session")
def six_faces() -> Path:
    """The picture of six people that the insightface package installs (JPEG, 1280×886)."""
    return sample()
