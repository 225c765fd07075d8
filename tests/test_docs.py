# SPDX-License-Identifier: MIT
"""Runs every command of README.md and docs/, in the order in which a reader would.

A block that cannot run here says so in its first line: `# not run here: WHY`.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pydicom
import pytest

from tests.preprocessing import public_sets

ROOT = pathlib.Path(__file__).parents[1]
PAGES = (
    *("docs/data.md", "docs/training.md", "docs/report.md", "docs/prediction.md", "docs/jobs.md"),
    "README.md",
)
ALL_PAGES = sorted(
    [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *(ROOT / "docs").glob("*.md")]
)
PYTHON = "python"
NOT_RUN = "# not run here: "
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What the pages set beside each other as MESSAGE | what to do.
MESSAGE = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


def blocks(page: pathlib.Path) -> list[tuple[str, str]]:
    """Language and text of each fenced block."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def commands(page: pathlib.Path) -> list[str]:
    """The shell commands of a page that can run here, line continuations joined."""
    runnable = [text for kind, text in blocks(page) if kind == "sh" and NOT_RUN not in text]
    return [
        line
        for text in runnable
        for line in text.replace("\\\n", " ").splitlines()
        if line.strip() and not line.startswith("#")
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """What a reader has: the checkout's configs, a download, another hospital's films."""
    made = tmp_path_factory.mktemp("reader")
    (made / "configs").symlink_to(ROOT / "configs")
    (made / "nih").symlink_to(made / "phantom")  # exactly the files of the real download
    generator = np.random.default_rng(5)
    public_sets.chexpert(made)
    _write_dicom(made / "dicom", generator)
    assert cv2.imwrite(str(made / "a.png"), generator.integers(0, 256, (64, 64), np.uint8))
    return made


def _write_dicom(folder: pathlib.Path, generator: np.random.Generator) -> None:
    folder.mkdir()
    lines = ["image,patient,Cardiomegaly,Effusion,Pneumothorax"]
    for number in range(30):
        film = pydicom.Dataset()
        film.SOPClassUID, film.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", f"1.2.3.{number}"
        film.Modality, film.BodyPartExamined, film.ViewPosition = "CR", "CHEST", "PA"
        film.PatientID, film.PatientOrientation = f"H{number}", ["L", "F"]
        film.PhotometricInterpretation, film.SamplesPerPixel = "MONOCHROME2", 1
        film.Rows, film.Columns = 40, 40
        film.BitsAllocated, film.BitsStored, film.HighBit, film.PixelRepresentation = 16, 12, 11, 0
        film.PixelData = generator.integers(0, 4096, (40, 40), np.uint16).tobytes()
        film["PixelData"].VR = "OW"
        film.file_meta = pydicom.dataset.FileMetaDataset()
        film.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        pydicom.dcmwrite(folder / f"film-{number}.dcm", film, enforce_file_format=True)
        labels = generator.choice(["1", "0"], 3)
        lines.append(",".join([f"film-{number}.dcm", f"H{number}", *labels]))
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_works(page: str, folder: pathlib.Path) -> None:
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    programs = [["bash", "-c", line] for line in commands(ROOT / page)]
    programs += [
        [sys.executable, "-c", text] for kind, text in blocks(ROOT / page) if kind == PYTHON
    ]
    assert programs
    for program in programs:
        if program[-1].startswith("make "):
            program = ["make", "-n", *program[-1].partition("#")[0].split()[1:]]
            where = ROOT
        else:
            where = folder
        done = subprocess.run(
            program, cwd=where, env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{program[-1]}\n{done.stdout}\n{done.stderr}"


def test_every_page_with_commands_is_run() -> None:
    assert {page for page in ALL_PAGES if commands(page)} <= {ROOT / page for page in PAGES}
    assert shutil.which("bash")


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: pathlib.Path) -> None:
    prose = BLOCK.sub("", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose)
    assert not [link for link in links if not (page.parent / link).exists()]


def test_every_message_of_the_troubleshooting_page_is_one_of_the_product() -> None:
    jobs = (ROOT / "trainer", ROOT / "preprocessing")
    texts = [path.read_text(encoding="utf-8") for job in jobs for path in job.rglob("*.py")]
    said = "\n".join(re.sub(r'"\n\s*f?"', "", text) for text in texts)
    messages = MESSAGE.findall((ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8"))
    assert len(messages) > 20
    # A message holds names and numbers where the page has dots.
    assert not [m for m in messages if not all(part in said for part in m.split(" ... "))]
