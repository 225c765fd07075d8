# SPDX-License-Identifier: MIT
"""What a value may look like that several sections of a job file have, and the same in words."""

# A moved tag would let a restart resume with another program than the one that saved.
IMAGE = (
    r"([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*"
    r"(?=@|:(?!latest$))(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)
IMAGE_FORM = (
    "REGISTRY/NAME in lower case, pinned by @sha256:DIGEST or a tag other than latest, so that a "
    "restart runs the same program"
)
# Google Cloud's, or another cloud's label of nodes, such as p4d.24xlarge.
MACHINE = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
MACHINE_FORM = "a machine type's name, such as g2-standard-12"
CPU = r"(?=.*[1-9])([0-9]{1,6}(\.[0-9]+)?|[0-9]{1,9}m)"
CPU_FORM = "a quantity of cores such as 500m or 8"

_WORD = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
# What Kubernetes calls a label and a subdomain (RFC 1123).
LABEL = rf"(?=.{{1,63}}\Z){_WORD}"
LABEL_FORM = "at most 63 lower-case letters, digits and inner hyphens"
SUBDOMAIN = rf"(?=.{{1,253}}\Z){_WORD}(\.{_WORD})*"
SUBDOMAIN_FORM = "a name of lower-case letters, digits, inner hyphens and dots"
