# SPDX-License-Identifier: MIT
"""Pictures in archives give the data set of the unpacked tree; what is missing is named."""

import dataclasses
import pathlib
import tarfile
import zipfile

import pytest

from preprocessing import index, locate, pipeline
from preprocessing.contract import manifest
from preprocessing.contract.errors import DataError
from preprocessing.contract.invocation.config import Config
from preprocessing.contract.radiographs import Recipe
from preprocessing.sources.row import Row
from preprocessing.staging import staging, unpacking
from preprocessing.staging.staging import Staged

_CONFIG = Config(stored_size=32, validation_fraction=0.3, examples_per_shard=8)
_RECIPE = Recipe(32, "png")


def _run(tree, name: str, **changes: object) -> tuple[manifest.Manifest, dict[str, bytes]]:  # type: ignore[no-untyped-def]
    output = tree.folder / name
    made, fresh = pipeline.run(tree.inputs(output=str(output), **changes), _CONFIG, [])
    assert fresh
    content = {path.name: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    return made, content


@pytest.fixture
def archives(tree) -> pathlib.Path:
    """The tree as Box gives it: each archive holds a folder `images` with some of the pictures."""
    folder = tree.folder / "archives"
    folder.mkdir()
    for part in sorted(tree.images.iterdir()):
        with tarfile.open(folder / f"{part.name}.tar.gz", "w:gz") as archive:
            archive.add(part / "images", "images")
    return folder


def test_archives_as_downloaded_give_the_bytes_of_the_unpacked_tree(tree, archives) -> None:
    _, unpacked = _run(tree, "out")
    made, packed = _run(tree, "packed", images=str(archives))
    assert packed == unpacked
    assert made.counters["images_found"] == 40


def test_rejections_in_archives_are_those_of_the_tree(tree) -> None:
    tree.find(tree.names[3]).write_bytes(b"text")
    with zipfile.ZipFile(tree.folder / "all.zip", "w") as archive:
        for path in tree.images.rglob("*.png"):
            archive.write(path, f"deep/er/{path.name}")
    config = dataclasses.replace(_CONFIG, max_rejected_fraction=0.1)
    shards = {}
    for images, name in ((tree.images, "out"), (tree.folder / "all.zip", "zip")):
        inputs = tree.inputs(images=str(images), output=str(tree.folder / name))
        pipeline.run(inputs, config, [])
        shards[name] = [
            path.read_bytes() for path in sorted((tree.folder / name).glob("*.tfrecord"))
        ]
    assert shards["out"] == shards["zip"]
    line = (tree.folder / "zip" / "rejected.csv").read_text().splitlines()[1]
    assert line.startswith(f"{tree.names[3]},not_a_picture,")
    assert line.endswith(f"all.zip!deep/er/{tree.names[3]}")


def test_loose_pictures_and_archives_complete_each_other(tree, archives) -> None:
    _, unpacked = _run(tree, "out")
    (archives / "images_001.tar.gz").unlink()
    (tree.images / "images_001").rename(archives / "images_001")
    made, mixed = _run(tree, "mixed", images=str(archives))
    assert mixed == unpacked
    assert made.counters["archive_files_not_needed"] == 0


def test_an_image_that_no_archive_holds_is_missing(tree, archives) -> None:
    (archives / "images_002.tar.gz").unlink()
    with pytest.raises(DataError, match="20 of 40 images of .* are not below"):
        _run(tree, "out", images=str(archives))
    made, _ = _run(tree, "part", images=str(archives), allow_missing=True)
    assert (made.counters["images_found"], made.counters["images_missing"]) == (20, 20)


def test_a_damaged_archive_fails_the_job_and_a_whole_one_mends_it(tree, archives) -> None:
    _, unpacked = _run(tree, "out")
    path = archives / "images_002.tar.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(DataError, match=r"images_002\.tar\.gz is cut short or damaged"):
        _run(tree, "mended", images=str(archives))
    assert not (tree.folder / "mended" / "manifest.json").exists()
    path.write_bytes(whole)
    assert _run(tree, "mended", images=str(archives))[1] == unpacked


def test_one_image_in_two_archives_names_both(tree, archives) -> None:
    (archives / "copy.tar.gz").write_bytes((archives / "images_001.tar.gz").read_bytes())
    with pytest.raises(DataError, match=r"lies in two places, .*copy\.tar\.gz!images/"):
        _run(tree, "out", images=str(archives))


def test_a_task_that_is_not_finished_means_run_again(tree, archives) -> None:
    inputs = tree.inputs(images=str(archives))
    read = index.read(inputs, _CONFIG)
    found = locate.look(read, inputs)
    tasks = locate.stage_tasks(read, inputs, found, _RECIPE)
    assert [task.archive for task in tasks] == sorted(map(str, archives.iterdir()))
    staging.write_wanted(inputs.output, tree.names)
    unpacking.stage(tasks[0])
    with pytest.raises(DataError, match=r"images_002\.tar\.gz was not read to its end: run again"):
        locate.merge(read, inputs, found, tasks)


def test_archives_are_not_read_where_every_picture_lies_loose(tree) -> None:
    (tree.images / "images_009.tar.gz").write_bytes(b"no archive at all")
    made, _ = _run(tree, "out")
    assert made.counters["images_found"] == 40


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "zip"])
def test_names_that_differ_in_suffix_alone_are_told_and_not_called_missing(
    tree, packed: bool
) -> None:
    images = tree.images
    for path in sorted(images.rglob("*.png")):
        path.rename(path.with_suffix(".JPG"))
    if packed:
        images = tree.folder / "all.zip"
        with zipfile.ZipFile(images, "w") as archive:
            for path in tree.images.rglob("*.JPG"):
                archive.write(path, path.name)
    for allow_missing in (False, True):
        with pytest.raises(DataError) as caught:
            _run(tree, "out", images=str(images), allow_missing=allow_missing)
        text = str(caught.value)
        assert "for 40 of them there is a file whose name differs in suffix or case alone" in text
        assert f"00000001_000.JPG for {tree.names[0]}" in text
        assert "download" not in text


