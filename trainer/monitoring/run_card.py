# SPDX-License-Identifier: MIT
"""Says in Markdown what a run is made of: its settings and its data set."""

from preprocessing.contract.manifest import Manifest, Split
from preprocessing.contract.settings import settings
from preprocessing.contract.tables import Column, Table
from trainer.config import Config


def config_text(config: Config) -> str:
    """Returns the resolved settings as a block of YAML, as in config.yaml."""
    return f"```yaml\n{settings.to_yaml(config)}```\n"


def data_set_text(manifest: Manifest) -> str:
    """Returns the data set's card: where the splits are from, their sizes, and every finding."""
    official = "yes" if manifest.official_split else "no"
    splits = manifest.splits
    return "\n".join(
        [
            _markdown(
                ["Data set", Column("What the manifest says", "text")],
                [
                    ["Identity (SHA-256 of the manifest)", manifest.identity],
                    *([["Phantom", manifest.phantom]] if manifest.phantom else []),
                    ["ChestX-ray14's official split", official],
                    ["Split method", manifest.split_method or "not said"],
                    ["Stored pictures", f"{manifest.stored_size} px, {manifest.encoding}"],
                    ["Written by", manifest.writer],
                ],
            ),
            "#### Splits\n",
            _markdown(
                ["Split", "Images", "Patients", "Shards"],
                [
                    [name, f"{split.examples:,}", f"{split.patients:,}", str(len(split.shards))]
                    for name, split in splits.items()
                ],
            ),
            "#### Positives, and their share of the known\n",
            _markdown(
                ["Finding", *splits],
                [
                    [name, *(_positives(split, name) for split in splits.values())]
                    for name in manifest.findings
                ],
            ),
        ]
    )


def _positives(split: Split, name: str) -> str:
    known = split.known[name]
    if not known:
        return "nothing known"
    share = f"{split.positives[name]:,} ({100 * split.prevalence[name]:.2f} %)"
    return share if known == split.examples else f"{share} of {known:,}"


def _markdown(columns: list[Column | str], rows: list[list[str]]) -> str:
    return Table("", columns, rows, hide_caption=True).markdown() + "\n"
