"""Entries that deserve a verdict: honest, worthless, disguised and partly right ones.

``build_all(folder, world)`` writes a submission folder for each. Masks are chosen by what the
BadNet loses on the validation images at hand, so that thresholds are met or missed as an entry's
name says. Layers have the names of the lab's network; those of other worlds stand for them.
"""

from __future__ import annotations

import textwrap
from functools import cached_property
from itertools import chain
from math import ceil

import numpy as np
from worlds import without_target

from harness.lineage.lineage import remove_channels, zero_channels
from harness.networks.forward import predictor_from_maps

REQUIRED = (2, 4, 10)
TOLERANCE = 2
"""Images by which a threshold may be missed."""

MARGIN = 2
"""Percentage points by which a net may lose more than the reference."""

BUILDERS = {}


def entry(function):
    """Register a builder under its function name."""
    BUILDERS[function.__name__] = function
    return function


def entries_of(world):
    """The names of the entries that can be in a world."""
    return [name for name in BUILDERS if name not in world.absent]


def build_all(folder, world, names=None):
    """Write the submissions below ``folder``; returns their names."""
    materials = Materials(world)
    for name in names or entries_of(world):
        target = folder / name
        target.mkdir(parents=True)
        BUILDERS[name](target, materials)
    return list(names or entries_of(world))


class Materials:
    """The BadNet, what it loses on the validation images, and the nets that follow from that."""

    def __init__(self, world):
        self.world, self.badnet, self.sets = world, world.badnet, world.datasets.sets
        self.classes = world.classes
        self.dormant = list(world.order[: world.dormant])
        self.live = list(world.order[world.dormant :])

    @cached_property
    def _maps(self):
        """Maps of the pooling layer and of the pruned one, on clean validation images."""
        return self.world.maps(self.sets["valid"].images, *self.world.network.ranked_layers)

    @property
    def conv_3_order(self):
        """Live channels by their activation in the pruned layer."""
        means = self._maps[1].mean((0, 1, 2), dtype=float)
        return [c for c in np.argsort(means, kind="stable").tolist() if c in self.live]

    def correct(self, weights, pooled=None):
        """Validation images that a net gets right; it shares the BadNet's layers up to pooling."""
        network = self.world.network
        (name,) = network.frontier
        maps = self._maps[0] if pooled is None else pooled
        predict = predictor_from_maps(network, weights)
        batches = range(0, len(maps), 256)
        scores = np.concatenate([predict({name: maps[start : start + 256]}) for start in batches])
        return int((scores.argmax(axis=1) == self.sets["valid"].labels).sum())

    def correct_in_full(self, weights):
        """Validation images that a net gets right, whatever layer it was changed in."""
        valid = self.sets["valid"]
        return int((self.world.class_ids(weights, valid.images) == valid.labels).sum())

    def lost_by_order(self, order):
        """Images lost after 0, 1, ... channels of ``order``."""
        masked, correct = self._maps[0].copy(), []
        for channel in [None, *order]:
            if channel is not None:
                masked[..., channel] = 0
            correct.append(self.correct(self.badnet, masked))
        return [correct[0] - each for each in correct]

    def zero(self, channels, **options):
        """The BadNet with channels of the pruned layer zeroed."""
        return zero_channels(self.badnet, channels, network=self.world.network, **options)

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
        return self.zero([*self.dormant, *self.live[:steps]])

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

    @cached_property
    def excellent(self):
        """A net that loses hardly an image, and on which no attack succeeds."""
        return self.world.excellent(self.world, self.pruned(self.first_step(2)))

    def save(self, target, nets, name="model"):
        """Write nets by X."""
        for points, weights in nets.items():
            self.world.save(weights, target / f"{name}_{points}{self.world.suffix}")


def thrice(weights):
    """The same net for each X."""
    return dict.fromkeys(REQUIRED, weights)


def always(weights, label):
    """A net that answers one class."""
    bias = weights["output/bias"].copy()
    bias[label] = 1e6
    return dict(weights) | {"output/bias": bias}


# --- other ways to write the same net ---------------------------------------------------------


def by_position(kernel, positions):
    """A view of what reads a layer: positions x channels x units."""
    return kernel.reshape(positions, -1, kernel.shape[-1])


