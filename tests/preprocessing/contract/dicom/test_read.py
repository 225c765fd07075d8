# SPDX-License-Identifier: MIT
"""Tests the reader as a whole: real files, threads, and files made to break it."""

import concurrent.futures
import pathlib
import subprocess
import sys
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from preprocessing.contract import dicom
from preprocessing.contract.pictures.image import ImageError

IDENTIFIERS = ("quincewater", "zebulon", "hosp-778899", "1.2.3.4567890", "grimsdyke", "19330417")
PERSON = {
    "InstitutionName": "Grimsdyke General",
    "ReferringPhysicianName": "Grimsdyke^Ann",
    "PatientBirthDate": "19330417",
}

# file: reason if refused, else view, sex, age, least and greatest grey, attributes warned of.
ORIENTATION, POSITION = "PatientOrientation", "ViewPosition"
SAMPLES = {
    "1.2.276.0.7230010.3.1.4.8323329.6904.1517875201.850819": (
        ("PA", "M", 62, 0, 254, (ORIENTATION, "PatientAge"))
    ),
    "CR-MONO1-10-chest": ("PA", "", -1, 20, 255, (ORIENTATION, "PatientID")),
    "RG1_J2KI": ("PA", "F", 64, 30, 248, ("PatientAge",)),
    "RG2_JLSN": "not_chest",
    "RG3_J2KI": "not_chest",
    "RG3_JPLL": "not_chest",
    "RG3_RLE": "not_chest",
    "dx_image": "not_frontal",
    "test1": ("PA", "M", 81, 0, 252, (POSITION, ORIENTATION, "PatientAge")),
    "test3": ("AP", "M", 77, 0, 246, (POSITION, ORIENTATION, "PatientAge")),
    "test5": ("PA", "M", 81, 0, 252, ("Modality", POSITION, ORIENTATION, "PatientAge")),
    "vradtrain_test_jpeg": "not_a_radiograph",
}


@pytest.fixture(scope="session")
def samples(nih: pathlib.Path) -> pathlib.Path:
    """The folder of real DICOM files; skips where there is none."""
    return nih.parent / "dicom"


def _content(samples: pathlib.Path, name: str) -> bytes:
    path = samples / f"{name}.dcm"
    if not path.is_file():
        pytest.skip(f"no real DICOM file {path.name}")
    return path.read_bytes()


@pytest.mark.parametrize("name", SAMPLES)
def test_real_files(samples: pathlib.Path, name: str, capfd) -> None:
    content, wanted = _content(samples, name), SAMPLES[name]
    if isinstance(wanted, str):
        with pytest.raises(ImageError) as caught:
            dicom.read(content, f"{name}.dcm")
        assert caught.value.reason == wanted
    else:
        found = dicom.read(content, f"{name}.dcm")
        facts = (found.view, found.sex, found.age, found.pixels.min(), found.pixels.max())
        assert facts == wanted[:5]
        assert found.pixels.ndim == 2
        assert [text.split()[0] for text in found.warnings] == list(wanted[5])
    assert capfd.readouterr() == ("", "")


def test_a_real_file_has_the_pixels_of_its_png(samples: pathlib.Path) -> None:
    found = dicom.read(_content(samples, "test3"), "test3.dcm")
    png = cv2.imread(str(samples / "00000061_002.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found.pixels, png)


def test_real_compressed_films_agree(samples: pathlib.Path) -> None:
    """The same leg as RLE, JPEG lossless and lossy JPEG 2000; no chest, so below the reader."""
    from preprocessing.contract.dicom import files, pixels

    films = {}
    for name in ("RG3_RLE", "RG3_JPLL", "RG3_J2KI"):
        dataset, is_cut = files.parse(_content(samples, name))
        films[name] = pixels.read(dataset, is_cut=is_cut, warnings=[]).astype(int)
    np.testing.assert_array_equal(films["RG3_RLE"], films["RG3_JPLL"])
    assert np.abs(films["RG3_RLE"] - films["RG3_J2KI"]).max() <= 4


def test_a_turned_and_inverted_film_comes_out_right(film, encode) -> None:
    upright = (np.arange(30 * 20).reshape(30, 20) % 251).astype(np.uint8)
    stored = 255 - np.ascontiguousarray(upright.T[:, ::-1])
    made = film(
        stored, PhotometricInterpretation="MONOCHROME1", PatientOrientation=["H", "L"], **PERSON
    )
    found = dicom.read(encode(made), "film.dcm")
    np.testing.assert_array_equal(found.pixels, upright)
    assert (found.pixels.shape, found.view) == ((30, 20), "PA")
    assert (found.patient, found.sex, found.age) == ("HOSP-778899", "F", 61)
    assert not found.warnings


def test_threads_read_alike(film, encode) -> None:
    content = encode(film(PatientAge="odd", **PERSON))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: dicom.read(content, "a.dcm"), range(40)))
    assert len({(item.pixels.tobytes(), item.warnings) for item in found}) == 1


