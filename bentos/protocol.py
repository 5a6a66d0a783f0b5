"""How connections are treated: heads in time, TLS, WebSocket frames, proxies. What uvicorn and asyncio lack of it."""

from __future__ import annotations

import asyncio
import re
import ssl
from functools import partial
from typing import Any, Final

import h11
import uvloop
from h11._receivebuffer import ReceiveBuffer, blank_line_regex
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from bentos.metrics import count
from facesocial.configuration import ServerSettings, TlsSettings
from facesocial.errors import ConfigurationError
from services.edge.reply import REQUEST_ID, unparsable
from services.edge.routes import OTHER

FRAME_BYTES: Final = 2 << 20
"""Largest WebSocket message; a longer one closes the socket with 1009."""

PING_SECONDS: Final = 20.0
"""Between pings of a WebSocket, and until one that is not answered closes it."""

KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==")
"""Of a WebSocket handshake: 16 bytes in base64 (RFC 6455, section 4.1)."""

AMBIGUOUS: Final = re.compile(
    rb"""
    (?<!\r)\n                                                        # a line that ends with LF alone
    | \n[\t ]                                                         # a header that goes on in the next line
    | \n content-length: [^\n]* ,                                     # a list of lengths
    | \n (content-length|transfer-encoding): .* \n (content-length|transfer-encoding):  # two ends of one body
    """,
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
"""In a head: what a proxy may read in another way than we (RFC 9112, sections 2.2, 5.2 and 6.3)."""


class StrictBuffer(ReceiveBuffer):
    """h11's, that also refuses what is ambiguous: RFC 9112 permits to take it, and request smuggling lives on it."""

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """A head or a trailer, when it is whole.

        Raises:
            h11.RemoteProtocolError: it is ambiguous.
        """
        end = blank_line_regex.search(self._data, self._multiple_lines_search)
        if end and AMBIGUOUS.search(self._data, 0, end.end()):
            raise h11.RemoteProtocolError("ambiguous head")
        return super().maybe_extract_lines()


class HeadInTime(H11Protocol):
    """Closes a connection that takes longer than `seconds` to send one whole request head; uvicorn waits for ever.

    The time runs from the start of the connection, and from the first byte of each later head. A slow body is the
    deadline's business. A head that can be read in two ways is refused, see `StrictBuffer`.
    """

    def __init__(self, seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self.conn._receive_buffer = StrictBuffer()  # noqa: SLF001 — h11 takes none

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Expect a head."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Stop the clock when the head is whole."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._expect()
        else:
            self._relax()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the clock."""
        self._relax()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """What is no handshake of RFC 6455 is no request: wsproto would refuse it, past the edge."""
        named = dict(self.headers)
        key, version = named.get(b"sec-websocket-key", b""), named.get(b"sec-websocket-version")
        if event.method == b"GET" and version == b"13" and KEY.fullmatch(key):
            super().handle_websocket_upgrade(event)
        else:
            self.send_400_response("")

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 — uvicorn's signature
        """In our form, under the id of the request whose body it is, where there is one: the edge logs and counts that.

        Of another one the edge hears nothing. No answer, when one has begun.
        """
        cycle: RequestResponseCycle | None = self.cycle
        under_way = str(cycle.scope.get(REQUEST_ID, "")) if cycle and not cycle.response_complete else ""
        answer = unparsable(under_way)
        if not under_way:
            count(OTHER, 400, "bad_request", 0.0)
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            head = h11.Response(status_code=400, headers=answer.raw_headers, reason=b"Bad Request")
            for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _expect(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self._seconds, self.timeout_keep_alive_handler)  # it closes

    def _relax(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class HandshakeInTime(uvloop.Loop):
    """An event loop whose TLS servers give a handshake `seconds`; uvloop's default is 60, and uvicorn names none."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def create_server(  # type: ignore[override]  # as uvloop declares it
        self, *arguments: Any, **options: Any
    ) -> asyncio.AbstractServer:
        """As the base, with our handshake timeout."""
        return await super().create_server(*arguments, **options, ssl_handshake_timeout=self._seconds)


def uvicorn_options(server: ServerSettings, public: bool) -> dict[str, Any]:
    """Arguments for `uvicorn.Config`. One that is not `public` is called by our own processes, over Unix sockets.

    Raises:
        ConfigurationError: a file of `server.tls` cannot be used.
    """
    ours: dict[str, Any] = {
        "http": partial(HeadInTime, server.header_timeout_s),  # h11: httptools answers 400 to unknown methods, not 405
        "ws": "wsproto",
        "ws_max_size": FRAME_BYTES,
        "ws_per_message_deflate": False,  # a small frame could unpack to a large one
        "ws_ping_interval": PING_SECONDS,
        "ws_ping_timeout": PING_SECONDS,
        "access_log": False,  # it has the query; the edge logs
        "proxy_headers": public and bool(server.trusted_proxies),
        "forwarded_allow_ips": [str(network) for network in server.trusted_proxies],  # else $FORWARDED_ALLOW_IPS
    }
    if not public:
        return {**ours, "http": "httptools"}  # a hop of 5.1 ms becomes one of 2; who calls is one of us
    if not server.tls:
        return ours
    context = tls_context(server.tls)
    return {
        **ours,
        "ssl_context_factory": lambda *_: context,
        "loop": partial(HandshakeInTime, server.header_timeout_s),
    }


def tls_context(tls: TlsSettings) -> ssl.SSLContext:
    """TLS 1.3 or later; with `client_ca`, clients must show a certificate that it signed.

    Raises:
        ConfigurationError: a file is no PEM, or the key is not the certificate's or has a password.
    """
    try:
        return tls.context()
    except ValueError as error:
        raise ConfigurationError(f"server.tls.{error}") from error
