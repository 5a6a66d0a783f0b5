"""Everything an operator can set, with its default and its range."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FilePath, IPvAnyNetwork, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from facesocial.capabilities import Capability, Task

PREFIX = "FACESOCIAL__"
MEBIBYTE = 1 << 20
_SIZE = r"\d+(\.\d+)?(MiB|GiB)"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _absolute(file: Path) -> Path:
    if not file.is_absolute():
        raise ValueError("must be a full path: workers run in another folder")
    return file


def _someone(network: IPvAnyNetwork) -> IPvAnyNetwork:
    if network.prefixlen == 0:
        raise ValueError("would trust everyone")
    return network


PemFile: TypeAlias = Annotated[FilePath, AfterValidator(_absolute)]


class TlsSettings(_Section):
    """HTTPS, TLS 1.3 or later. Full paths of PEM files."""

    certificate: PemFile = Field(description="ours, then those between it and the root")
    key: PemFile = Field(description="of the certificate; without a password")
    client_ca: PemFile | None = Field(default=None, description="who signs clients; named: no client without")


class ServerSettings(_Section):
    """Where the service listens and how long a request may take."""

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=3000, ge=1, le=65535)
    deadline_ms: int = Field(
        default=30_000, ge=100, le=600_000, description="a request that takes longer is answered 504"
    )
    header_timeout_s: int = Field(
        default=10, ge=1, le=60, description="a connection that takes longer to send a request's head is closed"
    )
    trusted_proxies: tuple[Annotated[IPvAnyNetwork, AfterValidator(_someone)], ...] = Field(
        default=(), description="addresses or networks whose X-Forwarded-For and -Proto are believed"
    )
    tls: TlsSettings | None = Field(default=None, description="{certificate: FILE, key: FILE, client_ca: FILE or null}")
    cors_origins: tuple[Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.:\[\]-]+$")], ...] = Field(
        default=(), description="sites whose pages may call us from a browser: https://app.example.com"
    )


class RateSettings(_Section):
    """Requests a minute, counted over the sixty seconds before each."""

    address: int = Field(default=1000, ge=1, description="from one IP address, or one /64 of IPv6")
    user: int = Field(default=100, ge=1, description="of one user")
    admin: int = Field(default=600, ge=1, description="of one administrator")
    service: int = Field(default=6000, ge=1, description="of one service")
    endpoints: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default={"/v1/analyze": 600, "/v1/verify": 600, "/v1/deepfake": 600, "/v1/admin": 120},
        description="of one caller on a path and what lies below it",
    )
    trusted_networks: tuple[Annotated[IPvAnyNetwork, AfterValidator(_someone)], ...] = Field(
        default=(), description="addresses or networks that are not counted; who calls from there by name is"
    )


class RedisSettings(_Section):
    """What several processes or machines share. Without, each has its own."""

    url: SecretStr | None = Field(default=None, description="redis://[:PASSWORD@]HOST:PORT/DB, rediss://…, unix://…")


class CacheSettings(_Section):
    """Answers that are given again to whoever sends the same picture. Never on a disk."""

    enabled: bool = True
    ttl_s: int = Field(default=300, ge=1, le=600, description="how long an answer is kept")
    megabytes: int = Field(default=64, ge=1, le=4096, description="of each process; Redis has a limit of its own")
    entry_kib: int = Field(default=256, ge=1, le=16_384, description="a longer answer is not kept")
    secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="32 characters or more, the same for all who share a Redis; null: a new one for each process",
    )

    @model_validator(mode="after")
    def _fits(self) -> CacheSettings:
        if self.entry_kib > self.megabytes * 1024:
            raise ValueError("entry_kib must not exceed megabytes")
        return self


class LimitSettings(_Section):
    """What a request may bring."""

    image_bytes: int = Field(default=10 * MEBIBYTE, ge=1024, le=100 * MEBIBYTE, description="one image file")
    image_pixels: int = Field(default=40_000_000, ge=256, le=178_000_000)
    side_min: int = Field(default=16, ge=1, le=1024, description="pixels")
    side_max: int = Field(default=12_000, ge=64, le=65_000, description="pixels")
    form_bytes: int = Field(default=64 * 1024, ge=1024, le=MEBIBYTE, description="all of a body that is not an image")
    faces_default: int = Field(default=100, ge=1, le=200, description="max_faces when the caller does not say")
    faces_max: int = Field(default=200, ge=1, le=200)

    @model_validator(mode="after")
    def _ordered(self) -> LimitSettings:
        if self.side_min > self.side_max:
            raise ValueError("side_min must not exceed side_max")
        if self.faces_default > self.faces_max:
            raise ValueError("faces_default must not exceed faces_max")
        return self


class VideoSettings(_Section):
    """What a video may bring, and what decoding it may take. Counted as it is decoded, whatever its header says."""

    file_bytes: int = Field(default=100 * MEBIBYTE, ge=1024, le=1024 * MEBIBYTE, description="the file, held in memory")
    pixels: int = Field(default=9_437_184, ge=256, le=67_108_864, description="of a frame; 4096 × 2304")
    side_min: int = Field(default=16, ge=1, le=1024, description="pixels")
    side_max: int = Field(default=8192, ge=64, le=16_384, description="pixels")
    frames: int = Field(default=36_000, ge=1, le=10_000_000, description="decoded, also those that nobody asks for")
    seconds: float = Field(default=600, ge=1, le=86_400, description="from the first frame to the last")
    decode_s: float = Field(
        default=300, ge=1, le=86_400, description="CPU time of the process that decodes, and waiting for it"
    )
    memory_mib: int = Field(default=1024, ge=256, le=65_536, description="address space of the process that decodes")

    @model_validator(mode="after")
    def _ordered(self) -> VideoSettings:
        if self.side_min > self.side_max:
            raise ValueError("side_min must not exceed side_max")
        return self


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class AdmissionSettings(_Section):
    """How many requests run and wait at the same time; one more is answered 503 at once."""

    light_running: int | None = Field(
        default=None, ge=1, le=256, description="detection and one task, verification; null: as cpu.requests"
    )
    light_waiting: int = Field(default=32, ge=0, le=4096)
    heavy_running: int | None = Field(
        default=None, ge=1, le=256, description="several tasks, deepfake, mesh; null: as cpu.requests"
    )
    heavy_waiting: int = Field(default=16, ge=0, le=4096)
    body_mib: int = Field(
        default=256, ge=16, le=65_536, description="of bodies in memory at the same time, all requests together"
    )


class CpuSettings(_Section):
    """How the CPU is shared. The defaults follow the cores this process may use."""

    session_threads: int = Field(default_factory=_cores, ge=1, le=256, description="threads of one network run")
    requests: int = Field(default_factory=_cores, ge=1, le=256, description="requests computed at the same time")
    batch: int = Field(default=16, ge=1, le=64, description="faces per network run")
    batch_wait_ms: int = Field(
        default=0,
        ge=0,
        le=100,
        description="how long faces wait for a run in progress, to run with those of other requests; 0: never, for on "
        "two cores no network gained from it",
    )


class StandSettings(_Section):
    """Where one model stands, in place of the catalogue's word."""

    zone: Literal["critical", "high", "flexible"]
    pin: bool = False


