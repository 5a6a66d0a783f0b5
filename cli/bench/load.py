"""A load generator that costs next to nothing: on two cores the client's own work counts.

The request is built once and sent over keep-alive sockets as it is; of an answer only status and length are read.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from typing import TypeAlias
from urllib.parse import urlsplit

from cli.bench.measurement import Block
from facesocial.errors import FaceSocialError

BOUNDARY = "facesocial-bench"
WARM_UP = 5
CHUNK = 1 << 16


Build: TypeAlias = Callable[[str, str, bytes], bytes]
"""Path, host and picture → a whole request."""


def drive(url: str, image: bytes, clients: int, requests: int, build: Build | None = None) -> Block:
    """Send `requests` in all, each client its next one as soon as its last is answered; multipart by default.

    Raises:
        FaceSocialError: an answer is not 200.
    """
    place = urlsplit(url)
    request = (build or multipart)(place.path, place.netloc, image)
    with ExitStack() as stack:
        address = (place.hostname or "", place.port or 80)
        connections = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(clients)]
        for connection in connections:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = [exchange(connection, request) for connection in connections for _ in range(-(-WARM_UP // clients))]
        tickets = iter(range(requests))  # shared: each ticket is drawn once
        with ThreadPoolExecutor(clients) as pool:
            began = time.perf_counter()
            spent = tuple(chain.from_iterable(pool.map(lambda one: _client(one, request, tickets), connections)))
            elapsed = time.perf_counter() - began
    return Block(spent, elapsed, len(json.loads(answers[0])["faces"]))


def _client(connection: socket.socket, request: bytes, tickets: Iterator[int]) -> list[float]:
    spent = []
    for _ in tickets:
        started = time.perf_counter()
        exchange(connection, request)
        spent.append(time.perf_counter() - started)
    return spent


def multipart(path: str, host: str, image: bytes) -> bytes:
    """A POST with one file field `image`, head and body in one piece."""
    part = 'Content-Disposition: form-data; name="image"; filename="image.jpg"\r\nContent-Type: image/jpeg'
    body = b"--%s\r\n%s\r\n\r\n%s\r\n--%s--\r\n" % (BOUNDARY.encode(), part.encode(), image, BOUNDARY.encode())
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def raw(path: str, host: str, image: bytes) -> bytes:
    """A POST whose body is the picture, head and body in one piece."""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(image)}\r\n\r\n"
    return head.encode() + image


def exchange(connection: socket.socket, request: bytes) -> bytes:
    """Send `request`, wait for the whole answer and give its body.

    Raises:
        FaceSocialError: the answer is not 200, has no length, or ends early.
    """
    connection.sendall(request)
    answer = bytearray()
    while (end := answer.find(b"\r\n\r\n")) < 0:
        answer += _receive(connection)
    head = bytes(answer[:end]).lower()
    if not head.startswith(b"http/1.1 200 "):
        raise FaceSocialError(f"the service answered {head.split(maxsplit=2)[1].decode('latin-1')}")
    _, named, length = head.partition(b"\r\ncontent-length:")
    if not named:
        raise FaceSocialError("the service gave no Content-Length")
    whole = end + 4 + int(length.partition(b"\r\n")[0])
    while len(answer) < whole:
        answer += _receive(connection)
    return bytes(answer[end + 4 : whole])


def _receive(connection: socket.socket) -> bytes:
    received = connection.recv(CHUNK)
    if not received:
        raise FaceSocialError("the service closed the connection")
    return received
