# SPDX-License-Identifier: MIT
"""Two hundred spoilt inputs, each through the whole job: a sentence or a right data set, no third.

Every example spoils one thing of a small data set (bytes of a picture, lines of the label file, the
members of an archive, the header of a DICOM file) and runs the command line in this process.
"""

import contextlib
import gzip
import io
import pathlib
import random
import resource
import shutil
import tarfile
import zipfile
import zlib

import cv2
import numpy as np
import pytest

from preprocessing import task
from preprocessing.contract import manifest, schema
from preprocessing.contract.files import storage, tfrecord
from preprocessing.contract.pictures import image

_EXAMPLES = 200
_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
_SIDE = 24


@pytest.fixture(scope="module")
def pictures() -> dict[str, np.ndarray]:
    source = np.random.default_rng(8)
    names = [f"{patient:08d}_{n:03d}.png" for patient in range(1, 7) for n in range(2)]
    return {name: source.integers(0, 256, (40, 40), np.uint8) for name in names}


def _write(folder: pathlib.Path, pictures: dict[str, np.ndarray]) -> dict[str, bytes]:
    """Writes a whole data set and returns its picture files."""
    files = {name: cv2.imencode(".png", pixels)[1].tobytes() for name, pixels in pictures.items()}
    (folder / "images").mkdir(parents=True)
    for name, data in files.items():
        (folder / "images" / name).write_bytes(data)
    lines = [
        f"{name},{('No Finding', 'Mass')[at % 2]},0,{int(name[:8])},50,F,PA,2500,2048,0.1,0.1"
        for at, name in enumerate(files)
    ]
    (folder / "labels.csv").write_text("\n".join([_HEADER, *lines]) + "\n")
    names = list(files)
    (folder / "train_val.txt").write_text("\n".join(names[:8]))
    (folder / "test.txt").write_text("\n".join(names[8:]))
    return files


