# SPDX-License-Identifier: MIT
"""Tests the decoding of pixels: transfer syntaxes, colours, depths and what is refused."""

import cv2
import gdcm
import numpy as np
import pydicom
import pytest
from pydicom import encaps

from preprocessing.contract.dicom import files, pixels
from preprocessing.contract.pictures.image import ImageError

JPEG, JPEG_LOSSLESS, JPEG_LS, JPEG_2000, RLE = (
    f"1.2.840.10008.1.2.{end}" for end in ("4.50", "4.70", "4.80", "4.90", "5")
)
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
GDCM_NAMES = {
    JPEG_LOSSLESS: gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    JPEG_LS: gdcm.TransferSyntax.JPEGLSLossless,
    JPEG_2000: gdcm.TransferSyntax.JPEG2000Lossless,
    RLE: gdcm.TransferSyntax.RLELossless,
    "1.2.840.10008.1.2": gdcm.TransferSyntax.ImplicitVRLittleEndian,
    "1.2.840.10008.1.2.2": gdcm.TransferSyntax.ExplicitVRBigEndian,
}
PICTURE = (np.add.outer(np.arange(40), np.arange(56)) * 43 % 4096).astype(np.uint16)
FULL = {"BitsStored": 12, "HighBit": 11, "WindowCenter": 2048, "WindowWidth": 4096}


def _read(dataset, *, is_cut: bool = False):
    warnings: list[str] = []
    return pixels.read(dataset, is_cut=is_cut, warnings=warnings), warnings


def _reason(dataset, **kwargs) -> str:
    with pytest.raises(ImageError) as caught:
        _read(dataset, **kwargs)
    return caught.value.reason


def _transcoded(dataset, syntax: str, tmp_path) -> pydicom.Dataset:
    source, target = tmp_path / "a.dcm", tmp_path / "b.dcm"
    pydicom.dcmwrite(source, dataset, enforce_file_format=True)
    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(GDCM_NAMES[syntax]))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    result, _ = files.parse(target.read_bytes())
    assert result.file_meta.TransferSyntaxUID == syntax
    return result


@pytest.mark.parametrize("syntax", GDCM_NAMES)
@pytest.mark.parametrize("bits", [8, 12])
def test_every_lossless_syntax_gives_the_same_pixels(film, tmp_path, syntax, bits: int) -> None:
    if bits == 8:
        dataset, wanted = film((PICTURE >> 4).astype(np.uint8)), PICTURE >> 4
    else:
        dataset = film(PICTURE, **FULL)
        wanted = np.floor(PICTURE / 4095 * 255 + 0.5)
    found, warnings = _read(_transcoded(dataset, syntax, tmp_path))
    np.testing.assert_array_equal(found, wanted)
    assert not warnings


@pytest.mark.parametrize("syntax", [JPEG_LOSSLESS, JPEG_2000, RLE])
def test_signed_pixels_survive_compression(film, tmp_path, syntax: str) -> None:
    values = PICTURE.astype(np.int16) - 2048
    dataset = film(values, **{**FULL, "WindowCenter": 0})
    found, _ = _read(_transcoded(dataset, syntax, tmp_path))
    np.testing.assert_array_equal(found, np.floor(PICTURE / 4095 * 255 + 0.5))


def _jpeg(film, picture: np.ndarray, **changes):
    encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    shape = picture if picture.ndim == 2 else picture[..., ::-1]
    dataset = film(shape, syntax=JPEG, **changes)
    dataset.PixelData = encaps.encapsulate([encoded])
    dataset["PixelData"].is_undefined_length = True
    return dataset


