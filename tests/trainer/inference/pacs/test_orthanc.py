# SPDX-License-Identifier: MIT
"""Films come from a real Orthanc, and report and capture go back to their study."""

import contextlib
import json
import pathlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
import requests

from trainer.inference import task


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _orthanc(folder: pathlib.Path) -> Iterator[str]:
    """Starts Orthanc on this machine alone, without plugins; stops it at the end."""
    program = shutil.which("Orthanc")
    if not program:
        pytest.skip("no Orthanc: install Debian's orthanc")
    http, dicom = _free_ports()
    settings = {
        **{"StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db")},
        **{"HttpPort": http, "DicomPort": dicom, "Plugins": [], "RemoteAccessAllowed": False},
        **{"DicomServerEnabled": False, "AuthenticationEnabled": False},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{http}"
        deadline = time.monotonic() + 120
        while True:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"{address}/system", timeout=10).ok:
                    break
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def orthanc(tmp_path: pathlib.Path) -> Iterator[str]:
    (tmp_path / "orthanc").mkdir()
    yield from _orthanc(tmp_path / "orthanc")


def _get(address: str) -> Any:
    response = requests.get(address, timeout=60)
    response.raise_for_status()
    return response


def _store(address: str, content: bytes) -> dict[str, Any]:
    response = requests.post(f"{address}/instances", content, timeout=60)
    response.raise_for_status()
    stored: dict[str, Any] = response.json()
    return stored


def _predict(model: str, given: pathlib.Path, folder: pathlib.Path) -> list[bytes]:
    """Returns the reports, then the captures that the command wrote."""
    outputs = [f"--output={folder / 'p.csv'}", f"--dicom_output={folder / 'dicom'}"]
    assert task.main(["cxr14-predict", f"--model={model}", str(given), *outputs]) == 0
    files = [sorted((folder / "dicom").glob(f"{kind}-*.dcm")) for kind in ("sr", "sc")]
    assert len(list((folder / "dicom").iterdir())) == sum(map(len, files))
    return [path.read_bytes() for path in (*files[0], *files[1])]


def test_report_and_capture_come_back_to_the_study_of_their_film(
    orthanc: str, finished_run, film_file, tmp_path, caplog
) -> None:
    name = {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^Jürgen"}
    for number in (1, 2):
        _store(orthanc, film_file(SOPInstanceUID=f"1.2.3.5.{number}", **name))
    sent = _get(f"{orthanc}/instances").json()
    assert len(sent) == 2
    given = tmp_path / "films"
    given.mkdir()
    for instance in sent:
        content = _get(f"{orthanc}/instances/{instance}/file").content
        (given / f"{instance}.dcm").write_bytes(content)
    noise = np.random.default_rng(0).integers(0, 256, (50, 50)).astype(np.uint8)
    assert cv2.imwrite(str(given / "film.png"), noise)

    made = _predict(finished_run.output, given, tmp_path / "first")
    said = caplog.text
    assert "DICOM output: 2 written, 1 not_dicom" in said
    stored = [_store(orthanc, content) for content in made]
    assert [one["Status"] for one in stored] == ["Success"] * 4
    # The same films once more add nothing.
    again = _predict(finished_run.output, given, tmp_path / "second")
    assert again == made
    assert [_store(orthanc, content)["Status"] for content in again] == ["AlreadyStored"] * 4

    [study] = _get(f"{orthanc}/studies").json()
    assert len(_get(f"{orthanc}/patients").json()) == 1
    series = _get(f"{orthanc}/studies/{study}/series").json()
    kinds = sorted(one["MainDicomTags"]["Modality"] for one in series)
    assert kinds == ["CR", "OT", "OT", "SR", "SR"]
    reports = [_tags(orthanc, one["ID"]) for one in stored[:2]]
    referenced = {_referenced(report) for report in reports}
    by_film = [_tags(orthanc, one) for one in sent]
    uids = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    assert referenced == {tuple(film[uid] for uid in uids) for film in by_film}
    assert {one["PatientName"] for one in (*reports, *by_film)} == {"Müller^Jürgen"}
    # The capture can be shown.
    assert _get(f"{orthanc}/instances/{stored[2]['ID']}/preview").content.startswith(b"\x89PNG")


def _tags(orthanc: str, instance: str) -> dict[str, Any]:
    found: dict[str, Any] = _get(f"{orthanc}/instances/{instance}/simplified-tags").json()
    return found


def _referenced(report: dict[str, Any]) -> tuple[str, str, str]:
    [evidence] = report["CurrentRequestedProcedureEvidenceSequence"]
    [series] = evidence["ReferencedSeriesSequence"]
    [instance] = series["ReferencedSOPSequence"]
    assert evidence["StudyInstanceUID"] == report["StudyInstanceUID"]
    return (
        evidence["StudyInstanceUID"],
        series["SeriesInstanceUID"],
        instance["ReferencedSOPInstanceUID"],
    )
