"""The start page and the window's own dialogs: settings, keypoints, keys, the command palette."""
