# SPDX-License-Identifier: MIT
"""The signatures of the SavedModel give what they say, and a loaded one answers with it."""

import dataclasses
import pathlib
import shutil
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract import schema
from preprocessing.contract.errors import DataError
from trainer.checkpoints import bundle
from trainer.serving import names, served

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded(finished_run: Any) -> served.ServedModel:
    return served.ServedModel(finished_run.output)


@pytest.fixture(scope="module")
def signatures(loaded: served.ServedModel) -> Any:
    model = tf.saved_model.load(loaded.facts.folder)
    # The signatures do not keep the model alive by themselves.
    yield model.signatures
    del model


def test_pixels_are_answered_with_everything(loaded: served.ServedModel, data_set: Any) -> None:
    pixels = np.stack(list(data_set.pixels.values()))
    answer = loaded.answer(pixels)
    count = len(pixels)
    assert answer.raw.shape == (count, 3) and answer.raw.dtype == np.float32
    assert answer.probabilities is not None and answer.best is answer.probabilities
    assert answer.flags.shape == (count, 3, 4)
    maps = loaded.heat_maps(pixels[:2])
    assert maps.shape == (2, 3, 32, 32) and maps.min() >= 0 and maps.max() <= 1


def test_records_files_and_pixels_of_a_picture_have_the_same_answer(
    signatures: Any, data_set: Any
) -> None:
    shards = data_set.manifest.splits["test"].paths(data_set.folder)
    records = [record.numpy() for record in tf.data.TFRecordDataset(shards)]
    ids = [schema.decode(record).id for record in records]
    files = tf.constant([pathlib.Path(f"{data_set.raw}/{name}").read_bytes() for name in ids])
    pixels = tf.constant(np.stack([data_set.pixels[name] for name in ids]))
    by_record = signatures[names.OF_EXAMPLES](examples=tf.constant(records))
    for other in (
        signatures[names.AS_ARRAY](image_bytes=files),
        signatures[names.OF_PIXELS](pixels=pixels),
    ):
        assert {*by_record} == {*other}
        for name, tensor in by_record.items():
            np.testing.assert_array_equal(tensor, other[name], err_msg=name)
    assert by_record[names.USABLE].numpy().all()
    maps = signatures[names.EXPLAIN](image_bytes=files)
    expected = signatures[names.EXPLAIN_PIXELS](pixels=pixels)
    np.testing.assert_array_equal(maps[names.HEAT_MAPS], expected[names.HEAT_MAPS])
    assert {*maps} == {names.HEAT_MAPS, names.FINDINGS, names.USABLE, names.REASON}


def test_bad_records_fail_no_other(signatures: Any, data_set: Any) -> None:
    shards = data_set.manifest.splits["test"].paths(data_set.folder)
    good = next(iter(tf.data.TFRecordDataset(shards))).numpy()
    cut = good[: len(good) // 2]
    without = schema.encode(schema.Record("a", "b", (1, 0, 0), image=b"text"))
    examples = tf.constant([b"text", good, cut, without, b""])
    found = signatures[names.OF_EXAMPLES](examples=examples)
    reasons = found[names.REASON].numpy().astype(str).tolist()
    assert reasons == ["damaged", "", "damaged", "not_a_picture", "damaged"]
    assert np.isfinite(found[names.SCORES].numpy()).all(axis=1).tolist() == [
        reason == "" for reason in reasons
    ]


@pytest.mark.parametrize("name", [*(names.DEFAULT, names.AS_ARRAY, names.OF_PIXELS), names.EXPLAIN])
def test_a_batch_may_be_empty(signatures: Any, name: str) -> None:
    if name == names.OF_PIXELS:
        found = signatures[name](pixels=tf.zeros([0, 50, 60], tf.uint8))
    else:
        found = signatures[name](image_bytes=tf.zeros([0], tf.string))
    assert all(tensor.shape[0] == 0 for tensor in found.values())


def test_pixels_of_any_size_are_answered(signatures: Any) -> None:
    films = np.random.default_rng(0).integers(0, 256, (2, 90, 70)).astype(np.uint8)
    films[1] = 3
    found = signatures[names.OF_PIXELS](pixels=tf.constant(films))
    assert found[names.REASON].numpy().tolist() == [b"", b"constant"]
    assert np.isfinite(found[names.SCORES].numpy()[0]).all()
    assert np.isnan(found[names.SCORES].numpy()[1]).all()


def test_the_network_alone_is_saved(loaded: served.ServedModel, finished_run: Any) -> None:
    saved = tf.train.list_variables(f"{loaded.facts.folder}/variables/variables")
    best = bundle.read(bundle.newest_first(f"{finished_run.output}/checkpoints/best")[0])
    network = [value.shape for name, value in best.items() if name.startswith("network/")]
    found = [tuple(shape) for name, shape in saved if name != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    assert sorted(found) == sorted(network)


def test_every_output_has_a_name_of_its_own() -> None:
    assert len(set(names.OUTPUTS)) == len(names.OUTPUTS)


@pytest.mark.parametrize(
    "other", [{"findings": ("Edema", "Nodule", "Mass")}, {"thresholds": {}}, {"calibration": {}}]
)
def test_what_lies_beside_another_graph_is_refused(
    other: dict[str, Any], loaded: served.ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded, "facts", dataclasses.replace(loaded.facts, **other))
    with pytest.raises(DataError, match="files of another export beside its graph"):
        loaded.answer(np.zeros([1, 40, 40], np.uint8))


def test_a_copy_without_its_variables_is_refused(finished_run: Any, tmp_path: pathlib.Path) -> None:
    shutil.copytree(f"{finished_run.output}/saved_model", tmp_path, dirs_exist_ok=True)
    (tmp_path / "variables" / "variables.index").unlink()
    with pytest.raises(DataError, match="without its variables: copy it again"):
        served.load(str(tmp_path))
