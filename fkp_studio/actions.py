"""The table of actions from which menus, shortcuts, the key overlay, the search and the help are built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtGui import QKeySequence

Group = Literal["File", "Edit", "Face", "Point", "Predict", "Train", "View", "Help"]
When = Literal["always", "project", "face", "run"]
Scope = Literal["window", "canvas"]

GROUPS: tuple[Group, ...] = ("File", "Edit", "Face", "Point", "Predict", "Train", "View", "Help")


@dataclass(frozen=True)
class Action:
    """One action. `when`: what it requires: nothing, a project, a current face, or a chosen run.

    `keys` in Qt's portable text; menus show the first. scope "canvas": the canvas handles these keys itself while it
    has the focus, because elsewhere they move the focus or the selection (Tab, arrows); they are listed, not bound.
    """

    id: str
    text: str
    keys: tuple[str, ...]
    group: Group
    icon: str
    tip: str = ""
    when: When = "face"
    scope: Scope = "window"
    checkable: bool = False
    divider: bool = False  # draw a separator above it in the menu
    in_menu: bool = True


def _file() -> tuple[Action, ...]:
    return (
        Action("open", "Open project…", ("Ctrl+O",), "File", "open", "Open a project folder (NAME.fkp)", "always"),
        Action("import", "Import data…", ("Ctrl+I",), "File", "import",
               "Import a Kaggle CSV, images with .pts files, or images with a CSV", "always"),
        Action("import_photos", "Open a folder of photos…", (), "File", "photos",
               "Create a project from images without labels", "always"),
        Action("demo", "Open the demo", (), "File", "face", "A project of synthetic faces to try things out", "always"),
        Action("export", "Export…", ("Ctrl+E",), "File", "export",
               "Write labels or predictions as Kaggle CSV, submission, CSV or .pts", "project", divider=True),
        Action("keypoints", "Keypoints…", (), "File", "names",
               "Which points swap in a mirrored image, and what normalises the errors", "project"),
        Action("report", "Show the project folder", (), "File", "report",
               "Open the folder with the database and the runs", "project"),
        Action("close", "Close project", ("Ctrl+W",), "File", "close",
               "Back to the start page; everything is already saved", "project"),
        Action("settings", "Settings…", ("Ctrl+,",), "File", "settings", "", "always", divider=True),
        Action("quit", "Quit", ("Ctrl+Q",), "File", "quit", "", "always"),
    )  # fmt: skip


def _edit() -> tuple[Action, ...]:
    return (
        Action("undo", "Undo", ("Ctrl+Z", "Z"), "Edit", "undo", "Undo the last step, even after a restart", "project"),
        Action("redo", "Redo", ("Ctrl+Shift+Z", "Y", "Ctrl+Y"), "Edit", "redo", "Redo the step", "project"),
        Action("next_face", "Next face", ("D", "PgDown"), "Face", "next"),
        Action("previous_face", "Previous face", ("A", "PgUp"), "Face", "previous"),
        Action("next_incomplete", "Next face with missing points", ("Space",), "Face", "incomplete"),
        Action("contact_sheet", "Contact sheet", ("G",), "Face", "grid", "9 to 25 faces at once", divider=True),
        Action("draw_box", "Draw the face box…", ("Shift+B",), "Face", "box",
               "Mark the face in its photo; models see this crop"),
        Action("add_face", "Add a face from this photo…", ("Shift+N",), "Face", "face",
               "Draw the box of a face that was missed"),
        Action("remove_face", "Remove this face", ("Shift+Del",), "Face", "close",
               "For false detections: it is neither shown nor trained on until put back"),
    )  # fmt: skip


def _point() -> tuple[Action, ...]:
    return (
        Action("next_point", "Next point", ("Tab",), "Point", "next", scope="canvas"),
        Action("previous_point", "Previous point", ("Shift+Tab",), "Point", "previous", scope="canvas"),
        Action("nudge", "Move the point by 1 px", ("Left", "Right", "Up", "Down"), "Point", "label",
               scope="canvas", in_menu=False),
        Action("nudge_fine", "Move the point by 0.1 px", ("Shift+Left", "Shift+Right", "Shift+Up", "Shift+Down"),
               "Point", "label", scope="canvas", in_menu=False),
        Action("visible", "Visible", ("S",), "Point", "visible", "The point can be seen", divider=True),
        Action("occluded", "Occluded", ("Q",), "Point", "occluded", "Hidden by something; its position is an estimate"),
        Action("absent", "Absent", ("W",), "Point", "absent", "Not in this image"),
        Action("unset", "Unset", ("E",), "Point", "unset", "Remove the label: not yet decided"),
    )  # fmt: skip


def _predict() -> tuple[Action, ...]:
    return (
        Action("accept_point", "Accept this point", ("R",), "Predict", "accept",
               "Use the prediction as the label of this point", "run"),
        Action("accept_face", "Accept missing points of this face", ("F",), "Predict", "accept-all",
               "Existing labels stay", "run"),
        Action("accept_all", "Accept missing points of all faces…", ("Shift+F",), "Predict", "accept-all",
               "Above a confidence, with a preview of how many", "run"),
        Action("take_back", "Undo all points accepted from this run", (), "Predict", "take-back",
               "One step; Undo restores them", "run"),
        Action("predict_all", "Predict all faces", ("Ctrl+P",), "Predict", "face",
               "In the background, with the chosen run", "run", divider=True),
        Action("confidence", "Confidence…", (), "Predict", "report",
               "Whether the chosen run's confidences are calibrated on val", "run"),
        Action("adjust_run", "Calibrate to my labels…", (), "Predict", "label",
               "Shift the chosen run's points to match your labels", "run"),
        Action("live", "Webcam or video…", (), "Predict", "look",
               "Live predictions of the chosen model on a camera or a video file", "always"),
        Action("train", "Train", ("Ctrl+T",), "Train", "train",
               "Train the chosen recipe on the current labels", "project"),
        Action("augmentation", "Preview augmentation…", (), "Train", "contrast",
               "Faces as the network sees them in training, while you change the settings", "project"),
        Action("compare", "Compare recipes…", ("Ctrl+Shift+T",), "Train", "compare",
               "Queue several recipes on the same split and seed", "project"),
        Action("poses", "Poses…", (), "Train", "face",
               "The distribution of head poses, and the effect of balancing by pose", "project"),
        Action("offsets", "Label offset…", (), "Train", "contrast",
               "Whether the labels are shifted to one side, measured on mirrored faces; corrects it", "project"),
        Action("protocol", "Evaluate by protocol…", (), "Train", "report",
               "Measure a run as the papers do: 300-W, AFLW, COFW, Kaggle", "project"),
        Action("experiments", "Experiments…", (), "Train", "report",
               "Train and measure the papers' tables on this project", "project"),
        Action("random_search", "Random search…", (), "Train", "dice",
               "Try random settings of a recipe and keep the best", "project"),
        Action("stop", "Stop training", (), "Train", "stop",
               "Ends after the current batch; the best model is kept", "project"),
    )  # fmt: skip


def _view() -> tuple[Action, ...]:
    return (
        Action("look", "Look", ("F1",), "View", "look", "Gallery, face and plots", "always", checkable=True),
        Action("label", "Label", ("F2",), "View", "label", "The face and its points, large", "always", checkable=True),
        Action("review", "Review", ("F3",), "View", "review", "Many faces and their predictions", "always",
               checkable=True),
        Action("compare_runs", "Compare", ("F4",), "View", "compare", "Runs and their curves, large", "always",
               checkable=True),
        Action("reset_workspace", "Reset this workspace", (), "View", "layout",
               "Restore the default layout of its panels", "always"),
        Action("fit", "Fit the face to the window", ("X",), "View", "fit", divider=True),
        Action("zoom_in", "Zoom in", ("+", "="), "View", "zoom-in"),
        Action("zoom_out", "Zoom out", ("-",), "View", "zoom-out"),
        Action("toggle_predictions", "Show predictions", ("V",), "View", "look", "Show or hide the predictions"),
        Action("toggle_edges", "Show face lines", ("L",), "View", "face"),
        Action("toggle_names", "Show point names", ("N",), "View", "names"),
        Action("toggle_ellipses", "Show error ellipses", ("O",), "View", "ellipse",
               "Each missing point lies in its ellipse with 95 % probability"),
        Action("adjust", "Brightness and contrast…", ("B",), "View", "contrast", "Changes only how the image is shown"),
        Action("theme", "Light or dark", ("Ctrl+Shift+L",), "View", "moon", "", "always", divider=True),
        Action("full_screen", "Full screen", ("F11",), "View", "fit", "", "always"),
        Action("search", "Search…", ("Ctrl+K",), "Help", "search", "Find an action, a face or a run", "always"),
        Action("keys", "Keys", ("?",), "Help", "help", "All keys at a glance", "always"),
        Action("log", "Show the log", (), "Help", "log", "Open the folder with the program's log", "always"),
        Action("about", "About FKP Studio", (), "Help", "help", "", "always"),
    )  # fmt: skip


ACTIONS: tuple[Action, ...] = (*_file(), *_edit(), *_point(), *_predict(), *_view())
BY_ID: dict[str, Action] = {a.id: a for a in ACTIONS}


def key_text(key: str) -> str:
    """The key in the platform's notation: `Ctrl+Z`, on a Mac the command-key symbol."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
