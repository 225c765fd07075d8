# SPDX-License-Identifier: MIT
"""The whole job: what it writes, what it refuses, and what it finds done."""

import dataclasses
import os
import pathlib
import zipfile

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from preprocessing import index, locate, pipeline
from preprocessing.contract import lock, manifest, schema
from preprocessing.contract.errors import ConfigError, DataError, UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.invocation.config import Config
from preprocessing.contract.invocation.flags import Inputs
from preprocessing.contract.labels import encode
from preprocessing.contract.pictures import image, image_graph
from preprocessing.contract.radiographs import Recipe
from preprocessing.shards import shards
from preprocessing.splits import assignment
from preprocessing.splits.assignment import list_hash

_CONFIG = Config(stored_size=32, validation_fraction=0.3, examples_per_shard=8)


def _run(tree, config: Config = _CONFIG, **changes: object) -> manifest.Manifest:  # type: ignore[no-untyped-def]
    made, fresh = pipeline.run(tree.inputs(**changes), config, [])
    assert fresh
    return made


def _content(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _records(tree, split: manifest.Split) -> list[dict[str, tf.Tensor]]:  # type: ignore[no-untyped-def]
    files = [str(tree.output / shard.name) for shard in split.shards]
    return [schema.parse(record, findings=14) for record in tf.data.TFRecordDataset(files)]


def test_every_image_is_stored_once_with_its_pixels_and_labels(tree) -> None:
    made = _run(tree)
    lines = [line.split(",") for line in tree.labels.read_text().splitlines()[1:]]
    labels = {line[0]: encode(line[1], _CONFIG.findings) for line in lines}
    seen = []
    for split in made.splits.values():
        for record in _records(tree, split):
            name = record["id"].numpy().decode()
            seen.append(name)
            assert tuple(record["targets"].numpy()) == labels[name]
            stored = cv2.imdecode(np.frombuffer(record["image"].numpy(), np.uint8), -1)
            original = image.canonical(tree.find(name).read_bytes(), 32)
            np.testing.assert_array_equal(stored, original)
    assert sorted(seen) == sorted(tree.names)


def test_splits_follow_the_lists_and_carve_validation_by_patient(tree) -> None:
    made = _run(tree)
    for name, split in made.splits.items():
        patients = {record["patient"].numpy().decode() for record in _records(tree, split)}
        assert len(patients) == split.patients
        assert {int(patient) > 14 for patient in patients} == {name == "test"}
    assert made.splits["validation"].examples in (8, 10)  # 0.3 of 28, in whole patients of two
    assert made.split_method == assignment.CARVED


def test_the_manifest_counts_what_is_in_the_shards(tree) -> None:
    made = _run(tree)
    assert manifest.read(str(tree.output)) == made
    assert tuple(made.splits) == manifest.SPLITS
    for split in made.splits.values():
        records = _records(tree, split)
        targets = np.stack([record["targets"].numpy() for record in records])
        assert split.examples == len(records) == sum(shard.examples for shard in split.shards)
        assert list(split.positives.values()) == targets.sum(axis=0).tolist()
        assert set(split.known.values()) == {len(records)}
        assert split.prevalence["Mass"] == pytest.approx(targets[:, 4].mean())
        for shard in split.shards:
            path = tree.output / shard.name
            assert (shard.bytes, shard.sha256) == (
                path.stat().st_size,
                storage.sha256_of(str(path)),
            )


def test_the_manifest_says_where_the_data_came_from(tree) -> None:
    made = _run(tree)
    tests = (tree.folder / "test_list.txt").read_text().split()
    assert made.list_hashes["test"] == list_hash(tests)
    assert made.sources["labels"] == storage.sha256_of(str(tree.labels))
    assert set(made.sources) == {"labels", "train_val", "test"}
    own = {"source": "nih", "allow_missing": False} | dataclasses.asdict(_CONFIG)
    # Settings that are newer than some data sets are there once they are used.
    own["table"] = {name: own["table"][name] for name in made.parameters["table"]}
    assert made.parameters == own
    assert (made.stored_size, made.official_split) == (32, False)
    assert made.counters == {
        "rows_in_index": 40,
        "rows_left_out": 0,
        "ages_unknown": 0,
        "images_found": 40,
        "images_missing": 0,
        "images_not_in_index": 0,
        "listed_not_in_index": 0,
        "boxes": 0,
        "boxes_without_image": 0,
        "records_written": 40,
        "images_rejected": 0,
        "images_turned_upright": 0,
        "names_nearly_right": 0,
        "folders_unreadable": 0,
        "images_with_warnings": 0,
        "archive_files_not_needed": 0,
        "duplicate_pictures": 0,
        "duplicate_groups": 0,
        "duplicate_groups_across_patients": 0,
        "duplicate_groups_across_splits": 0,
    }
    assert str(tree.folder) not in (tree.output / "manifest.json").read_text()


def test_only_shards_and_the_manifest_are_left(tree) -> None:
    made = _run(tree)
    shards = {shard.name for split in made.splits.values() for shard in split.shards}
    assert set(_content(tree.output)) == shards | {"manifest.json"}
    assert not (tree.output / "_progress").exists()


def test_the_same_input_gives_the_same_bytes_whatever_its_order_and_place(tree) -> None:
    _run(tree)
    header, *lines = tree.labels.read_text().splitlines()
    shuffled = tree.folder / "shuffled.csv"
    shuffled.write_text("\n".join([header, *lines[::-1]]))
    (tree.images / "elsewhere").mkdir()
    for name in tree.names[:5]:
        tree.find(name).rename(tree.images / "elsewhere" / name)
    _run(tree, output=str(tree.folder / "again"), labels=str(shuffled))
    first, second = _content(tree.output), _content(tree.folder / "again")
    assert first.pop("manifest.json") != second.pop("manifest.json")  # another label file
    assert first == second


def test_boxes_are_stored_and_those_of_absent_images_counted(tree) -> None:
    name = tree.names[-1]
    boxes = tree.folder / "boxes.csv"
    boxes.write_text(
        "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"
        f"{name},Infiltrate,256,512,128,64,,\n{name},Mass,0,0,512,512,,\n"
        "99999999_000.png,Mass,1,2,3,4,,\n"
    )
    made = _run(tree, boxes=str(boxes))
    assert (made.counters["boxes"], made.counters["boxes_without_image"]) == (2, 1)
    assert "boxes" in made.sources
    (record,) = [r for r in _records(tree, made.splits["test"]) if r["id"] == name]
    assert record["box_findings"].numpy().tolist() == [3, 4]
    expected = [0.25, 0.5, 0.125, 0.0625, 0, 0, 0.5, 0.5]
    np.testing.assert_allclose(record["boxes"].numpy(), expected)


def test_rgba_and_colour_files_are_stored_grey(tree) -> None:
    path = tree.find(tree.names[0])
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    plain = _run(tree)
    for code, folder in ((cv2.COLOR_GRAY2BGR, "rgb"), (cv2.COLOR_GRAY2BGRA, "rgba")):
        cv2.imwrite(str(path), cv2.cvtColor(grey, code))
        assert _run(tree, output=str(tree.folder / folder)).splits == plain.splits


def test_missing_images_are_refused_with_their_number_first_names_and_advice(tree) -> None:
    for name in tree.names[:5]:
        tree.find(name).unlink()
    with pytest.raises(DataError) as caught:
        _run(tree)
    text = str(caught.value)
    assert text.startswith("5 of 40 images of ")
    assert f"first {', '.join(tree.names[:3])}: " in text
    assert text.endswith("pass --allow_missing to work on the images that are there")
    assert not tree.output.exists()


def test_missing_images_are_counted_where_they_are_allowed(tree) -> None:
    for name in tree.names[:5]:
        tree.find(name).unlink()
    (tree.images / "stranger.png").write_bytes(b"")
    made = _run(tree, allow_missing=True)
    assert made.counters["images_missing"] == 5
    assert made.counters["records_written"] == made.counters["images_found"] == 35
    assert made.counters["images_not_in_index"] == 1


def test_listed_names_that_the_label_file_lacks_are_counted(tree) -> None:
    tests = tree.folder / "test_list.txt"
    tests.write_text(tests.read_text() + "\n99999999_000.png\n")
    assert _run(tree).counters["listed_not_in_index"] == 1


def test_a_few_unusable_images_are_listed_and_counted(tree) -> None:
    tree.find(tree.names[0]).write_bytes(b"text, not pixels")
    made = _run(tree, dataclasses.replace(_CONFIG, max_rejected_fraction=0.05))
    assert made.counters["images_rejected"] == made.counters["rejected_not_a_picture"] == 1
    assert made.counters["records_written"] == 39
    assert sum(split.examples for split in made.splits.values()) == 39
    header, row = (tree.output / "rejected.csv").read_text().splitlines()
    assert header == "id,reason,text,uri"
    assert row.startswith(f"{tree.names[0]},not_a_picture,the file is neither PNG nor JPEG,")


def test_too_many_unusable_images_fail_the_job_and_leave_no_manifest(tree) -> None:
    for name in tree.names[:4]:
        path = tree.find(name)
        path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError) as caught:
        _run(tree, dataclasses.replace(_CONFIG, max_rejected_fraction=0.05))
    text = str(caught.value)
    assert text.startswith("4 of 40 images cannot be used, more than the allowed share 0.05 (")
    assert tree.names[0] in text
    assert "raise max_rejected_fraction" in text
    assert "\n" not in text
    assert len((tree.output / "rejected.csv").read_text().splitlines()) == 5
    assert not (tree.output / "manifest.json").exists()


