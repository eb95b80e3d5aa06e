"""Model files: HDF5 of each layout, and ``.keras`` archives."""

from __future__ import annotations

import contextlib
import io
import warnings
import zipfile
from math import prod

import h5py
import numpy as np
from fuzz_configs import CHANGED, CLASSES, CONFIG_TREES, lay_sources
from fuzz_inputs import ODD_TEXTS, as_json, changed_tree, damaged
from fuzz_properties import BAIT, Finding, require_foreseen, require_one_line, require_rejected
from hypothesis import strategies as st
from keras_files import weight_groups
from models import LAYERS

from harness.networks.deepid import lab_network, weight_shapes

_SHAPES = weight_shapes(60, CLASSES)
_ODD = st.sampled_from([text for text in ODD_TEXTS if 0 < len(text) < 400 and "\0" not in text])


# --- HDF5 -----------------------------------------------------------------------------------------

_DATASETS = (
    "empty", "scalar", "shape", "huge", "ranks", "integers", "half", "double", "big-endian",
    "long",
    "complex", "texts", "records", "booleans", "references", "variable", "chunks", "growing",
    "filter",
    "external",
    "virtual", "soft", "outside", "loop", "type", "group", "gone", "texts in it", "nan",
)  # fmt: skip


def _put(group, name, shape):
    # Nothing is written: the file stays small, and most of its bytes are structure.
    group.create_dataset(name, shape=shape, dtype="f4", fillvalue=0)


def _put_legacy(root, names):
    root.attrs["layer_names"] = np.array([names.get(layer, layer).encode() for layer in LAYERS])
    for layer in LAYERS:
        name = names.get(layer, layer)
        group = root.create_group(name)
        weights = [f"{name}/kernel:0", f"{name}/bias:0"]
        group.attrs["weight_names"] = np.array([each.encode() for each in weights])
        for part, path in zip(("kernel", "bias"), weights, strict=True):
            _put(group, path, _SHAPES[f"{layer}/{part}"])


def _put_checkpoint(file, config, **layout):
    for path, shape in weight_groups(config, _SHAPES, **layout).items():
        if shape is None:
            file.require_group(path)
        else:
            _put(file, path, shape)


@st.composite
def _hdf5(draw, layouts=("weights", "full", "checkpoint")):
    content = io.BytesIO()
    newest = draw(st.sampled_from((None, None, "latest")))
    layout = draw(st.sampled_from(layouts))
    with h5py.File(content, "w", libver=newest) as file:
        if layout == "weights":
            _put_legacy(file, {"conv_1": draw(st.sampled_from(("conv_1", "conv2d_5", "x\\y")))})
        elif layout == "full":
            root = file.create_group("model_weights")
            _put_legacy(root, {})
            file.attrs.create("model_config", *draw(_config_attributes()))
        else:
            container = draw(
                st.sampled_from(("layers", "_layer_checkpoint_dependencies", "_operations"))
            )
            separator = draw(st.sampled_from(("/", "/", "\\")))
            _put_checkpoint(file, CONFIG_TREES[2], container=container, separator=separator)
        for _ in range(draw(st.integers(0, 3))):
            _edit(draw, file)
    return content.getvalue()


@st.composite
def _config_attributes(draw):
    """A ``model_config``: mostly JSON in a text, sometimes anything else."""
    text = draw(st.one_of(st.sampled_from(CONFIG_TREES).map(as_json), CHANGED))[:60_000]
    kind = draw(st.sampled_from(("bytes", "bytes", "text", "array", "number", "empty")))
    if kind == "array":
        return [np.array([text, text])]
    if kind == "number":
        return [5]
    if kind == "empty":
        return [h5py.Empty("S1")]
    return [text.decode(errors="replace") if kind == "text" else np.bytes_(text)]


