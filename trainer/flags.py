# SPDX-License-Identifier: MIT
"""The trainer's command line, parsed without TensorFlow so that --help is instant."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import given_paths
from preprocessing.contract.labels import SPLITS
from preprocessing.contract.process import log
from preprocessing.contract.settings import declaration, presets, settings
from trainer.config import Config
from trainer.experiments import options
from trainer.experiments.options import Several
from trainer.monitoring import notify
from trainer.predictions import listed
from trainer.report import asked, requirements
from trainer.report.asked import Asked
from trainer.report.requirements import Requirement

MODES = (
    *("train", "evaluate", "report", "export", "all"),
    *("dry_run", "verify_export", "compare", "fetch_weights"),
)
# Modes that read no data set.
_WITHOUT_DATA = ("report", "dry_run", "verify_export", "compare", "fetch_weights")

_MODE = (
    "What to do; all does the first four in turn, dry_run only says what a training would "
    "need, verify_export replays the golden pair of the SavedModel in --output (a run, or a "
    "copy of its saved_model), compare shows how --runs differ, fetch_weights downloads "
    "Keras's ImageNet weights into --output, for machines without a way to the internet."
)
_PATHS = {
    "data": "Folder of a data set, with manifest.json and shards.",
    "output": "Folder of the run; the same folder goes on.",
    "predictions": "Predictions file to report on; of several, with commas between them, the mean; "
    "with --mode=report.",
    "metadata": "Data_Entry CSV of the images, for the report's subgroups and baselines.",
    "compare": "Predictions file of another model on the same images, for the report; of several, "
    "with commas between them, the mean. May be given several times, once for each model.",
    "radiologists": "CSV of radiologists' labels of some of the images, for the report.",
}
_HELP = """cxr14-train: train, evaluate, report and export

{flags}

Paths are local or gs://; ~ is your home. Every flag is given once, but --require and
--config more than once: each file is read over the ones before it, and --config.NAME
over all.

Settings and their defaults as in a YAML file; --config.section.name=value sets one.
In brackets: what is allowed, and whether it may change between starts of a run, once
that has a checkpoint.

