# SPDX-License-Identifier: MIT
"""Weights from files of every layout: features equal those of their network, or a refusal."""

import hashlib
import os
import pathlib
import subprocess
from collections.abc import Callable
from typing import Any

import cv2
import h5py
import keras
import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

from preprocessing.contract.errors import ConfigError
from trainer.explanation import gradcam
from trainer.network import model, published, weights
from trainer.recipe import ModelConfig

# Keras's own saving, not this project's, meets a deprecation of NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Load = Callable[..., keras.Model]
SIZE = 64
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
# What an interpreter with PyTorch is asked for: a network whose moving statistics are those of the
# pictures, as after training, and its features of them. With larger factors of normalisation
# PyTorch's own features differ by 1e-4 between 32 and 64 bits.
TORCHVISION = """
import numpy, torch, torchvision
torch.manual_seed(0)
pictures = torch.from_numpy(numpy.load("pictures.npy"))
network = torchvision.models.resnet50(weights=None)
for module in network.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
        module.momentum = 1.0
        torch.nn.init.uniform_(module.weight, 0.1, 0.3)
        torch.nn.init.normal_(module.bias, 0.0, 0.2)
with torch.no_grad():
    network.train()(pictures)
    torch.save(network.state_dict(), "resnet50.pth")
    network.fc = torch.nn.Identity()
    numpy.save("features.npy", network.eval()(pictures).numpy())
"""


