# SPDX-License-Identifier: MIT
"""Says in Markdown what a run is made of: its settings and its data set."""

from preprocessing.contract.manifest import Manifest, Split
from preprocessing.contract.settings import settings
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
            _table(
                ["Data set", "What the manifest says"],
                [
                    ["Identity (SHA-256 of the manifest)", f"`{manifest.identity}`"],
                    *([["Phantom", manifest.phantom]] if manifest.phantom else []),
                    ["ChestX-ray14's official split", official],
                    ["Split method", manifest.split_method or "not said"],
                    ["Stored pictures", f"{manifest.stored_size} px, {manifest.encoding}"],
                    ["Written by", manifest.writer],
                ],
            ),
            "#### Splits\n",
            _table(
                ["Split", "Images", "Patients", "Shards"],
                [
                    [name, f"{split.examples:,}", f"{split.patients:,}", str(len(split.shards))]
                    for name, split in splits.items()
                ],
            ),
            "#### Positives, and their share of the known\n",
            _table(
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


def _table(head: list[str], rows: list[list[str]]) -> str:
    """Returns a Markdown table; TensorBoard aligns all columns to the left."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(text) for text in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
