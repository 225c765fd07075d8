# SPDX-License-Identifier: MIT
"""Tests how single values are read."""

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from preprocessing.contract.dicom import tags


def test_values_texts_and_words() -> None:
    dataset = Dataset()
    dataset.PatientOrientation, dataset.PatientName = ["L", "F"], "Quince^Zeb"
    dataset.SeriesDescription, dataset.Rows = "view: PA_erect", 7
    assert tags.texts(dataset, "PatientOrientation") == ["L", "F"]
    assert tags.text(dataset, "PatientOrientation") == "L\\F"
    assert tags.text(dataset, "PatientName") == "Quince^Zeb"
    assert tags.words(dataset, "SeriesDescription", "Rows") == {"VIEW", "PA", "ERECT"}
    assert tags.values(dataset, "Columns") == [] and tags.text(dataset, "Columns") == ""


def test_numbers_that_are_none() -> None:
    dataset = Dataset()
    dataset.Rows = 7
    dataset.BitsStored = None
    raw = RawDataElement(Tag("RescaleSlope"), "DS", 4, b"1e999 ", 0, False, True)
    dataset[raw.tag] = raw
    raw = RawDataElement(Tag("WindowWidth"), "DS", 4, b"wide", 0, False, True)
    dataset[raw.tag] = raw
    assert (tags.integer(dataset, "Rows"), tags.number(dataset, "Rows")) == (7, 7.0)
    for keyword in ("BitsStored", "RescaleSlope", "WindowWidth", "Columns"):
        assert tags.number(dataset, keyword) is None
        assert tags.integer(dataset, keyword) is None


def test_a_value_that_cannot_be_converted_is_none() -> None:
    dataset = Dataset()
    raw = RawDataElement(Tag("Rows"), "US", 3, b"\1\2\3", 0, False, True)
    dataset[raw.tag] = raw
    assert tags.values(dataset, "Rows") == []


def test_an_attribute_is_named_by_keyword_and_number() -> None:
    assert tags.title("PatientOrientation") == "PatientOrientation (0020,0020)"
