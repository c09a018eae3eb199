"""Keypoint schema, keypoint data, splits, file formats, synthetic faces. No torch in here."""
