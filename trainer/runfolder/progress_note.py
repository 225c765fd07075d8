# SPDX-License-Identifier: MIT
"""Puts into words how far a run is, by the note that it keeps of it; imports no TensorFlow."""

import datetime
from collections.abc import Mapping
from typing import Any

from preprocessing.contract.errors import JobError
from preprocessing.contract.files import faults, storage
from trainer.runfolder import notes

PROGRESS = "progress.json"
# A run writes every half minute; after this silence it may be gone, or hang.
_SILENT_S = 180.0


def iso(seconds: float) -> str:
    """Returns a moment, in seconds since 1970, as ISO 8601 in UTC."""
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def span(seconds: float) -> str:
    """Returns how long something takes, for people.

    >>> [span(40), span(150), span(3 * 3600 + 301), span(190 * 3600)]
    ['40 s', '2 min', '3 h 5 min', '7 d 22 h']
    """
    minutes = round(seconds) // 60
    if minutes < 60:
        return f"{minutes} min" if minutes else f"{seconds:.0f} s"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def sentence(note: Mapping[str, Any]) -> str:
    """Returns how far the run of a note is, in one line."""
    said = [f"{note['state']}{note['stage'] and ' in ' + note['stage']}"]
    said += [
        f"step {note['step']} of {note['steps']}",
        f"epoch {note['epoch']} of {note['epochs']}",
    ]
    if note["best_validation_mean_auc"] is not None:
        said.append(f"best validation mean AUC {note['best_validation_mean_auc']:.4f}")
    if note["images_per_second"] is not None:
        said.append(f"{note['images_per_second']:.4g} images/s")
    if note["seconds_left"] is not None:
        most = "at most " if note["at_most"] else ""
        said.append(f"{most}{span(note['seconds_left'])} left, until {note['expected_end']}")
    return ", ".join(said) + (f": {note['error']}" if note["error"] else "")


def described(output: str, now: float) -> str:
    """Returns in one line what a folder says of its run, whatever is there.

    Args:
        output: folder of the run, local or in a bucket.
        now: seconds since 1970.
    """
    path = storage.join(output, PROGRESS)
    try:
        note = notes.read_note(output, PROGRESS)
        if not note:
            return f"not known, as there is no {path} (yet)"
        written = datetime.datetime.fromisoformat(note["written"].replace("Z", "+00:00"))
        silent, text = max(0.0, now - written.timestamp()), sentence(note)
    except (JobError, OSError) as error:
        return f"not known, as {path} cannot be read: {faults.line(error)}"
    except (AttributeError, KeyError, TypeError, ValueError):
        return f"not known, as {path} is not what this version writes"
    gone = ": it may be gone, or hang" if note["state"] == "running" and silent > _SILENT_S else ""
    return f"{text}; written {span(silent)} ago{gone}"
