"""Where contestants run: a model store of the benchmark's own, and a fresh process for each."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from facesocial.errors import ModelNotInstalled
from models.catalogue import load_catalogue

MODELS = ("scrfd_500m", "mobilefacenet_foamliu")


@contextmanager
def staged() -> Iterator[dict[str, str]]:
    """Variables that name a BentoML home in which exactly `MODELS` serve; the user's own is only read.

    Raises:
        ModelNotInstalled: one of them is not in the user's store.
    """
    from models.library import Library
    from models.store import Store

    source = Library.open().store
    found = {name: source.find(load_catalogue().spec(name)) for name in MODELS}
    if missing := " ".join(name for name, model in found.items() if model is None):
        raise ModelNotInstalled(f"the benchmark needs `facesocial models pull {missing} --accept-license`")
    with tempfile.TemporaryDirectory(prefix="facesocial-bench-") as folder:
        library = Library(Store(Path(folder)))
        for model in filter(None, found.values()):
            copy = library.store.register(model.spec, model.read())
            if copy.spec.alias:
                library.aliases.activate(copy.spec.alias, copy.tag)
        yield {"BENTOML_HOME": folder}


def child(variables: dict[str, str]) -> ProcessPoolExecutor:
    """One new process that keeps what it was given: threads, caches and sessions are its contestant's alone."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_settle, initargs=(variables,))


def _settle(variables: dict[str, str]) -> None:
    """Take the environment and fall silent: insightface and ONNX Runtime talk; errors come back as exceptions."""
    os.environ.update(variables)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
