"""What a request meets before a model runs: where we listen, what may come, how much of it, and what is remembered."""

from __future__ import annotations

from pydantic import Field, model_validator

from facesocial.configuration.section import MEBIBYTE, Section
from facesocial.configuration.tls import TlsSettings
from facesocial.configuration.values import Network, Origin, PathPrefix, PerMinute, RedisUrl, Secret


class ServerSettings(Section):
    """Where the service listens and how long a request may take."""

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=3000, ge=1, le=65535)
    deadline_ms: int = Field(
        default=30_000, ge=100, le=600_000, description="a request that takes longer is answered 504"
    )
    header_timeout_s: int = Field(
        default=10, ge=1, le=60, description="a connection that takes longer to send a request's head is closed"
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=(), description="addresses or networks whose X-Forwarded-For and -Proto are believed"
    )
    tls: TlsSettings | None = Field(default=None, description="{certificate: FILE, key: FILE, client_ca: FILE or null}")
    cors_origins: tuple[Origin, ...] = Field(
        default=(), description="sites whose pages may call us from a browser: https://app.example.com"
    )


class RateSettings(Section):
    """Requests a minute, counted over the sixty seconds before each."""

    address: PerMinute = Field(default=1000, description="from one IP address, or one /64 of IPv6")
    user: PerMinute = Field(default=100, description="of one user")
    admin: PerMinute = Field(default=600, description="of one administrator")
    service: PerMinute = Field(default=6000, description="of one service")
    endpoints: dict[PathPrefix, PerMinute] = Field(
        default={"/v1/analyze": 600, "/v1/verify": 600, "/v1/deepfake": 600, "/v1/admin": 120},
        description="of one caller on a path and what lies below it",
    )
    trusted_networks: tuple[Network, ...] = Field(
        default=(), description="addresses or networks that are not counted; who calls from there by name is"
    )


class RedisSettings(Section):
    """What several processes or machines share. Without, each has its own."""

    url: RedisUrl | None = Field(
        default=None, description="redis://[:PASSWORD@]HOST[:PORT][/NUMBER], rediss://…, unix://[:PASSWORD@]/PATH"
    )


class CacheSettings(Section):
    """Answers that are given again to whoever sends the same picture. Never on a disk."""

    enabled: bool = True
    ttl_s: int = Field(default=300, ge=1, le=600, description="how long an answer is kept")
    megabytes: int = Field(default=64, ge=1, le=4096, description="of each process; Redis has a limit of its own")
    entry_kib: int = Field(default=256, ge=1, le=16_384, description="a longer answer is not kept")
    secret: Secret | None = Field(
        default=None,
        description="32 characters or more, the same for all who share a Redis; null: a new one for each process",
    )

    @model_validator(mode="after")
    def _fits(self) -> CacheSettings:
        if self.entry_kib > self.megabytes * 1024:
            raise ValueError("entry_kib must not exceed megabytes")
        return self


class LimitSettings(Section):
    """What a request may bring."""

    image_bytes: int = Field(default=10 * MEBIBYTE, ge=1024, le=100 * MEBIBYTE, description="one image file")
    image_pixels: int = Field(default=40_000_000, ge=256, le=178_000_000)
    side_min: int = Field(default=16, ge=1, le=1024, description="pixels")
    side_max: int = Field(default=12_000, ge=64, le=65_000, description="pixels")
    form_bytes: int = Field(default=64 * 1024, ge=1024, le=MEBIBYTE, description="all of a body that is not an image")
    faces_default: int = Field(default=100, ge=1, le=200, description="max_faces when the caller does not say")
    faces_max: int = Field(default=200, ge=1, le=200)

    def request_bytes(self, pictures: int) -> int:
        """Of the largest body that is allowed: so many pictures as base64, four bytes for three, and the rest."""
        return pictures * 4 * -(-self.image_bytes // 3) + self.form_bytes

    @model_validator(mode="after")
    def _ordered(self) -> LimitSettings:
        if self.side_min > self.side_max:
            raise ValueError("side_min must not exceed side_max")
        if self.faces_default > self.faces_max:
            raise ValueError("faces_default must not exceed faces_max")
        return self


class VideoSettings(Section):
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


class AdmissionSettings(Section):
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
        default=256,
        ge=16,
        le=65_536,
        description="of bodies in memory at the same time, all requests together; at least two of the largest pictures "
        "as base64",
    )