def _edit(draw, file):
    """One thing in a file that Keras would not write."""
    paths = []
    file.visit(paths.append)
    path = draw(st.sampled_from(paths)) if paths else "x"
    # What HDF5 does not write cannot be handed in.
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, RuntimeError):
        change = draw(st.sampled_from(("dataset", "dataset", "attribute", "group", "name")))
        if change == "dataset":
            kinds = [each for each in paths if isinstance(file.get(each), h5py.Dataset)]
            path = draw(st.sampled_from(kinds or [path]))
            _replace(file, path, draw(st.sampled_from(_DATASETS)))
        elif change == "attribute":
            _edit_attribute(draw, file, [each for each in paths if file[each].attrs])
        elif change == "group":
            _add_groups(draw, file, path)
        else:
            parent, _, own = path.rpartition("/")
            name = draw(
                st.one_of(_ODD, st.sampled_from(("dense_99", "conv2d", "vars", "seed_generator")))
            )
            file.move(path, f"{parent}/{name}" if draw(st.booleans()) else f"{parent}/{own}_{name}")


def _replace(file, path, kind):
    old = file[path]
    shape = getattr(old, "shape", (3,))
    del file[path]
    if kind in _MADE:
        shape, dtype, more = _MADE[kind](shape)
        file.create_dataset(path, shape=shape, dtype=dtype, **more)
    elif kind == "empty":
        file[path] = h5py.Empty("f4")
    elif kind == "nan":
        file.create_dataset(path, shape=shape, dtype="f4", fillvalue=np.nan)
    elif kind == "virtual":
        layout = h5py.VirtualLayout(shape=shape, dtype="f4")
        layout[...] = h5py.VirtualSource("../bait.h5", "bait", shape=shape)
        file.create_virtual_dataset(path, layout)
    elif kind == "soft":
        file[path] = h5py.SoftLink("/")
    elif kind == "outside":
        file[path] = h5py.ExternalLink("../bait.h5", path)
    elif kind == "loop":
        file[path] = file["/"]
    elif kind == "type":
        file[path] = np.dtype("f4")
    elif kind == "group":
        file.create_group(path)
    elif kind == "texts in it":
        file[path] = ["a", "b"]


_MADE = {
    "scalar": lambda _: ((), "f4", {}),
    "shape": lambda shape: ((*shape[:-1], shape[-1] + 1), "f4", {}),
    "huge": lambda shape: ((*shape[:-1], 10**12), "f4", {}),
    "ranks": lambda _: ((1,) * 32, "f4", {}),
    "integers": lambda shape: (shape, "i8", {}),
    "half": lambda shape: (shape, "f2", {}),
    "double": lambda shape: (shape, "f8", {}),
    "big-endian": lambda shape: (shape, ">f4", {}),
    "long": lambda shape: (shape, np.longdouble, {}),
    "complex": lambda shape: (shape, "c8", {}),
    "texts": lambda shape: (shape, "S4", {}),
    "records": lambda shape: (shape, [("a", "f4"), ("b", "f4")], {}),
    "booleans": lambda shape: (shape, bool, {}),
    "references": lambda shape: (shape, h5py.ref_dtype, {}),
    "variable": lambda shape: (shape, h5py.vlen_dtype("f4"), {}),
    "chunks": lambda shape: (shape, "f4", {"chunks": (1,) * len(shape)}),
    "growing": lambda shape: (shape, "f4", {"chunks": True, "maxshape": (None,) * len(shape)}),
    "filter": lambda shape: (shape, "f4", {"compression": "gzip", "fletcher32": True}),
    "external": lambda shape: (shape, "f4", {"external": [("../bait.raw", 0, 4 * prod(shape))]}),
}


def _edit_attribute(draw, file, owners):
    owner = file[draw(st.sampled_from(owners))] if owners and draw(st.booleans()) else file
    name = draw(st.sampled_from(("layer_names", "weight_names", "model_config", "keras_version")))
    owner = file if name == "model_config" else owner
    value = draw(
        st.one_of(
            st.sampled_from((
                5, h5py.Empty("S1"), np.zeros(0), np.zeros((2, 2)), np.array([b"a", b"\xff"]),
                b"\xff\xfe", "",
                np.array([b"conv_1"] * 7), np.array([[b"a"]]),
                np.array([b"a/b", b"..", b"/", b"."]),
                np.array([b""] * 3), np.array([b"layers"]), np.array([b"a"] * 5000),
            )),
            st.lists(_ODD, min_size=1, max_size=4),
        )
    )  # fmt: skip
    if isinstance(value, list):
        value = np.array([text.encode("utf-8", "surrogatepass") for text in value], dtype=object)
        owner.attrs.create(name, value, dtype=h5py.string_dtype())
    else:
        owner.attrs[name] = value


