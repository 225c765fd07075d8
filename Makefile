# What a user calls: demo, test.
# What a developer calls: check, golden, bench, image-test, external-specs, lock.
PYTHON ?= python3
DEMO ?= demo
LOCKS := configs/requirements
SOURCES := setup.py pyproject.toml

.DELETE_ON_ERROR:
.PHONY: demo test check unit test-tensorflow-io golden bench image-test external-specs \
  lock clean

## demo: synthetic radiographs -> shards -> training -> AUC report and SavedModel; 6 to 10 minutes.
demo: .venv/.installed
	.venv/bin/cxr14-preprocess phantom --output=$(DEMO)/phantom --images=2400 --seed=1 \
	  --prevalence=raised
	.venv/bin/cxr14-preprocess --source=nih --images=$(DEMO)/phantom \
	  --labels=$(DEMO)/phantom/Data_Entry_2017_v2020.csv \
	  --train_val_list=$(DEMO)/phantom/train_val_list.txt --test_list=$(DEMO)/phantom/test_list.txt \
	  --boxes=$(DEMO)/phantom/BBox_List_2017.csv \
	  --config=configs/preprocessing/demo.yaml --output=$(DEMO)/shards
	.venv/bin/cxr14-train --mode=all --data=$(DEMO)/shards --output=$(DEMO)/run \
	  --config=configs/training/demo.yaml

## test: everything that CI runs.
test: check unit test-tensorflow-io

## check: format, lint, types.
check: .venv-dev/.installed
	.venv-dev/bin/ruff format --check .
	.venv-dev/bin/ruff check .
	.venv-dev/bin/mypy

# Two processes: many tests wait for others that they have started, and memory is enough for two.
# Files in the order of their names: those that wait longest come first, and not alone at the end.
PARALLEL = -n 2 --dist loadfile --no-loadscope-reorder --durations=15

unit: .venv-dev/.installed
	.venv-dev/bin/python -m pytest $(PARALLEL)

WITH_TENSORFLOW = checkpoints data distribution explanation monitoring network predictions \
  runfolder serving training

## test-tensorflow-io: the trainer on TensorFlow 2.16 with tensorflow-io, and shards on s3://.
test-tensorflow-io: .venv-tensorflow-io/.installed
	.venv-tensorflow-io/bin/python -m pytest $(PARALLEL) tests/tensorflow_io \
	  tests/trainer/test_*.py $(WITH_TENSORFLOW:%=tests/trainer/%) \
	  -m "not slow and not distributed and not gpu"

## golden: writes the golden files and configs/kubernetes again; read the difference before you
## commit it.
golden: .venv-dev/.installed
	CXR14_REGENERATE_GOLDEN=1 .venv-dev/bin/python -m pytest tests/trainer/launch

## bench: prints the ratios that the README states.
bench: .venv-dev/.installed
	.venv-dev/bin/python -m benchmarks

## image-test: builds the image and runs the phantom job in it; as root, with 30 GB of disk.
FLAVORS = default,gpu,preprocess,serve
image-test: .venv-dev/.installed
	.venv-dev/bin/python tests/image --flavors=$(FLAVORS)

## external-specs: SkyPilot's and dstack's own parsers on their specs; fetches 420 MB.
external-specs: .venv-dev/.installed
	CXR14_LONG=1 .venv-dev/bin/python -m pytest tests/test_external_specs.py

.venv/.installed: $(LOCKS)/default.txt
.venv-dev/.installed: $(LOCKS)/dev.txt
.venv-tensorflow-io/.installed: $(LOCKS)/tensorflow-io-dev.txt

# Tests start hundreds of processes, of which each would compile TensorFlow for eight seconds where
# Python may not write bytecode (PYTHONDONTWRITEBYTECODE, as in many containers).
.venv-dev/.installed .venv-tensorflow-io/.installed: BYTECODE = --compile-bytecode

.venv/.installed .venv-dev/.installed .venv-tensorflow-io/.installed: $(SOURCES)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --require-hashes -r $(LOCKS)/uv.txt
	$(@D)/bin/uv pip install --quiet $(BYTECODE) --python $(@D) --require-hashes \
	  -r $(filter $(LOCKS)/%,$^)
	$(@D)/bin/uv pip install --quiet --python $(@D) --no-deps --no-build-isolation --editable .
	touch $@

## lock: resolves the lock files again, with hashes, for every supported Python; `make lock UPGRADE=`
## keeps the versions that still fit.
COMPILE = UV_CUSTOM_COMPILE_COMMAND="make lock" .venv-dev/bin/uv pip compile --quiet --universal \
  --python-version 3.10 --generate-hashes --no-annotate $(UPGRADE)
UPGRADE = --upgrade
PACKAGE = setup.py $(LOCKS)/setuptools.in
# Part of the packages, in the versions that everything is tested with.
PART = $(COMPILE) --constraints $(LOCKS)/dev.txt
lock: .venv-dev/.installed
	$(COMPILE) $(LOCKS)/uv.in -o $(LOCKS)/uv.txt
	$(COMPILE) --extra cpu --override $(LOCKS)/cpu.overrides $(PACKAGE) -o $(LOCKS)/default.txt
	$(COMPILE) --extra launch --extra pacs --extra serve --extra onnx --extra dev $(PACKAGE) -o $(LOCKS)/dev.txt
	$(PART) $(LOCKS)/launch.in $(LOCKS)/setuptools.in -o $(LOCKS)/launch.txt
	$(PART) $(LOCKS)/preprocess.in $(LOCKS)/setuptools.in -o $(LOCKS)/preprocess.txt
	$(PART) --constraints $(LOCKS)/default.txt $(LOCKS)/serve.in $(LOCKS)/setuptools.in -o $(LOCKS)/serve.txt
	$(COMPILE) --extra gpu $(PACKAGE) -o $(LOCKS)/gpu.txt
	$(COMPILE) --extra tpu --override $(LOCKS)/tpu.overrides $(PACKAGE) -o $(LOCKS)/tpu.txt
	$(COMPILE) --extra tensorflow-io $(PACKAGE) -o $(LOCKS)/tensorflow-io.txt
	$(COMPILE) --extra tensorflow-io --extra dev $(PACKAGE) -o $(LOCKS)/tensorflow-io-dev.txt

clean:
	rm -rf .venv .venv-dev .venv-tensorflow-io $(DEMO) *.egg-info build dist
