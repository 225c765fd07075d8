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

import pytest
import requests

from trainer.inference import films
from trainer.inference.pacs import results


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


def test_report_and_capture_come_back_to_the_study_of_their_film(
    orthanc: str, finished_run, film_file, tmp_path
) -> None:
    from trainer.serving.served import ServedModel

    name = {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^Jürgen"}
    for number in (1, 2):
        _store(orthanc, film_file(SOPInstanceUID=f"1.2.3.5.{number}", **name))
    sent = _get(f"{orthanc}/instances").json()
    assert len(sent) == 2
    model = ServedModel(finished_run.output)
    made = []
    for at, instance in enumerate(sent):
        encoded = _get(f"{orthanc}/instances/{instance}/file").content
        film = films.read(encoded, "a.dcm", stored_size=model.facts.stored_size)
        answer, heat = model.answer(film.pixels[None]), model.heat_maps(film.pixels[None])
        folder = str(tmp_path / f"out{at}")
        paths = results.write(encoded, film, answer, 0, heat[0], model.facts, "", folder)
        made += [pathlib.Path(path).read_bytes() for path in paths]
    stored = [_store(orthanc, content) for content in made]
    assert [one["Status"] for one in stored] == ["Success"] * 4
    # The same command again adds nothing.
    assert _store(orthanc, made[0])["Status"] == "AlreadyStored"

    [study] = _get(f"{orthanc}/studies").json()
    assert len(_get(f"{orthanc}/patients").json()) == 1
    series = _get(f"{orthanc}/studies/{study}/series").json()
    kinds = sorted(one["MainDicomTags"]["Modality"] for one in series)
    assert kinds == ["CR", "OT", "OT", "SR", "SR"]
    reports = [
        _get(f"{orthanc}/instances/{stored[at]['ID']}/simplified-tags").json() for at in (0, 2)
    ]
    for report, number in zip(reports, sent, strict=True):
        film = _get(f"{orthanc}/instances/{number}/simplified-tags").json()
        [evidence] = report["CurrentRequestedProcedureEvidenceSequence"]
        [referenced] = evidence["ReferencedSeriesSequence"]
        assert (
            evidence["StudyInstanceUID"] == film["StudyInstanceUID"] == report["StudyInstanceUID"]
        )
        assert referenced["SeriesInstanceUID"] == film["SeriesInstanceUID"]
        [instance] = referenced["ReferencedSOPSequence"]
        assert instance["ReferencedSOPInstanceUID"] == film["SOPInstanceUID"]
        assert report["PatientName"] == film["PatientName"] == "Müller^Jürgen"
    # The capture can be shown.
    assert _get(f"{orthanc}/instances/{stored[1]['ID']}/preview").content.startswith(b"\x89PNG")