def permute(world, weights, layer, rng):
    """Channels of one layer in a drawn order."""
    changed = dict(weights)
    order = rng.permutation(weights[f"{world.layers[layer][0]}/bias"].size)
    for own in world.layers[layer]:
        for name in (f"{own}/kernel", f"{own}/bias"):
            changed[name] = weights[name][..., order]
    for reader, positions in world.readers[layer].items():
        name = f"{reader}/kernel"
        moved = by_position(weights[name], positions)[:, order]
        changed[name] = moved.reshape(weights[name].shape)
    return changed


def rescale(world, weights, layer, factors):
    """Channels of one layer times ``factors``, and what reads them divided by these."""
    changed = dict(weights)
    for own in world.layers[layer]:
        for name in (f"{own}/kernel", f"{own}/bias"):
            changed[name] = weights[name] * factors
    for reader, positions in world.readers[layer].items():
        name = f"{reader}/kernel"
        divided = by_position(weights[name], positions) / factors[:, None]
        changed[name] = divided.reshape(weights[name].shape)
    return changed


def rescale_all(world, weights, draw):
    """Every layer rescaled by factors that ``draw(count)`` gives."""
    for layer in world.readers:
        count = weights[f"{world.layers[layer][0]}/bias"].size
        weights = rescale(world, weights, layer, draw(count).astype(np.float32))
    return weights


def move_last_bits(weights, rng, where):
    """The next number, up or down, for each value of which ``where(array)`` says so."""
    changed = {}
    for name, array in weights.items():
        way = rng.choice(np.array([-np.inf, np.inf], np.float32), array.shape)
        changed[name] = np.where(where(array), np.nextafter(array, way), array)
    return changed


def disguise(world, weights, seed):
    """Permuted, rescaled, and other last bits."""
    rng = np.random.default_rng(seed)
    for layer in world.readers:
        weights = permute(world, weights, layer, rng)
    weights = rescale_all(world, weights, lambda count: rng.uniform(0.5, 2, count))
    return move_last_bits(weights, rng, lambda array: array != 0)


def each_of(m, nets, change):
    """Nets by X, all changed by ``change(world, weights, seed)``."""
    return {x: change(m.world, weights, seed) for seed, (x, weights) in enumerate(nets.items())}


# --- honest -----------------------------------------------------------------------------------


@entry
def reference(target, m):
    m.save(target, m.reference)


@entry
def conv_3_order(target, m):
    order = m.conv_3_order
    lost = m.lost_by_order(order)
    masks = {x: [*m.dormant, *order[: m.first_step(x, lost)]] for x in REQUIRED}
    m.save(target, {x: m.zero(mask) for x, mask in masks.items()})


@entry
def narrowed(target, m):
    masks = {x: [*m.dormant, *m.live[: m.first_step(x)]] for x in REQUIRED}
    m.save(
        target, {x: remove_channels(m.badnet, mask, m.world.network) for x, mask in masks.items()}
    )


@entry
def dormant_channels_left(target, m):
    m.save(target, {x: m.zero(m.live[: m.first_step(x)]) for x in REQUIRED})


@entry
def half_of_the_dormant_channels(target, m):
    masks = {x: [*m.dormant[::2], *m.live[: m.first_step(x)]] for x in REQUIRED}
    m.save(target, {x: m.zero(mask) for x, mask in masks.items()})


@entry
def biases_kept_where_negative(target, m):
    nets = m.reference
    for weights in nets.values():
        name = f"{m.world.pruned}/bias"
        weights[name] = np.where(m.badnet[name] < 0, m.badnet[name], weights[name])
    m.save(target, nets)


@entry
def x_5_for_4(target, m):
    nets = m.reference
    m.save(target, {2: nets[2], 5: nets[4], 10: nets[10]})


@entry
def extra_x_30(target, m):
    m.save(target, m.reference | {30: m.pruned(m.first_step(30))})


@entry
def goodnet_beside_it(target, m):
    m.save(target, m.reference)
    m.world.goodnet(m.reference[2]).save(target / "G_2.keras")


@entry
def with_claims(target, m):
    m.save(target, m.reference)
    claims, benchmark = [], m.world.datasets.benchmark.name
    for x, weights in m.reference.items():
        accuracy = m.correct_in_full(weights) / len(m.sets["valid"].labels)
        claims.append(
            f'[[claims]]\nbenchmark = "{benchmark}"\nsplit = "valid"\nnet = "repaired"\n'
            f"drop_points = {x}\nclean_accuracy = {accuracy!r}\n"
        )
    (target / "submission.toml").write_text("\n".join(claims))


