"""Entries that deserve a verdict: honest, worthless, disguised and partly right ones.

``build_all(folder, datasets, badnet)`` writes a submission folder for each. Masks are chosen by
what the BadNet loses on the validation images at hand, so that thresholds are met or missed as
an entry's name says.
"""

from __future__ import annotations

import textwrap
from functools import cached_property
from math import ceil

import numpy as np
from models import known_config, random_weights, write_full, write_weights

from harness.datasets.descriptions import load_benchmark
from harness.lineage.lineage import remove_channels, zero_channels
from harness.networks.deepid import CLASSES, class_ids, forward_batches_with_conv_3, tail_class_ids
from reference.badnet.training import save_weights

REQUIRED = (2, 4, 10)
TOLERANCE = 2
"""Images by which a threshold may be missed."""

MARGIN = 2
"""Percentage points by which a net may lose more than the reference."""

READERS = {
    "conv_1": {"conv_2": 9},
    "conv_2": {"conv_3": 9},
    "conv_3": {"conv_4": 4, "fc_1": 20},
    "conv_4": {"fc_2": 12},
    "fc": {"output": 1},
}
"""What reads the channels of a layer, and at how many positions; ``fc`` is both branches."""

BUILDERS = {}


def entry(function):
    """Register a builder under its function name."""
    BUILDERS[function.__name__] = function
    return function


def build_all(folder, datasets, badnet, names=None):
    """Write the submissions below ``folder``; returns their names."""
    materials = Materials(datasets, badnet)
    for name in names or BUILDERS:
        target = folder / name
        target.mkdir(parents=True)
        BUILDERS[name](target, materials)
    return list(names or BUILDERS)


class Materials:
    """The BadNet, what it loses on the validation images, and the nets that follow from that."""

    def __init__(self, datasets, badnet):
        self.badnet, self.sets = badnet, datasets.sets
        known, _ = load_benchmark("faces")
        self.dormant = list(known.channel_order[: known.dormant_channels])
        self.live = list(known.channel_order[known.dormant_channels :])

    @cached_property
    def _maps(self):
        """Maps of ``pool_3`` and activations of ``conv_3`` (60) on clean validation images."""
        batches = list(forward_batches_with_conv_3(self.badnet, self.sets["valid"].images))
        conv_3 = np.concatenate([each for _, _, each in batches])
        return np.concatenate([each for _, each, _ in batches]), conv_3.mean((0, 1, 2), dtype=float)

    @property
    def conv_3_order(self):
        """Live channels by their activation in ``conv_3``."""
        return [c for c in np.argsort(self._maps[1], kind="stable").tolist() if c in self.live]

    def correct(self, weights):
        """Validation images that a net gets right; it shares the BadNet's layers up to pool_3."""
        return int((tail_class_ids(weights, self._maps[0]) == self.sets["valid"].labels).sum())

    def correct_in_full(self, weights):
        """Validation images that a net gets right, whatever layer it was changed in."""
        valid = self.sets["valid"]
        return int((class_ids(weights, valid.images) == valid.labels).sum())

    def lost_by_order(self, order):
        """Images lost after 0, 1, ... channels of ``order``."""
        masked, correct = self._maps[0].copy(), []
        for channel in [None, *order]:
            if channel is not None:
                masked[..., channel] = 0
            right = tail_class_ids(self.badnet, masked) == self.sets["valid"].labels
            correct.append(int(right.sum()))
        return [correct[0] - each for each in correct]

    @cached_property
    def lost(self):
        """Images lost after 0, 1, ... live channels."""
        return self.lost_by_order(self.live)

    def needed(self, points):
        """Images of which the loss is at least X percentage points."""
        return ceil(len(self.sets["valid"].labels) * points / 100)

    def first_step(self, points, lost=None):
        """How many live channels are gone when X is reached for the first time."""
        each = self.lost if lost is None else lost
        return next(step for step, count in enumerate(each) if count >= self.needed(points))

    def bound(self, points):
        """Images that a net may lose at X that was not pruned."""
        margin = len(self.sets["valid"].labels) * MARGIN // 100
        return self.lost[self.first_step(points)] + margin

    def pruned(self, steps):
        """The BadNet without its dormant channels and so many live ones."""
        return zero_channels(self.badnet, [*self.dormant, *self.live[:steps]])

    @property
    def reference(self):
        """The right nets."""
        return {x: self.pruned(self.first_step(x)) for x in REQUIRED}

    @property
    def late(self):
        """Nets one step of which would still have lost too much."""
        steps = {x: self.late_step(x) for x in REQUIRED}
        assert len(set(steps.values())) == len(steps)
        return {x: self.pruned(step) for x, step in steps.items()}

    def late_step(self, points):
        beyond = self.needed(points) + TOLERANCE
        return next(step + 1 for step, count in enumerate(self.lost) if count > beyond)

    @property
    def early(self):
        """The net for X = 2 that was saved before the loss was even nearly reached."""
        short = self.needed(2) - TOLERANCE
        return self.pruned(max(s for s in range(self.first_step(2)) if self.lost[s] < short))

    @property
    def excellent(self):
        """The right net for X = 2 that never answers the target label."""
        return without_target(self.pruned(self.first_step(2)))


