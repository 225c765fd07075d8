# SPDX-License-Identifier: MIT
"""Brings the rows of the index together with their pictures, loose, in archives, or as DICOM."""

import dataclasses
from collections.abc import Container, Iterator, Mapping, Sequence

from preprocessing.contract import patients, radiographs
from preprocessing.contract.errors import DataError
from preprocessing.contract.invocation.flags import Inputs
from preprocessing.contract.radiographs import Recipe
from preprocessing.index import Index
from preprocessing.shards.shards import Rejection
from preprocessing.sources import places
from preprocessing.sources.places import Places
from preprocessing.sources.row import SIZE_OF_PICTURE, Row
from preprocessing.staging import staging
from preprocessing.staging.staging import Staged, StageTask

# DICOM files in a unit of work and of resume.
_FILES_A_TASK = 256


@dataclasses.dataclass(frozen=True)
class Located:
    """The index with its pictures.

    Attributes:
        present: the rows whose picture is there, usable or not.
        rejected: films that are unusable, or whose patient is not known, and so are in no split.
        warnings: (id, text) of what files leave open.
        counters: images found, missing, and so on.
    """

    present: list[Row]
    rejected: list[Rejection]
    warnings: list[tuple[str, str]]
    counters: dict[str, int]


def look(index: Index, inputs: Inputs) -> Places:
    """Lists what lies below --images, once.

    Raises:
        DataError: nothing there, images are missing that no archive may hold, or a folder cannot
            be read.
    """
    suffixes = radiographs.DICOM if inputs.source == "dicom" else radiographs.PICTURES
    found = places.find(inputs.images, places.Wanted(row.id for row in index.rows), suffixes)
    _refuse_unreadable(found, inputs)
    if not found.archives:
        _refuse_missing(index, found.files.keys(), inputs, found.near)
    return found


def stage_tasks(index: Index, inputs: Inputs, found: Places, recipe: Recipe) -> list[StageTask]:
    """Plans what must be read before shards can be planned; often nothing."""
    kind = "dicom" if inputs.source == "dicom" else "picture"
    common = {"output": inputs.output, "kind": kind, "recipe": recipe}
    tasks = []
    if kind == "dicom":
        files = sorted(found.files.items())
        for at in range(0, len(files), _FILES_A_TASK):
            some = tuple(files[at : at + _FILES_A_TASK])
            name = f"files-{at // _FILES_A_TASK:05d}"
            tasks.append(StageTask(name=name, archive="", files=some, identity="", **common))  # type: ignore[arg-type]
    if len(found.files) < len(index.rows):
        for at, (path, size) in enumerate(found.archives.items()):
            tasks.append(
                StageTask(
                    name=f"archive-{at:03d}",
                    archive=path,
                    files=(),
                    identity=str(size),
                    check_md5=inputs.check_md5,
                    **common,  # type: ignore[arg-type]
                )
            )
    return tasks


def merge(index: Index, inputs: Inputs, found: Places, tasks: Sequence[StageTask]) -> Located:
    """Gives every row its picture, and what only the picture knows.

    Raises:
        DataError: images are missing, or one lies in two places.
    """
    staged, others, near = _all_staged(tasks)
    near |= found.near
    present, rejected, warnings = [], [], []
    for row in index.rows:
        is_refused = bool(row.refused)  # by the label file
        if row.id in staged:
            row = _with_staged(row, staged[row.id], index)
            warnings += [(row.id, text) for text in staged[row.id].facts.get("warnings", ())]
            is_refused |= not row.patient or (bool(row.refused) and inputs.source == "dicom")
        else:
            row = dataclasses.replace(row, uri=found.files.get(row.id, ""))
        # What is not a chest film must not count when films are divided.
        if is_refused and row.uri:
            origin = staged[row.id].origin if row.id in staged else row.uri
            rejected.append(_rejection(row, origin))
        elif row.uri:
            present.append(row)
    there = {row.id for row in present} | {item.id for item in rejected}
    _refuse_missing(index, there, inputs, near)
    counters = _counters(index, present, rejected, found)
    counters["names_nearly_right"] = len(near.keys() - there)
    counters["archive_files_not_needed"] = others
    kept = (staged[row.id] for row in present if row.id in staged)
    counters["images_turned_upright"] = sum(image.facts.get("turned", False) for image in kept)
    kept_ids = {row.id for row in present}
    warnings += [(name, text) for name, text in index.warnings if name in kept_ids]
    warnings += _one_by_tag(present, staged)
    return Located(present, rejected, warnings, counters)


