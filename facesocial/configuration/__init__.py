"""The configuration: one frozen tree, read once, replaced whole."""

from facesocial.configuration.file import FILE_VARIABLE, find_file, load_configuration
from facesocial.configuration.template import template
from facesocial.configuration.tree import (
    MEBIBYTE,
    AdmissionSettings,
    CacheSettings,
    Configuration,
    CpuSettings,
    LimitSettings,
    LoggingSettings,
    ModelSettings,
    RateSettings,
    RedisSettings,
    ServerSettings,
    StandSettings,
    TlsSettings,
    VideoSettings,
    VramSettings,
)

__all__ = [
    "FILE_VARIABLE",
    "MEBIBYTE",
    "AdmissionSettings",
    "CacheSettings",
    "Configuration",
    "CpuSettings",
    "LimitSettings",
    "LoggingSettings",
    "ModelSettings",
    "RateSettings",
    "RedisSettings",
    "ServerSettings",
    "StandSettings",
    "TlsSettings",
    "VideoSettings",
    "VramSettings",
    "find_file",
    "load_configuration",
    "template",
]
