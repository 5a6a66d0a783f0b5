"""What an operator may see and do while the service runs: models, the card, the configuration. Knows no HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from facesocial.capabilities import Capability
from facesocial.configuration import Configuration, find_file, load_configuration
from facesocial.errors import (
    ConfigurationError,
    Conflict,
    InvalidParameter,
    ModelError,
    ModelNotInstalled,
    NotFound,
    NotReady,
    UnknownModel,
)
from models.library import Library
from models.store import InstalledModel
from services.identity import Identity
from services.operators import OPERATOR, is_operator
from services.residency import Look, Order, ProcessReport, Residency, Restate

LIVE = ("vram",)
"""Sections that are applied while the service runs; of `vram` all but the cards and budgets."""

FIXED = ("gpu", "budget_mib", "headroom_mib", "load_mib_s", "unload_ms", "lost_at_run")
"""Keys of `vram` that need a restart."""


@dataclass(frozen=True, slots=True)
class ModelView:
    """One installed model. `serves`: its alias, when that is what it names now; `device`: where it is resident."""

    tag: str
    capability: str
    serves: str | None
    zone: str
    licence: str
    commercial: bool
    device: str | None
    state: str | None


@dataclass(frozen=True, slots=True)
class Reloaded:
    """`applied`: keys that are in force now; `restart`: keys that changed and need one."""

    applied: tuple[str, ...]
    restart: tuple[str, ...]


class Office:
    """Where operators are received."""

    def __init__(self, configuration: Configuration, library: Library | None = None) -> None:
        self._configuration = self._started = configuration
        self._library = library or Library.open(configuration.models.starter)
        self._residency: Residency | None = None
        self.token = ""
        """What operators send; nobody is one while it is empty."""
        self._reloading = asyncio.Lock()

    def open(self, residency: Residency, token: str) -> None:
        """From now on there are cards to ask, and operators who know `token`."""
        self._residency, self.token = residency, token

    def identify(self, authorization: str) -> Identity | None:
        """An operator, or nobody in particular."""
        return OPERATOR if is_operator(authorization, self.token) else None

    async def vram(self, order: Order | None = None) -> tuple[ProcessReport, ...]:
        """See `Residency.obey`; processes without a card are left out."""
        if self._residency is None:
            raise NotReady("starting")
        return tuple(report for report in await self._residency.obey(order or Look()) if report.cards)

    async def models(self) -> tuple[ModelView, ...]:
        """Every installed model, by tag; where it is resident, as far as the processes that know are there."""
        try:
            reports = await self.vram()
        except NotReady:
            reports = ()
        places: dict[str, tuple[str, str | None, str | None]] = {
            model.tag: (model.zone, card.device, model.state)
            for report in reports
            for card in report.cards
            for model in card.models
        }
        return await asyncio.to_thread(self._views, places)

    async def activate(self, alias: str, tag: str) -> InstalledModel:
        """Let the alias serve an installed model; every process follows within a second.

        Raises:
            NotFound: no such alias or model.
            Conflict: the model cannot serve this alias.
        """
        return await asyncio.to_thread(self._changed, self._library.aliases.activate, alias, tag)

    async def rollback(self, alias: str) -> InstalledModel:
        """Let the alias serve what it served before.

        Raises:
            NotFound: no such alias, or nothing served it before.
            Conflict: what served before is damaged.
        """
        return await asyncio.to_thread(self._changed, self._library.aliases.rollback, alias)

    async def reload(self) -> Reloaded:
        """Read the configuration again and apply what can be applied; a wrong one changes nothing.

        Raises:
            InvalidParameter: it is wrong; the message says where.
            NotReady: the process that owns the card is not there.
        """
        async with self._reloading:
            before = self._configuration
            try:
                after = await asyncio.to_thread(load_configuration)
            except ConfigurationError as error:
                raise InvalidParameter(_without_folder(str(error))) from error
            live = [key for key in _differences(before, after) if _is_live(key)]
            waiting = [key for key in _differences(self._started, after) if not _is_live(key)]
            if any(key.startswith("vram") for key in live):
                await self.vram(Restate(after.vram.model_dump(mode="json")))
            self._configuration = after
            return Reloaded(tuple(live), tuple(waiting))

    def _changed(self, change: Any, *names: str) -> InstalledModel:
        try:
            model: InstalledModel = change(*names)
        except (UnknownModel, ModelNotInstalled) as error:
            raise NotFound(error.detail) from error
        except ModelError as error:
            raise Conflict(error.detail) from error
        return model

    def _views(self, places: dict[str, tuple[str, str | None, str | None]]) -> tuple[ModelView, ...]:
        aliases = self._library.aliases_by_tag()
        return tuple(
            ModelView(
                model.tag,
                str(model.spec.capability),
                aliases.get(model.tag),
                zone,
                model.spec.licence.name,
                model.spec.licence.commercial,
                device if state not in (None, "absent") else None,
                state,
            )
            for model in self._library.installed()
            for zone, device, state in [places.get(model.tag, (model.spec.zone, None, None))]
        )


def capability_of(alias: str) -> Capability:
    """Of an alias.

    Raises:
        NotFound: there is none of this name.
    """
    known = {capability.alias: capability for capability in Capability}
    if alias not in known:
        raise NotFound(f"no alias of this name; there are {', '.join(known)}")
    return known[alias]


def _differences(before: Configuration, after: Configuration) -> list[str]:
    """Keys whose values differ, as `section.key`."""
    changed = []
    for section, value in after.model_dump().items():
        was = getattr(before, section)
        if isinstance(value, dict) and isinstance(was, BaseModel):
            old = was.model_dump()
            changed += [f"{section}.{key}" for key in value if value[key] != old[key]]
        elif value != was:
            changed.append(section)
    return changed


def _is_live(key: str) -> bool:
    section, _, name = key.partition(".")
    return section in LIVE and name not in FIXED


def _without_folder(text: str) -> str:
    """A message about the configuration without where its file lies."""
    file = find_file()
    return "; ".join((text.replace(str(file), file.name) if file else text).splitlines())
