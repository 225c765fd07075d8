# SPDX-License-Identifier: MIT
"""The report as one Markdown file, report.md."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from preprocessing.contract.wording import escape, estimate
from trainer.report import frame, parts
from trainer.report.parts import Notes


def render(report: dict[str, Any], figures: Iterable[str] = ()) -> str:
    """Returns report.md.

    Args:
        report: what `trainer.report.report.build` returned.
        figures: paths of pictures, relative to the folder of report.md, which shows them.
    """
    lines = [f"# {frame.title(report)}", _summary(report)]
    lines.append(parts.markdown("Before you quote a number", [Notes(frame.cautions(report))]))
    for chapter in frame.chapters(report):
        lines += [f"## {escape(chapter.title)}", escape(chapter.answer)]
        for each in chapter.shown:
            lines.append(parts.markdown(each.heading, each.parts, "###"))
            here = (path for path in figures if each.name == _place(path))
            lines += [f"![{_title(path)}]({path})" for path in here]
    return "\n\n".join(part.strip("\n") for part in lines) + "\n"


def _place(path: str) -> str:
    """The part of the report that a figure belongs to."""
    kind = re.split("[_.]", path.rpartition("/")[2])[0]
    places = {"forest": "certainty", "decision": "decision", "reliability": "calibration"}
    return places.get(kind, "curves")


def _title(path: str) -> str:
    """What a figure is called: `plots/precision_recall_test.svg` is "precision recall, test"."""
    name = path.rpartition("/")[2].rpartition(".")[0]
    kind, _, split = name.rpartition("_")
    return f"{kind.replace('_', ' ')}, {split}" if kind else name


def _summary(report: Mapping[str, Any]) -> str:
    lines = []
    for split, entry in reversed(report["splits"].items()):
        defined = len(report["findings"]) - len(entry["undefined_findings"])
        lines.append(
            f"- **{split.capitalize()}**: mean AUC {escape(estimate(entry['mean_auc']))} over "
            f"{defined} of {len(report['findings'])} findings; {entry['n']:,} images of "
            f"{entry['patients']:,} patients"
        )
    return "\n".join(lines)
