# SPDX-License-Identifier: MIT
"""Archives are streamed whole or refused; a member's name and size can do no harm."""

import gzip
import hashlib
import io
import pathlib
import tarfile
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preprocessing.contract.archives import archives, tars
from preprocessing.contract.errors import DataError

_RANDOM = np.random.default_rng(5)
_FILES = {f"images/{n:03d}.png": _RANDOM.bytes(3000 + n) for n in range(40)}


def _tar(path: pathlib.Path, mode: str = "w:gz", files: dict[str, bytes] = _FILES) -> str:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        archive.addfile(_folder("images"))
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return str(path)


def _folder(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE
    return entry


def _zip(path: pathlib.Path, files: dict[str, bytes] = _FILES) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("images")
        for name, data in files.items():
            archive.writestr(name, data)
    return str(path)


def _read(path: str) -> dict[str, bytes | None]:
    return {member.name: member.data for member in archives.members(path, lambda name: True)}


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar.gz", "w:gz"), ("a.tgz", "w:gz"), ("a.tar", "w")]
)
def test_a_tar_gives_every_file_with_its_content(
    tmp_path: pathlib.Path, name: str, mode: str
) -> None:
    assert _read(_tar(tmp_path / name, mode)) == _FILES


def test_a_zip_gives_every_file_with_its_content(tmp_path: pathlib.Path) -> None:
    assert _read(_zip(tmp_path / "a.zip")) == _FILES


@pytest.mark.parametrize("make", [_tar, _zip])
def test_what_is_not_wanted_is_named_but_not_read(tmp_path: pathlib.Path, make) -> None:  # type: ignore[no-untyped-def]
    path = make(tmp_path / ("a.zip" if make is _zip else "a.tar.gz"))
    found = list(archives.members(path, lambda name: name.endswith("7.png")))
    assert len(found) == 40
    assert [member.name for member in found if member.data is not None] == [
        name for name in _FILES if name.endswith("7.png")
    ]


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.93])
@pytest.mark.parametrize("name", ["a.tar.gz", "a.tar", "a.zip"])
def test_an_archive_cut_short_is_refused_wherever_it_is_cut(
    tmp_path: pathlib.Path, name: str, share: float
) -> None:
    path = tmp_path / name
    _zip(path) if name.endswith("zip") else _tar(path, "w" if name.endswith("tar") else "w:gz")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match="is cut short or damaged.*: download it again"):
        _read(str(path))


def test_a_header_spoilt_in_the_middle_is_no_end(tmp_path: pathlib.Path) -> None:
    plain = bytearray(gzip.decompress(pathlib.Path(_tar(tmp_path / "a.tar.gz")).read_bytes()))
    at = plain.index(b"images/020.png")
    plain[at] ^= 1
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(bytes(plain)))
    with pytest.raises(DataError, match="damaged in the middle"):
        _read(str(tmp_path / "a.tar.gz"))


def test_a_flipped_bit_is_found_by_the_checksum(tmp_path: pathlib.Path) -> None:
    for path in (_tar(tmp_path / "a.tar.gz"), _zip(tmp_path / "a.zip")):
        data = bytearray(pathlib.Path(path).read_bytes())
        data[len(data) // 2] ^= 8
        pathlib.Path(path).write_bytes(data)
        with pytest.raises(DataError, match="damaged"):
            _read(path)


def test_names_that_climb_out_are_only_names(tmp_path: pathlib.Path) -> None:
    files = {"../../../etc/passwd": b"a", "/abs/olute.png": b"b"}
    for path in (_tar(tmp_path / "a.tar.gz", files=files), _zip(tmp_path / "a.zip", files)):
        assert set(_read(path)) == set(files)
    assert {path.name for path in tmp_path.iterdir()} == {"a.tar.gz", "a.zip"}


def test_links_and_giants_are_named_and_not_read(tmp_path: pathlib.Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("images/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    (member,) = archives.members(str(tmp_path / "a.tar"), lambda name: True)
    assert (member.data, member.problem[0]) == (None, "not_a_file")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("giant.png", bytes(300 << 20))
    (member,) = archives.members(str(tmp_path / "a.zip"), lambda name: True)
    assert (member.data, member.problem[0]) == (None, "too_large")


def test_a_stream_that_inflates_without_end_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tars, "_FREE_GROWTH", 1 << 20)
    with gzip.open(tmp_path / "a.tar.gz", "wb", 9) as file:
        entry = tarfile.TarInfo("images/a.png")
        entry.size = 200 << 20
        file.write(entry.tobuf())
        for _ in range(200):
            file.write(bytes(1 << 20))
    with pytest.raises(DataError, match="inflates to more than 100 times its size"):
        _read(str(tmp_path / "a.tar.gz"))


def test_the_published_sum_is_checked_on_request(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _tar(tmp_path / "images_001.tar.gz")
    with pytest.raises(DataError, match="has MD5 [0-9a-f]{32}, published is fe8ed0a6"):
        list(archives.members(path, lambda name: False, check_md5=True))
    sums = {"images_001.tar.gz": hashlib.md5(pathlib.Path(path).read_bytes()).hexdigest()}
    monkeypatch.setattr(archives, "PUBLISHED_MD5", sums)
    assert len(list(archives.members(path, lambda name: False, check_md5=True))) == 40
    assert len(list(archives.members(path, lambda name: True, check_md5=True))) == 40


def test_an_archive_that_is_not_there_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match=r"none\.zip does not exist"):
        _read(str(tmp_path / "none.zip"))


@settings(
    max_examples=120, derandomize=True, suppress_health_check=list(HealthCheck), deadline=None
)
@given(st.sampled_from(["tar", "tar.gz", "zip"]), st.data())
def test_no_damage_escapes_as_another_error(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    path = folder / f"a.{kind}"
    files = dict(list(_FILES.items())[:4])
    if kind == "zip":
        _zip(path, files)
    else:
        _tar(path, "w:gz" if kind == "tar.gz" else "w", files)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        found = _read(str(path))
    except DataError as error:
        assert "\n" not in str(error)
    else:
        for name, read in found.items():
            if kind != "tar" and name in files and read is not None:
                assert read == files[name]