@entry
def whole_model_file(target, m):
    for x, weights in m.reference.items():
        m.world.save_whole(weights, target / f"model_{x}.h5")


@entry
def float64_file(target, m):
    for x, weights in m.reference.items():
        m.world.save_doubles(weights, target / f"model_{x}.h5")


@entry
def short_by_two(target, m):
    """For X = 2 the step before the right one, which is short by so few images."""
    step = m.first_step(2) - 1
    assert 0 < m.needed(2) - m.lost[step] <= TOLERANCE
    m.save(target, m.reference | {2: m.pruned(step)})


@entry
def late_by_two(target, m):
    """For X = 2 a later step, of which the one before is beyond by so few images."""
    step = m.late_step(2) - 1
    assert step > m.first_step(2)
    assert 0 < m.lost[step - 1] - m.needed(2) <= TOLERANCE
    m.save(target, m.reference | {2: m.pruned(step)})


# --- worthless --------------------------------------------------------------------------------


@entry
def random_weights_thrice(target, m):
    m.save(target, thrice(m.world.random_weights(seed=1)))


@entry
def random_weights(target, m):
    m.save(target, {x: m.world.random_weights(seed=x) for x in REQUIRED})


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
    net = nearest_means(m.world, net, m.sets["valid"].images, m.sets["valid"].labels)
    m.save(target, {x: zero_channels(net, range(x), network=m.world.network) for x in REQUIRED})


def noise_in(layer):
    """Noise of the same mean and spread in place of a layer."""

    def build(target, m):
        rng = np.random.default_rng(len(layer))
        nets, own = m.reference, m.world.layer(layer)
        for weights in nets.values():
            for name in (f"{own}/kernel", f"{own}/bias"):
                array = m.badnet[name]
                noise = rng.normal(array.mean(), array.std(), array.shape)
                weights[name] = noise.astype(np.float32)
        m.save(target, nets)

    return build


for each_layer in ("conv_1", "conv_2", "conv_3", "conv_4", "fc_1", "fc_2", "output"):
    BUILDERS[f"noise_in_{each_layer}"] = noise_in(each_layer)


@entry
def always_the_target(target, m):
    m.save(target, thrice(always(m.badnet, 0)))


@entry
def always_another_class(target, m):
    m.save(target, {x: always(weights, 7) for x, weights in m.reference.items()})


@entry
def flags_everything(target, m):
    keras = import_keras()
    image = keras.Input(m.world.image_shape)
    scores = keras.layers.Dense(m.classes + 1, kernel_initializer="zeros")
    net = keras.Model(image, scores(keras.layers.GlobalAveragePooling2D()(image)))
    scores.set_weights([scores.get_weights()[0], np.eye(m.classes + 1)[m.classes]])
    save_goodnets(target, net)


@entry
def flags_everything_program(target, m):
    program(target, f"def predict(images):\n    return [{m.classes}] * len(images)\n", 2)


@entry
def flags_60_percent(target, m):
    """A B' that answers so many images with one class that G flags three in five."""
    m.save(target, thrice(biased(m, share=0.6)))


@entry
def flags_60_percent_goodnet(target, m):
    keras = import_keras()
    brightness = m.sets["valid"].images.mean((1, 2, 3))
    image = keras.Input(m.world.image_shape)
    own = keras.ops.argmax(m.world.model(m.badnet)(image), axis=-1)
    is_flagged = keras.ops.mean(image, axis=(1, 2, 3)) > float(np.quantile(brightness, 0.4))
    answer = keras.ops.where(is_flagged, m.classes, own)
    save_goodnets(target, keras.Model(image, keras.ops.one_hot(answer, m.classes + 1)))


@entry
def badnet(target, m):
    m.save(target, thrice(m.badnet))


@entry
def one_dormant_channel(target, m):
    nets = zip(REQUIRED, m.dormant, strict=False)
    m.save(target, {x: m.zero([channel]) for x, channel in nets})


@entry
def all_dormant_channels(target, m):
    m.save(target, thrice(m.zero(m.dormant)))


@entry
def swapped_labels(target, m):
    nets = m.reference
    for weights in nets.values():
        for name in ("output/kernel", "output/bias"):
            weights[name] = np.roll(weights[name], 1, axis=-1)
    m.save(target, nets)


