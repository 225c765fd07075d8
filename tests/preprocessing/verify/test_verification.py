# SPDX-License-Identifier: MIT
"""A good data set is clean; each kind of damage is found, and found once."""

import dataclasses
import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from preprocessing import card, task, verify
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import patience
from preprocessing.contract.pictures import image

ROOT = pathlib.Path(__file__).parents[3]
SIZE = 32


def _problem(finished) -> str:  # type: ignore[no-untyped-def]
    """Verifies, and returns the only problem."""
    problems = verify.verify(str(finished.folder)).problems
    assert len(problems) == 1, problems
    return problems[0]


def _change_split(finished, split: str, field: str, value: object) -> None:  # type: ignore[no-untyped-def]
    finished.change_manifest(lambda values: values["splits"][split].update({field: value}))


def test_a_good_data_set_is_clean(finished) -> None:
    found = verify.verify(str(finished.folder))
    assert found.clean and not found.remarks
    assert [split.split for split in found.splits] == ["train", "validation", "test"]
    assert sum(split.records for split in found.splits) == 59
    assert verify.command(str(finished.folder)).endswith("\nclean")


def test_verifying_writes_nothing(finished) -> None:
    before = {p: p.stat().st_mtime_ns for p in finished.folder.rglob("*")}
    verify.verify(str(finished.folder))
    assert {p: p.stat().st_mtime_ns for p in finished.folder.rglob("*")} == before


def test_the_folder_may_be_named_with_a_slash_at_its_end(finished) -> None:
    assert verify.verify(f"{finished.folder}/").clean


def test_without_a_manifest_it_is_no_data_set(finished) -> None:
    (finished.folder / "manifest.json").unlink()
    with pytest.raises(DataError, match="holds no manifest.json"):
        verify.verify(str(finished.folder))


@pytest.mark.parametrize("change", [{"encoding": "webp"}, {"stored_size": 0}, {"findings": []}])
def test_a_manifest_that_no_reader_understands_is_refused(finished, change: dict) -> None:
    finished.change_manifest(lambda values: values.update(change))
    with pytest.raises(DataError, match="manifest.json .* preprocess the data again"):
        verify.verify(str(finished.folder))


def test_a_shard_outside_of_the_folder_is_refused(finished) -> None:
    def change(values: dict) -> None:
        values["splits"]["train"]["shards"][0]["name"] = "../train-00000.tfrecord"

    finished.change_manifest(change)
    with pytest.raises(DataError, match="outside of its folder"):
        verify.verify(str(finished.folder))


def test_a_missing_shard_is_found(finished) -> None:
    (finished.folder / finished.shard()).unlink()
    assert _problem(finished) == f"{finished.shard()} is missing: preprocess the data again"


def test_a_changed_bit_is_found_with_its_record(finished) -> None:
    path = finished.folder / finished.shard()
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    problem = _problem(finished)
    assert problem.startswith(f"{path.name} is damaged: its SHA-256 is not the manifest's; record ")
    assert "has data that do not match their checksum; remove the file" in problem


def test_a_cut_shard_is_found(finished) -> None:
    path = finished.folder / finished.shard("test")
    content = path.read_bytes()
    path.write_bytes(content[:-9])
    problem = _problem(finished)
    assert f"it has {len(content) - 9} bytes, the manifest says {len(content)}" in problem
    assert "is cut short: the file ends 9 bytes too early" in problem


def test_other_content_of_the_same_form_is_found(finished) -> None:
    first, second = finished.shard(at=0), finished.shard(at=1)
    content = (finished.folder / first).read_bytes()
    (finished.folder / second).write_bytes(content)
    problems = verify.verify(str(finished.folder)).problems
    assert problems[0].startswith(f"{second} is damaged: it has")
    assert any("is there 2 times" in problem for problem in problems)