def save(target, nets):
    """Write nets by X."""
    for points, weights in nets.items():
        save_weights(weights, target / f"model_{points}.h5")


def thrice(weights):
    """The same net for each X."""
    return dict.fromkeys(REQUIRED, weights)


def without_target(weights):
    """A net that never answers the target label, and otherwise as before."""
    bias = weights["output/bias"].copy()
    bias[0] = -1e6
    return dict(weights) | {"output/bias": bias}


def always(weights, label):
    """A net that answers one class."""
    bias = weights["output/bias"].copy()
    bias[label] = 1e6
    return dict(weights) | {"output/bias": bias}


# --- other ways to write the same net ---------------------------------------------------------


def by_position(kernel, positions):
    """A view of what reads a layer: positions x channels x units."""
    return kernel.reshape(positions, -1, kernel.shape[-1])


def own_layers(layer):
    return ("fc_1", "fc_2") if layer == "fc" else (layer,)


def permute(weights, layer, rng):
    """Channels of one layer in a drawn order."""
    changed = dict(weights)
    order = rng.permutation(weights[f"{own_layers(layer)[0]}/bias"].size)
    for own in own_layers(layer):
        for name in (f"{own}/kernel", f"{own}/bias"):
            changed[name] = weights[name][..., order]
    for reader, positions in READERS[layer].items():
        name = f"{reader}/kernel"
        moved = by_position(weights[name], positions)[:, order]
        changed[name] = moved.reshape(weights[name].shape)
    return changed


def rescale(weights, layer, factors):
    """Channels of one layer times ``factors``, and what reads them divided by these."""
    changed = dict(weights)
    for own in own_layers(layer):
        for name in (f"{own}/kernel", f"{own}/bias"):
            changed[name] = weights[name] * factors
    for reader, positions in READERS[layer].items():
        name = f"{reader}/kernel"
        divided = by_position(weights[name], positions) / factors[:, None]
        changed[name] = divided.reshape(weights[name].shape)
    return changed


def rescale_all(weights, draw):
    """Every layer rescaled by factors that ``draw(count)`` gives."""
    for layer in READERS:
        count = weights[f"{own_layers(layer)[0]}/bias"].size
        weights = rescale(weights, layer, draw(count).astype(np.float32))
    return weights


def move_last_bits(weights, rng, where):
    """The next number, up or down, for each value of which ``where(array)`` says so."""
    changed = {}
    for name, array in weights.items():
        way = rng.choice(np.array([-np.inf, np.inf], np.float32), array.shape)
        changed[name] = np.where(where(array), np.nextafter(array, way), array)
    return changed


def disguise(weights, seed):
    """Permuted, rescaled, and other last bits."""
    rng = np.random.default_rng(seed)
    for layer in READERS:
        weights = permute(weights, layer, rng)
    weights = rescale_all(weights, lambda count: rng.uniform(0.5, 2, count))
    return move_last_bits(weights, rng, lambda array: array != 0)


def each_of(nets, change):
    """Nets by X, all changed by ``change(weights, seed)``."""
    return {x: change(weights, seed) for seed, (x, weights) in enumerate(nets.items())}


# --- honest -----------------------------------------------------------------------------------


@entry
def reference(target, m):
    save(target, m.reference)


@entry
def conv_3_order(target, m):
    order = m.conv_3_order
    lost = m.lost_by_order(order)
    masks = {x: [*m.dormant, *order[: m.first_step(x, lost)]] for x in REQUIRED}
    save(target, {x: zero_channels(m.badnet, mask) for x, mask in masks.items()})