@pytest.fixture(params=["drawn", "real"])
def films(request: pytest.FixtureRequest) -> np.ndarray:
    """Ten pictures as the network takes them, uint8 [10, 64, 64]; real ones where there are any."""
    if request.param == "drawn":
        return np.random.default_rng(3).integers(0, 256, (10, SIZE, SIZE)).astype(np.uint8)
    paths = sorted((request.getfixturevalue("nih") / "images").glob("*.png"))[:10]
    read = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    return np.stack([cv2.resize(one, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for one in read])


@pytest.fixture(scope="module")
def theirs(filled: Load) -> keras.Model:
    """Keras's own ResNet-50 with random weights."""
    return filled(
        keras.applications.ResNet50(include_top=False, weights=None, input_shape=(SIZE, SIZE, 3))
    )


@pytest.fixture(scope="module")
def torch_arrays() -> dict[str, np.ndarray]:
    """Random weights under torchvision's names, by its source: blocks of 3, 4, 6 and 3."""
    generator, found = np.random.default_rng(2), {}

    def convolution(name: str, norm: str, inputs: int, outputs: int, side: int) -> None:
        scale = (2 / (inputs * side**2)) ** 0.5
        shape = (outputs, inputs, side, side)
        found[f"{name}.weight"] = generator.normal(0, scale, shape).astype(np.float32)
        low, high = (0.1, 0.3) if norm.endswith("bn3") else (0.5, 1.0)
        for leaf in ("weight", "running_var"):
            found[f"{norm}.{leaf}"] = generator.uniform(low, high, outputs).astype(np.float32)
        for leaf in ("bias", "running_mean"):
            found[f"{norm}.{leaf}"] = generator.normal(0, 0.2, outputs).astype(np.float32)
        found[f"{norm}.num_batches_tracked"] = np.array(7)

    convolution("conv1", "bn1", 3, 64, 7)
    inputs = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        width = 64 * 2**stage
        for block in range(blocks):
            at = f"layer{stage + 1}.{block}"
            sides = ((1, inputs, width), (3, width, width), (1, width, 4 * width))
            for number, (side, before, after) in enumerate(sides, 1):
                convolution(f"{at}.conv{number}", f"{at}.bn{number}", before, after, side)
            if not block:
                convolution(f"{at}.downsample.0", f"{at}.downsample.1", inputs, 4 * width, 1)
            inputs = 4 * width
    found["fc.weight"] = np.ones([1000, 2048], np.float32)
    found["fc.bias"] = np.ones([1000], np.float32)
    return found


@pytest.fixture(scope="module")
def torch_file(torch_arrays: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("torch") / "resnet50.safetensors"
    safetensors.numpy.save_file(torch_arrays, path)
    return str(path)


def torch_features(arrays: dict[str, np.ndarray], films: np.ndarray) -> np.ndarray:
    """The forward pass of torchvision, in its names and its order [n, c, h, w] of weights."""

    def convolved(x: Any, name: str, norm: str, stride: int = 1) -> Any:
        kernel = np.moveaxis(arrays[f"{name}.weight"], (0, 1), (3, 2))
        edge = kernel.shape[0] // 2
        padded = tf.pad(x, [(0, 0), (edge, edge), (edge, edge), (0, 0)])
        maps = tf.nn.conv2d(padded, kernel, stride, "VALID")
        gamma, beta, mean, variance = (
            arrays[f"{norm}.{leaf}"] for leaf in ("weight", "bias", "running_mean", "running_var")
        )
        return (maps - mean) / np.sqrt(variance + 1e-5) * gamma + beta

    colours = np.repeat(films[..., None], 3, -1) / 255
    x = tf.constant((colours - MEAN) / DEVIATION, tf.float32)
    x = tf.nn.relu(convolved(x, "conv1", "bn1", 2))
    x = tf.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
    x = tf.nn.max_pool2d(x, 3, 2, "VALID")
    for stage, blocks in enumerate((3, 4, 6, 3), 1):
        for block in range(blocks):
            at, stride = f"layer{stage}.{block}", 2 if stage > 1 and not block else 1
            y = tf.nn.relu(convolved(x, f"{at}.conv1", f"{at}.bn1"))
            y = tf.nn.relu(convolved(y, f"{at}.conv2", f"{at}.bn2", stride))
            y = convolved(y, f"{at}.conv3", f"{at}.bn3")
            beside = f"{at}.downsample"
            x = x if block else convolved(x, f"{beside}.0", f"{beside}.1", stride)
            x = tf.nn.relu(x + y)
    return tf.reduce_mean(x, [1, 2]).numpy()


def built(path: str, **settings: Any) -> model.Model:
    config = ModelConfig(**{"weights": path, "hidden_units": 8, **settings})
    return model.build(config, image_size=SIZE, findings=3)


def features(made: model.Model, films: np.ndarray) -> np.ndarray:
    """The pooled features that the layers behind the backbone see, normalisation included."""
    front, _ = gradcam.at_pool(made)
    return tf.reduce_mean(front(films, training=False), [1, 2]).numpy()


@pytest.fixture(scope="module")
def ours(theirs: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> model.Model:
    """The network from a file that Keras wrote."""
    path = str(tmp_path_factory.mktemp("keras") / "backbone.weights.h5")
    theirs.save_weights(path)
    return built(path)


def test_features_are_those_of_kerass_own_network(
    theirs: keras.Model, ours: model.Model, films: np.ndarray
) -> None:
    colours = np.repeat(films[..., None], 3, -1).astype(np.float32)
    maps = theirs(keras.applications.resnet50.preprocess_input(colours), training=False)
    expected = tf.reduce_mean(maps, [1, 2]).numpy()
    found = features(ours, films)
    assert expected.std() > 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * expected.max())


@pytest.fixture(scope="module")
def converted(torch_file: str) -> model.Model:
    return built(torch_file, variant="v1.5")


def test_features_are_those_of_torchvisions_layout(
    converted: model.Model, torch_arrays: dict[str, np.ndarray], films: np.ndarray
) -> None:
    expected = torch_features(torch_arrays, films)
    assert expected.std(0).mean() > 1e-3
    np.testing.assert_allclose(features(converted, films), expected, atol=1e-4)


def test_features_are_those_of_torchvision_itself_by_the_conversion_that_is_advised(
    films: np.ndarray, tmp_path: pathlib.Path
) -> None:
    python = os.environ.get("CXR14_TORCH_PYTHON")
    if not python:
        pytest.skip("CXR14_TORCH_PYTHON names no interpreter with torchvision and safetensors")
    colours = (np.repeat(films[..., None], 3, -1) / 255 - MEAN) / DEVIATION
    np.save(tmp_path / "pictures.npy", np.moveaxis(colours, -1, 1).astype(np.float32))
    subprocess.run([python, "-c", TORCHVISION], cwd=tmp_path, check=True)
    path = str(tmp_path / "resnet50.pth")
    with pytest.raises(ConfigError, match="is pickled") as refused:
        built(path, variant="v1.5")
    advice = str(refused.value).partition("with python ")[2]
    subprocess.run(f"{python} {advice}", shell=True, check=True)
    made = built(path.replace(".pth", ".safetensors"), variant="v1.5")
    expected = np.load(tmp_path / "features.npy")
    found = features(made, films)
    print(f"largest difference {abs(found - expected).max():.2g} of {expected.max():.3g}")
    assert expected.std(0).mean() > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_v1_5_strides_where_torchvision_does_and_keeps_names_shapes_and_cells(
    converted: model.Model, theirs: keras.Model
) -> None:
    ours = converted.backbone
    named = [layer.name for layer in ours.layers if layer.weights]
    assert named == [layer.name for layer in theirs.layers if layer.weights]
    assert ours.output_shape == theirs.output_shape == (None, 2, 2, 2048)
    strided = {
        layer.name
        for layer in ours.layers
        if isinstance(layer, keras.layers.Conv2D) and layer.strides == (2, 2)
    }
    blocks = [f"conv{stage}_block1" for stage in (3, 4, 5)]
    assert strided == {"conv1_conv", *(f"{at}_{conv}_conv" for at in blocks for conv in (0, 2))}
    norms = [one for one in ours.layers if isinstance(one, keras.layers.BatchNormalization)]
    assert {layer.epsilon for layer in norms} == {1e-5}


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("torch", lambda grey: (grey / 255 - MEAN) / DEVIATION),
        ("radimagenet", lambda grey: (grey - np.array([103.939, 116.779, 123.68])) / 255),
    ],
)
def test_pixels_are_normalised_as_the_weights_were_made_with(
    how: str, expected: Callable[..., np.ndarray], films: np.ndarray
) -> None:
    pixels = keras.Input([SIZE, SIZE], dtype="uint8")
    found = keras.Model(pixels, model._normalise(pixels, SIZE, how))(films)
    np.testing.assert_allclose(found, expected(films[..., None].astype(float)), atol=1e-5)