def test_the_same_command_succeeds_once_the_images_are_mended(tree) -> None:
    whole = {name: tree.find(name).read_bytes() for name in tree.names[:4]}
    for name, data in whole.items():
        tree.find(name).write_bytes(data[:60])
    with pytest.raises(DataError):
        _run(tree)
    for name, data in whole.items():
        tree.find(name).write_bytes(data)
    assert _run(tree).counters["records_written"] == 40
    assert not (tree.output / "rejected.csv").exists()


def test_more_unusable_images_can_be_allowed_in_the_same_folder(tree) -> None:
    tree.find(tree.names[0]).write_bytes(b"text")
    with pytest.raises(DataError, match="more than the allowed share"):
        _run(tree)
    made = _run(tree, dataclasses.replace(_CONFIG, max_rejected_fraction=0.05))
    assert made.counters["records_written"] == 39


def test_a_split_of_which_no_image_is_usable_fails_the_job(tree) -> None:
    for name in tree.names[28:]:
        tree.find(name).write_bytes(b"text")
    with pytest.raises(DataError, match=r"split test has no usable image: see .*rejected\.csv"):
        _run(tree, dataclasses.replace(_CONFIG, max_rejected_fraction=0.9))
    assert not (tree.output / "manifest.json").exists()


def test_a_second_run_finds_the_first_and_writes_nothing(tree) -> None:
    made = _run(tree)
    before = {path: path.stat().st_mtime_ns for path in tree.output.iterdir()}
    assert pipeline.run(tree.inputs(), _CONFIG, []) == (made, False)
    assert {path: path.stat().st_mtime_ns for path in tree.output.iterdir()} == before


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"stored_size": 48}, r"parameters\.stored_size: 32, now 48"),
        ({"split_salt": "x"}, r"parameters\.split_salt: cxr14, now x"),
        ({"examples_per_shard": 9}, r"parameters\.examples_per_shard: 8, now 9"),
    ],
)
def test_another_setting_at_the_same_output_is_named_and_refused(
    tree, change: dict[str, object], part: str
) -> None:
    _run(tree)
    before = _content(tree.output)
    with pytest.raises(ConfigError, match=f"{part}.*: choose another --output"):
        _run(tree, dataclasses.replace(_CONFIG, **change))
    assert _content(tree.output) == before


