"""Layers of a Keras config that Keras alone cannot make: wrappers, and classes of the student's.

Recognised in the config, before anything is run, so that one line can say what to hand in.
"""

from __future__ import annotations

import ast
import sys
from collections import deque
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_STRIP_PRUNING = (
    "wrapped for pruning by tfmot; save tfmot.sparsity.keras.strip_pruning(model) instead of it"
)
_STRIP_CLUSTERING = (
    "wrapped for clustering by tfmot; save tfmot.clustering.keras.strip_clustering(model) "
    "instead of it"
)
_UNQUANTIZED = (
    "wrapped for quantization by tfmot; save the model as it was before "
    "tfmot.quantization.keras.quantize_model"
)
_WRAPPERS = {
    "PruneLowMagnitude": _STRIP_PRUNING,
    "ClusterWeights": _STRIP_CLUSTERING,
    "QuantizeAnnotate": _UNQUANTIZED,
    "QuantizeLayer": _UNQUANTIZED,
    "QuantizeWrapper": _UNQUANTIZED,
    "QuantizeWrapperV2": _UNQUANTIZED,
}
"""What to do, by the class of a layer."""

_WRAPPED_WEIGHTS = {
    "prune_low_magnitude": _STRIP_PRUNING,
    "pruning_step": _STRIP_PRUNING,
    "cluster_weights": _STRIP_CLUSTERING,
    "cluster_centroids": _STRIP_CLUSTERING,
    "quantize_wrapper": _UNQUANTIZED,
    "quantize_layer": _UNQUANTIZED,
    "optimizer_step": _UNQUANTIZED,
}
"""What to do, by how the name of a group or of an array in a file of weights begins."""

_KERAS_CLASSES = frozenset(
    """
    AbstractRNNCell Activation ActivityRegularization AdaptiveAveragePooling1D
    AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D
    AdaptiveMaxPooling3D Add AddLoss AddMetric AdditiveAttention AlphaDropout Attention AugMix
    AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D
    AvgPool3D BaseRandomLayer BatchNormalization BatchNormalizationBase BatchNormalizationV1
    BatchNormalizationV2 Bidirectional CategoryEncoding CenterCrop ClassMethod Concatenate
    ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D Conv2DTranspose
    Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Convolution1D Convolution1DTranspose
    Convolution2D Convolution2DTranspose Convolution3D Convolution3DTranspose Cropping1D
    Cropping2D Cropping3D CuDNNGRU CuDNNLSTM CutMix Dense DenseFeatures DepthwiseConv1D
    DepthwiseConv2D DeviceWrapper Discretization Dot Dropout DropoutWrapper ELU EinsumDense
    Embedding Equalization Flatten FlaxLayer Functional GRU GRUCell GRUCellV1 GRUCellV2 GRUV1
    GRUV2 GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D
    GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool1D
    GlobalMaxPool2D GlobalMaxPool3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
    GroupNormalization GroupQueryAttention HashedCrossing Hashing Identity Input InputLayer
    InputSpec InstanceMethod InstanceProperty IntegerLookup JaxLayer LSTM LSTMCell LSTMCellV1
    LSTMCellV2 LSTMV1 LSTMV2 Lambda Layer LayerNormalization LeakyReLU LinearModel
    LocallyConnected1D LocallyConnected2D Masking MaxNumBoundingBoxes MaxPool1D MaxPool2D
    MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D Maximum MelSpectrogram Minimum MixUp Model
    MultiHeadAttention Multiply Normalization PReLU Permute Pipeline PreprocessingLayer
    RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter
    RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip
    RandomFourierFeatures RandomGaussianBlur RandomGrayscale RandomHeight RandomHue RandomInvert
    RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness
    RandomShear RandomTranslation RandomWidth RandomZoom ReLU RepeatVector Rescaling Reshape
    ResidualWrapper Resizing ReversibleEmbedding STFTSpectrogram SeparableConv1D SeparableConv2D
    SeparableConvolution1D SeparableConvolution2D SequenceFeatures Sequential SimpleRNN
    SimpleRNNCell SlicingOpLambda Softmax Solarization SpatialDropout1D SpatialDropout2D
    SpatialDropout3D SpectralNormalization StackedRNNCells StringLookup Subtract
    SyncBatchNormalization TFOpLambda TFSMLayer TensorFlowOpLayer TextVectorization
    ThresholdedReLU TimeDistributed TorchModuleWrapper UnitNormalization UpSampling1D
    UpSampling2D UpSampling3D WideDeepModel Wrapper ZeroPadding1D ZeroPadding2D ZeroPadding3D
    _RNNCellWrapper
    """.split()  # noqa: SIM905 - two hundred quotation marks would not make it more readable
)
"""Layers of Keras 2.12 to 3.15, by which files of Keras 2 name them, without a module."""


