"""Two questions lie at one place only when they are the same question."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cache.keys import Keys, Question

pytestmark = pytest.mark.unit

EPOCH = b"e" * 32

QUESTION = Question("anna", "/v1/detect", (b"picture",), {"max_faces": 3, "min_score": None}, {"face-detection": "a:1"})

questions = st.builds(
    Question,
    st.text(max_size=3),
    st.sampled_from(["/v1/detect", "/v1/analyze"]),
    st.lists(st.binary(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=2), st.none() | st.integers(0, 3) | st.lists(st.text(max_size=1), max_size=2)),
    st.dictionaries(st.text(max_size=2), st.text(max_size=2)),
)


@given(questions, questions)
def test_one_place_is_one_question(first: Question, second: Question) -> None:
    keys = Keys(b"secret")
    assert (keys.answer(first, EPOCH) == keys.answer(second, EPOCH)) == (first == second)


@pytest.mark.parametrize(
    "other",
    [
        replace(QUESTION, tenant="bert"),
        replace(QUESTION, route="/v1/analyze"),
        replace(QUESTION, sources=(b"pictur", b"e")),
        replace(QUESTION, sources=(b"picture", b"")),
        replace(QUESTION, parameters={"max_faces": 3}),
        replace(QUESTION, parameters={"max_faces": 3, "min_score": 0.0}),
        replace(QUESTION, tags={"face-detection": "a:2"}),
        replace(QUESTION, tags={}),
    ],
)
def test_each_part_counts(other: Question) -> None:
    assert Keys(b"secret").answer(other, EPOCH) != Keys(b"secret").answer(QUESTION, EPOCH)


def test_the_order_of_names_does_not_count() -> None:
    turned = replace(QUESTION, parameters=dict(reversed(list(QUESTION.parameters.items()))))
    assert Keys(b"secret").answer(turned, EPOCH) == Keys(b"secret").answer(QUESTION, EPOCH)


def test_the_order_of_pictures_counts() -> None:
    first, second = (replace(QUESTION, sources=sources) for sources in ((b"a", b"b"), (b"b", b"a")))
    assert Keys(b"secret").answer(first, EPOCH) != Keys(b"secret").answer(second, EPOCH)


def test_secret_and_epoch_count() -> None:
    places = {Keys(secret).answer(QUESTION, epoch) for secret in (b"one", b"two") for epoch in (EPOCH, b"f" * 32)}
    assert len(places) == 4
    assert len({Keys(secret).epoch(tenant) for secret in (b"one", b"two") for tenant in ("anna", "bert")}) == 4


def test_a_name_that_is_no_unicode_has_a_place() -> None:
    assert len(Keys(b"secret").answer(replace(QUESTION, tenant="\ud800"), EPOCH)) == 32
