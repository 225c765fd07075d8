# SPDX-License-Identifier: MIT
"""A small network whose weights all show, and what a file of weights makes of another."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from trainer.network import weights
from trainer.recipe import ModelConfig


def _new() -> keras.Model:
    from cxr14_small_backbone import build

    return build(include_top=False, weights=None, input_shape=(32, 32, 3))


def _filled(network: keras.Model) -> keras.Model:
    generator = np.random.default_rng(1)
    for variable in network.weights:
        shape, name = tuple(variable.shape), variable.name
        scale = (2 / np.prod(shape[:-1])) ** 0.5 if name == "kernel" else 0.2
        positive = name in ("gamma", "moving_variance")
        values = generator.uniform(0.5, 1.0, shape) if positive else generator.normal(size=shape)
        variable.assign(values if positive else values * scale)
    return network


def _loaded(path: object, **settings: Any) -> keras.Model:
    network = _new()
    weights.load(network, ModelConfig(weights=str(path), **settings))
    return network


@pytest.fixture(scope="session")
def filled() -> Callable[[keras.Model], keras.Model]:
    """Gives every variable, moving statistics included, values that all show in the features."""
    return _filled


@pytest.fixture(scope="session")
def loaded() -> Callable[..., keras.Model]:
    """Fills a small network from a file, by settings."""
    return _loaded


@pytest.fixture
def small() -> keras.Model:
    """A filled one."""
    return _filled(_new())
