"""What runs each format that is no Keras model: whose system calls, and which extra brings it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from harness.records.environment import install_command
from harness.sandbox import seccomp


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A framework that runs what submissions hold."""

    title: str
    """What its models are called."""

    module: str
    """The name that it is imported by."""

    extra: str
    """The extra that brings it."""

    calls: str
    """Its table among those of system calls."""


RUNTIMES = {
    "onnx": Runtime(
        title="an ONNX model", module="onnxruntime", extra="onnx", calls=seccomp.ONNX
    ),
    "torchscript": Runtime(
        title="a TorchScript program", module="torch", extra="torch", calls=seccomp.TORCH
    ),
    "litert": Runtime(
        title="a LiteRT model", module="ai_edge_litert", extra="litert", calls=seccomp.LITERT
    ),
}  # fmt: skip
"""By the formats of `harness.networks.weight_files`."""


def system_calls(format_name: str) -> str:
    """Whose system calls a child may make that runs a model of this format."""
    runtime = RUNTIMES.get(format_name)
    return seccomp.TENSORFLOW if runtime is None else runtime.calls


def is_here(runtime: Runtime) -> bool:
    """Whether it is installed, found out without importing it."""
    return importlib.util.find_spec(runtime.module) is not None


def missing_runtime(format_name: str) -> str | None:
    """What is not installed that a model of this format needs, and how to get it; None else."""
    runtime = RUNTIMES.get(format_name)
    if runtime is None or is_here(runtime):
        return None
    return f"{runtime.title}, which needs {runtime.module}: {install_command(runtime.extra)}"
