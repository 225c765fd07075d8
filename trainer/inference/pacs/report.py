# SPDX-License-Identifier: MIT
"""Writes what a model says of a film as a structured report: Comprehensive SR, TID 1500.

Each finding is a group of its own (TID 1501): its code, the algorithm, the probability (the raw
score without a calibration), what each rule of thresholds says, and the film.
"""

from typing import TYPE_CHECKING, Any

from highdicom import coding_schemes, sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as standard

from preprocessing.contract.dicom.eligibility import OWN_MODEL
from trainer.evaluation.operating_points import RULES
from trainer.inference.pacs import codes
from trainer.inference.pacs.source import Source, uid
from trainer.serving.facts import Facts

if TYPE_CHECKING:
    from trainer.serving.served import Answer

RESEARCH_USE = "Research use, not a medical device"
_UNFAMILIAR = "This film is unlike those that the model learned from: do not rely on its findings"
_SERIES = {
    "SR": (9101, "cxr14 findings, research use"),
    "SC": (9102, "cxr14 heat map, research use"),
}
_CLOCK = (
    *("InstanceCreationDate", "InstanceCreationTime", "DateOfSecondaryCapture"),
    *("TimeOfSecondaryCapture", "ContributingEquipmentSequence"),
)


def build(source: Source, answer: "Answer", facts: Facts) -> Dataset:
    """Returns the report on a film.

    Args:
        source: the film.
        answer: of the model for it alone, n = 1.
        facts: of the model.
    """
    scheme = coding_schemes.CodingSchemeIdentificationItem(
        codes.PRIVATE, name="Private codes of cxr14"
    )
    made = sr.ComprehensiveSR(
        evidence=[source.evidence],
        content=_content(source, answer, facts),
        is_complete=True,
        coding_schemes=[scheme],
        **equipment(source, facts, "SR"),
    )
    return finished(made, source)


def equipment(source: Source, facts: Facts, kind: str) -> dict[str, Any]:
    """Returns what highdicom is given for every kind: dates, series, instance and maker."""
    date, time = source.identity.StudyDate, source.identity.StudyTime
    number, description = _SERIES[kind]
    return {
        # Of the study, else 1900, not of today: equal answers make equal files.
        "content_date": date or "19000101",
        "content_time": (date and time) or "000000",
        "series_instance_uid": source.uid(facts, f"{kind} series"),
        "series_number": number,
        "series_description": description,
        "sop_instance_uid": source.uid(facts, kind),
        "instance_number": 1,
        "manufacturer": OWN_MODEL,
        "manufacturer_model_name": OWN_MODEL,
        "software_versions": version(facts),
    }


def finished(made: Dataset, source: Source) -> Dataset:
    """Adds who it is, and takes out today's date."""
    made.update(source.identity)
    for keyword in _CLOCK:
        if keyword in made:
            delattr(made, keyword)
    return made


def version(facts: Facts) -> str:
    """Returns which model it was, in at most 64 characters."""
    return f"run {facts.identity[:16] or 'unknown'} step {facts.step}"


def _content(source: Source, answer: "Answer", facts: Facts) -> sr.MeasurementReport:
    device = sr.DeviceObserverIdentifyingAttributes(
        uid(version(facts)), OWN_MODEL, OWN_MODEL, version(facts)
    )
    observer = sr.ObserverContext(standard.DCM.Device, device)
    report = sr.MeasurementReport(
        sr.ObservationContext(observer_device_context=observer),
        codes.CHEST_RADIOGRAPHY,
        [_finding(source, answer, facts, number) for number in range(len(facts.findings))],
    )
    is_unfamiliar = answer.unfamiliar is not None and answer.unfamiliar[0]
    for text in (RESEARCH_USE, *([_UNFAMILIAR] if is_unfamiliar else [])):
        comment = sr.TextContentItem(codes.COMMENT, text, sr.RelationshipTypeValues.CONTAINS)
        report[0].ContentSequence.append(comment)
    return report


def _finding(
    source: Source, answer: "Answer", facts: Facts, number: int
) -> sr.MeasurementsAndQualitativeEvaluations:
    name, film = facts.findings[number], source.evidence
    kind = codes.RAW_SCORE if answer.probabilities is None else codes.PROBABILITY
    # Four digits: devices differ in the last ones, and reports on one film should not.
    value = float(f"{answer.best[0, number]:.4g}")
    return sr.MeasurementsAndQualitativeEvaluations(
        sr.TrackingIdentifier(source.uid(facts, name), codes.ascii_text(name)),
        finding_type=codes.of_finding(name),
        algorithm_id=sr.AlgorithmIdentification(OWN_MODEL, version(facts), family=codes.LEARNED),
        measurements=[sr.Measurement(kind, value, codes.NO_UNIT)],
        qualitative_evaluations=[
            sr.QualitativeEvaluation(
                codes.private(rule, f"Positive by {RULES.get(rule, rule)} on validation"),
                codes.POSITIVE if flag else codes.NEGATIVE,
            )
            for rule, flag in zip(facts.rules, answer.flags[0, number], strict=True)
            if flag >= 0
        ],
        source_images=[sr.SourceImageForMeasurementGroup(film.SOPClassUID, film.SOPInstanceUID)],
    )