def _all_staged(tasks: Sequence[StageTask]) -> tuple[dict[str, Staged], int, dict[str, str]]:
    """Returns id -> what became of it, and how many other files the archives hold.

    The last are id -> path of files whose names differ in suffix or case alone.
    """
    found: dict[str, Staged] = {}
    others, near = 0, dict[str, str]()
    for task in tasks:
        done = staging.read_staged(task)
        if done is None:
            raise DataError(f"{task.archive or task.name} was not read to its end: run again")
        others += done.not_needed
        near |= done.near
        for image in done.images:
            if image.id in found:
                raise DataError(
                    f"{image.id} lies in two places, {found[image.id].origin} and {image.origin}: "
                    "keep one"
                )
            found[image.id] = image
    return found, others, near


def _with_staged(row: Row, staged: Staged, index: Index) -> Row:
    facts = staged.facts
    patient = row.patient or index.pseudonym(facts.get("patient", ""))
    if staged.refused:
        return dataclasses.replace(
            row, patient=patient, uri=staged.origin, refused=tuple(staged.refused)
        )
    own_size = row.width == SIZE_OF_PICTURE
    return dataclasses.replace(
        row,
        patient=patient,
        uri=staged.uri,
        piece=(staged.offset, staged.bytes),
        digest=facts["digest"],
        view=row.view or facts["view"],
        sex=row.sex or facts["sex"],
        age=row.age if row.age >= 0 else facts["age"],
        width=facts["width"] if own_size else row.width,
        height=facts["height"] if own_size else row.height,
    )


def _one_by_tag(rows: Sequence[Row], staged: Mapping[str, Staged]) -> Iterator[tuple[str, str]]:
    """Yields (id, text) of films whose PatientID is shared by several patients of the label file.

    Which of the two is right only the hospital knows: a column of visits, taken as one of patients,
    puts one patient into two splits.
    """
    named = dict[str, set[str]]()
    tags = {row.id: staged[row.id].facts.get("patient", "") for row in rows if row.id in staged}
    tags = {name: patients.value(tag) for name, tag in tags.items() if not patients.is_missing(tag)}
    for row in rows:
        if row.id in tags:
            named.setdefault(tags[row.id], set()).add(patients.value(row.patient))
    for name, tag in tags.items():
        if len(named[tag]) > 1:
            yield (
                name,
                f"PatientID (0010,0020) is that of {len(named[tag])} patients of the label file: "
                "if these are one, splits are not by patient",
            )


def _rejection(row: Row, origin: str) -> Rejection:
    if row.refused:
        return Rejection(row.id, row.refused[0], row.refused[1], origin)
    text = "neither the label file nor the tag PatientID names the patient"
    return Rejection(row.id, "no_patient", text, origin)


def _counters(
    index: Index, present: Sequence[Row], rejected: Sequence[Rejection], found: Places
) -> dict[str, int]:
    images = len(present) + len(rejected)
    return {
        **index.counters,
        "images_found": images,
        "images_missing": len(index.rows) - images,
        "images_not_in_index": found.strangers,
        "folders_unreadable": len(found.unreadable),
        "boxes": sum(len(row.box_findings) for row in present),
        "boxes_without_image": index.counters["boxes"]
        - sum(len(row.box_findings) for row in present),
    }


def _refuse_missing(
    index: Index, there: Container[str], inputs: Inputs, near: Mapping[str, str]
) -> None:
    missing = [row.id for row in index.rows if row.id not in there]
    if not missing or (inputs.allow_missing and len(missing) < len(index.rows)):
        return
    advice = "check --images"
    if not inputs.allow_missing:
        advice = (
            "complete the download, or pass --allow_missing to work on the images that are there"
        )
    if nearly := [name for name in missing if name in near]:
        advice = (
            f"for {len(nearly)} of them there is a file whose name differs in suffix or case alone "
            f"(first {near[nearly[0]]} for {nearly[0]}); rename the files, or correct the names in "
            "the label file"
        )
    if in_place := places.folders_named(inputs.images, missing):
        advice = (
            f"for {len(in_place)} of them a folder is where the file should be (first "
            f"{next(iter(in_place.values()))}); put the picture in its place"
        )
    raise DataError(
        f"{len(missing)} of {len(index.rows)} images of {inputs.labels} are not below "
        f"{inputs.images}, first {', '.join(missing[:3])}: {advice}"
    )


def _refuse_unreadable(found: Places, inputs: Inputs) -> None:
    root = inputs.images.rstrip("/") or "/"
    if root in found.unreadable:
        raise DataError(
            f"--images={root} cannot be read ({found.unreadable[root]}): let this user read and "
            "enter the folder"
        )
    closed = list(found.unreadable.items())
    if not closed or inputs.allow_missing:
        return
    folder, reason = closed[0]
    raise DataError(
        f"{len(closed)} folders below {inputs.images} cannot be read, first {folder} ({reason}): "
        "let this user read and enter them, or pass --allow_missing to leave them out"
    )
