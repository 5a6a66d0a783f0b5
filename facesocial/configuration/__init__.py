"""The configuration: one frozen tree, read once, replaced whole."""

from facesocial.configuration.computing import CpuSettings, ModelSettings, StandSettings, VramSettings
from facesocial.configuration.edge import (
    AdmissionSettings,
    CacheSettings,
    LimitSettings,
    RateSettings,
    RedisSettings,
    ServerSettings,
    VideoSettings,
)
from facesocial.configuration.file import FILE_VARIABLE, find_file, load_configuration
from facesocial.configuration.section import MEBIBYTE
from facesocial.configuration.template import template
from facesocial.configuration.tls import TlsSettings
from facesocial.configuration.tree import Configuration, LoggingSettings

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