def test_another_label_file_at_the_same_output_is_refused(tree) -> None:
    _run(tree)
    tree.labels.write_text(tree.labels.read_text().replace(",50,F,", ",51,F,"))
    with pytest.raises(ConfigError, match=r"sources\.labels"):
        _run(tree)


def test_more_images_than_the_data_set_was_made_of_are_no_reason_to_call_it_complete(tree) -> None:
    hidden = tree.find(tree.names[0]).rename(tree.folder / "hidden.png")
    _run(tree, allow_missing=True)
    hidden.rename(tree.images / tree.names[0])
    with pytest.raises(ConfigError, match="made of 39 images, now 40 are below"):
        _run(tree, allow_missing=True)


def test_everything_that_differs_is_named_at_once(tree) -> None:
    _run(tree)
    other = dataclasses.replace(_CONFIG, stored_size=48, encoding="raw")
    with pytest.raises(ConfigError) as caught:
        _run(tree, other)
    assert "parameters.encoding: png, now raw; parameters.stored_size: 32, now 48" in str(
        caught.value
    )


def test_an_unfinished_data_set_of_other_settings_is_refused_too(tree) -> None:
    for name in tree.names[:4]:
        tree.find(name).write_bytes(b"text")
    with pytest.raises(DataError):
        _run(tree)
    other = dataclasses.replace(_CONFIG, examples_per_shard=3)
    with pytest.raises(ConfigError, match=r"holds an unfinished data set .*per_shard: 8, now 3"):
        _run(tree, other)