def test_importing_the_package_loads_no_decoder() -> None:
    code = "import sys, preprocessing.contract.dicom; sys.exit('pydicom' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _refuses_or_reads(content: bytes) -> None:
    """Holds a file to the promise: a picture or an ImageError, and no identifier in any text."""
    try:
        found = dicom.read(content, "film.dcm")
    except ImageError as error:
        assert error.reason in dicom.REASONS
        assert error.__cause__ is None
        said = str(error)
    else:
        assert found.pixels.dtype == np.uint8
        assert found.pixels.ndim == 2
        said = " ".join(found.warnings)
    assert not [word for word in IDENTIFIERS if word in said.lower()]


# Attributes that decide, with the representations that a file may give them.
TAGS = [
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PixelRepresentation",
    "PlanarConfiguration",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "WindowCenter",
    "WindowWidth",
    "RescaleSlope",
    "RescaleIntercept",
    "PatientOrientation",
    "PatientAge",
    "PatientSex",
    "PatientName",
    "PatientID",
    "Modality",
    "SOPClassUID",
    "BodyPartExamined",
    "ViewPosition",
    "VOILUTFunction",
    "VOILUTSequence",
    "ModalityLUTSequence",
    "ViewCodeSequence",
    "SpecificCharacterSet",
    "BurnedInAnnotation",
]
RAW = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b"1e308 ", b"nan ", b"-1", b"2147483647", b"\xff\xff", b"\0\0", b"", b"\\\\"]),
    st.sampled_from([b"Quincewater^Zebulon ", b"HOSP-778899 ", b"1.2.3.4567890\0"]),
)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(TAGS),
        st.sampled_from(
            ["US", "SS", "CS", "DS", "IS", "LO", "PN", "UI", "AS", "UN", "OB", "SQ", "FD"]
        ),
        RAW,
    ),
    min_size=1,
    max_size=4,
)
FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5",
            "1.2.840.10008.1.2.4.90")  # fmt: skip


@pytest.fixture(scope="module")
def originals(film, encode) -> list[bytes]:
    """Files of several transfer syntaxes, full of identifiers."""
    files = []
    for syntax in SYNTAXES:
        made = film(np.arange(40 * 36, dtype=np.uint16).reshape(40, 36), **PERSON)
        if syntax in SYNTAXES[2:]:
            plugin = "pydicom" if syntax == SYNTAXES[2] else "pylibjpeg"
            made.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)
        else:
            made.file_meta.TransferSyntaxUID = syntax
        files.append(encode(made))
    return files


def _element(tag: int, representation: str, value: bytes) -> bytes:
    """Returns an attribute in explicit little endian, whatever it may mean."""
    number = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")
    if representation in ("OB", "UN", "SQ"):
        length = b"\0\0" + len(value).to_bytes(4, "little")
    else:
        length = len(value).to_bytes(2, "little")
    return number + representation.encode() + length + value


@FUZZ
@given(changes=CHANGES)
def test_hostile_attributes_are_refused_or_read(film, encode, changes) -> None:
    made = film(**PERSON)
    replaced = {int(Tag(keyword)): (kind, value) for keyword, kind, value in changes}
    for tag in replaced:
        made[tag] = RawDataElement(Tag(tag), "LO", 8, b"REPLACE!", 0, False, True)
    content = encode(made)
    for tag, (kind, value) in replaced.items():
        content = content.replace(_element(tag, "LO", b"REPLACE!"), _element(tag, kind, value))
    assert b"REPLACE!" not in content
    _refuses_or_reads(content)


@FUZZ
@given(which=st.integers(0, 3), data=st.data())
def test_cut_and_flipped_files_are_refused_or_read(originals, which: int, data) -> None:
    content = bytearray(originals[which])
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=6)):
        content[at] ^= data.draw(st.integers(1, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    _refuses_or_reads(bytes(content))


@settings(FUZZ, max_examples=60)
@given(content=st.binary(max_size=600), header=st.booleans())
def test_noise_is_refused(content: bytes, header: bool) -> None:
    with pytest.raises(ImageError):
        dicom.read((bytes(128) + b"DICM" if header else b"") + content, "film.dcm")


@pytest.mark.parametrize("rows", [8000, 65535])
def test_a_small_file_cannot_ask_for_much_memory(film, encode, originals, rows: int) -> None:
    claims = rows.to_bytes(2, "little")
    sizes = [(b"\x28\0\x10\0US\2\0\x28\0", claims), (b"\x28\0\x11\0US\2\0\x24\0", claims)]
    for content in originals[1:]:
        for found, claimed in sizes:
            assert content.count(found) == 1
            content = content.replace(found, found[:-2] + claimed)
        tracemalloc.start()
        try:
            with pytest.raises(ImageError) as caught:
                dicom.read(content, "film.dcm")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert caught.value.reason in ("too_large", "cut_short", "damaged")
        assert peak < 4 << 20
