# SPDX-License-Identifier: MIT
"""Says what went wrong between this machine and the service that a job is sent to."""

from collections.abc import Sequence

from preprocessing.contract.errors import JobError

# As in the extra `launch` of setup.py. The package itself is in no index, so that asking for its
# extra by name finds nothing, or another project's package.
VERTEX_PACKAGES = ("google-cloud-aiplatform>=1.165,<3",)
KUBERNETES_PACKAGES = ("kubernetes>=33,<38", "python-dateutil>=2.9,<3")


class ServiceError(JobError):
    """The service could not be reached or did not answer properly (exit 69, EX_UNAVAILABLE)."""

    exit_code = 69


def installing(packages: Sequence[str]) -> str:
    """Returns the command that installs what a service's client needs.

    >>> installing(["a>=1,<2", "b"])
    "pip install 'a>=1,<2' 'b'"
    """
    return f"pip install {' '.join(repr(package) for package in packages)}"
