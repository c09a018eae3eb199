"""The pages of the import dialog: source, preview and report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QListWidget, QVBoxLayout, QWidget

from fkp_studio.dialogs.exchange.column_roles import mapping_of, roles_of
from fkp_studio.dialogs.exchange.column_table import ColumnTable
from fkp_studio.dialogs.exchange.crop_choice import CropChoice
from fkp_studio.dialogs.exchange.photo_choice import PhotoChoice
from fkp_studio.dialogs.exchange.source_preview import Seen, about, count_words, keeps, report_words, splits_words
from fkp_studio.look.widgets.dialog_parts import FaceGrid, button, row, text_label
from fkp_studio.look.widgets.plain_text import PlainLabel, plain_tip
from training.errors import UserError
from training.sources.exchange.import_source import ColumnMapping, ImportReport, Problem

AGAIN_MS = 400  # from the last change of a column's role to reading the faces again
SHOWN = 200  # problems listed at most
SIDE = 104  # px of a face
ADDED = "This project exists: the faces are added to it. Images it already has stay as they are."


class ChoosePage(QWidget):
    """The page that asks for a file or folder."""

    chosen = Signal(object)  # Path
    close_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.file, self.folder = button("Choose a CSV file…", "primary"), button("Choose a folder…")
        self.cancel = button("Cancel")
        self.cancel.clicked.connect(self.close_wanted)
        self.file.clicked.connect(self._ask_file)
        self.folder.clicked.connect(self._ask_folder)
        self.problem = text_label(role="danger")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addStretch(1)
        column.addWidget(text_label("What do you want to import?", "title"))
        column.addWidget(self.problem)
        column.addSpacing(8)
        for title, text in (
            (
                "A CSV file",
                "Kaggle's training.csv or test.csv, or a table of image names and points beside its images.",
            ),
            (
                "A folder",
                "Images with .pts files (such as 300-W), images with a CSV, or just photos: faces are detected.",
            ),
        ):
            column.addWidget(PlainLabel(title))
            column.addWidget(text_label(text, "dim"))
            column.addSpacing(4)
        column.addLayout(row(self.file, self.folder, None))
        column.addWidget(text_label("You can also drop a file or folder onto this window.", "dim"))
        column.addStretch(2)
        column.addLayout(row(None, self.cancel))

    def show_problem(self, sentence: str) -> None:
        """Why what was chosen can't be imported; "" for nothing."""
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))

    def _ask_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Choose a CSV file", "", "Tables (*.csv *.txt);;All files (*)")
        if path:
            self.chosen.emit(Path(path))

    def _ask_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Choose a folder of images")
        if path:
            self.chosen.emit(Path(path))


