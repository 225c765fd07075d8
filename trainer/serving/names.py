# SPDX-License-Identifier: MIT
"""The names by which others know the SavedModel's signatures, inputs and outputs; no TensorFlow.

Every signature takes a batch and gives, for n pictures, F findings and R rules of thresholds:

- `scores` float32 [n, F]: raw scores, 0 to 1; `findings` string [n, F]: their names.
- `probabilities` float32 [n, F]: calibrated scores. Only where a calibration was chosen on
  validation before the export.
- `flags` int32 [n, F, R]: 1 where the raw score reaches the threshold that the rule chose on
  validation, 0 where not, -1 without an answer; `rules` string [n, R]: their names. Only with
  thresholds.
- `usable` bool [n] and `reason` string [n]: whether the picture could be used, and one word of
  preprocessing's reasons if not. Scores and probabilities of such a picture are NaN, flags -1.
- `distance` float32 [n] and `unfamiliar` bool [n]: how far the picture is from those of training,
  and whether farther than 99% of validation. Only where the export looked at training's pictures.

`serving_default` gives, as well, the raw score under each finding's name, float32 [n].
"""

BYTES, PIXELS, EXAMPLES = "image_bytes", "pixels", "examples"

DEFAULT, AS_ARRAY = "serving_default", "as_array"
OF_PIXELS, OF_EXAMPLES = "pixels", "tf_example"
EXPLAIN, EXPLAIN_PIXELS = "explain", "explain_pixels"

SCORES, FINDINGS, PROBABILITIES = "scores", "findings", "probabilities"
FLAGS, RULES = "flags", "rules"
USABLE, REASON = "usable", "reason"
DISTANCE, UNFAMILIAR = "distance", "unfamiliar"
HEAT_MAPS = "heat_maps"
OUTPUTS = (
    *(SCORES, FINDINGS, PROBABILITIES, FLAGS, RULES, USABLE, REASON, DISTANCE, UNFAMILIAR),
    HEAT_MAPS,
)

# Below the SavedModel's folder; model servers leave it alone but for the warm-up requests.
EXTRA = "assets.extra"
THRESHOLDS, CALIBRATION = "thresholds.json", "calibration.json"
