# SPDX-License-Identifier: MIT
"""The command line of prediction, parsed without TensorFlow so that --help is instant."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from absl import flags

from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import given_paths
from preprocessing.contract.manifest import SPLITS
from preprocessing.contract.process import log
from preprocessing.contract.settings import command_line
from trainer.report import requirements
from trainer.report.requirements import Requirement

FORMATS = (".csv", ".parquet", ".jsonl")
# Where Vertex AI tells a container which folder, on gs://, the model is in.
_VERTEX = "AIP_STORAGE_URI"
_PATHS = {
    "model": "Folder of a SavedModel that cxr14-train wrote, or of a run that holds one.",
    "output": "File to write: .csv, .parquet or .jsonl; without it a table is shown.",
    "heatmaps": "Folder for PNG pictures: a film with the heat map of a finding over it.",
    "dicom_output": "Folder for a DICOM SR and a Secondary Capture of each DICOM film.",
    "labels": "Labels of the films, a file or a data set: makes a report of the predictions too.",
    "report": "Folder of that report; by default beside --output, ending in _report.",
    "pseudonym_key_file": "File with the secret of cxr14-preprocess that makes pseudonyms.",
}
_OTHERS = ("split", "rule", "batch_size", "overwrite", "serve", "host", "port")
_HELP = """cxr14-predict: what a model says of films. Research use, not a medical device.

  cxr14-predict --model=DIR INPUT... --output=FILE
  cxr14-predict --model=DIR INPUT...
  cxr14-predict --model=DIR --serve

INPUT is a film (PNG, JPEG, DICOM), a folder, a pattern in quotes ('films/*.png'), an
archive (zip, tar), or a CSV file whose column path or file lists films, paths in it
from the folder of the CSV. All paths are local or gs://; ~ is your home.

INPUT and --labels may be the folder of a data set that cxr14-preprocess made, of any
source: the model is tested on it, findings matched by name.

  cxr14-predict --model=RUN SHARDS --labels=SHARDS --output=FILE

FILE gets one row a film: id, patient, split, score:FINDING (calibrated where the model
has a calibration), raw:FINDING, flag:FINDING and more. Films that cannot be used are
listed with the reason in a second file beside it, ending in .unusable.csv. The same
command goes on where it was stopped.

The id of a film is the name of its file, or, where two files have one name, its path
below INPUT. The patient is, in this order, that of a DICOM file (a pseudonym by
--pseudonym_key_file, else a number), the number in front of a name of the form
00000003_000, or the film itself.