class PreviewPage(QWidget):
    """The first faces, the roles of columns, problems, and the project's folder."""

    mapping_changed = Signal(object)  # ColumnMapping
    crop_changed = Signal(object)  # CropOptions | None
    photos_changed = Signal(str, object)  # whole or detect, KeypointSchema
    import_wanted = Signal(object)  # Path of the project
    back_wanted = Signal()
    close_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title, self.about, self.splits = text_label(role="title"), text_label(role="dim"), text_label(role="dim")
        self.faces = FaceGrid(columns=3, side=SIDE)
        self.table, self.crop, self.photos = ColumnTable(), CropChoice(), PhotoChoice()
        self.problem, self.problems = text_label(role="danger"), ProblemList()
        self._keeps = ""
        self._failed = False  # `problem` is about the last import, not about the source
        self.path, self.note, self.add = QLineEdit(), text_label(role="dim"), button("Add to the open project")
        self._opened = ""  # the project that is open
        self.go, self.back, self.cancel = button("Import", "primary"), button("Back"), button("Cancel")
        self._again = QTimer(self, singleShot=True, interval=AGAIN_MS)
        self._lay_out()
        self._again.timeout.connect(self._on_again)
        self.table.columns.roles_changed.connect(self._on_roles_changed)
        self.crop.changed.connect(self._on_crop_changed)
        self.photos.changed.connect(self._on_photos_changed)
        self.path.textChanged.connect(self._on_path_changed)
        self.go.clicked.connect(lambda: self.import_wanted.emit(self.project_path()))
        self.add.clicked.connect(lambda: self.path.setText(self._opened))
        self.back.clicked.connect(self.back_wanted)
        self.cancel.clicked.connect(self.close_wanted)

    def _lay_out(self) -> None:
        browse = button("Choose…")
        browse.clicked.connect(self._choose_path)
        self.path.setAccessibleName("project folder")
        side = QVBoxLayout()
        side.setSpacing(8)
        side.addWidget(self.crop)
        side.addWidget(self.photos)
        side.addWidget(self.table, 300)
        side.addWidget(self.problem)
        side.addWidget(self.splits)
        side.addWidget(self.problems, 200)
        side.addStretch(1)
        middle = QHBoxLayout()
        middle.setSpacing(16)
        middle.addWidget(self.faces)
        middle.addLayout(side, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.title)
        column.addWidget(self.about)
        column.addLayout(middle, 1)
        column.addLayout(row(PlainLabel("Project"), self.path, browse, self.add))
        column.addWidget(self.note)
        column.addLayout(row(self.back, None, self.cancel, self.go))

    def show_source(self, source: Path, project: Path, opened: Path | None = None) -> None:
        """Start with another source. project: a suggested new one; opened: the open one, offered to add faces to."""
        self.title.setText(source.name)
        self._opened = "" if opened is None else str(opened)
        self.add.setToolTip(plain_tip(self._opened))
        self.path.setText(str(project))

    def show_seen(self, seen: Seen) -> None:
        """Show the preview of the source."""
        found = seen.preview
        self.about.setText(about(found))
        self.faces.set_faces(seen.cards)
        self._keeps = keeps(found)
        self.crop.show_seen(found, seen.choices.crop)
        self.photos.show_seen(found, seen.choices.faces)
        self._on_path_changed()
        mapped = found.mapping is not None and bool(found.columns)
        self.table.setVisible(mapped)
        if found.mapping is not None and mapped:
            self.table.columns.set_columns(found.columns, roles_of(found.columns, found.mapping))
        self.problems.show_problems(found.problems, title="Found in the first faces")
        self.splits.setText(splits_words(found))
        self.go.setText(f"Import {count_words(found)}")
        self._say("")

    def show_problem(self, sentence: str) -> None:
        """Report inconsistent columns, or rows that cannot be read this way."""
        self._say(sentence)

    def show_failure(self, sentence: str) -> None:
        """Report a failed import; it can be tried again, here or in another folder."""
        self._say(sentence)
        self._failed = True
        self.go.setEnabled(True)

    def project_path(self) -> Path:
        """The typed folder, with its suffix."""
        path = Path(self.path.text().strip()).expanduser()
        return path if path.suffix == ".fkp" or path.exists() else path.with_name(f"{path.name}.fkp")

    def _say(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))
        self._failed = False
        self.go.setEnabled(not sentence and bool(self.path.text().strip()))

    def _on_roles_changed(self) -> None:
        self.go.setEnabled(False)
        self._again.start()

    def _on_crop_changed(self, crop: object) -> None:
        self.go.setEnabled(False)
        self.crop_changed.emit(crop)

    def _on_photos_changed(self, faces: str, schema: object) -> None:
        self.go.setEnabled(False)
        self.photos_changed.emit(faces, schema)

    def _on_again(self) -> None:
        columns = self.table.columns
        try:
            mapping: ColumnMapping = mapping_of(columns.columns, columns.roles)
        except UserError as error:
            self._say(str(error))
        else:
            self.mapping_changed.emit(mapping)

    def _on_path_changed(self) -> None:
        text = self.path.text().strip()
        there = bool(text) and (self.project_path() / "project.db").is_file()
        self.note.setText(ADDED if there else self._keeps)
        self.add.setVisible(bool(self._opened) and text != self._opened)
        if self._failed:
            self._say("")
        self.go.setEnabled(bool(text) and not self.problem.text())

    def _choose_path(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self,
            "Where to keep the project",
            self.path.text(),
            "FKP Studio project (*.fkp)",
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if path:
            self.path.setText(path)


class ProblemList(QWidget):
    """A list of sentences about rows and files, with a count."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.heading, self.list = text_label(role="heading"), QListWidget()
        self.list.setWordWrap(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self.list.setAccessibleName("problems")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.heading)
        column.addWidget(self.list)

    def show_problems(self, problems: Sequence[Problem], *, title: str) -> None:
        """Show the problems; hidden if there are none."""
        self.setVisible(bool(problems))
        self.heading.setText(f"{title.upper()} · {len(problems):,}")
        self.list.clear()
        self.list.addItems([problem.sentence for problem in problems[:SHOWN]])
        if len(problems) > SHOWN:
            self.list.addItem(f"… and {len(problems) - SHOWN:,} more")


class ReportPage(QWidget):
    """The page that reports what was imported."""

    open_wanted = Signal()
    close_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title, self.sentence, self.notes = text_label(role="title"), text_label(), text_label(role="dim")
        self.left_out, self.flagged = ProblemList(), ProblemList()
        self.open, self.close_button = button("Open project", "primary"), button("Close")
        self.open.clicked.connect(self.open_wanted)
        self.close_button.clicked.connect(self.close_wanted)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for widget in (self.title, self.sentence, self.notes):
            column.addWidget(widget)
        column.addSpacing(8)
        column.addWidget(self.left_out, 100)
        column.addWidget(self.flagged, 100)
        column.addStretch(1)
        column.addLayout(row(None, self.close_button, self.open))

    def show_report(self, report: ImportReport, project: Path) -> None:
        """Report what was imported and what was left out."""
        self.title.setText(f"{project.name} is ready")
        self.sentence.setText(report_words(report))
        self.notes.setText("\n".join(report.notes))
        self.notes.setVisible(bool(report.notes))
        self.left_out.show_problems(report.left_out, title="Left out")
        self.flagged.show_problems(report.flagged, title="Imported, but to be checked")
