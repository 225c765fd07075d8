# SPDX-License-Identifier: MIT
"""The names by which others know the SavedModel's signatures, inputs and outputs; no TensorFlow.

A batch may be empty, and a picture that cannot be used fails no other. What signatures take:

- `serving_default`, `as_array` and `explain`: `image_bytes` string [n], PNG or JPEG files.
- `pixels` and `explain_pixels`: `pixels` uint8 [n, height, width], grey, 0 black, of any one size.
- `tf_example`: `examples` string [n], serialized tf.train.Example as in the shards of the data set
  that the model was trained on.

What all but the two of heat maps give, for n pictures, F findings and R rules of thresholds:

- `scores` float32 [n, F]: raw scores, 0 to 1; `findings` string [n, F]: their names.
- `probabilities` float32 [n, F]: calibrated scores. Only where a calibration was chosen on
  validation before the export.
- `flags` int32 [n, F, R]: 1 where the raw score reaches the threshold that the rule chose on
  validation, 0 where not, -1 without an answer; `rules` string [n, R]: their names. Only with
  thresholds.
- `usable` bool [n] and `reason` string [n]: whether the picture could be used, and one word of
  preprocessing's reasons if not, else "". Scores and probabilities of such a picture are NaN, flags
  -1. The reasons are those of `picture_files.REASONS`; a record that cannot be parsed is "damaged".
- `distance` float32 [n] and `unfamiliar` bool [n]: how far the picture is from those of training,
  and whether farther than 99% of validation. Only where the export looked at training's pictures.
  NaN and False for a picture that could not be used.

`serving_default` gives, as well, the raw score under each finding's name, float32 [n].

`explain` and `explain_pixels` give `heat_maps` float32 [n, F, image_size, image_size], 0 to 1, of
the network's input; zero for a finding without heat and for a picture that cannot be used. Beside
them `findings`, `usable` and `reason` as above.
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
FAMILIARITY = "familiarity.json"
GOLDEN = "golden.json"
