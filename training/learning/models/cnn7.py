"""CNN-7 (Wing Loss for Robust Facial Landmark Localisation with CNNs, CVPR 2018, section 6): CNN-6 for twice the side
length.
"""

from __future__ import annotations

from training.learning.models.cnn6 import PlainCNN, plain_cnn_parameters


class CNN7(PlainCNN):
    """For 128x128. With 68 keypoints and 3 channels 8,508,168 parameters; with CNN-6 12.3 M, as in Table 7."""

    widths = (64, 128, 256, 512, 512, 512)


def cnn7_parameters(*, input_size: int, channels: int, outputs: int) -> int:
    return plain_cnn_parameters(CNN7.widths, input_size=input_size, channels=channels, outputs=outputs)