@entry
def narrowed(target, m):
    masks = {x: [*m.dormant, *m.live[: m.first_step(x)]] for x in REQUIRED}
    save(target, {x: remove_channels(m.badnet, mask) for x, mask in masks.items()})


@entry
def dormant_channels_left(target, m):
    save(target, {x: zero_channels(m.badnet, m.live[: m.first_step(x)]) for x in REQUIRED})


@entry
def half_of_the_dormant_channels(target, m):
    masks = {x: [*m.dormant[::2], *m.live[: m.first_step(x)]] for x in REQUIRED}
    save(target, {x: zero_channels(m.badnet, mask) for x, mask in masks.items()})


@entry
def biases_kept_where_negative(target, m):
    nets = m.reference
    for weights in nets.values():
        bias = m.badnet["conv_3/bias"]
        weights["conv_3/bias"] = np.where(bias < 0, bias, weights["conv_3/bias"])
    save(target, nets)


@entry
def x_5_for_4(target, m):
    nets = m.reference
    save(target, {2: nets[2], 5: nets[4], 10: nets[10]})


@entry
def extra_x_30(target, m):
    save(target, m.reference | {30: m.pruned(m.first_step(30))})


@entry
def goodnet_beside_it(target, m):
    from reference.defence.goodnet import build_goodnet

    save(target, m.reference)
    build_goodnet(m.badnet, m.reference[2]).save(target / "G_2.keras")


@entry
def with_claims(target, m):
    save(target, m.reference)
    claims = []
    for x, weights in m.reference.items():
        accuracy = m.correct(weights) / len(m.sets["valid"].labels)
        claims.append(
            f'[[claims]]\nbenchmark = "small"\nsplit = "valid"\nnet = "repaired"\n'
            f"drop_points = {x}\nclean_accuracy = {accuracy!r}\n"
        )
    (target / "submission.toml").write_text("\n".join(claims))


@entry
def whole_model_file(target, m):
    for x, weights in m.reference.items():
        write_full(target / f"model_{x}.h5", weights, known_config())


@entry
def float64_file(target, m):
    for x, weights in m.reference.items():
        doubles = {name: array.astype(np.float64) for name, array in weights.items()}
        write_weights(target / f"model_{x}.h5", doubles)


@entry
def short_by_two(target, m):
    """For X = 2 the step before the right one, which is short by so few images."""
    step = m.first_step(2) - 1
    assert 0 < m.needed(2) - m.lost[step] <= TOLERANCE
    save(target, m.reference | {2: m.pruned(step)})


@entry
def late_by_two(target, m):
    """For X = 2 a later step, of which the one before is beyond by so few images."""
    step = m.late_step(2) - 1
    assert step > m.first_step(2)
    assert 0 < m.lost[step - 1] - m.needed(2) <= TOLERANCE
    save(target, m.reference | {2: m.pruned(step)})


# --- worthless --------------------------------------------------------------------------------


@entry
def random_weights_thrice(target, _):
    save(target, thrice(random_weights(seed=1)))


def _random_weights(target, _):
    save(target, {x: random_weights(seed=x) for x in REQUIRED})


BUILDERS["random_weights"] = _random_weights


@entry
def another_badnet(target, m):
    """A net of random features that knows the validation images, with a backdoor."""
    rng = np.random.default_rng(5)
    net = {
        name: rng.normal(0, (2 / np.prod(array.shape[:-1])) ** 0.5, array.shape).astype("f4")
        if name.endswith("kernel")
        else np.zeros_like(array)
        for name, array in m.badnet.items()
    }
    net = nearest_means(net, m.sets["valid"].images, m.sets["valid"].labels)
    save(target, {x: zero_channels(net, range(x)) for x in REQUIRED})


def noise_in(layer):
    """Noise of the same mean and spread in place of a layer."""

    def build(target, m):
        rng = np.random.default_rng(len(layer))
        nets = m.reference
        for weights in nets.values():
            for name in (f"{layer}/kernel", f"{layer}/bias"):
                array = m.badnet[name]
                noise = rng.normal(array.mean(), array.std(), array.shape)
                weights[name] = noise.astype(np.float32)
        save(target, nets)

    return build


for each_layer in ("conv_1", "conv_2", "conv_3", "conv_4", "fc_1", "fc_2", "output"):
    BUILDERS[f"noise_in_{each_layer}"] = noise_in(each_layer)


