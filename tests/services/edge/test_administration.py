"""The operators' routes: who may, what they answer, which errors they give."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from facesocial.capabilities import Capability
from facesocial.configuration import Configuration
from facesocial.errors import Conflict, NotReady
from models.library import Library
from models.store import Store
from services.administration import Office
from services.edge.administration import administration
from services.edge.intake import Intake
from services.edge.problems import MEDIA_TYPE
from services.edge.wrapper import Edge
from services.residency import Load, Look, Order, ProcessReport, Restate, Unload
from tests.vram_policy.fakes import FakeModel
from vram_policy import CpuArbiter
from vram_policy.arbiter import GpuArbiter
from vram_policy.simulated import SimulatedGpu

pytestmark = pytest.mark.unit


class FakeResidency:
    """Remembers its orders; one card with one model that was asked for; raises what it is told to."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.error: Exception | None = None
        arbiter = GpuArbiter(SimulatedGpu(1000), 800, CpuArbiter(), context=0, headroom=0)
        arbiter.lease(FakeModel()).end()
        self.report = ProcessReport("facesocial_pipeline", (arbiter.report(),))

    async def obey(self, order: Order) -> tuple[ProcessReport, ...]:
        """See `Residency.obey`."""
        self.orders.append(order)
        if self.error:
            raise self.error
        return self.report, ProcessReport("facesocial_mesh", ())

    def close(self) -> None:
        """Nothing runs."""


@pytest.fixture
def residency() -> FakeResidency:
    return FakeResidency()


@pytest.fixture
async def client(
    residency: FakeResidency, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("FACESOCIAL_CONFIGURATION", str(tmp_path / "configuration.yaml"))
    (tmp_path / "configuration.yaml").write_text("")
    configuration = Configuration()
    office = Office(configuration, Library(Store(tmp_path)))
    office.open(residency, "secret")
    transport = httpx.ASGITransport(Edge(administration(office, configuration, Intake.of(configuration)), {}))
    headers = {"Authorization": "Bearer secret"}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:3000", headers=headers) as client:
        yield client


async def test_the_cards_as_their_processes_see_them(client: httpx.AsyncClient) -> None:
    """Processes without a card are left out; every number the contract names is there."""
    answer = (await client.get("/v1/admin/vram")).json()
    (process,) = answer["items"]
    assert answer["next"] is None
    assert process["process"] == "facesocial_pipeline"
    (card,) = process["cards"]
    assert {"budget", "free", "charged", "own", "zones", "policy", "lost"} <= card.keys()
    assert card["zones"]["critical"] == {"guaranteed": 266, "used": 0}
    (model,) = card["models"]
    wanted = {"state", "charged", "measured", "leases", "idle", "zone", "pin", "counts"}
    assert wanted <= model.keys()
    assert {"loads", "evictions", "spills", "failovers", "out_of_memory"} <= model["counts"].keys()


@pytest.mark.parametrize(("verb", "order"), [("load", Load), ("unload", Unload)])
async def test_load_and_unload_go_to_the_capability(
    client: httpx.AsyncClient, residency: FakeResidency, verb: str, order: type[Load | Unload]
) -> None:
    response = await client.post(f"/v1/admin/models/face-recognition/{verb}")
    assert response.status_code == 200
    assert residency.orders == [order(Capability.RECOGNITION)]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(Conflict("larger than the budget"), 409, "conflict"), (NotReady("gone"), 503, "not_ready")],
)
async def test_refusals_say_why(
    client: httpx.AsyncClient, residency: FakeResidency, error: Exception, status: int, code: str
) -> None:
    residency.error = error
    response = await client.post("/v1/admin/models/face-recognition/load")
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json()["detail"] == str(error)
    assert response.headers["content-type"].startswith(MEDIA_TYPE)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/admin/models/face-nothing/load", None, 404, "not_found"),
        ("/v1/admin/models/face-detection/rollback", None, 404, "not_found"),
        ("/v1/admin/models/face-detection/activate", {"tag": "nothing:1"}, 404, "not_found"),
        ("/v1/admin/models/face-detection/activate", {"tag": "x", "role": "admin"}, 422, "validation_error"),
        ("/v1/admin/models/face-detection/activate", {}, 422, "validation_error"),
        ("/v1/admin/nothing", None, 404, "not_found"),
    ],
)
async def test_what_is_not_there(client: httpx.AsyncClient, path: str, body: Any, status: int, code: str) -> None:
    response = await client.post(path, json=body)
    assert (response.status_code, response.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    "sent", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic secret", "secret", "Bearer secret x"]
)
async def test_who_does_not_know_the_token_is_no_operator(client: httpx.AsyncClient, sent: str | None) -> None:
    """Wherever the connection comes from."""
    del client.headers["Authorization"]
    headers = {} if sent is None else {"Authorization": sent}
    for method, path in [("GET", "/v1/admin/vram"), ("POST", "/v1/admin/reload"), ("POST", "/v1/admin/models/x/load")]:
        response = await client.request(method, path, headers=headers)
        assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
        assert response.headers["www-authenticate"] == "Bearer"
    assert (await client.get("/v1/models", headers=headers)).status_code == 200


async def test_reload_applies_what_it_can(client: httpx.AsyncClient, residency: FakeResidency, tmp_path: Any) -> None:
    """Rules and stands go to the processes at once; what needs a restart is named; nothing changed is nothing done."""
    text = "vram: {policy: lru, gpu: none, models: {a: {zone: high, pin: true}}}\nserver: {port: 4000}\n"
    (tmp_path / "configuration.yaml").write_text(text)
    answer = (await client.post("/v1/admin/reload")).json()
    assert answer == {"applied": ["vram.policy", "vram.models"], "restart": ["server.port", "vram.gpu"]}
    (order,) = residency.orders
    assert isinstance(order, Restate)
    assert order.vram["policy"] == "lru"
    assert order.vram["models"] == {"a": {"zone": "high", "pin": True}}
    again = (await client.post("/v1/admin/reload")).json()
    assert again == {"applied": [], "restart": ["server.port", "vram.gpu"]}, "it still needs one"
    assert len(residency.orders) == 1


async def test_a_wrong_configuration_changes_nothing(
    client: httpx.AsyncClient, residency: FakeResidency, tmp_path: Any
) -> None:
    """422 with line, key and what is allowed; where the file lies stays ours."""
    (tmp_path / "configuration.yaml").write_text("vram:\n  residency_s: -1\n")
    response = await client.post("/v1/admin/reload")
    assert (response.status_code, response.json()["code"]) == (422, "validation_error")
    assert "line 2: vram.residency_s" in response.json()["detail"]
    assert str(tmp_path) not in response.text
    assert not residency.orders


async def test_models_are_listed_even_while_the_card_cannot_be_asked(
    client: httpx.AsyncClient, residency: FakeResidency
) -> None:
    residency.error = NotReady("gone")
    assert (await client.get("/v1/models")).json() == {"items": [], "next": None}
    assert residency.orders == [Look()]
