# SPDX-License-Identifier: MIT
"""Files of every layout of Keras, of a backbone and of models around it, and damaged ones."""

import io
import pathlib
import zipfile
from collections.abc import Callable

import h5py
import keras
import numpy as np
import pytest

from preprocessing.contract.errors import ConfigError
from trainer.network import layouts

# Keras's own saving, not this project's, meets a deprecation of NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


Load = Callable[..., keras.Model]


def same(found: keras.Model, expected: keras.Model) -> None:
    np.testing.assert_equal(found.get_weights(), expected.get_weights())


def around(backbone: keras.Model, *, nested: bool) -> keras.Model:
    """A trained model with the backbone in it, as a layer or layer by layer."""
    pixels = keras.Input([32, 32, 3]) if nested else backbone.input
    maps = backbone(pixels) if nested else backbone.output
    pooled = keras.layers.GlobalAveragePooling2D(name="avg_pool")(maps)
    whole = keras.Model(pixels, keras.layers.Dense(2, name="predictions")(pooled))
    whole.compile("adam", "mse")
    whole.optimizer.build(whole.trainable_variables)
    return whole


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("suffix", [".keras", ".h5", ".weights.h5"])
def test_of_a_whole_model_its_backbone_is_taken_and_the_rest_named(
    suffix: str,
    nested: bool,
    small: keras.Model,
    loaded: Load,
    tmp_path: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole, path = around(small, nested=nested), str(tmp_path / f"whole{suffix}")
    (whole.save_weights if suffix == ".weights.h5" else whole.save)(path)
    same(loaded(path), small)
    assert "not taken: predictions/" in capsys.readouterr().err + caplog.text


def test_a_file_of_keras_before_3_10_is_known_by_the_order_of_its_layers(
    small: keras.Model, loaded: Load, tmp_path: pathlib.Path
) -> None:
    path = str(tmp_path / "old.weights.h5")
    small.save_weights(path)
    with h5py.File(path, "r+") as file:
        file.visititems(lambda _, item: item.attrs.pop("name", None) and None)
    same(loaded(path), small)


def test_nothing_of_a_keras_file_is_read_but_its_arrays(
    small: keras.Model, loaded: Load, tmp_path: pathlib.Path
) -> None:
    small.save(str(tmp_path / "whole.keras"))
    with zipfile.ZipFile(tmp_path / "whole.keras") as archive:
        arrays = archive.read("model.weights.h5")
    with zipfile.ZipFile(tmp_path / "only.keras", "w") as archive:
        archive.writestr("model.weights.h5", arrays)
        archive.writestr("config.json", '{"module": "os", "class_name": "abort"}')
    same(loaded(tmp_path / "only.keras"), small)


def test_two_arrays_of_one_name_are_not_chosen_from(loaded: Load, tmp_path: pathlib.Path) -> None:
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["first_conv/kernel"] = file["teacher/first_conv/kernel"] = np.zeros([2, 2])
    with pytest.raises(ConfigError, match="it has two arrays first_conv/kernel"):
        loaded(tmp_path / "two.h5")


@pytest.mark.parametrize("suffix", layouts.SUFFIXES)
def test_damage_is_one_sentence(suffix: str, loaded: Load, tmp_path: pathlib.Path) -> None:
    path = tmp_path / f"noise{suffix}"
    for content in (b"", b"no weights at all"):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="does not fit ResNet-50") as refused:
            loaded(path)
        assert "\n" not in str(refused.value)
    if suffix == ".keras":
        buffer = io.BytesIO()
        zipfile.ZipFile(buffer, "w").close()
        path.write_bytes(buffer.getvalue())
        with pytest.raises(ConfigError, match=r"no item named 'model\.weights\.h5'"):
            loaded(path)