{flags}"""


@dataclasses.dataclass(frozen=True)
class Options:
    """A checked command line.

    Attributes:
        inputs: films, folders, patterns, archives and lists.
        models: folders of the models, one, or those to average.
        data_splits: which of a data set count, where one is given.
        rule: by which findings are flagged; "" for the first that the model has.
        heatmap_findings: of which heat maps are made; empty for those that are flagged.
        require: what the report must say.
        help: the text to print instead of running; empty to run.
    """

    inputs: tuple[str, ...]
    models: tuple[str, ...]
    output: str
    heatmaps: str
    dicom_output: str
    labels: str
    report: str
    pseudonym_key_file: str
    split: str
    data_splits: tuple[str, ...]
    rule: str
    heatmap_findings: tuple[str, ...]
    batch_size: int
    overwrite: bool
    serve: bool
    host: str
    port: int
    require: tuple[Requirement, ...] = ()
    help: str = ""

    @property
    def report_folder(self) -> str:
        """Where the report goes; "" for none."""
        head = self.output.rpartition(".")[0]
        return (self.report or f"{head}_report") if self.labels else ""


def define() -> flags.FlagValues:
    """Defines the flags."""
    values = flags.FlagValues()
    more = {"flag_values": values}
    for name, text in _PATHS.items():
        flags.DEFINE_string(name, "", text, **more)
    flags.DEFINE_list(
        "mean_of", [], "Folders of several models, with commas between them, to average.", **more
    )
    flags.DEFINE_enum("split", "test", SPLITS, "What the films are called in the output.", **more)
    flags.DEFINE_multi_enum(
        "data_split", ["test"], SPLITS, "Split of a data set that counts; may be repeated.", **more
    )
    flags.DEFINE_string("rule", "", "Rule of the thresholds that flag findings.", **more)
    flags.DEFINE_list(
        "heatmap_findings", [], "Findings to map, rather than those that are flagged.", **more
    )
    flags.DEFINE_integer("batch_size", 16, "Films the model sees at once.", 1, 4096, **more)
    flags.DEFINE_bool("overwrite", False, "Replace what another command has written.", **more)
    flags.DEFINE_bool("serve", False, "Serve a page and an HTTP interface instead.", **more)
    flags.DEFINE_string("host", "127.0.0.1", "Address to serve on.", **more)
    flags.DEFINE_integer(
        "port", 8000, "Port to serve on; 0 for any that is free.", 0, 65535, **more
    )
    requirements.define(values)
    log.define_flag(values)
    flags.DEFINE_bool("help", False, "Print this text.", short_name="h", **more)
    return values


def parse(argv: Sequence[str]) -> Options:
    """Parses and checks a command line, program name first.

    Raises:
        UsageError: a flag that does not exist, lacks a value or has two, a path that cannot be
            meant, or flags that do not go together.
    """
    values = define()
    left = command_line.parse(argv, values=values)
    text = _help(values) if values.help else ""

    def path(name: str, given: str) -> str:
        return given if text else given_paths.checked(name, given)

    model = values.model or (os.environ.get(_VERTEX, "") if values.serve else "")
    given = values.mean_of or ([model] if model else [])
    chosen: dict[str, Any] = {
        name: path(f"--{name}", values[name].value) for name in _PATHS if name != "model"
    } | {name: values[name].value for name in _OTHERS}
    options = Options(
        inputs=tuple(path("INPUT", one) for one in left[1:]),
        models=tuple(path("--mean_of" if values.mean_of else "--model", one) for one in given),
        **chosen,
        heatmap_findings=tuple(values.heatmap_findings),
        data_splits=tuple(dict.fromkeys(values.data_split)),
        require=tuple(map(requirements.parse, values.require)),
        help=text,
    )
    if not text:
        _check(options, both=bool(values.mean_of and values.model))
    return options


def _check(options: Options, *, both: bool) -> None:
    if both or not options.models:
        raise UsageError("give either --model=DIR or --mean_of=DIR,DIR")
    if len(set(options.models)) < len(options.models) or not all(options.models):
        raise UsageError("--mean_of names a model twice, or an empty one: name different ones")
    if options.serve:
        if options.inputs or options.output:
            raise UsageError("--serve takes films over HTTP: leave INPUT and --output out")
        return
    if not options.inputs:
        raise UsageError("no film is given: name files, folders or archives; --help shows how")
    if options.output and not options.output.lower().endswith(FORMATS):
        raise UsageError(f"--output={options.output} must end in {', '.join(FORMATS)}")
    for name in ("labels", "dicom_output"):
        if getattr(options, name) and not options.output:
            raise UsageError(f"--{name} goes with --output=FILE, which is missing")
    if options.labels and options.output.lower().endswith(".jsonl"):
        raise UsageError("--labels needs --output to end in .csv or .parquet, which a report reads")
    for name in ("report", requirements.NAME):
        if getattr(options, name) and not options.labels:
            raise UsageError(f"--{name} goes with --labels=FILE, which is missing")
    given = [*options.inputs, options.labels, options.pseudonym_key_file]
    if options.output and os.path.realpath(options.output) in map(os.path.realpath, given):
        raise UsageError(f"--output={options.output} is a file that is read: name another")
    for name in ("heatmaps", "dicom_output"):
        folder = getattr(options, name)
        if any(given_paths.within(folder, one) for one in options.inputs):
            raise UsageError(
                f"--{name}={folder} is inside INPUT, where what is written there would be taken "
                "for films: name a folder outside"
            )
    if options.heatmap_findings and not options.heatmaps:
        raise UsageError("--heatmap_findings goes with --heatmaps=DIR, which is missing")


def _help(values: flags.FlagValues) -> str:
    names = [name for name in values if name not in ("help", "h", "?")]
    rows = [
        f"  --{values[name].name}: {values[name].help} (default {values[name].default!r})"
        for name in [*_PATHS, *sorted({*names} - {*_PATHS})]
    ]
    return _HELP.format(flags="\n".join(rows))
