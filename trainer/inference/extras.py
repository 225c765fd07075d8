# SPDX-License-Identifier: MIT
"""Writes what a run was asked for beside its predictions: heat maps, and answers as DICOM."""

from typing import TYPE_CHECKING

from preprocessing.contract.errors import UsageError
from trainer.inference import overlays, rows
from trainer.inference.films import ImageError
from trainer.inference.flags import Options
from trainer.inference.rows import Row
from trainer.inference.scoring import Scored
from trainer.serving.facts import Facts

if TYPE_CHECKING:
    from trainer.serving.served import Answering


def check(options: Options, facts: Facts) -> None:
    """Refuses what cannot be written, before any film is scored.

    Raises:
        UsageError: a finding that the model does not have, none to map, or a package is missing.
    """
    for name in options.heatmap_findings:
        if name not in facts.findings:
            raise UsageError(
                f"--heatmap_findings={name}: the model has {', '.join(facts.findings)}"
            )
    if options.heatmaps and not facts.rules and not options.heatmap_findings:
        raise UsageError(
            "without thresholds, which a mean of models lacks, no finding is flagged: name those "
            "to map with --heatmap_findings"
        )
    if options.dicom_output:
        from trainer.inference.pacs import results

        results.check_installed()


class Extras:
    """Writes them film by film.

    Args:
        options: what was asked for.
        model: makes heat maps.
        rule: by which findings are flagged.
    """

    def __init__(self, options: Options, model: "Answering", rule: str) -> None:
        self._options, self._model, self._rule = options, model, rule

    def write(self, scored: Scored) -> Row:
        """Writes what belongs to a film, before its row counts as finished.

        Returns:
            What the row is to say of it.
        """
        options, facts = self._options, self._model.facts
        film, answer = scored.loaded.film, scored.answer
        if film is None or answer is None or not (options.heatmaps or options.dicom_output):
            return {}
        mapped = options.heatmap_findings
        if not mapped and self._rule:
            flags = answer.flags[0, :, facts.rules.index(self._rule)]
            mapped = tuple(facts.findings[at] for at in (flags == 1).nonzero()[0])
        if options.dicom_output and not film.is_dicom and not options.heatmaps:
            return {rows.DICOM_OUTPUT: "not_dicom"}
        if not mapped and not options.dicom_output:
            return {}
        maps = self._model.heat_maps(film.pixels[None])[0]
        if options.heatmaps:
            overlays.write(
                options.heatmaps, scored.loaded.id, film.original.pixels, maps, mapped, facts
            )
        if not options.dicom_output:
            return {}
        from trainer.inference.pacs import results

        try:
            encoded, folder = scored.loaded.encoded, options.dicom_output
            results.write(encoded, film, answer, maps, facts, self._rule, folder)
        except ImageError as error:
            return {rows.DICOM_OUTPUT: error.reason}
        return {rows.DICOM_OUTPUT: "written"}