def _bytes_changed(chance: random.Random, data: bytes) -> bytes:
    """Flips, cuts, zeroes, repeats or replaces part of some bytes."""
    spoilt = bytearray(data)
    at = chance.randrange(len(spoilt))
    kind = chance.randrange(6)
    if kind == 0:
        spoilt[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        del spoilt[at:]
    elif kind == 2:
        spoilt[at : at + 40] = bytes(len(spoilt[at : at + 40]))
    elif kind == 3:
        spoilt[at:at] = spoilt[: chance.randrange(1, 60)]
    elif kind == 4:
        spoilt[min(at, 40)] = chance.randrange(256)  # mostly in the header
    else:
        del spoilt[at : at + chance.randrange(1, 200)]
    return bytes(spoilt)


def _giant() -> bytes:
    """A picture of 60,000 pixels a side in a few kilobytes."""
    data = zlib.compress(bytes(1 << 22))
    parts = [(b"IHDR", (60_000).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0]))]
    parts += [(b"IDAT", data), (b"IEND", b"")]
    chunks = [
        len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
        for kind, body in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _spoil_picture(chance: random.Random, folder: pathlib.Path, files: dict[str, bytes]) -> None:
    name = chance.choice(list(files))
    spoilt = _giant() if chance.random() < 0.05 else _bytes_changed(chance, files[name])
    (folder / "images" / name).write_bytes(spoilt)


def _spoil_text(chance: random.Random, folder: pathlib.Path, files: dict[str, bytes]) -> None:
    path = folder / chance.choice(["labels.csv", "labels.csv", "train_val.txt", "test.txt"])
    if chance.random() < 0.5:
        path.write_bytes(_bytes_changed(chance, path.read_bytes()))
        return
    lines = path.read_text().splitlines()
    at = chance.randrange(len(lines))
    fields = lines[at].split(",")
    odd = [
        "",
        "-1",
        "1e400",
        "nan",
        "\0",
        '"',
        "9" * 5000,
        "é" * 9,
        "../../x.png",
        "Mass|Mass",
        "٣",
    ]
    fields[chance.randrange(len(fields))] = chance.choice(odd)
    lines[at] = ",".join(fields)
    path.write_text("\n".join(lines) + "\n")


def _spoil_archive(chance: random.Random, folder: pathlib.Path, files: dict[str, bytes]) -> None:
    """Moves the pictures into an archive with odd members, and spoils some of its bytes."""
    members = [(f"images/{name}", data) for name, data in files.items()]
    odd = [
        ("../../../../tmp/cxr14-escaped.png", b"x"),
        ("/etc/cxr14-escaped.png", b"x"),
        ("images/" + "a" * 300, b"x"),
        ("images/bomb.png", gzip.compress(bytes(1 << 22))),
        (members[0][0], members[0][1]),
        (f"copy/{members[1][0]}", _giant()),
        ("images/", b""),
    ]
    members[chance.randrange(len(members)) : 0] = chance.sample(odd, chance.randrange(3))
    shutil.rmtree(folder / "images")
    (folder / "images").mkdir()
    path = folder / "images" / chance.choice(["a.zip", "a.tar.gz", "a.tar"])
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, data in members:
                packed.writestr(zipfile.ZipInfo(name), data)
    else:
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
            for name, data in members:
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    if chance.random() < 0.6:
        path.write_bytes(_bytes_changed(chance, path.read_bytes()))


_SPOILERS = (_spoil_picture, _spoil_picture, _spoil_text, _spoil_archive)


def _argv(folder: pathlib.Path) -> list[str]:
    return [
        "cxr14-preprocess",
        f"--images={folder / 'images'}",
        f"--labels={folder / 'labels.csv'}",
        f"--train_val_list={folder / 'train_val.txt'}",
        f"--test_list={folder / 'test.txt'}",
        f"--output={folder / 'out'}",
        f"--config.stored_size={_SIDE}",
        "--config.validation_fraction=0.5",
        "--config.max_rejected_fraction=0.4",
        "--allow_missing",
    ]


def _check_data_set(output: pathlib.Path, pictures: dict[str, np.ndarray]) -> None:
    """Every record's pixels are those of the original of its name, and the counts are right."""
    made = manifest.read(str(output))
    records = []
    for split in made.splits.values():
        for shard in split.shards:
            data = storage.read_bytes(str(output / shard.name))
            records += [schema.decode(record) for record in tfrecord.read(data)]
    assert len(records) == made.counters["records_written"]
    for record in records:
        pixels = image.decode_stored(record.image, _SIDE, made.encoding)
        whole = image.resize(pictures[record.id], _SIDE)
        np.testing.assert_array_equal(pixels, whole)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_spoilt_is_told_in_one_sentence_or_left_out(
    tmp_path: pathlib.Path,
    pictures: dict[str, np.ndarray],
    capsys: pytest.CaptureFixture[str],
) -> None:
    chance = random.Random(20)
    _run_once(tmp_path / "warm", pictures)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    codes: dict[int, int] = {}
    for number in range(_EXAMPLES):
        folder = tmp_path / str(number)
        files = _write(folder, pictures)
        _SPOILERS[number % len(_SPOILERS)](chance, folder, files)
        capsys.readouterr()
        code = task.main(_argv(folder))
        codes[code] = codes.get(code, 0) + 1
        last = capsys.readouterr().err.splitlines()
        if code:
            assert code in (64, 65, 78), number
            assert last[-1].startswith("cxr14-preprocess: "), number
            assert not (folder / "out" / "manifest.json").exists(), number
        else:
            _check_data_set(folder / "out", pictures)
        shutil.rmtree(folder)
    assert set(codes) == {0, 65}
    assert min(codes.values()) > 20
    assert not pathlib.Path("/tmp/cxr14-escaped.png").exists()
    assert not pathlib.Path("/etc/cxr14-escaped.png").exists()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # KiB
    assert grown < 300 << 10


def _run_once(folder: pathlib.Path, pictures: dict[str, np.ndarray]) -> None:
    _write(folder, pictures)
    with contextlib.redirect_stderr(io.StringIO()):
        assert task.main(_argv(folder)) == 0
    _check_data_set(folder / "out", pictures)
