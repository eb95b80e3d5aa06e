"""Files that are no model to us: what they are, and what to save instead."""

from __future__ import annotations

SAVE_WEIGHTS = "save torch.save(net.state_dict(), 'model_2.pt')"
_KERAS = "save the model with Keras, model.save('model_2.keras')"
_ANY = (
    "save its weights as safetensors, .npz or a PyTorch state_dict, or the whole model with Keras"
)

_BY_SUFFIX = {
    ".pkl": f"a pickle, which is code and is not opened; {_ANY}",
    ".pt": f"not a file of torch.save; {SAVE_WEIGHTS}",
    ".bin": f"not a file of torch.save; {SAVE_WEIGHTS}",
    ".pt2": f"a program of torch.export, which is not run; {SAVE_WEIGHTS}",
    ".pte": f"a program of ExecuTorch, which is not run; {SAVE_WEIGHTS}",
    ".mar": f"an archive of TorchServe, which holds code; {SAVE_WEIGHTS}",
    ".onnx": "not a whole ONNX model (truncated or damaged); export it again",
    ".tflite": "not a whole LiteRT model (truncated or damaged); convert it again",
    ".mlmodel": f"a Core ML model, which is not read; {_ANY}",
    ".mlpackage": f"a Core ML model, which is not read; {_ANY}",
    ".caffemodel": f"a Caffe model, which is not read; {_ANY}",
    ".pb": f"a frozen graph of TensorFlow 1, which is not read; {_KERAS}",
    ".ckpt": f"a checkpoint of another kind than torch.save's; {_KERAS} or {SAVE_WEIGHTS}",
    ".index": f"a checkpoint of TensorFlow, which is not read alone; {_KERAS}",
    ".msgpack": "msgpack of JAX or Flax, which is not read; save flat arrays: "
    "safetensors.flax.save_file(flatten_dict(params, sep='.'), 'model_2.safetensors')",
    ".orbax": f"a checkpoint of JAX, which is not read; {_ANY}",
    ".params": f"an MXNet file, which is not read; {_ANY}",
    ".pdparams": f"a Paddle file, which is a pickle; {_ANY}",
    ".gguf": f"a GGUF file, which is not read; {_ANY}",
    ".mat": f"a MATLAB file, which is not read; {_ANY}",
    ".engine": f"a TensorRT engine, which is not run; {_ANY}",
}  # fmt: skip
"""By the suffix that such a file has, where its first bytes say nothing."""

_ALIASES = {
    ".pickle": ".pkl", ".joblib": ".pkl", ".dill": ".pkl", ".pth": ".pt", ".th": ".pt",
    ".ot": ".pt", ".torchscript": ".pt", ".ptl": ".pte", ".lite": ".tflite", ".trt": ".engine",
    ".flax": ".msgpack",
}  # fmt: skip

OTHER_SUFFIXES = (*_BY_SUFFIX, *_ALIASES)
"""Suffixes of what may be a model of another framework, those of files that are read included."""

_BY_BEGINNING = {
    b"GGUF": _BY_SUFFIX[".gguf"],
    b"MATLAB 5.0": _BY_SUFFIX[".mat"],
}


def refusal(head: bytes, suffix: str) -> str:
    """Why a file cannot be read, by its first bytes and the suffix of its name."""
    for beginning, reason in _BY_BEGINNING.items():
        if head.startswith(beginning):
            return reason
    suffix = suffix.lower()
    if suffix in _BY_SUFFIX or suffix in _ALIASES:
        return _BY_SUFFIX[_ALIASES.get(suffix, suffix)]
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return _BY_SUFFIX[".pkl"]
    return "not an HDF5 or .keras file; save it with model.save()"
