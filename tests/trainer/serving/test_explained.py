# SPDX-License-Identifier: MIT
"""Heat maps of all findings at once against those of one finding a picture."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.config import Config
from trainer.explanation import gradcam
from trainer.network import model
from trainer.serving import explained


@pytest.mark.slow
def test_the_maps_are_those_of_evaluation_in_full_size() -> None:
    config = Config()
    config.model.weights, config.model.hidden_units = "none", 16
    config.data.image_size, config.data.crop_fraction = 64, 1.0
    built = model.build(config.model, image_size=64, findings=3, pretrained=False)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64)).astype(np.uint8)
    found = explained.Maps(built, image_size=64)(tf.constant(pixels)).numpy()
    assert found.shape == (2, 3, 64, 64)
    one = gradcam.GradCam(built, stored_size=64, data=config.data, batch=2)
    place = gradcam.placement(64, config.data)
    for finding in range(3):
        cells = one.maps(pixels, np.array([finding] * 2))
        for row in range(2):
            laid = place.laid_out(cells[row], 64)
            expected = laid / laid.max() if laid.max() > 0 else laid
            np.testing.assert_allclose(found[row, finding], expected, atol=1e-4)
