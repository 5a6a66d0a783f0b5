"""Two replicas, each in a network namespace of its own, and a Redis on the bridge between them. A program.

Run by root of a namespace without any network: `unshare --user --map-root-user --net python -m tests.bentos.replicas
FOLDER`. Prints, as JSON, how many of the requests of one address were let in: while there is Redis, and without.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx

from cli.serve import command, environment

NETWORK: Final = "10.99.0"
BRIDGE: Final = f"{NETWORK}.1"
PORT: Final = 3000
PER_ADDRESS: Final = 20
WAIT: Final = 'echo apart && read network && exec "$@" > "$LOG" 2>&1'
"""A shell that becomes a program when its network is there."""


def configure(*words: str, inside: int | None = None) -> None:
    """`ip`, here or in the network of a process."""
    enter = ["nsenter", "--target", str(inside), "--net"] if inside else []
    subprocess.run([*enter, "ip", *words], check=True)


@contextmanager
def running(program: Sequence[str], **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """Ended with the block."""
    process = subprocess.Popen(program, stdout=subprocess.PIPE, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


@contextmanager
def replica(number: int, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """A new replica, which starts, and a client of it."""
    address, link = f"{NETWORK}.{number + 1}", f"inner{number}"
    settings = {
        "MODELS__STARTER": "false",
        "SERVER__TLS": "null",
        "CACHE__ENABLED": "false",
        "RATES__ADDRESS": str(PER_ADDRESS),
        "RATES__TRUSTED_NETWORKS": "[]",
        "REDIS__URL": f"redis://{BRIDGE}",
    }
    variables = {f"FACESOCIAL__{name}": value for name, value in settings.items()}
    variables |= {"BENTOML_HOME": str(folder / str(number)), "LOG": str(folder / f"{number}.log")}
    program = ["unshare", "--net", "sh", "-c", WAIT, "sh", *command(address, PORT)]
    with running(program, stdin=subprocess.PIPE, env={**environment(), **variables}) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"apart\n"
        configure("link", "add", f"outer{number}", "type", "veth", "peer", "name", link, "netns", str(process.pid))
        configure("link", "set", f"outer{number}", "master", "bridge", "up")
        configure("address", "add", f"{address}/24", "dev", link, inside=process.pid)
        for name in (link, "lo"):
            configure("link", "set", name, "up", inside=process.pid)
        process.stdin.write(b"go\n")
        process.stdin.close()
        with httpx.Client(base_url=f"http://{address}:{PORT}", timeout=10, trust_env=False) as client:
            yield process, client


def await_answer(process: subprocess.Popen[bytes], client: httpx.Client) -> None:
    """Until it lives."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/livez").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError(str(client.base_url))


def let_in(clients: Sequence[httpx.Client]) -> int:
    """Of 60 requests, to one replica after the other."""
    statuses = [clients[number % 2].get("/v1/models").status_code for number in range(60)]
    assert set(statuses) <= {200, 429}
    return statuses.count(200)


def main(folder: Path) -> None:
    """See the module."""
    configure("link", "add", "bridge", "type", "bridge")
    configure("address", "add", f"{BRIDGE}/24", "dev", "bridge")
    configure("link", "set", "bridge", "up")
    store = ["redis-server", "--bind", BRIDGE, "--protected-mode", "no", "--save", "", "--dir", str(folder)]
    with ExitStack() as stack:
        redis = stack.enter_context(running(store))
        replicas = [stack.enter_context(replica(number, folder)) for number in (1, 2)]
        for process, client in replicas:
            await_answer(process, client)
        clients = [client for _, client in replicas]
        together = let_in(clients)
        redis.kill()
        redis.wait()
        apart = let_in(clients)
    sys.stdout.write(json.dumps({"together": together, "apart": apart}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