def wrapped_model(config: Any) -> str | None:
    """What to do about a model whose layers tfmot has wrapped; None where it has not."""
    for layer in _layers(config):
        for kind, remedy in _WRAPPERS.items():
            if layer["class_name"].rpartition(">")[-1] == kind:
                return remedy
    return None


def wrapped_weights(names: Iterable[str]) -> str | None:
    """`wrapped_model`, by the names of groups and arrays in a file of weights."""
    for name in names:
        for beginning, remedy in _WRAPPED_WEIGHTS.items():
            if name.startswith(beginning):
                return remedy
    return None


def missing_class(config: Any, source: Path | None) -> str | None:
    """Which class of a config neither Keras nor the submitted source defines, and what to do."""
    missing = [layer for layer in _layers(config) if _own_class(layer)]
    if not missing:
        return None
    defined = _defined_names(source)
    for layer in missing:
        name = _own_class(layer)
        if name is None or defined is None or name in defined:
            continue
        label = "the model" if layer is config else f"layer {layer['config'].get('name')!r:.60}"
        notebook = _notebook_with(name, source)
        remedy = "hand in the .py file that defines it beside the model"
        if notebook is not None:
            remedy = f"export its class from {notebook:.60} as a .py file beside the model"
        return (
            f"{label} is of the class {name:.60}, which Keras does not know; {remedy}, or save a "
            "model of Keras's own layers as .keras"
        )
    return None


def _notebook_with(name: str, source: Path | None) -> str | None:
    """A notebook that speaks of a class."""
    notebooks = sorted(source.rglob("*.ipynb")) if source else ()
    encoded = name.encode(errors="surrogatepass")  # JSON may hold half a character
    return next((path.name for path in notebooks if encoded in path.read_bytes()), None)


def _layers(config: Any) -> Iterator[dict[str, Any]]:
    """All layers of a config and of the models nested in it, as far as they can be made out."""
    pending = deque([config])
    while pending:
        layer = pending.popleft()
        if not isinstance(layer, dict) or not isinstance(layer.get("class_name"), str):
            continue
        settings = layer.get("config")
        if isinstance(settings, dict):
            yield layer
            inner = settings.get("layers")
            pending += [*(inner if isinstance(inner, list) else ()), settings.get("layer")]


def _own_class(layer: dict[str, Any]) -> str | None:
    """The name of a layer's class where it is not one that comes with Keras or TensorFlow."""
    kind = str(layer["class_name"]).rpartition(">")[-1]
    module, registered = layer.get("module"), layer.get("registered_name")
    if "module" in layer:
        if isinstance(module, str) and _is_installed(module.split(".")[0]):
            return None
        return kind if module or registered else None
    return None if layer["class_name"] in _KERAS_CLASSES else kind


def _is_installed(package: str) -> bool:
    """Whether a module is Python's or an installed package's, so that Keras can import it."""
    installed = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    known = package in sys.stdlib_module_names
    return known or PathFinder.find_spec(package, installed) is not None


def redefined_class(config: Any, source: Path | None) -> str | None:
    """A class of a config without modules that the submitted source defines as something else.

    Keras would take the student's ``Dropout`` for such a layer, not its own.
    """
    defined = _defined_classes(_trees(source) or ())
    return next(
        (kind for layer in _layers(config) if (kind := layer["class_name"]) in defined), None
    )


def _trees(source: Path | None) -> list[ast.Module] | None:
    """The Python files of a folder; None where one of them cannot be read."""
    trees = []
    for path in sorted(source.rglob("*.py")) if source else ():
        try:
            trees.append(ast.parse(path.read_bytes()))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    return trees


def _defined_names(source: Path | None) -> set[str] | None:
    """Names of classes that Python files define; None where they may define anything."""
    trees = _trees(source)
    if trees is None:
        return None
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom | ast.Import)
        for alias in node.names
    }
    return None if "*" in imported else imported | _defined_classes(trees)


def _defined_classes(trees: Iterable[ast.Module]) -> set[str]:
    nodes = (node for tree in trees for node in ast.walk(tree))
    return {node.name for node in nodes if isinstance(node, ast.ClassDef)}
