# SPDX-License-Identifier: MIT
"""Makes phantoms of public data sets: the headers, names and nesting of the real files, no data.

Each is read by the command at the head of its settings.

Where the headers are from:
- CheXpert: github.com/mlmed/torchxrayvision, tests/gen_chexpert.py.
- CheXpert Plus: github.com/Stanford-AIMI/chexpert-plus and users' scripts that quote its header;
  the labels are JSON lines with path_to_image and CheXbert's fourteen names.
- MIMIC-CXR-JPG: physionet.org/content/mimic-cxr-jpg and torchxrayvision's tests/gen_mimic.py.
- PadChest: github.com/BIMCV-CSUSP/Rx-thorax-automatic-captioning, README.
- BRAX: physionet.org/content/brax, data description.
"""

import csv
import gzip
import io
import json
import pathlib
import re
import subprocess
from collections.abc import Iterable

import cv2
import numpy as np

CONFIGS = pathlib.Path(__file__).parents[2] / "configs" / "preprocessing"
CHEXPERT = (
    *("No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion"),
    *("Edema", "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion"),
    *("Pleural Other", "Fracture", "Support Devices"),
)
PADCHEST = (
    ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,"
    "ViewPosition_DICOM,Projection,MethodProjection,Pediatric,Modality_DICOM,Manufacturer_DICOM,"
    "PhotometricInterpretation_DICOM,PixelRepresentation_DICOM,PixelAspectRatio_DICOM,"
    "SpatialResolution_DICOM,BitsStored_DICOM,WindowCenter_DICOM,WindowWidth_DICOM,Rows_DICOM,"
    "Columns_DICOM,XRayTubeCurrent_DICOM,Exposure_DICOM,ExposureInuAs_DICOM,ExposureTime,"
    "RelativeXRayExposure_DICOM,ReportID,Report,MethodLabel,Labels,Localizations,"
    "LabelsLocalizationsBySentence,labelCUIS,LocalizationsCUIS"
)
PLUS = (
    "path_to_image,path_to_dcm,frontal_lateral,ap_pa,deid_patient_id,patient_report_date_order,"
    "report,section_narrative,section_clinical_history,section_history,section_comparison,"
    "section_technique,section_procedure_comments,section_findings,section_impression,"
    "section_end_of_impression,section_summary,section_accession_number,age,sex,race,ethnicity,"
    "interpreter_needed,insurance_type,recent_bmi,deceased,split"
)
METADATA = (
    "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,"
    "StudyDate,StudyTime,ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,"
    "PatientOrientationCodeSequence_CodeMeaning"
)
# What the labeller says of six reports in turn, None for what it does not mention.
SAYS: tuple[dict[str, float], ...] = (
    {"No Finding": 1.0},
    {"Pleural Effusion": 1.0, "Edema": -1.0, "Lung Opacity": 1.0},
    {"Atelectasis": 1.0, "Pneumothorax": 0.0, "Support Devices": 1.0},
    {"Cardiomegaly": 1.0, "Pleural Effusion": 0.0},
    {"Consolidation": 1.0, "Pneumonia": -1.0},
    {"Pneumothorax": 1.0, "Lung Lesion": 1.0},
)


