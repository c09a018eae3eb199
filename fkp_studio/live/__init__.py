"""The live window: a video or a camera with the faces' points over it."""