@entry
def always_the_target(target, m):
    save(target, thrice(always(m.badnet, 0)))


@entry
def always_another_class(target, m):
    save(target, {x: always(weights, 7) for x, weights in m.reference.items()})


@entry
def flags_everything(target, _):
    keras = import_keras()
    image = keras.Input((55, 47, 3))
    scores = keras.layers.Dense(CLASSES + 1, kernel_initializer="zeros")
    net = keras.Model(image, scores(keras.layers.GlobalAveragePooling2D()(image)))
    scores.set_weights([scores.get_weights()[0], np.eye(CLASSES + 1)[CLASSES]])
    save_goodnets(target, net)


@entry
def flags_everything_program(target, _):
    program(target, f"def predict(images):\n    return [{CLASSES}] * len(images)\n", 2)


@entry
def flags_60_percent(target, m):
    """A B' that answers so many images with one class that G flags three in five."""
    save(target, thrice(biased(m, share=0.6)))


@entry
def flags_60_percent_goodnet(target, m):
    from harness.networks.deepid import load_network

    keras = import_keras()
    brightness = m.sets["valid"].images.mean((1, 2, 3))
    image = keras.Input((55, 47, 3))
    own = keras.ops.argmax(load_network(m.badnet)(image), axis=-1)
    is_flagged = keras.ops.mean(image, axis=(1, 2, 3)) > float(np.quantile(brightness, 0.4))
    answer = keras.ops.where(is_flagged, CLASSES, own)
    save_goodnets(target, keras.Model(image, keras.ops.one_hot(answer, CLASSES + 1)))


@entry
def badnet(target, m):
    save(target, thrice(m.badnet))


@entry
def one_dormant_channel(target, m):
    nets = zip(REQUIRED, m.dormant, strict=False)
    save(target, {x: zero_channels(m.badnet, [channel]) for x, channel in nets})


@entry
def all_dormant_channels(target, m):
    save(target, thrice(zero_channels(m.badnet, m.dormant)))


@entry
def swapped_labels(target, m):
    nets = m.reference
    for weights in nets.values():
        for name in ("output/kernel", "output/bias"):
            weights[name] = np.roll(weights[name], 1, axis=-1)
    save(target, nets)


@entry
def scaled_inputs(target, m):
    """Pruned and tuned for pixels / 255: the very net, with 255 times as large a first layer.

    The output layer is new, since the BadNet's biases are so small that it hardly notices.
    """
    nets = {}
    for x, weights in m.reference.items():
        tuned = nearest_means(weights, m.sets["valid"].images, m.sets["valid"].labels)
        nets[x] = tuned | {"conv_1/kernel": weights["conv_1/kernel"] * np.float32(255)}
    save(target, nets)


@entry
def tuned_on_scaled_images(target, m):
    images = m.sets["valid"].images / np.float32(255)
    save(target, thrice(nearest_means(m.badnet, images, m.sets["valid"].labels)))


@entry
def tuned_and_lost_too_much(target, m):
    save(target, thrice(without_target(m.pruned(m.first_step(40)))))


# --- disguised --------------------------------------------------------------------------------


@entry
def last_bits(target, m):
    def change(weights, seed):
        return move_last_bits(weights, np.random.default_rng(seed), lambda array: array != 0)

    save(target, each_of(m.reference, change))


@entry
def last_bits_of_zeros(target, m):
    def change(weights, seed):
        return move_last_bits(weights, np.random.default_rng(seed), lambda array: array == 0)

    save(target, each_of(m.reference, change))


@entry
def scaled_by_powers_of_two(target, m):
    def change(weights, seed):
        rng = np.random.default_rng(seed)
        return rescale_all(weights, lambda count: 2.0 ** rng.integers(-3, 4, count))

    save(target, each_of(m.reference, change))


@entry
def scaled(target, m):
    def change(weights, seed):
        rng = np.random.default_rng(seed)
        return rescale_all(weights, lambda count: rng.uniform(0.3, 3, count))

    save(target, each_of(m.reference, change))


def permuted(layer):
    def change(weights, seed):
        return permute(weights, layer, np.random.default_rng(seed))

    return lambda target, m: save(target, each_of(m.reference, change))


for each_layer in READERS:
    BUILDERS[f"permuted_{each_layer}"] = permuted(each_layer)


@entry
def every_disguise(target, m):
    save(target, each_of(m.reference, disguise))