class VramSettings(_Section):
    """Who lives on the graphics card. `facesocial vram plan` shows what it comes to."""

    gpu: str = Field(
        default="auto",
        pattern=rf"^(auto|none|cuda:\d+(,\d+)*|simulated:{_SIZE}(,{_SIZE})*)$",
        description="auto: every card there is; none; cuda:N (or cuda:0,1); simulated:6GiB: a card that is not there, "
        "to try the policy out",
    )
    policy: Literal["benefit", "lru"] = Field(
        default="benefit", description="benefit: load what saves more than it costs; lru: load at once"
    )
    budget_mib: int | None = Field(
        default=None, ge=0, le=1 << 20, description="of each card for models; null: all but contexts and headroom"
    )
    headroom_mib: int = Field(default=256, ge=0, le=65_536, description="left free on each card for other programs")
    residency_s: float = Field(default=30, ge=0, le=3600, description="none is evicted sooner, but by a critical one")
    horizon_s: float = Field(default=120, ge=1, le=86_400, description="how far ahead a load must pay for itself")
    margin: float = Field(
        default=1.1, ge=1, le=100, description="how much more a newcomer must be worth than those who leave for it"
    )
    load_mib_s: int = Field(default=500, ge=1, le=100_000, description="load speed of a simulated card")
    unload_ms: int = Field(default=20, ge=0, le=60_000, description="until a simulated card has its memory back")
    lost_at_run: int | None = Field(
        default=None, ge=1, description="the run at which a simulated card is lost to its process, to see what follows"
    )
    models: dict[str, StandSettings] = Field(
        default={}, description='zone and pin of models by name: {"scrfd_2.5g": {"zone": "high", "pin": true}}'
    )


class ModelSettings(_Section):
    """Which capabilities must be there for the service to be ready."""

    required: tuple[Capability, ...] = (Capability.DETECTION,)
    starter: bool = Field(
        default=True,
        description="what nothing serves gets the starter model inside the package; commercial use of those: no",
    )
    start_timeout_s: float = Field(
        default=60, gt=0, le=3600, description="a model that has not run by then has failed, until it does"
    )
    tasks: tuple[Task, ...] = Field(
        default=(Task.EMBED, Task.LIVENESS, Task.DEEPFAKE, Task.DEMOGRAPHICS),
        description="what /v1/analyze does when the caller names no tasks; those not installed are left out",
    )


class LoggingSettings(_Section):
    """Log lines on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class Configuration(BaseSettings):
    """The whole tree."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    environment: Literal["development", "production"] = "development"
    placement: Literal["auto", "embedded", "colocated", "isolated"] = Field(
        default="auto",
        description="which processes own models: the entry's own, one beside it, or one for each capability; "
        "auto: one beside it with a GPU, else the entry's own",
    )
    cpu_lane: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="one more process with every model on the CPU, which answers while another is gone; "
        "auto: with a GPU",
    )
    server: ServerSettings = ServerSettings()
    limits: LimitSettings = LimitSettings()
    video: VideoSettings = VideoSettings()
    rates: RateSettings = RateSettings()
    redis: RedisSettings = RedisSettings()
    admission: AdmissionSettings = AdmissionSettings()
    cache: CacheSettings = CacheSettings()
    cpu: CpuSettings = Field(default_factory=CpuSettings)
    vram: VramSettings = VramSettings()
    models: ModelSettings = ModelSettings()
    logging: LoggingSettings = LoggingSettings()

    @model_validator(mode="after")
    def _real(self) -> Configuration:
        if self.environment == "production" and self.vram.gpu.startswith("simulated"):
            raise ValueError("vram.gpu: a simulated card is no card: refused in environment production")
        return self

    @model_validator(mode="after")
    def _one_cache(self) -> Configuration:
        """Refused, not kept in process: an erasure would not reach what the other processes remember."""
        if self.redis.url and self.cache.enabled and not self.cache.secret:
            raise ValueError("cache.secret: needed where redis.url is set, or set cache.enabled to false")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 — the names are pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what the file says (passed as init values)."""
        return env_settings, init_settings