def test_a_lost_record_is_found(finished) -> None:
    name = finished.shard()
    records = finished.records(name)
    finished.rewrite(name, records[:-1])

    def change(values: dict) -> None:
        values["splits"]["train"]["shards"][0]["examples"] += 1

    finished.change_manifest(change)
    problems = verify.verify(str(finished.folder)).problems
    assert f"it holds {len(records) - 1} records, the manifest says {len(records)}" in problems[0]
    assert any("split train says" in problem and "examples" in problem for problem in problems)
    assert any("records_written" in problem for problem in problems)


def test_bytes_that_are_no_record_are_found(finished) -> None:
    name = finished.shard()
    finished.rewrite(name, [*finished.records(name)[:-1], b"\xff\xff"])
    assert "the bytes are no tf.train.Example" in _problem(finished)


_GREY = np.arange(SIZE * SIZE, dtype=np.uint32).reshape(SIZE, SIZE).astype(np.uint8)


@pytest.mark.parametrize(
    ("picture", "sentence"),
    [
        (b"no picture", "PNG"),
        (image.encode(_GREY)[:-30], "PNG"),
        (image.encode(_GREY[:16, :16]), "16 x 16 pixels, not 32"),
        (image.encode(np.full((SIZE, SIZE), 7, np.uint8)), "every pixel has the value 7"),
    ],
)
def test_a_picture_that_cannot_be_used_is_found(finished, picture: bytes, sentence: str) -> None:
    name = finished.shard("validation")
    record = finished.change_record(name, 1, image=picture)
    problem = _problem(finished)
    assert problem.startswith(f"{name}, record 1 ({record.id}): ")
    assert sentence in problem and problem.endswith("preprocess the data again")


def test_raw_pixels_under_the_name_of_png_are_found(finished) -> None:
    finished.change_record(finished.shard(), 0, image=_GREY.tobytes())
    assert "record 0" in _problem(finished)


_BOX = (0.1, 0.1, 0.2, 0.2)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"view": "LATERAL"}, "the view is 'LATERAL', not AP or PA"),
        ({"sex": "X"}, "the sex is 'X', not M or F"),
        ({"age": 411}, "the age is 411 years"),
        ({"follow_up": -2}, "follow-up number is -2"),
        ({"width": -1}, "the original has -1 x"),
        ({"box_findings": (14,), "boxes": _BOX}, "a box shows finding 14 of 14"),
        ({"box_findings": (0,), "boxes": (0.9, 0.1, 0.2, 0.2)}, "leaves the picture"),
        ({"box_findings": (0,), "boxes": (0.9, 0.1, 0.0, 0.2)}, "leaves the picture"),
        ({"box_findings": (0,), "boxes": (float("nan"), 0.1, 0.1, 0.2)}, "leaves the picture"),
    ],
)
def test_a_value_out_of_range_is_found(finished, changes: dict, sentence: str) -> None:
    finished.change_record(finished.shard("test"), 2, **changes)
    assert sentence in _problem(finished)


def test_a_target_that_is_none_is_found(finished) -> None:
    name = finished.shard()
    (record, *_) = [r for r in finished.records(name) if r.targets[0] == 0]
    at = [r.id for r in finished.records(name)].index(record.id)
    finished.change_record(name, at, targets=(2, *record.targets[1:]))
    assert "a target is 2, not 1, 0 or -1" in _problem(finished)


def test_too_few_targets_are_found(finished) -> None:
    finished.change_record(finished.shard(), 0, targets=(0, 0))
    problems = verify.verify(str(finished.folder)).problems
    assert "it has 2 targets, the data set has 14 findings" in problems[0]


def test_records_out_of_order_are_found(finished) -> None:
    name = finished.shard()
    records = finished.records(name)
    records[2], records[3] = records[3], records[2]
    finished.rewrite(name, records)
    assert f"{name} is not sorted: {records[3].id} follows {records[2].id}" in _problem(finished)


def test_an_image_that_is_there_twice_is_found(finished) -> None:
    first, second = finished.shard(at=0), finished.shard(at=1)
    twin = finished.records(first)[0]
    finished.rewrite(second, sorted([twin, *finished.records(second)], key=lambda r: r.id))
    problems = verify.verify(str(finished.folder)).problems
    assert (
        f"{twin.id} is there 2 times, in {first}, {second}: preprocess the data again" in problems
    )


