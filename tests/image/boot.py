# SPDX-License-Identifier: MIT
"""Stands in for Beam's start program: from a runner's addresses to a worker of the SDK.

Like the real one it asks the runner for the options, leaves the environment unless it is told to
stay, has Beam's version shown by pip, writes below the folder that it is given, and starts the SDK.
It fetches no staged files, since what a worker needs is in the image.
"""

import argparse
import os
import pathlib
import subprocess
import sys


def main() -> None:
    """Becomes the worker."""
    parser = argparse.ArgumentParser()
    endpoints = ("logging_endpoint", "control_endpoint", "artifact_endpoint", "provision_endpoint")
    for name in ("id", *endpoints):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--semi_persist_dir", default="/tmp")
    given = parser.parse_args()
    if not os.environ.get("RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT"):
        _leave_environment()
    pathlib.Path(given.semi_persist_dir, "staged").mkdir(exist_ok=True)
    subprocess.run(["python", "-m", "pip", "show", "--quiet", "apache-beam"], check=True)
    os.environ.update(_of_runner(given))
    os.execvp("python", ["python", "-m", "apache_beam.runners.worker.sdk_worker_main"])


def _leave_environment() -> None:
    folder = "/opt/apache/beam-venv"
    subprocess.run(["python", "-m", "venv", "--system-site-packages", folder], check=True)
    os.environ["PATH"] = f"{folder}/bin:{os.environ['PATH']}"


def _of_runner(given: argparse.Namespace) -> dict[str, str]:
    from apache_beam.portability.api import beam_provision_api_pb2 as provision
    from apache_beam.portability.api import beam_provision_api_pb2_grpc as provision_grpc
    from apache_beam.portability.api import endpoints_pb2
    from apache_beam.runners.worker.channel_factory import GRPCChannelFactory
    from google.protobuf import json_format, text_format

    def described(url: str) -> str:
        return text_format.MessageToString(endpoints_pb2.ApiServiceDescriptor(url=url))

    with GRPCChannelFactory.insecure_channel(given.provision_endpoint) as channel:
        service = provision_grpc.ProvisionServiceStub(channel)
        request, worker = provision.GetProvisionInfoRequest(), [("worker_id", given.id)]
        info = service.GetProvisionInfo(request, metadata=worker).info
    return {
        "WORKER_ID": given.id,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "SEMI_PERSISTENT_DIRECTORY": given.semi_persist_dir,
        "LOGGING_API_SERVICE_DESCRIPTOR": described(given.logging_endpoint),
        "CONTROL_API_SERVICE_DESCRIPTOR": described(given.control_endpoint),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
    }


if __name__ == "__main__":
    sys.exit(main())
