"""Where a request comes from."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from services.edge.caller import Caller

pytestmark = pytest.mark.unit


def caller(host: str | None) -> Caller:
    return Caller.of({"client": host and (host, 1234)})


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("unknown", "unreadable"),
        ("a" * 10_000, "unreadable"),
        ("", "unreadable"),
        (None, "unreadable"),
    ],
)
def test_e_an_address_is_a_place_and_ipv6_is_one_by_its_64(host: str | None, place: str) -> None:
    assert caller(host).place == place


def test_networks() -> None:
    networks = (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))
    assert caller("192.0.2.200").comes_from(networks)
    assert caller("2001:db8::1").comes_from(networks)
    assert not caller("198.51.100.1").comes_from(networks)
    assert not caller("nonsense").comes_from(networks)
    assert not caller("192.0.2.200").comes_from(())
