# SPDX-License-Identifier: MIT
"""A zip's names are read as they were meant, and what cannot be read in it is named."""

import pathlib
import zipfile

import pytest

from preprocessing.contract.archives import archives
from preprocessing.contract.errors import DataError
from preprocessing.sources import places


def _write(path: pathlib.Path, **options: object) -> pathlib.Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(4):
            with archive.open(f"images/{n}.png", "w", **options) as file:  # type: ignore[call-overload]
                file.write(b"film" * 100 + bytes([n]))
    return path


def _patch(path: pathlib.Path, local: int, central: int, value: bytes) -> None:
    """Overwrites bytes in every header, given by their places there (APPNOTE 4.3.7, 4.3.12)."""
    data = bytearray(path.read_bytes())
    for start, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        at = -1
        while (at := data.find(start, at + 1)) >= 0:
            data[at + offset : at + offset + len(value)] = value
    path.write_bytes(data)


def _read(path: pathlib.Path) -> list[archives.Member]:
    return list(archives.members(str(path), lambda name: True))


@pytest.mark.parametrize(("method", "name"), [(9, "Deflate64"), (98, "PPMd"), (42, "method 42")])
def test_a_packing_that_cannot_be_read_is_named_and_no_damage(
    tmp_path: pathlib.Path, method: int, name: str
) -> None:
    path = _write(tmp_path / "a.zip")
    _patch(path, 8, 10, bytes([method, 0]))
    with pytest.raises(DataError, match=f"a.zip is packed with {name}, .* unpack it yourself"):
        _read(path)


def test_encrypted_files_are_named_each(tmp_path: pathlib.Path) -> None:
    path = _write(tmp_path / "a.zip")
    _patch(path, 6, 8, b"\x01\0")
    assert {member.problem[0] for member in _read(path)} == {"encrypted"}


def test_a_newer_zip_than_can_be_read_is_no_damage(tmp_path: pathlib.Path) -> None:
    path = _write(tmp_path / "a.zip")
    _patch(path, 4, 6, b"\xff\0")
    with pytest.raises(DataError, match="cannot be read here .*version 25.5.*: unpack it"):
        _read(path)


@pytest.mark.parametrize("parts", ["halves", "volumes"])
def test_the_last_volume_of_a_split_zip_is_called_so(tmp_path: pathlib.Path, parts: str) -> None:
    path = _write(tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    if parts == "volumes":
        data[data.rindex(b"PK\x05\x06") + 4] = 2
    path.write_bytes(data[len(data) // 2 :] if parts == "halves" else data)
    with pytest.raises(DataError, match=r"a\.zip is the last volume of a split zip, or lacks its"):
        _read(path)


def test_a_large_zip_and_one_behind_a_program_are_read(tmp_path: pathlib.Path) -> None:
    path = _write(tmp_path / "a.zip", force_zip64=True)
    assert [member.data[-1] for member in _read(path) if member.data] == [0, 1, 2, 3]
    path.write_bytes(b"MZ" + b"\0" * 5000 + path.read_bytes())
    assert [member.data[-1] for member in _read(path) if member.data] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("tórax".encode(), "tórax"),
        ("tórax".encode("cp437"), "tórax"),
        ("to\u0301rax".encode(), "to\u0301rax"),
    ],
)
def test_a_name_without_the_utf_8_flag_is_what_it_was_meant_to_be(
    tmp_path: pathlib.Path, raw: bytes, shown: str
) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x" * len(raw) + ".png", b"film")
    path.write_bytes(path.read_bytes().replace(b"x" * len(raw), raw))
    (member,) = _read(path)
    assert member.name == f"{shown}.png"
    assert places.Wanted(["tórax.png"]).find(member.name) == "tórax.png"


def test_backslashes_part_names_and_end_folders(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images/", b"")
        archive.writestr("images/f00.png", b"film")
    path.write_bytes(path.read_bytes().replace(b"images/", b"images\\"))
    (member,) = _read(path)
    assert places.Wanted(["p/f00.png", "images/f00.png"]).find(member.name) == "images/f00.png"


def test_links_give_the_files_they_lead_to(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images/a.png", b"film")
        for name, target in {"b.png": "images/a.png", "images/c.png": "../b.png"}.items():
            archive.writestr(_link(name), target)
        archive.writestr(_link("loop.png"), "loop.png")
        archive.writestr(_link("out.png"), "/etc/passwd")
    found = {member.name: member for member in _read(path)}
    assert found["b.png"].data == found["images/c.png"].data == b"film"
    for name in ("loop.png", "out.png"):
        assert found[name].problem[0] == "not_a_file"


def _link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    return entry