def command(preset: str, folder: pathlib.Path) -> list[str]:
    """Returns the words of the command at the head of a preset, for a download in `folder`."""
    text = (CONFIGS / f"{preset}.yaml").read_text()
    found = re.search(r"(#   \w=.*\n)?#   cxr14-preprocess (.*\\\n)*.*", text)
    assert found
    (folder / "key").write_text("a key of our own")
    lines = re.sub("^#", "", found[0], flags=re.MULTILINE)
    for word, path in (("DIR", folder), ("OUT", folder / "out"), ("KEY", folder / "key")):
        lines = re.sub(rf"\b{word}\b", str(path), lines)
    script = f"cxr14-preprocess() {{ printf '%s\\n' cxr14-preprocess \"$@\"; }}\n{lines}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def picture(path: pathlib.Path, seed: int, dtype: type = np.uint8) -> None:
    """Writes a small film that is no other's, at any depth of folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    top = np.iinfo(dtype).max
    pixels = np.random.default_rng(seed).integers(0, top, (48, 40), dtype, endpoint=True)
    pixels[0, 0] = top
    assert cv2.imwrite(str(path), pixels)


def table(path: pathlib.Path, header: str, rows: Iterable[dict[str, object]]) -> None:
    """Writes a CSV file, packed if its name says so.

    Args:
        path: of the file.
        header: its first line.
        rows: name of a column -> content; what is left out is empty.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, header.split(","), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    data = text.getvalue().encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def chexpert(folder: pathlib.Path) -> list[str]:
    """Twelve patients of train.csv, two of valid.csv; the second film of each is a lateral."""
    header = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{','.join(CHEXPERT)}"
    root = folder / "CheXpert-v1.0-small"
    for split, patients in (("train", range(1, 13)), ("valid", range(64541, 64543))):
        rows: list[dict[str, object]] = []
        for patient in patients:
            for view in ("view1_frontal", "view2_lateral"):
                below = f"{split}/patient{patient:05d}/study1/{view}.jpg"
                picture(root / below, patient + len(view))
                said = SAYS[patient % 6] if split == "train" else dict.fromkeys(CHEXPERT, 0.0)
                kind = {"Frontal/Lateral": view[6:].title(), "AP/PA": "AP" if "f" in view else ""}
                person = {"Sex": ("Female", "Male")[patient % 2], "Age": 40 + patient % 7}
                rows.append({"Path": f"CheXpert-v1.0-small/{below}", **person, **kind, **said})
        table(root / f"{split}.csv", header, rows)
    return command("chexpert_nih", folder)


def chexpert_plus(folder: pathlib.Path) -> list[str]:
    """Twelve patients with a frontal and a lateral film; the last has no line in the labels."""
    rows: list[dict[str, object]] = []
    lines = []
    for patient in range(1, 13):
        for view in ("view1_frontal", "view2_lateral"):
            path = f"train/patient{patient:05d}/study1/{view}.jpg"
            picture(folder / "PNG/PNG" / path.replace(".jpg", ".png"), patient + len(view))
            rows.append(
                {
                    "path_to_image": path,
                    "path_to_dcm": path.replace(".jpg", ".dcm"),
                    "frontal_lateral": view[6:].title(),
                    "ap_pa": "PA" if "f" in view else "",
                    "deid_patient_id": f"patient{patient:05d}",
                    "report": 'NARRATIVE:\nCHEST, "PA"\n\nIMPRESSION:\n1. Small effusion.',
                    "age": 50.0 + patient,
                    "sex": "Male",
                    "split": "train",
                }
            )
            if patient < 12:
                labels = dict.fromkeys(CHEXPERT) | SAYS[patient % 6]
                lines.append(json.dumps({"path_to_image": path, **labels}) + "\n")
    labels_file = folder / "chexbert_labels" / "impression_fixed.json"
    labels_file.parent.mkdir()
    labels_file.write_text("".join(lines))
    table(folder / "df_chexpert_plus_240401.csv", PLUS, rows)
    return command("chexpert_plus", folder)


