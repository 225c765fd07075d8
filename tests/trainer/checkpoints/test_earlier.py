# SPDX-License-Identifier: MIT
"""Starting from an earlier run: the network with its findings, or one sentence on why not."""

import dataclasses
import hashlib
import pathlib
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from preprocessing.contract import manifest as manifests
from preprocessing.contract.errors import ConfigError
from trainer.checkpoints import bundle, earlier
from trainer.checkpoints.checkpoints import Checkpoints
from trainer.checkpoints.progress import Progress
from trainer.config import Config
from trainer.recipe import ModelConfig
from trainer.runfolder import identity


@pytest.fixture
def run(data_set: Any, make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path) -> pathlib.Path:
    """The folder of a run whose best network is of step 5; its newest checkpoint is another."""
    network = make_tiny_model(seed=1).network
    progress = Progress(step=5, best_step=5, best_auc=0.75)
    saver = Checkpoints(
        output=str(tmp_path / "run"),
        network=network,
        optimizer=_Nothing(),
        progress=progress,
        record=identity.record(Config(), data_set.manifest),
    )
    saver.save_best()
    saver.wait()
    for variable in network.weights:
        variable.assign(variable + 1.0)
    progress.step = 9
    saver.save()
    saver.wait()
    return tmp_path / "run"


class _Nothing:
    """An optimiser without variables."""

    variables: tuple[()] = ()


def filled(
    make_tiny_model: Callable[..., Any], manifest: Any, weights: object, **more: Any
) -> tuple[Any, str]:
    network = make_tiny_model(seed=2, **more).network
    return network, earlier.fill(network, ModelConfig(weights=str(weights)), manifest)


@pytest.mark.parametrize("given", ["", "checkpoints/best", "checkpoints/best/ckpt-5"])
def test_all_weights_are_those_of_the_best_network(
    run: pathlib.Path,
    given: str,
    make_tiny_model: Callable[..., Any],
    data_set: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    network, told = filled(make_tiny_model, data_set.manifest, run / given if given else run)
    expected = make_tiny_model(seed=1).network
    for one, other in zip(network.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert told.endswith("ckpt-5: all weights of step 5, validation mean AUC 0.7500 there")
    assert capsys.readouterr().err == ""


def test_any_checkpoint_may_be_named(
    run: pathlib.Path, make_tiny_model: Callable[..., Any], data_set: Any
) -> None:
    _, told = filled(make_tiny_model, data_set.manifest, run / "checkpoints" / "ckpt-9")
    assert told.endswith("ckpt-9: all weights of step 9")


def test_another_data_set_is_warned_of_since_its_test_images_may_have_been_trained_on(
    run: pathlib.Path,
    make_tiny_model: Callable[..., Any],
    data_set: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = dataclasses.replace(data_set.manifest, sources={"labels": "others"})
    filled(make_tiny_model, other, run)
    assert "was trained on another data set: if images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        (["Edema", "Mass", "Nodule"], r"Edema, Mass, Nodule \(new: nothing; left out: nothing\)"),
        (
            ["Nodule", "Hernia", "Mass", "Fibrosis"],
            r"Nodule, Mass \(new: Hernia, Fibrosis; left out: Edema\) of step 5, validation",
        ),
        (["Hernia"], r"nothing \(new: Hernia; left out: Mass, Nodule, Edema\)"),
    ],
)
def test_of_other_findings_those_are_taken_that_have_the_same_name(
    run: pathlib.Path,
    make_tiny_model: Callable[..., Any],
    data_set: Any,
    findings: list[str],
    said: str,
) -> None:
    theirs = data_set.manifest.findings
    tiny, wide = make_tiny_model(seed=2), keras.layers.Dense(len(findings), name="logits")
    network = keras.Model(tiny.network.input, wide(tiny.features.output))
    kernel, bias = (np.array(one.numpy()) for one in wide.weights)
    manifest = dataclasses.replace(data_set.manifest, findings=findings)
    told = earlier.fill(network, ModelConfig(weights=str(run)), manifest)
    assert re.search(f"backbone and hidden layer, and of the last layer {said}", told)
    source = make_tiny_model(seed=1).network
    np.testing.assert_array_equal(network.weights[0].numpy(), source.weights[0].numpy())
    last = source.get_layer("logits")
    for to, name in enumerate(findings):
        if name in theirs:
            kernel[:, to] = last.kernel.numpy()[:, theirs.index(name)]
            bias[to] = last.bias.numpy()[theirs.index(name)]
    np.testing.assert_array_equal(wide.kernel.numpy(), kernel)
    np.testing.assert_array_equal(wide.bias.numpy(), bias)


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ({"variant": "v1.5"}, "variant=v1 and model.normalization=caffe, not v1.5 and torch: set"),
        ({"normalization": "torch"}, "=caffe, not v1 and torch"),
        ({"normalization": "caffe"}, ""),
    ],
)
def test_a_run_that_saw_other_inputs_is_refused(
    run: pathlib.Path,
    make_tiny_model: Callable[..., Any],
    data_set: Any,
    given: dict[str, str],
    needed: str,
) -> None:
    config = ModelConfig(weights=str(run), **given)
    network = make_tiny_model(seed=2).network
    if not needed:
        assert earlier.fill(network, config, data_set.manifest)
        return
    with pytest.raises(ConfigError, match=needed):
        earlier.fill(network, config, data_set.manifest)