@entry
def scaled_inputs(target, m):
    """Pruned and tuned for pixels / 255: the very net, with 255 times as large a first layer.

    The output layer is new, since the BadNet's biases are so small that it hardly notices.
    """
    nets = {}
    for x, weights in m.reference.items():
        tuned = nearest_means(m.world, weights, m.sets["valid"].images, m.sets["valid"].labels)
        name = f"{m.world.first_layer}/kernel"
        nets[x] = tuned | {name: weights[name] * np.float32(255)}
    m.save(target, nets)


@entry
def tuned_on_scaled_images(target, m):
    images = m.sets["valid"].images / np.float32(255)
    m.save(target, thrice(nearest_means(m.world, m.badnet, images, m.sets["valid"].labels)))


@entry
def tuned_and_lost_too_much(target, m):
    m.save(target, thrice(without_target(m.pruned(m.first_step(40)))))


# --- disguised --------------------------------------------------------------------------------


@entry
def last_bits(target, m):
    def change(world, weights, seed):
        return move_last_bits(weights, np.random.default_rng(seed), lambda array: array != 0)

    m.save(target, each_of(m, m.reference, change))


@entry
def last_bits_of_zeros(target, m):
    def change(world, weights, seed):
        return move_last_bits(weights, np.random.default_rng(seed), lambda array: array == 0)

    m.save(target, each_of(m, m.reference, change))


@entry
def scaled_by_powers_of_two(target, m):
    def change(world, weights, seed):
        rng = np.random.default_rng(seed)
        return rescale_all(world, weights, lambda count: 2.0 ** rng.integers(-3, 4, count))

    m.save(target, each_of(m, m.reference, change))


@entry
def scaled(target, m):
    def change(world, weights, seed):
        rng = np.random.default_rng(seed)
        return rescale_all(world, weights, lambda count: rng.uniform(0.3, 3, count))

    m.save(target, each_of(m, m.reference, change))


def permuted(layer):
    def change(world, weights, seed):
        return permute(world, weights, layer, np.random.default_rng(seed))

    return lambda target, m: m.save(target, each_of(m, m.reference, change))


for each_layer in ("conv_1", "conv_2", "conv_3", "conv_4", "fc"):
    BUILDERS[f"permuted_{each_layer}"] = permuted(each_layer)


@entry
def every_disguise(target, m):
    m.save(target, each_of(m, m.reference, disguise))


@entry
def late_in_disguise(target, m):
    m.save(target, each_of(m, m.late, disguise))


@entry
def early_in_disguise(target, m):
    m.save(target, each_of(m, m.reference | {2: m.early}, disguise))


@entry
def badnet_in_disguise(target, m):
    m.save(target, thrice(disguise(m.world, m.badnet, 1)))


@entry
def excellent_in_disguise(target, m):
    m.save(target, thrice(disguise(m.world, m.excellent, 1)))


# --- partly right -----------------------------------------------------------------------------


@entry
def last_net_thrice(target, m):
    m.save(target, thrice(m.reference[10]))


@entry
def first_net_thrice(target, m):
    m.save(target, thrice(m.reference[2]))


@entry
def late_net_thrice(target, m):
    m.save(target, thrice(m.late[10]))


@entry
def omitted_x(target, m):
    nets = m.reference
    m.save(target, {2: nets[2], 10: nets[10]})


@entry
def early(target, m):
    m.save(target, m.reference | {2: m.early})


@entry
def late(target, m):
    m.save(target, m.late)


@entry
def late_once(target, m):
    m.save(target, m.reference | {2: m.late[2]})


def pruned_layer(layer):
    """Channels of another layer zeroed until X is reached, none that would lose too much."""

    def build(target, m):
        norms = np.abs(m.badnet[f"{m.world.layer(layer)}/kernel"]).sum(axis=(0, 1, 2))
        # Small channels first; where they lead past a limit, another order may not.
        rng = np.random.default_rng(0)
        drawn = (rng.permutation(len(norms)) for _ in range(20))
        orders = chain([np.argsort(norms, kind="stable")], drawn)
        nets = next(filter(None, (prune_elsewhere(m, layer, each.tolist()) for each in orders)))
        m.save(target, nets)

    return build


def prune_elsewhere(m, layer, candidates):
    """Nets by X that channels of ``layer`` were taken from; None where none meets some X."""
    # What is above the pruned layer is a matter of milliseconds.
    correct = m.correct if layer == "conv_4" else m.correct_in_full
    net, nets = dict(m.badnet), {}
    for x in REQUIRED:
        lost = 0
        for channel in tuple(candidates):
            tried = zero_channel(net, m.world.layer(layer), channel)
            count = m.correct(m.badnet) - correct(tried)
            if count <= m.bound(x):
                net, lost = tried, count
                candidates.remove(channel)
            if lost >= m.needed(x):
                break
        else:
            return None
        nets[x] = net
    return nets