@pytest.mark.parametrize("filled", [False, True])
def test_a_folder_that_is_named_like_a_picture_is_called_a_folder(tree, filled: bool) -> None:
    path = tree.find(tree.names[3])
    path.unlink()
    path.mkdir()
    if filled:
        (path / "inside.txt").write_text("x")
    with pytest.raises(DataError, match="1 of 40 images") as caught:
        _run(tree, "out")
    assert str(caught.value).endswith(
        f"first {tree.names[3]}: for 1 of them a folder is where the file should be (first {path}"
        "); put the picture in its place"
    )
    made, _ = _run(tree, "part", allow_missing=True)
    assert made.counters["images_missing"] == 1


def test_names_that_are_nearly_right_are_counted_where_others_are_right(tree) -> None:
    path = tree.find(tree.names[0])
    path.rename(path.with_suffix(".jpg"))
    made, _ = _run(tree, "out", allow_missing=True)
    assert (made.counters["images_missing"], made.counters["names_nearly_right"]) == (1, 1)


def test_nothing_but_missing_images_is_one_sentence(tree) -> None:
    for path in tree.images.rglob("*.png"):
        path.rename(path.with_name(f"x{path.name}"))
    with pytest.raises(DataError, match="40 of 40 images of .* check --images"):
        _run(tree, "out", allow_missing=True)


def test_a_folder_that_cannot_be_read_is_named_or_counted(tree, unprivileged: None) -> None:
    closed = tree.images / "images_002"
    closed.chmod(0)
    try:
        with pytest.raises(DataError, match=r"1 folders below .*images_002 \(Permission denied\)"):
            _run(tree, "out")
        made, _ = _run(tree, "part", allow_missing=True)
        assert made.counters["folders_unreadable"] == 1
        assert made.counters["images_found"] == 20
        tree.images.chmod(0)
        with pytest.raises(DataError, match="--images=.* cannot be read"):
            _run(tree, "none", allow_missing=True)
    finally:
        tree.images.chmod(0o700)
        closed.chmod(0o700)


def test_a_label_file_that_is_corrected_uses_the_same_folder(tree, archives) -> None:
    """The archive was read for the wrong names, which must not be remembered as read."""
    _, whole = _run(tree, "whole")
    text = tree.labels.read_text()
    tree.labels.write_text(text.replace(tree.names[0], "00000001_0.png"))
    lists = {path: path.read_text() for path in tree.folder.glob("*_list.txt")}
    for path, names in lists.items():
        path.write_text(names.replace(tree.names[0], "00000001_0.png"))
    with pytest.raises(DataError, match="1 of 40 images .* are not below"):
        _run(tree, "out", images=str(archives))
    tree.labels.write_text(text)
    for path, names in lists.items():
        path.write_text(names)
    assert _run(tree, "out", images=str(archives))[1] == whole


def test_what_the_label_file_refuses_is_rejected_and_in_no_split(tree) -> None:
    lines = tree.labels.read_text().splitlines()
    lines[1] = lines[1].replace(",PA,", ",LATERAL,")
    lines[2] = lines[2].replace(",PA,", ",steep,")
    tree.labels.write_text("\n".join(lines) + "\n")
    read = index.read(tree.inputs(), _CONFIG)
    found = locate.look(read, tree.inputs())
    located = locate.merge(read, tree.inputs(), found, [])
    assert [(item.id, item.reason) for item in located.rejected] == [(tree.names[0], "not_frontal")]
    assert tree.names[0] not in {row.id for row in located.present}
    assert len(located.present) == 39 and located.counters["images_found"] == 40
    assert [name for name, _ in located.warnings] == [tree.names[1]]


def test_a_film_whose_tag_names_the_patient_of_another_is_warned_of() -> None:
    """One PatientID under two patients of the label file, however it is spelt, may be a leak."""
    tags = {"a": "0013", "b": "13.0", "c": "7", "d": "", "e": ""}
    rows = [Row(name, f"p{name}", ()) for name in tags] + [Row("f", "pc", ())]
    staged = {name: Staged(name, "", facts={"patient": tag}) for name, tag in tags.items()}
    staged["f"] = Staged("f", "", facts={"patient": "7"})
    warned = list(locate._one_by_tag(rows, staged))
    assert [name for name, _ in warned] == ["a", "b"]
    assert all("is that of 2 patients of the label file" in text for _, text in warned)