def _add_groups(draw, file, path):
    kind = draw(st.sampled_from(("deep", "many", "loop", "odd", "twin", "all gone")))
    if kind == "deep":
        file.require_group("layers/" + "d/" * 30)
    elif kind == "many":
        for number in range(300):
            file.require_group(f"layers/dense_{number}/vars")
    elif kind == "loop":
        file["layers/again"] = file["/"]
    elif kind == "odd":
        file.require_group(f"layers/{draw(_ODD)}/vars")
    elif kind == "twin":
        file.copy(path, f"{path}_1")
    else:
        file.clear()


HDF5_FILES = damaged(_hdf5(), most=3)


# --- .keras ---------------------------------------------------------------------------------------

_MEMBERS = st.sampled_from((
    "config.json", "model.weights.h5", "metadata.json", "assets/x", "x/", "../x", "./config.json",
    "a\\config.json", "__MACOSX/config.json", ".DS_Store", "x/config.json", "x", "config.json/",
    "\u202e",
))  # fmt: skip


@st.composite
def _keras(draw):
    content = io.BytesIO()
    weights = draw(st.one_of(_hdf5(("checkpoint",)), damaged(_hdf5(("checkpoint",)))))
    trees = st.sampled_from(CONFIG_TREES[2:4])
    config = draw(st.one_of(trees.map(as_json), changed_tree(trees).map(as_json), CHANGED))
    members = {"metadata.json": b"{}", "config.json": config, "model.weights.h5": weights}
    names = list(members)
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 2)))):
        change = draw(st.sampled_from(("drop", "add", "rename", "folder")))
        if change == "drop" and names:
            names.remove(draw(st.sampled_from(names)))
        elif change == "add":
            names.append(draw(_MEMBERS))
        elif change == "folder":
            members = {f"net/{name}": each for name, each in members.items()}
            names = [f"net/{name}" for name in names]
        elif names:
            old, new = draw(st.sampled_from(names)), draw(_MEMBERS)
            members[new] = members.get(old, b"x")
            names[names.index(old)] = new
    method = draw(st.sampled_from((0, 8, 12, 14)))
    with warnings.catch_warnings(), zipfile.ZipFile(content, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), members.get(name, b"x"), method)
    return content.getvalue()


KERAS_FILES = st.one_of(_keras(), damaged(_keras(), most=3))


def check_model(content, folder):
    """What a model file holds."""
    from harness.inference.known_network import inspect_file
    from harness.intake.staging import Staged
    from harness.networks.keras_files.layers import RejectedFileError
    from harness.networks.weight_files import OtherArchitectureError, read_model
    from harness.records.errors import SubmissionError

    _lay_bait(folder.parent)
    path, source = folder / "model.h5", lay_sources(folder)
    path.write_bytes(content)
    with contextlib.suppress(OtherArchitectureError):
        try:
            read_model(path, lab_network(CLASSES), source)
        except RejectedFileError as error:
            require_foreseen(error)

    staged = Staged(path=path, sha256="", size_bytes=len(content), source=source)
    try:
        inspection = inspect_file(staged, "h5", lab_network(CLASSES), sandbox="bubblewrap")
    except SubmissionError as error:
        require_rejected(error)
        return f"refused: {error.reason}"
    if inspection.weights is None:
        require_one_line(inspection.differs)
        if inspection.note:
            require_one_line(inspection.note)
        return f"other: {inspection.format}, {inspection.differs}"
    for name, array in inspection.weights.items():
        if (array == BAIT).any():
            raise Finding(f"{name} was read from another file")
    return f"known: {inspection.format}, {inspection.weights['conv_3/bias'].shape[0]} channels"


def _lay_bait(folder):
    """Beside the folder of the model, what a link in it may lead to."""
    path = folder / "bait.h5"
    if path.exists():
        return
    with h5py.File(path, "w") as file:
        file.create_dataset("bait", data=np.full(10, BAIT, "f4"))
        _put_legacy(file, {})
        for layer in LAYERS:
            for part in ("kernel", "bias"):
                file[f"{layer}/{layer}/{part}:0"][...] = BAIT
    (folder / "bait.raw").write_bytes(np.full(2 << 20, BAIT, "f4").tobytes())