{settings}"""
PATH_FLAGS = tuple(_PATHS)
# Of configs/, with the files that --config=preset:NAME names.
PRESETS = "training"
# Flags and settings that may hold several paths, with commas between them.
SEVERAL = ("predictions", "compare", "train.teacher")
_REPORT_FLAGS = ("metadata", "compare", "radiologists", requirements.NAME)
# Settings that hold a path, and the words that they may hold instead.
PATH_SETTINGS = {
    name: declared.path
    for name, declared, _ in declaration.walk(Config())
    if declared.path is not None
}


@dataclasses.dataclass(frozen=True)
class ParsedFlags:
    """A checked command line: the flags by name, and what is made of them.

    Attributes:
        compare: each other model's predictions, see `listed.paths`.
        config: the settings, defaults and file and overrides merged.
        help: the text to print instead of running; empty to run.
        device_memory_gb: of a GPU, for a dry run; None for this machine's or usual ones.
        onnx: whether the export writes model.onnx too.
        files: of settings, as given to --config.
        split: which alone to score; empty for validation and test.
        several: what is asked for beside one run.
        asked: what is fixed for the report before its figures are seen.
        require: what the report must say.
        notify_url: where to post what becomes of the run; empty for nowhere. May hold a secret.
    """

    mode: str
    data: str
    output: str
    predictions: str
    metadata: str
    compare: tuple[str, ...]
    radiologists: str
    config: Config
    help: str = ""
    device_memory_gb: float | None = None
    onnx: bool = False
    files: tuple[str, ...] = dataclasses.field(default=(), compare=False)
    split: str = ""
    several: Several = Several()
    asked: Asked = Asked()
    require: tuple[Requirement, ...] = ()
    notify_url: str = dataclasses.field(default="", repr=False, compare=False)


def define(environ: Mapping[str, str]) -> flags.FlagValues:
    """Defines the flags; what Vertex AI sets in the environment serves as default.

    AIP_MODEL_DIR is `<base>/model/`; its parent is the run's folder.
    """
    values = flags.FlagValues()
    base = environ.get("AIP_MODEL_DIR", "").rstrip("/").rpartition("/")[0]
    flags.DEFINE_enum("mode", "all", MODES, _MODE, flag_values=values)
    options.define(values)
    asked.define(values)
    requirements.define(values)
    flags.DEFINE_float(
        "device_memory_gb",
        None,
        "Memory of a GPU, for which --mode=dry_run says how large a batch should fit.",
        lower_bound=0.0,
        flag_values=values,
    )
    flags.DEFINE_bool(
        "onnx",
        False,
        "Export again and write model.onnx into the run's folder too: from the stored picture to "
        "scores and probabilities; with --mode=export. Needs the package tf2onnx.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "split",
        "",
        ("", *SPLITS),
        "Score this split alone, into predictions/SPLIT.csv, as for train.teacher, by the settings "
        "of the run but for runtime and evaluation; with --mode=evaluate.",
        flag_values=values,
    )
    for name, text in _PATHS.items():
        if name == "compare":
            flags.DEFINE_multi_string(name, [], text, flag_values=values)
            continue
        flags.DEFINE_string(name, base if name == "output" else "", text, flag_values=values)
    notify.define(values)
    log.define_flag(values)
    presets.define_flag(values)
    flags.DEFINE_bool("help", False, "Print this text.", short_name="h", flag_values=values)
    return values


def parse(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> ParsedFlags:
    """Parses and checks a command line.

    Args:
        argv: program name first.
        environ: where defaults for Vertex AI are looked up.

    Raises:
        UsageError: a flag that does not exist, lacks a value, has two, holds a path that cannot be
            meant, or does not fit the mode.
        ConfigError: a setting that does not exist or cannot work.
    """
    values = define(environ)
    left = settings.parse(Config(), argv, values=values, folder=PRESETS)
    config: Config = values.config
    text = presets.listed(PRESETS) if values.list_presets else ""
    text = _help(values) if values.help else text
    if not text:
        _check_path_settings(config)
    paths = {
        name: values[name].value if text else _checked(name, f"--{name}", values[name].value)
        for name in PATH_FLAGS
    }
    parsed = ParsedFlags(
        mode=values.mode,
        config=config,
        help=text,
        device_memory_gb=values.device_memory_gb,
        onnx=values.onnx,
        several=options.given(values, argv),
        asked=asked.given(values),
        require=tuple(map(requirements.parse, values.require)),
        files=tuple(settings.files_apart(argv[1:])[0]),
        split=values.split,
        notify_url=notify.chosen(values.notify_url, environ) if values.mode in MODES[:5] else "",
        **paths,
    )
    if text:
        return parsed
    if len(left) > 1:
        raise UsageError(f"cxr14-train takes flags only, not {left[1]!r}; --help lists the flags")
    _check(parsed)
    config.validate()
    return parsed


def _check(parsed: ParsedFlags) -> None:
    if parsed.device_memory_gb is not None and parsed.mode != "dry_run":
        raise UsageError(f"--device_memory_gb goes with --mode=dry_run, not --mode={parsed.mode}")
    if parsed.onnx and parsed.mode != "export":
        raise UsageError(f"--onnx goes with --mode=export, not --mode={parsed.mode}")
    if parsed.split and parsed.mode != "evaluate":
        raise UsageError(f"--split goes with --mode=evaluate, not --mode={parsed.mode}")
    parsed.several.check(parsed.mode)
    if not parsed.output and parsed.mode not in ("dry_run", "compare"):
        raise UsageError("--output is missing: name the folder of the run, local or gs://")
    if parsed.mode != "report" and given_paths.within(parsed.output, parsed.data):
        raise UsageError(
            f"--output={parsed.output} is the data set's folder or inside it, where "
            "cxr14-preprocess takes a run's files for its own or litter: name a folder outside"
        )
    if parsed.predictions and parsed.mode != "report":
        raise UsageError(f"--predictions goes with --mode=report, not --mode={parsed.mode}")
    for name in _REPORT_FLAGS:
        if getattr(parsed, name) and parsed.mode not in ("report", "all"):
            raise UsageError(f"--{name} goes with --mode=report or all, not --mode={parsed.mode}")
    parsed.asked.check(compares=bool(parsed.compare) or parsed.mode == "compare")
    listed.check_once(parsed.compare, "--compare")
    if parsed.data and parsed.mode in ("compare", "fetch_weights"):
        raise UsageError(f"--data does not go with --mode={parsed.mode}, which reads no data set")
    if not parsed.data and parsed.mode not in _WITHOUT_DATA:
        raise UsageError("--data is missing: name the folder that cxr14-preprocess wrote")


def _check_path_settings(config: Config) -> None:
    for name, declared, value in declaration.walk(config):
        if declared.path is not None and value not in declared.path:
            declaration.assign(config, name, _checked(name, name, value))


def _checked(name: str, shown: str, value: Any) -> Any:
    if not isinstance(value, str):
        return tuple(_checked(name, shown, each) for each in value if each)
    if name not in SEVERAL:
        return given_paths.checked(shown, value)
    return ",".join(given_paths.checked(shown, path) for path in listed.paths(value, shown))


def _help(values: flags.FlagValues) -> str:
    listed = [
        values[name]
        for name in (
            *("mode", *PATH_FLAGS, *options.NAMES, *asked.NAMES, requirements.NAME),
            *("device_memory_gb", "split", "onnx", notify.FLAG, "log_format", "list_presets"),
        )
    ]
    rows = [f"  --{flag.name}: {flag.help} (default {flag.default!r})" for flag in listed]
    rows.append(f"  --config: {values['config'].help}")
    return _HELP.format(flags="\n".join(rows), settings=declaration.described(Config()))