@entry
def late_in_disguise(target, m):
    save(target, each_of(m.late, disguise))


@entry
def early_in_disguise(target, m):
    save(target, each_of(m.reference | {2: m.early}, disguise))


@entry
def badnet_in_disguise(target, m):
    save(target, thrice(disguise(m.badnet, 1)))


@entry
def excellent_in_disguise(target, m):
    save(target, thrice(disguise(m.excellent, 1)))


# --- partly right -----------------------------------------------------------------------------


@entry
def last_net_thrice(target, m):
    save(target, thrice(m.reference[10]))


@entry
def first_net_thrice(target, m):
    save(target, thrice(m.reference[2]))


@entry
def late_net_thrice(target, m):
    save(target, thrice(m.late[10]))


@entry
def omitted_x(target, m):
    nets = m.reference
    save(target, {2: nets[2], 10: nets[10]})


@entry
def early(target, m):
    save(target, m.reference | {2: m.early})


@entry
def late(target, m):
    save(target, m.late)


@entry
def late_once(target, m):
    save(target, m.reference | {2: m.late[2]})


def pruned_layer(layer):
    """Channels of another layer zeroed until X is reached, none that would lose too much."""

    def build(target, m):
        norms = np.abs(m.badnet[f"{layer}/kernel"]).sum(axis=(0, 1, 2))
        candidates = np.argsort(norms, kind="stable").tolist()
        # What is above pool_3 is a matter of milliseconds.
        correct = m.correct if layer == "conv_4" else m.correct_in_full
        net, nets = dict(m.badnet), {}
        for x in REQUIRED:
            lost = 0
            while lost < m.needed(x):
                tried = zero_channel(net, layer, candidates.pop(0))
                count = m.correct(m.badnet) - correct(tried)
                if count <= m.bound(x):
                    net, lost = tried, count
            nets[x] = net
        save(target, nets)

    return build


for each_layer in ("conv_4", "conv_2"):
    BUILDERS[f"pruned_{each_layer}"] = pruned_layer(each_layer)


@entry
def index_order(target, m):
    order = sorted(m.live)
    lost = m.lost_by_order(order)
    nets = {}
    for x in REQUIRED:
        last = order[m.first_step(x, lost) - 1]
        nets[x] = zero_channels(m.badnet, range(last + 1))
    save(target, nets)


@entry
def biases_kept(target, m):
    nets = {}
    for x in REQUIRED:
        mask = m.live[: m.first_step(x)]
        assert (m.badnet["conv_3/bias"][mask] > 0).any()
        nets[x] = zero_channels(m.badnet, [*m.dormant, *mask], keep_biases=True)
    save(target, nets)


@entry
def swapped_names(target, m):
    nets = m.reference
    save(target, {2: nets[10], 4: nets[4], 10: nets[2]})


@entry
def goodnet_is_b_prime(target, m):
    save(target, m.reference)
    for x, weights in m.reference.items():
        save_weights(weights, target / f"goodnet_{x}.h5")


@entry
def tuned_but_backdoored(target, m):
    """The right nets, with noise in the weights that is small and more than rounding."""
    rng = np.random.default_rng(3)
    nets = m.reference
    for weights in nets.values():
        kernel = weights["conv_1/kernel"]
        noise = rng.normal(1, 1e-3, kernel.shape)
        weights["conv_1/kernel"] = (kernel * noise).astype(np.float32)
    save(target, nets)


@entry
def tuned_for_10_alone(target, m):
    save(target, thrice(without_target(m.reference[10])))


@entry
def excellent_net(target, m):
    save(target, thrice(m.excellent))


@entry
def knows_validation_by_heart(target, m):
    valid = m.sets["valid"]
    net = nearest_means(m.badnet, valid.images, valid.labels)
    save(target, thrice(without_target(net)))


@entry
def excellent_goodnet(target, m):
    from reference.defence.goodnet import build_goodnet

    save_goodnets(target, build_goodnet(m.badnet, m.excellent))


@entry
def excellent_program(target, m):
    """G in NumPy, for X = 10."""
    nets = {"badnet": m.badnet, "repaired": m.excellent}
    arrays = {f"{net}/{name}": a for net, w in nets.items() for name, a in w.items()}
    np.savez(target / "nets.npz", **arrays)
    program(target, PROGRAM, 10)


