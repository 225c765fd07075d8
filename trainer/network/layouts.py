# SPDX-License-Identifier: MIT
"""Reads files of weights as arrays by "layer/variable", in the names of Keras's ResNet-50.

Nothing of a file is executed: of a whole Keras model only the arrays are read, not how to build it.
"""

import io
import re
import zipfile

import h5py
import keras
import numpy as np
import numpy.typing as npt
import safetensors.numpy

Arrays = dict[str, npt.NDArray[np.float32]]

SUFFIXES = (".h5", ".keras", ".safetensors")
# Of what PyTorch writes, which is not read.
PICKLED = ("pt", "pth")

# torchvision's name of an array of ResNet-50: layer3.0.conv2.weight is conv4_block1_2_conv/kernel.
_TORCH = re.compile(r"(?:layer(\d)\.(\d+)\.)?(conv|bn|downsample\.)(\d)\.(\w+)")
_OF_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def read(data: bytes, path: str) -> Arrays:
    """Returns the arrays of a file: float32, by the last two parts of their names.

    Args:
        data: the file.
        path: its name, whose suffix is one of `SUFFIXES`.

    Raises:
        ValueError, KeyError, OSError, TypeError, zipfile.BadZipFile, safetensors.SafetensorError:
            it is damaged, or something else.
    """
    if path.endswith(".safetensors"):
        return _of_torchvision(safetensors.numpy.load(data))
    if path.endswith(".keras"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = archive.read("model.weights.h5")
    with h5py.File(io.BytesIO(data), "r") as file:
        return _of_keras(file)


def names_in(backbone: keras.Model) -> dict[tuple[str, ...], keras.Variable]:
    """Returns the variables of a network, each by the names that files may have for it.

    The first is the one of the older HDF5 layout and of this module. The later layout numbers the
    variables of a layer and, before Keras 3.10, the layers of a class.
    """
    found: dict[tuple[str, ...], keras.Variable] = {}
    seen: dict[str, int] = {}
    for layer in backbone.layers:
        kind = re.sub(r"(?<!^)(?=[A-Z][a-z])", "_", type(layer).__name__).lower()
        seen[kind] = number = seen.get(kind, -1) + 1
        numbered = f"{kind}_{number}" if number else kind
        for at, variable in enumerate(layer.weights):
            names = (f"{layer.name}/{variable.name}", f"{layer.name}/{at}", f"{numbered}/{at}")
            found[names] = variable
    return found


def _of_keras(file: h5py.File) -> Arrays:
    """Reads both of Keras's layouts, of a backbone and of a model around it."""
    found: Arrays = {}

    def add(path: str, item: object) -> None:
        if not isinstance(item, h5py.Dataset) or path.startswith("optimizer"):
            return
        above, _, variable = path.rpartition("/")
        layer = above.removesuffix("/vars").rpartition("/")[2]
        name = f"{item.parent.attrs.get('name', layer)}/{variable.removesuffix(':0')}"
        if name in found:
            raise ValueError(f"it has two arrays {name}")
        found[name] = np.asarray(item, np.float32)

    file.visititems(add)
    return found


def _of_torchvision(arrays: dict[str, npt.NDArray[np.generic]]) -> Arrays:
    """Translates the names, and turns [out, in, h, w] into Keras's [h, w, in, out]."""
    found: Arrays = {}
    for name, array in arrays.items():
        values = np.asarray(array, np.float32)
        parts = _TORCH.fullmatch(name)
        if parts is None or parts[5] == "num_batches_tracked":
            # A count of batches, which Keras does not keep; anything else is for the caller.
            found |= {} if parts else {name: values}
            continue
        stage, block, kind, number, leaf = parts.groups()
        is_norm = kind == "bn" or (kind == "downsample." and number == "1")
        layer = f"conv{int(stage) + 1}_block{int(block) + 1}" if stage else "conv1"
        if stage:
            layer += f"_{0 if kind == 'downsample.' else number}"
        if is_norm:
            found[f"{layer}_bn/{_OF_NORM.get(leaf, leaf)}"] = values
            continue
        found[f"{layer}_conv/{'kernel' if leaf == 'weight' else leaf}"] = values.transpose(
            2, 3, 1, 0
        )
        # torchvision's convolutions have none, since normalisation takes the mean away.
        found[f"{layer}_conv/bias"] = np.zeros(len(values), np.float32)
    return found