def test_auto_is_what_the_variants_weights_were_made_with() -> None:
    assert ModelConfig().normalized == "caffe"
    assert ModelConfig(variant="v1.5").normalized == "torch"
    assert ModelConfig(variant="v1.5", normalization="caffe").normalized == "caffe"


def test_radimagenets_file_is_read_by_its_layout(
    theirs: keras.Model, tmp_path: pathlib.Path
) -> None:
    """A whole model without its top: model_weights/LAYER/LAYER/kernel:0, as TensorFlow 2 wrote."""
    path = str(tmp_path / "RadImageNet-ResNet50_notop.h5")
    with h5py.File(path, "w") as file:
        file.attrs.update({"model_config": "{}", "keras_version": "2.4.0"})
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [layer.name for layer in theirs.layers] + ["avg_pool"]
        group.create_group("avg_pool").attrs["weight_names"] = []
        for layer in theirs.layers:
            names = [f"{layer.name}/{one.name}:0" for one in layer.weights]
            group.create_group(layer.name).attrs["weight_names"] = names
            for name, variable in zip(names, layer.weights, strict=True):
                group[layer.name][name] = variable.numpy()
    made = built(path, normalization="radimagenet")
    np.testing.assert_equal(made.backbone.get_weights(), theirs.get_weights())
    with pytest.raises(ConfigError, match="model.normalization=radimagenet, not v1 and caffe: set"):
        built(path)


@pytest.fixture
def lacking(small: keras.Model, tmp_path: pathlib.Path) -> pathlib.Path:
    """A file without one layer's mean, and with another layer's bias too long."""
    path = tmp_path / "lacking.h5"
    with h5py.File(path, "w") as file:
        for layer in small.layers:
            for variable in layer.weights:
                file[f"{layer.name}/{variable.name}"] = variable.numpy()
        del file["first_bn/moving_mean"], file["beside_conv/bias"]
        file["beside_conv/bias"] = np.zeros([17], np.float32)
    return path


def test_what_a_file_lacks_is_listed(lacking: pathlib.Path, loaded: Load) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(lacking)
    assert str(refused.value).endswith(
        "2 of 18 arrays are missing or have another shape, as first_bn/moving_mean, "
        "beside_conv/bias: give another file, or set model.partial_weights=true to start these "
        "from random weights"
    )