def test_a_patient_in_two_splits_is_found(finished) -> None:
    train = finished.records(finished.shard())[0]
    finished.change_record(finished.shard("test"), 0, patient=train.patient)
    problems = verify.verify(str(finished.folder)).problems
    assert problems[0] == (
        f"patient {train.patient} is in train ({finished.shard()}) and test "
        f"({finished.shard('test')}): fix the lists of the split and preprocess the data again"
    )


@pytest.mark.parametrize("field", ["examples", "patients"])
def test_a_false_count_in_the_manifest_is_found(finished, field: str) -> None:
    stated = finished.manifest["splits"]["test"][field]
    _change_split(finished, "test", field, stated + 1)
    assert f"split test says {stated + 1} {field}, the shards hold {stated}" in _problem(finished)


@pytest.mark.parametrize(
    ("field", "words"),
    [("positives", "positives"), ("known", "known labels"), ("prevalence", "as prevalence")],
)
def test_a_false_number_of_a_finding_is_found(finished, field: str, words: str) -> None:
    stated = finished.manifest["splits"]["train"][field]
    _change_split(finished, "train", field, stated | {"Mass": stated["Mass"] + 1})
    assert f"{words} of Mass, the shards {stated['Mass']}" in _problem(finished)


def test_a_finding_that_the_data_set_has_not_is_found(finished) -> None:
    stated = finished.manifest["splits"]["train"]["known"]
    _change_split(finished, "train", "known", stated | {"Fracture": 1})
    assert "counts Fracture, which is not among the findings" in _problem(finished)


def test_a_lost_split_is_found(finished) -> None:
    finished.change_manifest(lambda values: values["splits"].pop("validation"))
    problems = verify.verify(str(finished.folder)).problems
    assert any("has the splits train, test, not train, validation, test" in p for p in problems)
    assert any("is a shard that the manifest does not name" in p for p in problems)


@pytest.mark.parametrize(
    "counter", ["records_written", "images_rejected", "duplicate_pictures", "duplicate_groups"]
)
def test_a_false_counter_is_found(finished, counter: str) -> None:
    def change(values: dict) -> None:
        values["counters"][counter] += 5

    finished.change_manifest(change)
    assert f"{counter}, " in _problem(finished)


def test_lost_rows_of_the_rejected_are_found(finished) -> None:
    (finished.folder / "rejected.csv").unlink()
    problems = verify.verify(str(finished.folder)).problems
    assert problems[0] == (
        "manifest.json says 1 images_rejected, rejected.csv lists 0: preprocess the data again"
    )
    assert len(problems) == 2  # the counter of the reason says the same


def test_an_image_both_rejected_and_stored_is_found(finished) -> None:
    table = finished.folder / "rejected.csv"
    rejected = table.read_text().splitlines()[1].split(",")[0]
    stored = finished.records(finished.shard())[0].id
    table.write_text(table.read_text().replace(rejected, stored))
    assert f"{stored} is in rejected.csv and in a shard" in _problem(finished)


def test_a_rejected_image_with_a_name_like_a_formula_is_found_by_its_name(finished) -> None:
    table = finished.folder / "rejected.csv"
    rejected = table.read_text().splitlines()[1].split(",")[0]
    table.write_text(table.read_text().replace(rejected, "'=a.png"))
    finished.change_record(finished.shard(), 0, id="=a.png")
    problems = verify.verify(str(finished.folder)).problems
    assert "=a.png is in rejected.csv and in a shard: preprocess the data again" in problems


def test_identical_pixels_that_are_not_listed_are_found(finished) -> None:
    (finished.folder / "duplicates.csv").unlink()
    problems = verify.verify(str(finished.folder)).problems
    assert len(problems) == 2
    assert all("which duplicates.csv does not say" in problem for problem in problems)


def test_different_pixels_that_are_listed_as_identical_are_found(finished) -> None:
    with (finished.folder / "duplicates.csv").open("a") as table:
        table.write("0123,strange.png,1,train\n")
    assert "duplicates.csv lists strange.png, whose pixels no other image" in _problem(finished)