def test_the_inputs_of_a_run_are_known_by_its_checkpoint(
    run: pathlib.Path, make_tiny_model: Callable[..., Any], data_set: Any
) -> None:
    best, config = str(run / "checkpoints" / "best"), Config()
    config.model.variant = "v1.5"
    found = bundle.read(f"{best}/ckpt-5")
    found["identity"] = np.asarray(identity.record(config, data_set.manifest).encode())
    bundle.write(best, 5, found, 1)
    with pytest.raises(ConfigError, match=r"variant=v1\.5 and .*=torch, not v1 and caffe: set"):
        filled(make_tiny_model, data_set.manifest, run)
    same = ModelConfig(weights=str(run), variant="v1.5")
    assert earlier.fill(make_tiny_model(seed=2).network, same, data_set.manifest)


def test_another_width_is_refused(
    run: pathlib.Path, make_tiny_model: Callable[..., Any], data_set: Any
) -> None:
    with pytest.raises(
        ConfigError, match=r"hidden/kernel is not of shape .*set model\.hidden_units"
    ):
        filled(make_tiny_model, data_set.manifest, run, hidden=16)


def test_what_is_no_run_is_refused(
    tmp_path: pathlib.Path, make_tiny_model: Callable[..., Any], data_set: Any
) -> None:
    for weights in (tmp_path, tmp_path / "absent", "image_net"):
        with pytest.raises(ConfigError, match="is neither a weights file .* nor a run with a best"):
            filled(make_tiny_model, data_set.manifest, weights)
    with pytest.raises(ConfigError, match="cannot be read"):
        filled(make_tiny_model, data_set.manifest, tmp_path / "ckpt-3")


def test_the_sha256_is_that_of_the_data_file(
    run: pathlib.Path, make_tiny_model: Callable[..., Any], data_set: Any
) -> None:
    data = run / "checkpoints" / "best" / f"ckpt-5{bundle.DATA}"
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    network = make_tiny_model(seed=2).network
    right = ModelConfig(weights=str(run), weights_sha256=digest)
    assert earlier.fill(network, right, data_set.manifest)
    wrong = dataclasses.replace(right, weights_sha256="0" * 64)
    with pytest.raises(ConfigError, match=f"has SHA-256 {digest}, not 0000"):
        earlier.fill(network, wrong, data_set.manifest)


def test_a_run_of_an_older_version_is_known_by_its_export(
    run: pathlib.Path, make_tiny_model: Callable[..., Any], data_set: Any
) -> None:
    best = str(run / "checkpoints" / "best")
    found = bundle.read(f"{best}/ckpt-5")
    del found["identity"]
    bundle.write(best, 5, found, 1)
    with pytest.raises(ConfigError, match=r"older version, .* export that run \(--mode=export\)"):
        filled(make_tiny_model, data_set.manifest, run)
    manifests.write(str(run / "saved_model" / "assets.extra"), data_set.manifest)
    _, told = filled(make_tiny_model, data_set.manifest, run)
    assert "all weights of step 5" in told
