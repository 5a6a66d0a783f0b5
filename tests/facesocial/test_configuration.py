"""A wrong value is refused with its place, its key and what is allowed; the environment wins over the file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from facesocial.configuration import Configuration, find_file, load_configuration, template
from facesocial.errors import ConfigurationError

pytestmark = pytest.mark.unit


@pytest.fixture
def write(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Writes a configuration file and gives its path."""

    def write(text: str) -> Path:
        file = tmp_path / "configuration.yaml"
        file.write_text(text, "utf-8")
        return file

    return write


def test_defaults_need_no_file(write) -> None:  # type: ignore[no-untyped-def]
    """An empty file is the defaults."""
    assert load_configuration(write("")) == Configuration()


def test_file_then_environment(write, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """A variable overrides one key and leaves the rest of the section to the file."""
    monkeypatch.setenv("FACESOCIAL__SERVER__PORT", "4000")
    server = load_configuration(write("server:\n  port: 5000\n  deadline_ms: 1000\n")).server
    assert (server.port, server.deadline_ms) == (4000, 1000)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("server:\n  port: 99999\n", ["line 2", "server.port", "1 to 65535"]),
        ("\n\nserver:\n  prot: 1\n", ["line 4", "server.prot", "host, port"]),
        ("bogus: 1\n", ["line 1", "bogus", "server"]),
        ("cpu:\n  batch: many\n", ["line 2", "cpu.batch", "1 to 64"]),
        ("models:\n  tasks: [embed, fly]\n", ["line 2", "models.tasks.1", "mesh"]),
        ("limits:\n  side_min: 900\n  side_max: 100\n", ["line 1", "limits", "side_min must not exceed side_max"]),
        ("cache:\n  ttl_s: 601\n", ["line 2", "cache.ttl_s", "1 to 600"]),
        ("cache:\n  secret: short\n", ["line 2", "cache.secret: must have at least 32 characters"]),
        ("cache:\n  megabytes: 1\n  entry_kib: 2000\n", ["line 1", "cache", "entry_kib must not exceed megabytes"]),
        ("redis:\n  url: redis://localhost\n", ["cache.secret: needed where redis.url is set", "cache.enabled"]),
        ("server: [\n", ["line 2", "not YAML"]),
        ("- a\n- b\n", ["line 1", "sections"]),
        ("server:\n  trusted_proxies: ['*']\n", ["line 2", "trusted_proxies.0", "not a valid IPv4 or IPv6 network"]),
        ("server:\n  trusted_proxies: [10.0.0.1/8]\n", ["trusted_proxies.0: host bits", "10.0.0.0/8", "10.0.0.1 for"]),
        ("server:\n  trusted_proxies: [10.0.0.0/8, 0.0.0.0/0]\n", ["trusted_proxies.1", "trust everyone"]),
        ("server:\n  trusted_proxies: ['::/0']\n", ["trusted_proxies.0", "trust everyone"]),
        ("server:\n  tls:\n    key: pyproject.toml\n", ["line 3", "tls.key", "full path", "tls.certificate"]),
        ("server:\n  tls: {key: /absent, certificate: /absent}\n", ["line 2", "tls.key", "not point to a file"]),
        ("server:\n  port: 1\nserver:\n  port: 2\n", ["line 3", "server", "twice"]),
    ],
)
def test_wrong_values_are_explained(write, text: str, words: list[str]) -> None:  # type: ignore[no-untyped-def]
    """Line, key and what is allowed are in the message."""
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(write(text))
    assert [word for word in words if word not in str(refused.value)] == []


def test_a_cache_that_replicas_share_needs_their_secret(write) -> None:  # type: ignore[no-untyped-def]
    """Which nobody is shown."""
    redis = "redis: {url: 'redis://localhost'}\n"
    shared = load_configuration(write(f"{redis}cache: {{secret: {'s' * 32}}}\n"))
    assert "s" * 32 not in f"{shared!r} {shared.model_dump_json()}"
    assert not load_configuration(write(f"{redis}cache: {{enabled: false}}\n")).cache.enabled


def test_every_problem_is_named_at_once(write) -> None:  # type: ignore[no-untyped-def]
    """An operator mends a file once."""
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(write("server:\n  port: 0\ncpu:\n  batch: 0\n"))
    assert len(str(refused.value).splitlines()) == 2


def test_wrong_variable_is_named(write, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """A value from the environment is not blamed on the file."""
    monkeypatch.setenv("FACESOCIAL__LIMITS__SIDE_MIN", "0")
    with pytest.raises(
        ConfigurationError, match=r"environment variable FACESOCIAL__LIMITS__SIDE_MIN: limits\.side_min"
    ):
        load_configuration(write(""))


@pytest.mark.parametrize(
    ("name", "value"),
    [("MODELS__REQUIRED", "detection"), ("SERVER", "foo"), ("SERVER__CORS_ORIGINS", "https://a.com"), ("REDIS", "pw{")],
)
def test_a_list_or_section_that_is_not_json(write, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:  # type: ignore[no-untyped-def]
    """No traceback of the library's: the whole variable and the form it wants, not what was in it."""
    monkeypatch.setenv("FACESOCIAL__SERVER__HOST", value)
    monkeypatch.setenv(f"FACESOCIAL__{name}", value)
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(write(""))
    assert f"variable FACESOCIAL__{name}: lists and sections are given as JSON, such as [" in str(refused.value)
    assert f" {value}" not in str(refused.value)


def test_unknown_section_in_the_environment(write, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """A misspelt variable is not silently ignored."""
    monkeypatch.setenv("FACESOCIAL__SERVRE__PORT", "1")
    with pytest.raises(ConfigurationError, match="FACESOCIAL__SERVRE__PORT: no such section"):
        load_configuration(write(""))


def test_named_file_must_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`FACESOCIAL_CONFIGURATION` never falls back to another file."""
    monkeypatch.setenv("FACESOCIAL_CONFIGURATION", str(tmp_path / "absent.yaml"))
    with pytest.raises(ConfigurationError, match="does not exist"):
        find_file()


def test_file_that_is_not_text(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are an error of the file."""
    file = tmp_path / "configuration.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_configuration(file)


def test_tree_is_frozen() -> None:
    """Read once, replaced whole."""
    with pytest.raises(ValidationError):
        Configuration().server.port = 1  # type: ignore[misc]


def test_template_says_every_key_and_changes_nothing(write) -> None:  # type: ignore[no-untyped-def]
    """The file that `init` writes is the defaults, and each line works once its '#' is removed."""
    text = template()
    assert load_configuration(write(text)) == Configuration()
    active = "\n".join(
        line.replace("# ", "", 1) if line.lstrip().startswith("# ") and ": " in line else line
        for line in text.splitlines()[3:]
    )
    values = yaml.safe_load("\n".join(line for line in active.splitlines() if not line[:1].isupper()))
    assert set(values) == set(Configuration.model_fields)
    assert values["limits"]["image_bytes"] == Configuration().limits.image_bytes