def test_in_part_only_if_asked_and_never_nothing(
    lacking: pathlib.Path, small: keras.Model, loaded: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    network = loaded(lacking, partial_weights=True)
    assert not network.get_layer("first_bn").moving_mean.numpy().any()
    np.testing.assert_array_equal(
        network.get_layer("first_conv").kernel, small.get_layer("first_conv").kernel
    )
    told = capsys.readouterr().err
    assert "2 of 18 arrays start from random weights: first_bn/moving_mean, beside_conv/b" in told
    with h5py.File(lacking, "w") as file:
        file["other/kernel"] = np.zeros([2, 2])
    with pytest.raises(ConfigError, match="18 of 18 arrays are missing .* give another file$"):
        loaded(lacking, partial_weights=True)


def test_a_deeper_network_is_not_taken_for_a_part_of_it(
    lacking: pathlib.Path, loaded: Load
) -> None:
    with h5py.File(lacking, "r+") as file:
        file["conv4_block7_1_conv/kernel"] = np.zeros([1, 1, 2, 2])
    with pytest.raises(ConfigError, match="1 convolutions .* as conv4_block7_1_conv/kernel"):
        loaded(lacking)


def test_what_pytorch_pickled_is_not_read(loaded: Load) -> None:
    for suffix in ("pt", "pth"):
        with pytest.raises(ConfigError, match=r"torch\.load\('/r\.p.*'/r\.safetensors'\)"):
            loaded(f"/r.{suffix}")
    with pytest.raises(ConfigError, match=r"torch\.load\('r\.pth'.*'r\.safetensors'\)"):
        loaded("gs://bucket/r.pth")


def test_a_file_is_known_by_its_sha256(
    small: keras.Model, loaded: Load, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "small.weights.h5"
    small.save_weights(str(path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    found = loaded(path, weights_sha256=digest)
    np.testing.assert_equal(found.get_weights(), small.get_weights())
    with pytest.raises(ConfigError, match=rf"small\.weights\.h5 has SHA-256 {digest}, not 000"):
        loaded(path, weights_sha256="0" * 64)


def test_a_file_that_is_missing_or_a_folder_is_refused(
    loaded: Load, tmp_path: pathlib.Path
) -> None:
    for path in (tmp_path / "absent.weights.h5", tmp_path):
        with pytest.raises(ConfigError, match=f"model.weights {path} is not a file"):
            loaded(path)


def test_kerass_own_file_is_known_by_its_md5(
    small: keras.Model, loaded: Load, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keras.src.applications import resnet

    assert resnet.WEIGHTS_HASHES["resnet50"][1] == published.MD5
    assert resnet.BASE_WEIGHTS_PATH == published.FOLDER
    path = tmp_path / "small.weights.h5"
    small.save_weights(str(path))
    path = path.rename(tmp_path / published.NAME)
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    with pytest.raises(ConfigError, match=f"and MD5 {digest}, not 4d473c1dd8"):
        loaded(path)
    monkeypatch.setattr(published, "MD5", digest)
    np.testing.assert_equal(loaded(path).get_weights(), small.get_weights())


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ({"weights": "imagenet", "variant": "v1.5"}, "variant=v1, .*normalization=caffe, not v1.5"),
        ({"weights": "imagenet", "normalization": "torch"}, "not v1 and torch"),
        ({"weights": f"gs://a/{published.NAME}", "normalization": "torch"}, "=caffe, not v1 and t"),
        ({"weights": "r.safetensors"}, "variant=v1.5, .*normalization=torch, not v1 and caffe"),
        ({"weights": "r.safetensors", "variant": "v1.5", "normalization": "caffe"}, "=torch, not"),
        ({"weights": "radimagenet.keras", "variant": "v1.5"}, "variant=v1, .*=radimagenet, not"),
    ],
)
def test_weights_that_need_another_network_are_refused(given: Any, needed: str) -> None:
    with pytest.raises(ConfigError, match=needed):
        weights.check_settings(ModelConfig(**given))
    weights.check_settings(ModelConfig(**{**given, "weights": "mine.h5"}))
