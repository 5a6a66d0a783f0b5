"""Everything an operator can set, with its default and its range: the whole tree."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from facesocial.configuration.computing import CpuSettings, ModelSettings, VramSettings
from facesocial.configuration.edge import (
    AdmissionSettings,
    CacheSettings,
    LimitSettings,
    RateSettings,
    RedisSettings,
    ServerSettings,
    VideoSettings,
)
from facesocial.configuration.section import MEBIBYTE, Section

PREFIX = "FACESOCIAL__"


class LoggingSettings(Section):
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
        hide_input_in_errors=True,  # it may be a password
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

    @model_validator(mode="after")
    def _largest_request_fits(self) -> Configuration:
        """Verification has two pictures."""
        least = -(-self.limits.request_bytes(2) // MEBIBYTE)
        if self.admission.body_mib < least:
            raise ValueError(
                f"admission.body_mib: must be at least {least}: two pictures of limits.image_bytes as base64, and "
                "limits.form_bytes"
            )
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