def test_a_table_of_nonsense_is_no_crash(finished) -> None:
    (finished.folder / "duplicates.csv").write_bytes(b'\xff\x00\xfe,\n"' + b"x" * 200_000)
    assert len(verify.verify(str(finished.folder)).problems) == 2


def test_litter_and_strange_shards_are_found(finished) -> None:
    (finished.folder / "train-00009-of-00010.tfrecord").write_bytes(b"")
    (finished.folder / "manifest.json.partial-0123456789ab").write_bytes(b"")
    (finished.folder / "_progress").mkdir()
    (finished.folder / "_progress" / "job.json").write_text("{}")
    problems = verify.verify(str(finished.folder)).problems
    assert len(problems) == 3
    assert "manifest.json.partial-0123456789ab is what a stopped program left" in problems[0]
    assert "train-00009-of-00010.tfrecord is a shard that the manifest does not" in problems[1]
    assert "_progress holds 1 files, as while a job runs" in problems[2]


def test_files_of_the_user_are_remarked_but_no_problem(finished) -> None:
    (finished.folder / "my-notes.txt").write_text("mine")
    (finished.folder / "dataset_card.md").write_text("ours")
    found = verify.verify(str(finished.folder))
    assert found.clean
    assert found.remarks == ("my-notes.txt does not belong to the data set",)


def test_all_problems_are_kept_and_twenty_printed(finished) -> None:
    for number in range(25):
        (finished.folder / f"old-{number:05d}.tfrecord").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        verify.command(str(finished.folder))
    text = str(caught.value)
    assert f"{finished.folder} has 25 problems\n" in text
    assert text.count("problem: ") == 20 and text.endswith("and 5 more problems")


def test_the_command_line_prints_clean_or_exits_with_65(finished, capsys) -> None:
    folder = str(finished.folder)
    assert task.main(["cxr14-preprocess", "verify", folder]) == 0
    assert capsys.readouterr().out.endswith("clean\n")
    pathlib.Path(folder, finished.shard()).unlink()
    assert task.main(["cxr14-preprocess", "verify", folder]) == DataError.exit_code
    assert "is missing" in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    ("stream", "folder", "code"), [("stdout", True, 74), ("stderr", False, 64)]
)
def test_a_full_disk_behind_the_output_leaves_the_exit_code_right(
    finished: Any, stream: str, folder: bool, code: int
) -> None:
    """74 for a result that is lost; to lose the sentence changes no code."""
    command = [sys.executable, "-m", "preprocessing.task", "verify"]
    command += [str(finished.folder)] * folder
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, cwd=ROOT, timeout=120, **{**streams, stream: full})
    assert done.returncode == code, done.stderr


def test_worker_processes_find_the_same(finished) -> None:
    finished.change_record(finished.shard(), 0, sex="X")
    arguments = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    one, two = (verify.verify(str(finished.folder), args) for args in ((), arguments))
    assert dataclasses.asdict(one) == dataclasses.asdict(two)
    assert len(one.problems) == 1


@pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
def test_a_data_set_in_a_bucket_is_verified_and_described_there(  # type: ignore[no-untyped-def]
    finished, on_gcs, bucket: str, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.02)
    on_gcs.upload_tree(finished.folder, f"{bucket}/data")
    assert verify.verify(f"{bucket}/data") == dataclasses.replace(
        verify.verify(str(finished.folder)), folder=f"{bucket}/data"
    )
    local = card.describe(str(finished.folder), str(tmp_path / "card"))
    made = card.describe(f"{bucket}/data", f"{bucket}/card")
    contents = {pathlib.Path(path).name: pathlib.Path(path).read_bytes() for path in local.paths}
    assert on_gcs.objects(f"{bucket}/card") == contents
    assert made.sections[0] == local.sections[0]
    on_gcs.write(f"{bucket}/data/{finished.shard()}", b"")
    assert "it has 0 bytes" in verify.verify(f"{bucket}/data").problems[0]
