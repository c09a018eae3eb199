"""The one table of everything the user can do: menus, keys, the overlay of keys, the search and the help are drawn from it."""

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
    """One act. `when`: what must be there for it: nothing, a project, a current face, or a chosen run.

    `keys` in Qt's portable text, the first is shown in menus. scope "canvas": the picture answers these keys itself
    while it has the focus, because elsewhere they move the focus or the selection (Tab, arrows); they are listed, not bound.
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
    divider: bool = False  # a line above it in the menu
    in_menu: bool = True


def _file() -> tuple[Action, ...]:
    return (
        Action("open", "Open project…", ("Ctrl+O",), "File", "open", "Open a project folder (NAME.fkp)", "always"),
        Action("import", "Import data…", ("Ctrl+I",), "File", "import", "Import a Kaggle CSV, pictures with .pts files, or pictures with a CSV", "always"),
        Action("import_photos", "Open a folder of photos…", (), "File", "photos", "Make a project from pictures without labels", "always"),
        Action("demo", "Open the demo", (), "File", "face", "A project of synthetic faces to try everything on", "always"),
        Action("export", "Export…", ("Ctrl+E",), "File", "export", "Write labels or predictions as Kaggle CSV, submission, CSV or .pts", "project", divider=True),
        Action("keypoints", "Keypoints…", (), "File", "names", "Which points swap places in a mirrored picture, and what errors are measured by", "project"),
        Action("report", "Show the project's folder", (), "File", "report", "Open the folder with the database and the runs", "project"),
        Action("close", "Close project", ("Ctrl+W",), "File", "close", "Back to the start page; everything is on the disk already", "project"),
        Action("settings", "Settings…", ("Ctrl+,",), "File", "settings", "", "always", divider=True),
        Action("quit", "Quit", ("Ctrl+Q",), "File", "quit", "", "always"),
    )  # fmt: skip


def _edit() -> tuple[Action, ...]:
    return (
        Action("undo", "Undo", ("Ctrl+Z", "Z"), "Edit", "undo", "Take back the last step, also after a restart", "project"),
        Action("redo", "Redo", ("Ctrl+Shift+Z", "Y", "Ctrl+Y"), "Edit", "redo", "Do the step again", "project"),
        Action("next_face", "Next face", ("D", "PgDown"), "Face", "next"),
        Action("previous_face", "Previous face", ("A", "PgUp"), "Face", "previous"),
        Action("next_incomplete", "Next face with missing points", ("Space",), "Face", "incomplete"),
        Action("contact_sheet", "Contact sheet", ("G",), "Face", "grid", "9 to 25 faces at once", divider=True),
        Action("draw_box", "Draw the face's box…", ("Shift+B",), "Face", "box", "In the photo: what models see of this face is cut out by it"),
        Action("add_face", "Add a face of this photo…", ("Shift+N",), "Face", "face", "Draw the box of a face that was missed"),
        Action("remove_face", "Remove this face", ("Shift+Del",), "Face", "close", "A false find, say: nothing shows it or trains on it until it is put back"),
    )  # fmt: skip


def _point() -> tuple[Action, ...]:
    return (
        Action("next_point", "Next point", ("Tab",), "Point", "next", scope="canvas"),
        Action("previous_point", "Previous point", ("Shift+Tab",), "Point", "previous", scope="canvas"),
        Action("nudge", "Move the point by 1 px", ("Left", "Right", "Up", "Down"), "Point", "label", scope="canvas", in_menu=False),
        Action("nudge_fine", "Move the point by 0.1 px", ("Shift+Left", "Shift+Right", "Shift+Up", "Shift+Down"), "Point", "label", scope="canvas", in_menu=False),
        Action("visible", "Visible", ("S",), "Point", "visible", "The point can be seen", divider=True),
        Action("occluded", "Occluded", ("Q",), "Point", "occluded", "Hidden behind something; its place is an estimate"),
        Action("absent", "Absent", ("W",), "Point", "absent", "Not in this picture"),
        Action("unset", "Unset", ("E",), "Point", "unset", "Nobody has looked: remove the label"),
    )  # fmt: skip


def _predict() -> tuple[Action, ...]:
    return (
        Action("accept_point", "Accept this point", ("R",), "Predict", "accept", "Take the prediction as the label of this point", "run"),
        Action("accept_face", "Accept all missing of this face", ("F",), "Predict", "accept-all", "Labels that are there stay", "run"),
        Action("accept_all", "Accept missing of all faces…", ("Shift+F",), "Predict", "accept-all", "Above a confidence, with a preview of how many", "run"),
        Action("take_back", "Take back all accepted from this run", (), "Predict", "take-back", "One step; undo brings them back", "run"),
        Action("predict_all", "Predict all faces", ("Ctrl+P",), "Predict", "face", "In the background, with the chosen run", "run", divider=True),
        Action("confidence", "Confidence…", (), "Predict", "report", "Whether the chosen run's confidences come true on val", "run"),
        Action("adjust_run", "Fit to my way of placing points…", (), "Predict", "label", "Move the chosen run's points by what they differ from your labels by", "run"),
        Action("live", "Webcam or video…", (), "Predict", "look", "The chosen model's points live, on a camera or a video file", "always"),
        Action("train", "Train", ("Ctrl+T",), "Train", "train", "Train the chosen recipe on the labels as they are now", "project"),
        Action("augmentation", "Look at augmentation…", (), "Train", "contrast", "Faces as a training would see them, while you move the settings", "project"),
        Action("compare", "Compare recipes…", ("Ctrl+Shift+T",), "Train", "compare", "Queue several recipes on the same split and seed", "project"),
        Action("poses", "Poses…", (), "Train", "face", "Which way the faces look, and what balancing by pose makes of it", "project"),
        Action("offsets", "Offset of labels…", (), "Train", "contrast", "Whether the labels sit off to one side, as mirrored faces tell, and mending it", "project"),
        Action("protocol", "Evaluate by protocol…", (), "Train", "report", "A run measured as the papers do: 300-W, AFLW, COFW, Kaggle", "project"),
        Action("experiments", "Experiments…", (), "Train", "report", "The papers' tables, trained and measured on this project", "project"),
        Action("random_search", "Random search…", (), "Train", "dice", "Try settings of a recipe at random, and keep the best", "project"),
        Action("stop", "Stop training", (), "Train", "stop", "Ends after the batch under way; the best model is kept", "project"),
    )  # fmt: skip


def _view() -> tuple[Action, ...]:
    return (
        Action("look", "Look", ("F1",), "View", "look", "Gallery, face and plots", "always", checkable=True),
        Action("label", "Label", ("F2",), "View", "label", "The face and its points, large", "always", checkable=True),
        Action("review", "Review", ("F3",), "View", "review", "Many faces, and what models say", "always", checkable=True),
        Action("compare_runs", "Compare", ("F4",), "View", "compare", "Runs and their curves, large", "always", checkable=True),
        Action("reset_workspace", "Reset this workspace", (), "View", "layout", "Put its panels back where they were at first", "always"),
        Action("fit", "Fit the face to the window", ("X",), "View", "fit", divider=True),
        Action("zoom_in", "Zoom in", ("+", "="), "View", "zoom-in"),
        Action("zoom_out", "Zoom out", ("-",), "View", "zoom-out"),
        Action("toggle_predictions", "Show predictions", ("V",), "View", "look", "Show or hide predictions over the face"),
        Action("toggle_edges", "Show lines of the face", ("L",), "View", "face"),
        Action("toggle_names", "Show names of points", ("N",), "View", "names"),
        Action("toggle_ellipses", "Show error ellipses", ("O",), "View", "ellipse", "A missing point lies within its ellipse with 95 %"),
        Action("adjust", "Brightness and contrast…", ("B",), "View", "contrast", "Only how the picture is shown"),
        Action("theme", "Light or dark", ("Ctrl+Shift+L",), "View", "moon", "", "always", divider=True),
        Action("full_screen", "Full screen", ("F11",), "View", "fit", "", "always"),
        Action("search", "Search…", ("Ctrl+K",), "Help", "search", "Find an action, a face or a run", "always"),
        Action("keys", "Keys", ("?",), "Help", "help", "All keys at a glance", "always"),
        Action("log", "Show the log", (), "Help", "log", "The folder with the program's log", "always"),
        Action("about", "About FKP Studio", (), "Help", "help", "", "always"),
    )  # fmt: skip


ACTIONS: tuple[Action, ...] = (*_file(), *_edit(), *_point(), *_predict(), *_view())
BY_ID: dict[str, Action] = {a.id: a for a in ACTIONS}


def key_text(key: str) -> str:
    """A key as this system writes it: `Ctrl+Z`, on a Mac the sign of the command key."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