def test_a_finished_data_set_that_lost_a_shard_is_made_again(tree) -> None:
    _run(tree)
    before = _content(tree.output)
    (tree.output / next(name for name in before if name.startswith("train"))).unlink()
    _run(tree)
    assert _content(tree.output) == before


def test_notes_that_a_kill_after_the_manifest_left_are_removed(tree) -> None:
    made = _run(tree)
    note = tree.output / "_progress" / "shards" / "train-00000-of-00003.tfrecord.json"
    note.parent.mkdir(parents=True)
    note.write_text("{}")
    assert pipeline.run(tree.inputs(), _CONFIG, []) == (made, False)
    assert not (tree.output / "_progress").exists()


def test_what_a_killed_run_left_is_swept(tree) -> None:
    tree.output.mkdir()
    (tree.output / "train-00000-of-00003.tfrecord.partial-0123456789ab").write_bytes(b"half")
    (tree.output / "my-notes.txt").write_text("not ours")
    made = _run(tree)
    shards = {shard.name for split in made.splits.values() for shard in split.shards}
    assert set(_content(tree.output)) == shards | {"manifest.json", "my-notes.txt"}


@pytest.mark.parametrize("note", ["[]", "{"])
def test_notes_that_hold_something_else_count_as_none(tree, note: str) -> None:
    with zipfile.ZipFile(tree.folder / "images.zip", "w") as archive:
        for name in tree.names:
            archive.write(tree.find(name), name)
    for name in ("job", "staged/archive-000-end", "staged/archive-000-0000"):
        storage.write_text(f"{tree.output}/_progress/{name}.json", note)
    made = _run(tree, images=str(tree.folder / "images.zip"))
    assert made.counters["records_written"] == len(tree.names)


def test_shards_of_another_plan_are_swept(tree) -> None:
    first = tree.find(tree.names[0])
    hidden = first.rename(tree.folder / "hidden.png")
    for name in tree.names[1:5]:
        tree.find(name).write_bytes(b"text")
    with pytest.raises(DataError):
        _run(tree, dataclasses.replace(_CONFIG, examples_per_shard=3), allow_missing=True)
    before = set(_content(tree.output))
    hidden.rename(first)
    for number, name in enumerate(tree.names[1:5]):
        pixels = np.random.default_rng(number).integers(0, 256, (48, 48), np.uint8)
        cv2.imwrite(str(tree.find(name)), pixels)
    made = _run(tree, dataclasses.replace(_CONFIG, examples_per_shard=3), allow_missing=True)
    shards = {shard.name for split in made.splits.values() for shard in split.shards}
    assert set(_content(tree.output)) == shards | {"manifest.json"} != before


def test_a_run_goes_on_where_a_stopped_one_ended(tree) -> None:
    whole = _run(tree)
    inputs = tree.inputs(output=str(tree.folder / "again"))
    first = _plan(inputs).all_tasks[0]
    shards.write(first)
    before = (tree.folder / "again" / first.name).stat().st_ino
    assert _run(tree, output=str(tree.folder / "again")) == whole
    assert (tree.folder / "again" / first.name).stat().st_ino == before


