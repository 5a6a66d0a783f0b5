"""What ONNX Runtime says of a card is understood; texts as its users met them."""

from __future__ import annotations

import pytest

from facesocial.errors import DeviceError, DeviceLost, OutOfDeviceMemory
from runners.cuda import STICKY, UNUSABLE, fault, provider_options

pytestmark = pytest.mark.unit

CALL = "[ONNXRuntimeError] : 1 : FAIL : /onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:121 CudaCall"
NODE = "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running Conv node."

FULL = {
    "microsoft/onnxruntime#16307": f"{NODE} onnxruntime::BFCArena::AllocateRawInternal Failed to allocate memory for "
    "requested buffer of size 939524096",
    "gpu_mem_limit": f"{NODE} Name:'Conv_3' Status Message: BFCArena::AllocateRawInternal Available memory of 34699008 "
    "is smaller than requested bytes of 945041920",
    "hacksider/Deep-Live-Cam#584": f"{CALL} CUDA failure 2: out of memory ; GPU=0 ; hostname=DESKTOP ; file=cuda_stream"
    "_handle.cc ; line=175 ; expr=cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);",
    "fudan-generative-vision/hallo#218": "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Exception during initialization:"
    f" {CALL} CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; expr=cublasCreate(&cublas_handle_);",
    "CUDA 12's words for it": f"{CALL} CUBLAS failure 3: the resource allocation failed ; GPU=0 ; expr=cublasCreate",
    "cuBLAS without its name": f"{CALL} CUBLAS failure 1: the library was not initialized ; GPU=0 ; expr=cublasCreate",
    "cuDNN 8": f"{NODE} CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0 ; expr=cudnnCreate(&cudnn_handle_);",
    "cuDNN 9": f"{NODE} CUDNN failure 4003: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ; GPU=0",
    "microsoft/onnxruntime#17337": f"{CALL} CUDNN failure 1: CUDNN_STATUS_NOT_INITIALIZED ; GPU=0 ; expr=cudnnCreate",
}

LOST = {
    "microsoft/onnxruntime#5295": "[E:onnxruntime:test, cuda_call.cc:119 CudaCall] CUDA failure 700: an illegal memory "
    "access was encountered ; GPU=0 ; hostname=x ; expr=cudaMemcpy(dst, src, bytes, cudaMemcpyHostToDevice);",
    "launch failure": f"{CALL} CUDA failure 719: unspecified launch failure ; GPU=0 ; expr=cudaStreamSynchronize(s)",
    "assert": f"{CALL} CUDA failure 710: device-side assert triggered ; GPU=0 ; expr=cudaGetLastError()",
    "ECC": f"{CALL} CUDA failure 214: uncorrectable ECC error encountered ; GPU=0",
    "context": f"{CALL} CUDA failure 709: context is destroyed ; GPU=0",
    "misaligned": f"{CALL} CUDA failure 716: misaligned address ; GPU=0",
    "stack": f"{CALL} CUDA failure 714: hardware stack error ; GPU=0",
    "an allocation afterwards": f"{CALL} CUDA failure 700: an illegal memory access was encountered ; expr=cudaMalloc",
    "microsoft/onnxruntime#14211": f"{CALL} CUDA failure 999: unknown error ; GPU=1 ; expr=cudaSetDevice(device_id);",
    "no card": f"{CALL} CUDA failure 100: no CUDA-capable device is detected ; GPU=0 ; expr=cudaSetDevice(device_id);",
    "old driver": f"{CALL} CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=-1",
}

UNKNOWN = {
    "cuDNN": f"{NODE} CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED ; GPU=0 ; expr=cudnnConvolutionForward(handle)",
    "microsoft/onnxruntime#14186": f"{NODE} Name:'stem' Status Message: CUDNN error executing cudnnConvolutionForward(",
    "argument": f"{CALL} CUDA failure 1: invalid argument ; GPU=0 ; expr=cudaMemcpyAsync(dst, src, bytes)",
    "three digits are not one": f"{CALL} CUDA failure 201: invalid device context ; GPU=0",
}

OTHERS = (
    "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions for input: input for the following indices",
    "[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Load model from model.onnx failed:Protobuf parsing failed.",
    "[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation for ConvInteger(10)",
    "The node 'CUDA' failed to load",
)


@pytest.mark.parametrize("message", FULL.values(), ids=FULL)
def test_want_of_memory(message: str) -> None:
    assert fault(message) is OutOfDeviceMemory


@pytest.mark.parametrize("message", LOST.values(), ids=LOST)
def test_a_card_that_is_lost(message: str) -> None:
    assert fault(message) is DeviceLost


@pytest.mark.parametrize("message", UNKNOWN.values(), ids=UNKNOWN)
def test_a_card_that_failed_otherwise(message: str) -> None:
    """Not the request's fault: the CPU answers, and the process lives on."""
    assert fault(message) is DeviceError


@pytest.mark.parametrize("message", OTHERS)
def test_what_is_no_fault_of_the_card(message: str) -> None:
    assert fault(message) is None


@pytest.mark.parametrize("number", sorted(STICKY | UNUSABLE))
def test_every_number_counts_without_its_words(number: int) -> None:
    assert fault(f"CUDA failure {number}: ein Fehler ; GPU=0") is DeviceLost


def test_the_arena_is_bounded_when_a_bound_is_known() -> None:
    assert provider_options(1, 123)["gpu_mem_limit"] == "123"
    assert "gpu_mem_limit" not in provider_options(1, None)
    assert provider_options(1, None)["device_id"] == "1"