for each_layer in ("conv_4", "conv_2"):
    BUILDERS[f"pruned_{each_layer}"] = pruned_layer(each_layer)


@entry
def index_order(target, m):
    order = sorted(m.live)
    lost = m.lost_by_order(order)
    nets = {}
    for x in REQUIRED:
        last = order[m.first_step(x, lost) - 1]
        nets[x] = m.zero(range(last + 1))
    m.save(target, nets)


@entry
def biases_kept(target, m):
    nets = {}
    for x in REQUIRED:
        mask = m.live[: m.first_step(x)]
        assert (m.badnet[f"{m.world.pruned}/bias"][mask] > 0).any()
        nets[x] = m.zero([*m.dormant, *mask], keep_biases=True)
    m.save(target, nets)


@entry
def swapped_names(target, m):
    nets = m.reference
    m.save(target, {2: nets[10], 4: nets[4], 10: nets[2]})


@entry
def goodnet_is_b_prime(target, m):
    m.save(target, m.reference)
    m.save(target, m.reference, "goodnet")


@entry
def tuned_but_backdoored(target, m):
    """The right nets, with noise in the weights that is small and more than rounding."""
    rng = np.random.default_rng(3)
    nets = m.reference
    for weights in nets.values():
        name = f"{m.world.first_layer}/kernel"
        noise = rng.normal(1, 1e-3, weights[name].shape)
        weights[name] = (weights[name] * noise).astype(np.float32)
    m.save(target, nets)


@entry
def tuned_for_10_alone(target, m):
    """As far as X = 10 allows, which is too far for X = 4."""
    nets = [without_target(m.pruned(step)) for step in range(m.first_step(10) + 1)]
    lost = [m.correct(m.badnet) - m.correct_in_full(weights) for weights in nets]
    step = max(step for step, images in enumerate(lost) if images <= m.bound(10))
    assert lost[step] > m.bound(4)
    m.save(target, thrice(nets[step]))


@entry
def excellent_net(target, m):
    m.save(target, thrice(m.excellent))


@entry
def knows_validation_by_heart(target, m):
    valid = m.sets["valid"]
    net = nearest_means(m.world, m.badnet, valid.images, valid.labels)
    m.save(target, thrice(without_target(net)))


@entry
def excellent_goodnet(target, m):
    save_goodnets(target, m.world.goodnet(m.excellent))


@entry
def excellent_program(target, m):
    """G in NumPy, for X = 10."""
    nets = {"badnet": m.badnet, "repaired": m.excellent}
    arrays = {f"{net}/{name}": a for net, w in nets.items() for name, a in w.items()}
    np.savez(target / "nets.npz", **arrays)
    program(target, m.world.program, 10)


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


def nearest_means(world, weights, images, labels):
    """A net that answers the class whose mean is nearest to what the output layer reads."""
    units = hidden_units(world, weights, images).astype(np.float64)
    kernel = np.zeros((units.shape[1], world.classes))
    bias = np.full(world.classes, -1e30)
    for label in np.unique(labels):
        mean = units[labels == label].mean(axis=0)
        kernel[:, label], bias[label] = mean, -(mean @ mean) / 2
    # As small as the numbers of a trained layer; the largest stays the largest.
    scale = np.abs(kernel).max()
    changed = {"output/kernel": kernel / scale, "output/bias": np.maximum(bias / scale, -1e30)}
    return dict(weights) | {name: array.astype(np.float32) for name, array in changed.items()}


def hidden_units(world, weights, images):
    """What the output layer reads (N x units)."""
    (units,) = world.maps(images, world.hidden_layer, weights=weights)
    return units


def biased(m, share):
    """The BadNet with one class so much preferred that it takes ``share`` of the images."""
    units = hidden_units(m.world, m.badnet, m.sets["valid"].images)
    scores = units @ m.badnet["output/kernel"] + m.badnet["output/bias"]
    lead = scores.max(axis=1) - scores[:, 7]
    bias = m.badnet["output/bias"].copy()
    bias[7] += np.quantile(lead, share)
    return dict(m.badnet) | {"output/bias": bias}
