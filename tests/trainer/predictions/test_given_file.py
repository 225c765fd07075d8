# SPDX-License-Identifier: MIT
"""A file that was named by mistake, or is damaged, gives one sentence, whatever its format."""

import os
from pathlib import Path

import numpy as np
import pytest

from preprocessing.contract.errors import DataError, StoppedError
from trainer.evaluation import radiologists
from trainer.predictions import given_file, metadata, table

LONG = "CXR14_LONG" in os.environ
READERS = (table.read, table.fingerprint, metadata.read, radiologists.read)


def _predictions(rows: int = 40) -> table.Predictions:
    generator = np.random.default_rng(0)
    return table.Predictions(
        ids=np.array([f"{row:08d}_000.png" for row in range(rows)]),
        patients=np.array([f"P\xe4{row // 2}" for row in range(rows)]),
        splits=np.array(["validation" if row < rows // 2 else "test" for row in range(rows)]),
        labels=generator.integers(0, 2, (rows, 2)).astype(np.float32),
        scores=generator.random((rows, 2), dtype=np.float32),
        findings=("Mass", "Edema"),
    )


@pytest.mark.parametrize("reader", READERS)
def test_a_folder_a_pipe_and_a_path_below_a_file_are_named(reader, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "file.csv").write_text("id\n")
    for name, sentence in {
        "folder.csv": "is a folder, not a [^;]*; name another",
        "pipe.csv": "is a pipe or a device, not a",
        "file.csv/below.csv": r"cannot be read \(Not a directory\)",
        "none.csv": "there is no such",
    }.items():
        with pytest.raises(DataError, match=f"{name}:? .*{sentence}|{name}: {sentence}"):
            reader(str(tmp_path / name))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_file_of_somebody_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch(mode=0o000)
    with pytest.raises(DataError, match=r"a.csv: the predictions file cannot be read \(Permission"):
        table.read(str(tmp_path / "a.csv"))


def test_what_a_parser_raises_becomes_a_sentence_and_a_sentence_stays() -> None:
    block = given_file.parsing("f is no x", "do this")
    with pytest.raises(DataError, match=r"^f is no x \(a b\); do this$"), block:
        raise MemoryError("a\nb")
    block = given_file.parsing("f is no x", "do this")
    with pytest.raises(StoppedError, match="^stopped$"), block:
        raise StoppedError("stopped")


@pytest.mark.parametrize("suffix", ["csv", "npz", "parquet"])
def test_damage_anywhere_is_a_sentence_or_other_values_but_never_a_crash(
    suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"p.{suffix}"
    table.write(str(path), _predictions())
    whole = path.read_bytes()
    refused = 0
    for seed in range(20_000 if LONG else 150):
        generator = np.random.default_rng(seed)
        data = bytearray(whole)
        start, length = int(generator.integers(len(data))), int(generator.integers(1, 40))
        data[start : start + length] = generator.bytes(min(length, len(data) - start))
        path.write_bytes(data[: len(data) - int(generator.integers(0, 200) * (seed % 7 == 0))])
        for reader in (table.read, metadata.read):
            try:
                reader(str(path))
            except DataError as error:
                refused += 1
                assert str(path) in str(error)
    assert refused > 100


def test_text_that_is_bytes_is_utf_8_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    columns = {"patient": [b"1", b"2"], "split": [b"test"] * 2, "label:Mass": [0, 1]}
    for name, refused in (("\xe9".encode(), False), ("\xe9".encode("latin-1"), True)):
        np.savez(path, id=np.array([b"a", name]), **{"score:Mass": [0.5, 0.5]}, **columns)
        if refused:
            with pytest.raises(DataError, match="p.npz: column id is not UTF-8 .*save its text as"):
                table.read(str(path))
        else:
            assert table.read(str(path)).ids.tolist() == ["a", "\xe9"]
