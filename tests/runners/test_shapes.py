"""Which shapes run: few, each of them warmed, whatever the batch."""

from __future__ import annotations

import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.catalogue import load_catalogue
from models.library import Library
from models.signature import Input, inputs
from runners.detection.base import CANVASES
from runners.shapes import batches, permitted, volume

FACE = load_catalogue().spec("mobilefacenet_foamliu")
TWINS = load_catalogue().spec("minifasnet_fused")
ANY_SIZE = load_catalogue().spec("yunet_n_dynamic")
FIXED = load_catalogue().spec("ultraface_rfb_320")
ONE_BY_ONE = load_catalogue().spec("sface")

DYNAMIC = (Input("input", (None, 3, 112, 112)),)


@pytest.mark.parametrize(
    ("most", "sizes"),
    [(1, (1,)), (2, (1, 2)), (10, (1, 2, 4, 8, 10)), (16, (1, 2, 4, 8, 16)), (3, (1, 2, 3))],
)
@pytest.mark.unit
def test_batches_are_powers_of_two_up_to_the_largest(most: int, sizes: tuple[int, ...]) -> None:
    assert batches(FACE, DYNAMIC, most) == sizes


@given(st.integers(1, 64), st.integers(1, 64))
@pytest.mark.unit
def test_no_run_is_padded_to_twice_its_rows(most: int, rows: int) -> None:
    sizes = batches(FACE, DYNAMIC, most)
    assert list(sizes) == sorted(set(sizes))
    assert all(size < 2 * min(rows, most) for size in [next(size for size in sizes if size >= min(rows, most))])


@pytest.mark.unit
def test_a_fixed_batch_runs_one_by_one() -> None:
    """By the catalogue's word, or by the graph's."""
    assert batches(ONE_BY_ONE, DYNAMIC, 16) == (1,)
    assert batches(FACE, (Input("input", (1, 3, 112, 112)),), 16) == (1,)


@pytest.mark.unit
def test_a_detector_of_any_size_runs_on_every_canvas_and_never_on_two() -> None:
    shapes = permitted(ANY_SIZE, (Input("input", (None, 3, None, None)),), 16)
    assert {shape for (shape,) in shapes} == {(1, 3, height, width) for width, height in CANVASES}
    assert shapes[0] == ((1, 3, 640, 640),)


@pytest.mark.unit
def test_a_detector_of_one_size_runs_on_that() -> None:
    assert permitted(FIXED, (Input("input", (1, 3, 240, 320)),), 16) == (((1, 3, 240, 320),),)


@pytest.mark.unit
def test_the_graph_has_the_last_word_on_sizes() -> None:
    assert permitted(ANY_SIZE, (Input("input", (1, 3, 96, 96)),), 16) == (((1, 3, 96, 96),),)


@pytest.mark.unit
def test_every_input_has_its_shape_and_the_largest_comes_first() -> None:
    pair = tuple(Input(name, (None, 3, 80, 80)) for name in ("v2", "v1se"))
    shapes = permitted(TWINS, pair, 4)
    assert shapes == tuple(((rows, 3, 80, 80),) * 2 for rows in (4, 2, 1))
    assert volume(shapes[0]) == 2 * 4 * 3 * 80 * 80 * 4
    assert list(map(volume, shapes)) == sorted(map(volume, shapes), reverse=True)


@pytest.mark.unit
def test_inputs_of_other_ranks() -> None:
    assert permitted(FACE, (Input("x", (None,)),), 2) == (((2,),), ((1,),))
    assert permitted(ONE_BY_ONE, (Input("x", (1, None, None, None, None)),), 2) == (((1, 3, 112, 112, 1),),)


@pytest.mark.integration
def test_as_onnxruntime_reads_every_model_here(library: Library) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    looked = 0
    for model in library.installed():
        if model.path.name == "model.onnx":
            content = model.read()
            session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            assert inputs(content) == tuple(
                Input(entry.name, tuple(side if isinstance(side, int) else None for side in entry.shape))
                for entry in session.get_inputs()
            )
            looked += 1
    assert looked >= 5
