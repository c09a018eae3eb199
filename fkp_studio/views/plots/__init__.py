"""Loss, CED and error per keypoint, live."""