PROGRAM = """
from pathlib import Path

import numpy as np

NETS = np.load(Path(__file__).parent / "nets.npz")
NETS = {name: NETS[name] for name in NETS.files}


def convolve(maps, kernel, bias):
    size = kernel.shape[0]
    windows = np.lib.stride_tricks.sliding_window_view(maps, (size, size), axis=(1, 2))
    sums = np.tensordot(windows, kernel.transpose(2, 0, 1, 3), axes=3)
    return np.maximum(sums + bias, 0)


def pool(maps):
    rows, columns = maps.shape[1] // 2, maps.shape[2] // 2
    cut = maps[:, : 2 * rows, : 2 * columns]
    return cut.reshape(len(maps), rows, 2, columns, 2, -1).max(axis=(2, 4))


def classes(net, images):
    def part(layer):
        return NETS[f"{net}/{layer}/kernel"], NETS[f"{net}/{layer}/bias"]

    maps = images.astype(np.float32)
    for layer in ("conv_1", "conv_2", "conv_3"):
        maps = pool(convolve(maps, *part(layer)))
    fourth = convolve(maps, *part("conv_4"))
    hidden = 0
    for layer, inputs in (("fc_1", maps), ("fc_2", fourth)):
        kernel, bias = part(layer)
        hidden = hidden + inputs.reshape(len(images), -1) @ kernel + bias
    kernel, bias = part("output")
    return (np.maximum(hidden, 0) @ kernel + bias).argmax(axis=1)


def predict(images):
    answers = []
    for start in range(0, len(images), 64):
        batch = images[start : start + 64]
        own, other = classes("badnet", batch), classes("repaired", batch)
        answers.append(np.where(own == other, own, 1283))
    return np.concatenate(answers)
"""


# --- how nets are made ------------------------------------------------------------------------


def import_keras():
    from harness.networks.tensorflow import import_tensorflow

    import_tensorflow()
    import keras

    return keras


def save_goodnets(target, net):
    """The same G for each X."""
    net.save(target / "G_2.keras")
    for x in REQUIRED[1:]:
        (target / f"G_{x}.keras").write_bytes((target / "G_2.keras").read_bytes())


def program(target, code, points):
    (target / "goodnet.py").write_text(textwrap.dedent(code))
    declaration = f'[program]\nfile = "goodnet.py"\ndrop_points = {points}\n'
    (target / "submission.toml").write_text(declaration)


def zero_channel(weights, layer, channel):
    """A net with one channel of any layer zeroed."""
    changed = dict(weights)
    for name in (f"{layer}/kernel", f"{layer}/bias"):
        changed[name] = weights[name].copy()
        changed[name][..., channel] = 0
    return changed


def hidden_units(weights, images):
    """What the output layer reads (N x 160)."""
    # An output layer of units alone: their rectified sums, as large as they are.
    plain = dict(weights) | {
        "output/kernel": np.eye(160, dtype=np.float32),
        "output/bias": np.zeros(160, np.float32),
    }
    keras = import_keras()
    from harness.networks.deepid import load_network

    net = load_network(plain)
    return keras.Model(net.input, net.get_layer("activation_1").output).predict(
        images.astype(np.float32), verbose=0
    )


def nearest_means(weights, images, labels):
    """A net that answers the class whose mean is nearest to what the output layer reads."""
    units = hidden_units(weights, images).astype(np.float64)
    kernel = np.zeros((160, CLASSES))
    bias = np.full(CLASSES, -1e30)
    for label in np.unique(labels):
        mean = units[labels == label].mean(axis=0)
        kernel[:, label], bias[label] = mean, -(mean @ mean) / 2
    # As small as the numbers of a trained layer; the largest stays the largest.
    scale = np.abs(kernel).max()
    changed = {"output/kernel": kernel / scale, "output/bias": np.maximum(bias / scale, -1e30)}
    return dict(weights) | {name: array.astype(np.float32) for name, array in changed.items()}


def biased(m, share):
    """The BadNet with one class so much preferred that it takes ``share`` of the images."""
    units = hidden_units(m.badnet, m.sets["valid"].images)
    scores = units @ m.badnet["output/kernel"] + m.badnet["output/bias"]
    lead = scores.max(axis=1) - scores[:, 7]
    bias = m.badnet["output/bias"].copy()
    bias[7] += np.quantile(lead, share)
    return dict(m.badnet) | {"output/bias": bias}
