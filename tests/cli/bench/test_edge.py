"""The edge benchmark: its targets, its slow senders, and a run of it."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from cli.bench.edge import compare, ratios, slow_senders
from cli.bench.measurement import Block, Series
from models.library import Library


def _series(*milliseconds: float) -> Series:
    return Series(tuple(Block((spent / 1000,), spent / 1000, 6) for spent in milliseconds))


@pytest.mark.unit
def test_the_edge_may_cost_a_millisecond_and_a_half_and_slow_senders_a_fifth() -> None:
    series = {"bare": _series(20, 40, 30), "edge": _series(21, 42, 31), "edge beside 200": _series(25, 50, 35)}
    added, _, beside = ratios(series)
    assert added.value == pytest.approx(1)
    assert added.verdict == "pass"
    assert beside.verdict == "pass"
    assert [one.verdict for one in ratios({**series, "edge": _series(22, 42, 32)})] == ["FAIL", "–", "pass"]
    assert ratios({**series, "edge beside 200": _series(60, 60, 60)})[2].verdict == "FAIL"


@pytest.mark.unit
def test_a_slow_sender_comes_again_when_it_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        seen: list[bytes] = []
        twice = threading.Event()

        def accept() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                seen.append(connection.recv(100))
                connection.close()
            twice.set()

        listener = threading.Thread(target=accept)
        listener.start()
        with slow_senders(f"http://127.0.0.1:{port}", 1):
            assert twice.wait(10)
        listener.join()
    assert all(head.startswith(b"POST / HTTP/1.1\r\nX: ") for head in seen)


@pytest.mark.load
def test_bare_and_behind_the_edge_the_six_are_found(library: Library, six_faces: Path) -> None:
    series = compare(six_faces, 8, 1)
    assert {faces for one in series.values() for faces in one.faces} == {6}