def _plan(inputs: Inputs) -> pipeline.Plan:
    read = index.read(inputs, _CONFIG)
    found = locate.look(read, inputs)
    recipe = Recipe(_CONFIG.stored_size, _CONFIG.encoding)
    return pipeline.make_plan(inputs, _CONFIG, read, locate.merge(read, inputs, found, []), recipe)


def test_identical_pixels_under_two_names_are_listed_and_counted(tree) -> None:
    first, other = tree.find(tree.names[0]), tree.find(tree.names[-1])  # train_val and test
    pixels = cv2.imread(str(first), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(other), cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGRA))
    made = _run(tree)
    assert made.counters["duplicate_pictures"] == 2
    assert made.counters["duplicate_groups_across_patients"] == 1
    assert made.counters["duplicate_groups_across_splits"] == 1
    header, *lines = (tree.output / "duplicates.csv").read_text().splitlines()
    assert header == "digest,id,patient,split"
    assert [line.split(",")[1] for line in lines] == [tree.names[0], tree.names[-1]]


@pytest.mark.parametrize("kind", ["constant", "wrong_size"])
def test_empty_pictures_and_wrong_sizes_are_rejected(tree, kind: str) -> None:
    pixels = np.full((48, 48), 9, np.uint8) if kind == "constant" else np.eye(64, dtype=np.uint8)
    cv2.imwrite(str(tree.find(tree.names[0])), pixels)
    made = _run(tree, dataclasses.replace(_CONFIG, max_rejected_fraction=0.05, source_px=48))
    assert made.counters[f"rejected_{kind}"] == made.counters["images_rejected"] == 1


def test_raw_pixels_are_those_of_the_png(tree) -> None:
    png = _run(tree)
    raw = _run(tree, dataclasses.replace(_CONFIG, encoding="raw"), output=str(tree.folder / "raw"))
    assert (png.encoding, raw.encoding) == ("png", "raw")
    for split in raw.splits:
        pairs = zip(
            _records(tree, png.splits[split]), _read_raw(tree, raw.splits[split]), strict=True
        )
        for record, pixels in pairs:
            stored = image_graph.stored(record["image"], 32)
            np.testing.assert_array_equal(stored, pixels)


def _read_raw(tree, split: manifest.Split) -> list[tf.Tensor]:  # type: ignore[no-untyped-def]
    files = [str(tree.folder / "raw" / shard.name) for shard in split.shards]
    records = [schema.parse(record, findings=14) for record in tf.data.TFRecordDataset(files)]
    return [image_graph.stored(record["image"], 32, "raw") for record in records]


def test_two_jobs_on_one_output_refuse_each_other(tree) -> None:
    with lock.hold(str(tree.output)), pytest.raises(UsageError) as caught:
        _run(tree)
    assert str(tree.output) in str(caught.value)
    assert f"process {os.getpid()}" in str(caught.value)
    assert _run(tree).counters["records_written"] == 40


def test_an_output_that_is_a_file_is_refused(tree) -> None:
    tree.output.write_text("a file")
    with pytest.raises(UsageError, match="--output=.* cannot be written: Not a directory"):
        _run(tree)


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "zip"])
def test_turned_films_and_unused_bits_are_counted_and_listed(tree, packed: bool) -> None:
    turned, dark = (tree.find(name) for name in tree.names[:2])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(turned).rotate(90).save(turned, exif=exif)
    cv2.imwrite(str(dark), cv2.imread(str(dark), cv2.IMREAD_GRAYSCALE).astype(np.uint16) * 16)
    if packed:
        with zipfile.ZipFile(tree.folder / "all.zip", "w") as archive:
            for path in tree.images.rglob("*.png"):
                archive.write(path, path.name)
    images = tree.folder / "all.zip" if packed else tree.images
    made, _ = pipeline.run(tree.inputs(images=str(images)), _CONFIG, [])
    assert made.counters["images_turned_upright"] == 1
    assert made.counters["images_with_warnings"] == 1
    (line,) = (tree.output / "warnings.csv").read_text().splitlines()[1:]
    assert line.startswith(f'{tree.names[1]},"the PNG has 16 bits, of which the top 4')
