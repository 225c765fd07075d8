# SPDX-License-Identifier: MIT
"""Says what identifies a run: the settings that may not change between its starts, and the data.

`trainer.config` declares which those are. A checkpoint has this record, so that it can be compared
setting by setting, also by a later version that has more settings or frees some. Imports no
TensorFlow.
"""

import hashlib
import json
from typing import Any

from preprocessing.contract.manifest import Manifest
from preprocessing.contract.settings import declaration, settings
from preprocessing.contract.settings.declaration import Change
from trainer.config import Config

# Settings that later starts read, but need not keep, and those that they do not read at all.
FREE = declaration.named(Config(), Change.FREE, Change.FIRST)
FIRST_START = declaration.named(Config(), Change.FIRST)
# Settings, by how their names begin, that came after the first records. A record leaves them out
# where they have their defaults, so that the runs from before keep their identity.
_LATER = (
    *("augmentation.", "loss.", "model.normalization", "model.variant"),
    *("optimizer.backbone_factor", "optimizer.frozen_rate", "optimizer.weight_decay"),
    *("train.monitor", "train.teacher"),
)


def record(config: Config, manifest: Manifest) -> str:
    """Returns all that decides the weights, as JSON: settings by name, and the data."""
    defaults = settings.flat(Config())
    flat = {
        name: value
        for name, value in settings.flat(config).items()
        if name not in FREE and not (name.startswith(_LATER) and value == defaults[name])
    }
    values = {"settings": flat, "data": manifest.identity, "findings": manifest.findings}
    return json.dumps(values, sort_keys=True)


def of(config: Config, manifest: Manifest) -> str:
    """Returns the SHA-256 of `record`."""
    return hashlib.sha256(record(config, manifest).encode()).hexdigest()


def difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Names the first setting that differs and may not; "" for none.

    Args:
        before: settings by name. One that is not there did not exist then: it had its default.
        now: likewise.
    """
    defaults = settings.flat(Config())
    for name in sorted((before.keys() | now.keys()) - FREE):
        old, new = (one.get(name, defaults.get(name)) for one in (before, now))
        if old != new:
            return f"another {name} ({old}, now {new})"
    return ""


def difference_of_records(before: str, now: str) -> str:
    """Compares two texts of `record`; returns what differs, "" for nothing.

    Raises:
        ValueError: the first is not such a text.
    """
    if before == now:
        return ""
    old, new = json.loads(before), json.loads(now)
    if not (isinstance(old, dict) and isinstance(old.get("settings"), dict) and "data" in old):
        raise ValueError("not the record of a run")
    found = difference(old["settings"], new["settings"])
    return found or ("" if old["data"] == new["data"] else "another data set than --data")
