"""What every process of the service knows before it builds anything: configuration, placement, logging, memory."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import cv2
import structlog
from bentoml import server_context

from bentos.placement import (
    BUILD,
    Resolution,
    everything,
    inherited,
    publish,
    remember,
    remembered,
    resolve,
)
from bentos.platform import end_with_parent, is_wsl, refuse_unsafe_sockets
from bentos.runtime import make_runtime
from bentos.server import confine_supervisor, harden_protocol, keep_inner_services_to_the_end, relay_output
from facesocial.configuration import Configuration, load_configuration
from facesocial.errors import ConfigurationError, ModelError
from facesocial.logging import configure_logging
from facesocial.memory import keep_freed_pages
from models import starter
from models.library import Library
from runners.sessions import supports_cuda
from vram_policy import device
from vram_policy.choice import choose

log = structlog.get_logger(__name__)


def _resolution(configuration: Configuration) -> Resolution:
    """The parent decides, the workers are told.

    Raises:
        ConfigurationError: what was asked for cannot be had on this machine.
        ModelIntegrityError: a required model is not what was registered; nothing is started.
    """
    if server_context.worker_index is not None:
        end_with_parent()
        return inherited(os.environ)
    if os.environ.get(BUILD):
        return everything(make_runtime())
    library = Library.open(configuration.models.starter)
    if configuration.models.starter:
        _say_who_serves(library)
    library.check(configuration.models.required)
    cards = choose(configuration.vram.gpu, _usable(device.cards()), os.environ.get("CUDA_VISIBLE_DEVICES"))
    resolution = resolve(configuration, cards, is_wsl(platform.release()), make_runtime())
    refuse_unsafe_sockets(os.environ, platform.release(), resolution.processes)
    publish(resolution, os.environ)  # type: ignore[arg-type]  # behaves as a dict
    return resolution


def _say_who_serves(library: Library) -> None:
    """Register the starter models beside the others; where the store cannot be written they serve all the same."""
    try:
        starter.register(library.store)
    except ModelError as error:
        log.warning("the starter models cannot be registered", reason=str(error))
    if serving := library.standing_in():
        terms = {f"{model.spec.licence.name}; commercial use: no" for model in serving.values()}
        names = [str(capability) for capability in serving]
        log.warning("starter models serve until others are pulled", capabilities=names, terms=" ".join(terms))


def _usable(found: tuple[device.Description, ...]) -> tuple[device.Description, ...]:
    """None, said aloud, where the installed ONNX Runtime cannot use a card."""
    if found and not supports_cuda():
        log.warning("there is a card, but this installation has no support for it: install the extra gpu")
        return ()
    return found


def _configuration() -> Configuration:
    """The parent refuses a wrong file; a worker that starts again beside one goes on with what the parent had."""
    try:
        read = load_configuration()
    except ConfigurationError as error:
        if server_context.worker_index is None:
            raise
        log.warning("the configuration is wrong now: going on with what was right", reason=str(error))
        return remembered(os.environ)
    if server_context.worker_index is None:
        remember(read, os.environ)  # type: ignore[arg-type]  # behaves as a dict
    return read


configuration = _configuration()
configure_logging(configuration.logging)
resolution = _resolution(configuration)
cv2.setNumThreads(1)  # parallelism is between requests and inside sessions
keep_freed_pages()
harden_protocol(configuration.server)
confine_supervisor(Path(resolution.runtime))
keep_inner_services_to_the_end()
relay_output(configuration.logging)