def mimic_cxr(folder: pathlib.Path) -> list[str]:
    """Twelve patients, a PA and a lateral film each, the last without labels."""
    films: list[dict[str, object]] = []
    splits: list[dict[str, object]] = []
    labels: list[dict[str, object]] = []
    for number in range(12):
        subject, study = 10000032 + number, 50414267 + number
        keys = {"subject_id": subject, "study_id": study}
        for view in ("PA", "LATERAL"):
            name = f"02aa804e-bde0afdd-112c0b34-7bc16630-{number:04x}{len(view):04x}"
            below = f"files/p{str(subject)[:2]}/p{subject}/s{study}/{name}.jpg"
            picture(folder / below, number + len(view))
            films.append({"dicom_id": name, **keys, "ViewPosition": view, "Rows": 48})
            split = ("train", "train", "validate", "test")[number % 4]
            splits.append({"dicom_id": name, **keys, "split": split})
        if number < 11:
            labels.append({**keys, **SAYS[number % 6]})
    head = folder / "mimic-cxr-2.0.0"
    table(head.with_name(f"{head.name}-metadata.csv.gz"), METADATA, films)
    header = "dicom_id,study_id,subject_id,split"
    table(head.with_name(f"{head.name}-split.csv.gz"), header, splits)
    header = f"subject_id,study_id,{','.join(sorted(CHEXPERT))}"
    table(head.with_name(f"{head.name}-chexpert.csv.gz"), header, labels)
    return command("mimic_cxr", folder)


PADCHEST_LISTS = (
    "['normal']",
    "['pleural effusion', ' cardiomegaly', 'pacemaker']",
    "['hydropneumothorax', 'rib fracture']",
    "['unchanged', 'laminar atelectasis']",
    "['consolidation', 'air bronchogram', 'pneumonia']",
    "['multiple nodules', 'pulmonary mass', 'mediastinal mass']",
    "['pulmonary edema', 'emphysema', 'subcutaneous emphysema']",
    "['pulmonary fibrosis', 'apical pleural thickening', 'hiatal hernia']",
    "['exclude']",
    "",
)


def padchest(folder: pathlib.Path) -> list[str]:
    """Ten films of 16 bits of as many patients in two folders, and a lateral one."""
    rows: list[dict[str, object]] = []
    views = ("PA", "AP", "AP_horizontal")
    for number, text in enumerate([*PADCHEST_LISTS, "['normal']"]):
        name = f"2168401113669640{number:02d}_00-196-{number:03d}.png"
        picture(folder / str(number % 2) / name, number, np.uint16)
        rows.append(
            {
                "": number,
                "ImageID": name,
                "ImageDir": number % 2,
                "StudyDate_DICOM": 20140915,
                "PatientID": f"8368{number}",
                "PatientBirth": f"{1930 + number}.0",
                "PatientSex_DICOM": "FM"[number % 2],
                "Projection": views[number % 3] if number < 10 else "L",
                "Pediatric": "No",
                "Report": "sin hallazgo .",
                "MethodLabel": "Physician",
                "Labels": text,
                "Localizations": "['loc cardiac']",
            }
        )
    table(folder / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz", PADCHEST, rows)
    return command("padchest", folder)


def brax(folder: pathlib.Path) -> list[str]:
    """Twelve patients with a PA film, six of them with a lateral one."""
    header = (
        "DicomPath,PngPath,PatientID,PatientSex,PatientAge,AccessionNumber,StudyDate,"
        f"{','.join(CHEXPERT)},ViewPosition,Rows,Columns,Manufacturer"
    )
    rows: list[dict[str, object]] = []
    for number in range(18):
        patient, view = number % 12, "PA" if number < 12 else "L"
        below = f"id_{patient:032x}/Study_1.2.{number}/Series_1.3.{number}/image-1.4.{number}.png"
        picture(folder / "images" / below, number)
        labels = {name: int(value) for name, value in SAYS[number % 6].items()}
        rows.append(
            {
                "DicomPath": f"Anonymized_DICOMs/{below.replace('.png', '.dcm')}",
                "PngPath": f"images/{below}",
                "PatientID": f"id_{patient:032x}",
                "PatientSex": "MFO"[patient % 3],
                "PatientAge": "85 or more" if patient == 3 else 5 * patient,
                "ViewPosition": view,
                **labels,
            }
        )
    table(folder / "master_spreadsheet_update.csv", header, rows)
    return command("brax", folder)