def test_jpeg_grey_and_colour(film) -> None:
    grey = np.add.outer(np.arange(64), np.arange(48)).astype(np.uint8)
    found, _ = _read(_jpeg(film, grey))
    assert np.abs(found.astype(int) - grey).max() <= 3
    blue = np.stack([np.full_like(grey, 250), grey, grey // 2], axis=-1)
    found, _ = _read(_jpeg(film, blue, PhotometricInterpretation="YBR_FULL_422"))
    luma = (114 * 250 + 587 * grey.astype(int) + 299 * (grey // 2).astype(int) + 500) // 1000
    assert np.abs(found.astype(int) - luma).max() <= 3


@pytest.mark.parametrize("bits", [8, 12])
def test_a_stream_of_eight_bits_in_a_file_of_sixteen(film, bits: int) -> None:
    grey = np.add.outer(np.arange(64), np.arange(48)).astype(np.uint8)
    dataset = _jpeg(film, grey, BitsAllocated=16, BitsStored=bits, HighBit=bits - 1)
    found, warnings = _read(dataset)
    assert np.abs(found.astype(int) - grey).max() <= 3
    assert len(warnings) == 1 and "BitsAllocated (0028,0100)" in warnings[0]


@pytest.mark.parametrize("planes", [0, 1])
def test_colours_become_luma(film, planes: int) -> None:
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
    luma = (colours.astype(int) @ [299, 587, 114] + 500) // 1000
    dataset = film(colours)
    if planes:
        dataset.PlanarConfiguration = 1
        dataset.PixelData = colours.transpose(2, 0, 1).tobytes()
    np.testing.assert_array_equal(_read(dataset)[0], luma)
    if not planes:
        dataset = film(colours)
        dataset.compress(RLE, encoding_plugin="pydicom", generate_instance_uid=False)
        np.testing.assert_array_equal(_read(dataset)[0], luma)


def test_far_more_pixels_than_the_header_states_are_warned_of(film) -> None:
    assert not _read(film(PICTURE, **FULL, PixelData=PICTURE.tobytes() + bytes(99)))[1]
    found, warnings = _read(film(PICTURE, **FULL, PixelData=PICTURE.tobytes() * 2))
    np.testing.assert_array_equal(found, np.floor(PICTURE / 4095 * 255 + 0.5))
    assert "PixelData (7FE0,0010)" in warnings[0]


def test_missing_attributes_are_assumed_with_warnings(film) -> None:
    missing = ("SamplesPerPixel", "PhotometricInterpretation", "BitsStored", "PixelRepresentation")
    found, warnings = _read(film(**dict.fromkeys(missing)))
    assert found[0, 0] == 0 and found[-1, -1] == 255
    assert len(warnings) == 4
    for keyword in missing:
        assert any(keyword in text for text in warnings)


def test_bits_that_are_none_of_the_values_are_left(film) -> None:
    overlay = film(PICTURE | 0x8000, **FULL)
    wanted = np.floor(PICTURE / 4095 * 255 + 0.5)
    found, warnings = _read(overlay)
    np.testing.assert_array_equal(found, wanted)
    assert "BitsStored (0028,0101) is 12, but higher bits are in use" in warnings[0]
    overlay.add_new((0x6000, 0x0102), "US", 15)
    found, warnings = _read(overlay)
    np.testing.assert_array_equal(found, wanted)
    assert not warnings
    found, warnings = _read(film(PICTURE << 4, **{**FULL, "HighBit": 15}))
    np.testing.assert_array_equal(found, wanted)
    assert "HighBit (0028,0102)" in warnings[0]


def test_signed_values_count_whether_their_sign_is_extended_or_not(film) -> None:
    values = PICTURE.astype(np.int16) - 2048
    wanted = np.floor(PICTURE / 4095 * 255 + 0.5)
    changes = {**FULL, "WindowCenter": 0}
    found, warnings = _read(film(values, **changes))
    np.testing.assert_array_equal(found, wanted)
    assert not warnings
    values[:, ::2] &= 0xFFF
    found, warnings = _read(film(values, **changes))
    np.testing.assert_array_equal(found, wanted)
    assert "BitsStored (0028,0101)" in warnings[0]


def test_pixels_that_are_not_square_are_rescaled(film) -> None:
    found, warnings = _read(film((PICTURE >> 4).astype(np.uint8), PixelAspectRatio=[2, 1]))
    assert found.shape == (80, 56)
    assert "PixelAspectRatio (0028,0034)" in warnings[0]


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("no_pixels", {"PixelData": None}),
        ("cut_short", {"PixelData": bytes(958)}),
        ("cut_short", {"Rows": 25}),
        ("damaged", {"Rows": 0}),
        ("damaged", {"Rows": None}),
        ("too_large", {"Rows": 65535, "Columns": 65535}),
        ("pixel_type", {"BitsAllocated": 32, "BitsStored": 32}),
        ("pixel_type", {"BitsAllocated": 1, "BitsStored": 1}),
        ("pixel_type", {"SamplesPerPixel": 4}),
        ("pixel_type", {"PhotometricInterpretation": "PALETTE COLOR"}),
        ("pixel_type", {"syntax": "1.2.840.10008.1.2.4.100"}),
        ("damaged", {"syntax": JPEG}),
        ("damaged", {"syntax": RLE}),
    ],
)
def test_what_cannot_be_read_is_refused(film, reason: str, changes) -> None:
    assert _reason(film(**changes)) == reason


def test_lossy_jpeg_of_12_bits_is_named_under_every_syntax(film) -> None:
    frame = bytearray(cv2.imencode(".jpg", (PICTURE >> 4).astype(np.uint8))[1].tobytes())
    frame[frame.index(b"\xff\xc0") + 4] = 12
    for syntax in (JPEG, JPEG_EXTENDED):
        dataset = film(PICTURE, syntax=syntax, PixelData=encaps.encapsulate([bytes(frame)]))
        with pytest.raises(ImageError, match="lossy JPEG of 12 bits is not read") as caught:
            _read(dataset)
        assert caught.value.reason == "pixel_type"


@pytest.mark.parametrize("is_bare", [True, False])
def test_compressed_pixels_of_an_uncompressed_syntax_are_named(film, is_bare: bool) -> None:
    frame = cv2.imencode(".jpg", (PICTURE >> 4).astype(np.uint8))[1].tobytes()
    data = frame if is_bare else encaps.encapsulate([frame])
    with pytest.raises(ImageError, match="but the pixels are compressed") as caught:
        _read(film(PICTURE, PixelData=data))
    assert caught.value.reason == "pixel_type"


@pytest.mark.parametrize("syntax", [JPEG_LOSSLESS, JPEG_LS, JPEG_2000, RLE])
def test_bytes_behind_the_end_of_a_frame_belong_to_nobody(film, tmp_path, syntax: str) -> None:
    dataset = _transcoded(film(PICTURE, **FULL), syntax, tmp_path)
    frame = next(encaps.generate_frames(dataset.PixelData, number_of_frames=1))
    dataset.PixelData = encaps.encapsulate([frame + bytes(2048)])
    found, warnings = _read(dataset)
    np.testing.assert_array_equal(found, np.floor(PICTURE / 4095 * 255 + 0.5))
    assert not warnings


def test_a_file_without_the_pixels_it_began_is_cut_short(film) -> None:
    assert _reason(film(PixelData=None), is_cut=True) == "cut_short"


@pytest.mark.parametrize("syntax", [JPEG_LOSSLESS, JPEG_LS, JPEG_2000])
def test_a_stream_of_another_size_or_without_end_is_refused(film, tmp_path, syntax: str) -> None:
    dataset = _transcoded(film(PICTURE, **FULL), syntax, tmp_path)
    frame = next(encaps.generate_frames(dataset.PixelData, number_of_frames=1))
    dataset.PixelData = encaps.encapsulate([frame[: len(frame) // 2]])
    assert _reason(dataset) == "cut_short"
    dataset.PixelData = encaps.encapsulate([frame])
    dataset.Rows = 41
    assert _reason(dataset) == "damaged"
