"""The client of the prediction process `python -m training serve`: one face at once, all faces in the background."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import QCoreApplication, QObject, QProcess, Qt, QTimer, Signal, Slot

from fkp_studio.jobs.prediction.augmentation_preview import Sheet, SheetRequest
from fkp_studio.jobs.prediction.freshness import Freshness
from training.errors import UserError
from training.processes.children import last_line
from training.storage.project.identity import Address
from training.storage.runs.model.prediction_stamp import model_stamp, note_predicted
from training.storage.runs.run import Run

SERVE: tuple[str, ...] = (sys.executable, "-m", "training", "serve")
SLICE = 2048  # ids per request: bounds what is repeated after a crash and how long a cancel takes
TRIES = 2  # starts of the process without an answer before giving up
IDLE_MINUTES = 10  # then the process, which holds torch and models, is ended


@dataclass
class Request:
    """The faces still wanted of one run. ids: int64, not answered yet; the first `asked` of them are requested."""

    project: Address
    run: Run
    ids: np.ndarray
    total: int
    whole: bool  # many, in the background; else one face
    every: bool = False  # all faces of the project, by one model
    model: str = ""  # the model's stamp
    number: int = 0  # of the pending request; 0: none
    asked: int = 0

    def lines(self, number: int) -> dict[str, Any]:
        """The next request as protocol values."""
        self.number, self.asked = number, min(len(self.ids), SLICE)
        return {
            "id": number,
            "cmd": "predict",
            "project": self.project.to_json(),
            "run": str(self.run),
            "ids": self.ids[: self.asked].tolist(),
        }


class PredictionWorker(QObject):
    """Lives in its own thread, with the process's pipes; all communication is by signals.

    The process is started on demand, restarted if it dies (pending requests are repeated), and ended after
    IDLE_MINUTES.
    """

    predicted = Signal(str, object, object, object)  # run, ids int64 [B], points float32 [B, K, 2], confidences [B, K]
    progress = Signal(str, int, int)  # run, done, total; of a whole run only
    finished = Signal(str)  # all requested faces of this run are predicted
    failed = Signal(str, str)  # run, sentence
    sheet_drawn = Signal(object)  # a Sheet
    sheet_failed = Signal(str)  # sentence

    def __init__(self, command: Sequence[str] = SERVE) -> None:
        super().__init__()
        self._command = list(command)
        self._process: QProcess | None = None
        self._idle: QTimer | None = None
        self._fresh = Freshness()
        self._face: Request | None = None
        self._next_face: Request | None = None
        self._whole: Request | None = None
        self._sheet: SheetRequest | None = None
        self._next_sheet: SheetRequest | None = None
        self._number = 0
        self._tries = 0
        self._rest = b""
        self._words = b""
        self._closing = False

    # ---- requests

    @Slot(object, object, int)
    def predict_face(self, project: Address, run: Run, sample_id: int) -> None:
        """Predict one face now unless its prediction is current; of several pending requests only the last counts."""
        ids = self._needed(project, run, np.array([sample_id], np.int64))
        if ids is None or not len(ids):
            return
        request = Request(project, run, ids, 1, whole=False)
        if self._face is None:
            self._face = request
            self._ask(request)
        else:
            self._next_face = request

    @Slot(object, object, object)
    def predict_all(self, project: Address, run: Run, wanted: np.ndarray | None) -> None:
        """Predict these faces, or all without a prediction by the run's current model. Cancels the previous request."""
        self.cancel()
        ids = wanted if wanted is not None else self._needed(project, run, None)
        if ids is None:
            return
        self._whole = Request(
            project,
            run,
            np.asarray(ids, np.int64),
            len(ids),
            whole=True,
            every=wanted is None,
            model=model_stamp(run),
        )
        if not len(ids):
            self._end_whole()
            return
        self.progress.emit(run.name, 0, len(ids))
        self._ask(self._whole)

    @Slot(object)
    def forget(self, ids: np.ndarray) -> None:
        """Drop the predictions of these faces, which were cropped again."""
        self._fresh.forget(ids)

    @Slot(object)
    def draw_sheet(self, request: SheetRequest) -> None:
        """Request augmented faces; of several pending requests only the last counts."""
        if self._sheet is None:
            self._sheet = request
            self._ask(request)
        else:
            self._next_sheet = request

    @Slot()
    def cancel(self) -> None:
        """Cancel the prediction of a whole run; finished faces are kept."""
        request, self._whole = self._whole, None
        if request is not None:
            self._write({"cmd": "cancel", "id": request.number})
            self.progress.emit(request.run.name, request.total, request.total)

    @Slot()
    def close(self) -> None:
        """End the process and this object's thread; no more requests or signals."""
        self._closing = True
        self._face = self._next_face = self._whole = None
        self._sheet = self._next_sheet = None
        self._fresh.close()
        process, self._process = self._process, None
        if process is not None:
            process.blockSignals(True)
            process.closeWriteChannel()
            if not process.waitForFinished(300):
                process.kill()
                process.waitForFinished(2000)
        if self._idle is not None:
            self._idle.stop()
        thread, app = self.thread(), QCoreApplication.instance()
        if app is not None:
            self.moveToThread(app.thread())  # this thread ends; timers must be deleted in a running one
        thread.quit()

    # ---- the process

    def _ask(self, request: Request | SheetRequest) -> None:
        self._number += 1
        self._write(request.lines(self._number))

    def _write(self, values: dict[str, Any]) -> None:
        if self._closing or (values["cmd"] == "cancel" and self._process is None):
            return
        if self._process is None:
            self._start()
        if self._process is not None:
            self._process.write(json.dumps(values).encode() + b"\n")

    def _start(self) -> None:
        process = QProcess(self)
        process.readyReadStandardOutput.connect(self._read)
        process.readyReadStandardError.connect(self._read_words)
        process.finished.connect(self._died, Qt.ConnectionType.QueuedConnection)
        process.errorOccurred.connect(self._not_started)
        self._rest = self._words = b""
        self._process = process
        self._tries += 1
        process.start(self._command[0], self._command[1:])
        if self._idle is None:
            self._idle = QTimer(self, singleShot=True, interval=IDLE_MINUTES * 60_000)
            self._idle.timeout.connect(self._rest_now)
        self._idle.start()

    @Slot()
    def _rest_now(self) -> None:
        if self._face is None and self._whole is None and self._sheet is None and self._process is not None:
            self._tries = 0
            self._process.closeWriteChannel()  # the process then ends, and `_died` finds nothing to repeat

    @Slot()
    def _read_words(self) -> None:
        if self._process is not None:
            self._words = (self._words + bytes(self._process.readAllStandardError().data()))[-4096:]

    @Slot()
    def _read(self) -> None:
        if self._process is None:
            return
        *lines, self._rest = (self._rest + bytes(self._process.readAllStandardOutput().data())).split(b"\n")
        for line in lines:
            try:
                reply = json.loads(line)
                number = int(reply["id"])
            except (ValueError, KeyError, TypeError):
                continue  # output of some library
            for request in (self._face, self._whole):
                if request is not None and request.number == number:
                    self._take(request, reply)
            if self._sheet is not None and self._sheet.number == number:
                self._take_sheet(self._sheet, reply)

    def _take(self, request: Request, reply: dict[str, Any]) -> None:
        self._answered()
        if "error" in reply:
            self._give_up(request, str(reply["error"]))
            return
        self._keep(request, reply)
        if reply.get("done"):
            self._go_on(request)

    def _take_sheet(self, request: SheetRequest, reply: dict[str, Any]) -> None:
        self._answered()
        self._sheet, self._next_sheet = self._next_sheet, None
        if self._sheet is not None:
            self._ask(self._sheet)
        try:
            sheet = Sheet.of(request.ids, reply)
        except (KeyError, TypeError, ValueError) as error:
            self.sheet_failed.emit(str(reply.get("error", f"The worker's reply can't be read ({error}).")))
        else:
            self.sheet_drawn.emit(sheet)

    def _answered(self) -> None:
        self._tries = 0
        if self._idle is not None:
            self._idle.start()

    def _keep(self, request: Request, reply: dict[str, Any]) -> None:
        ids = np.array(reply.get("ids", []), np.int64)
        if len(ids):
            points = np.array(reply["points"], np.float32)
            confidences = np.array(reply["confidences"], np.float32)
            self.predicted.emit(request.run.name, ids, points, confidences)
            self._fresh.note(request.run, ids, model=str(reply["model"]))
            request.every &= reply["model"] == request.model
            asked, later = request.ids[: request.asked], request.ids[request.asked :]  # later: a million, perhaps
            owed = asked[~np.isin(asked, ids)]
            request.asked, request.ids = len(owed), np.concatenate([owed, later])
        if request.whole:
            self.progress.emit(request.run.name, request.total - len(request.ids), request.total)

    def _go_on(self, request: Request) -> None:
        request.ids = request.ids[request.asked :]  # these got no answer and are skipped
        request.number = request.asked = 0
        if not request.whole:
            self._take_next_face()
        elif len(request.ids):
            self._ask(request)
        else:
            self._end_whole()

    def _take_next_face(self) -> None:
        self._face, self._next_face = self._next_face, None
        if self._face is not None:
            self._ask(self._face)

    def _end_whole(self) -> None:
        request, self._whole = self._whole, None
        if request is not None:
            if request.every:
                note_predicted(request.run, request.model)
            self.progress.emit(request.run.name, request.total, request.total)
            self.finished.emit(request.run.name)

    def _give_up(self, request: Request, sentence: str) -> None:
        if request.whole:
            self.cancel()
        else:
            self._take_next_face()
        self.failed.emit(request.run.name, sentence)

    @Slot(QProcess.ProcessError)
    def _not_started(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._tries = TRIES
            self._died()

    @Slot()
    def _died(self) -> None:
        """Repeat pending requests in a new process; after TRIES processes without an answer, report failure."""
        self._read()
        self._read_words()
        process, self._process = self._process, None
        if process is not None:
            process.deleteLater()
        owed = [r for r in (self._face, self._whole) if r is not None]
        if self._tries < TRIES:
            for request in (*owed, self._sheet):
                if request is not None:
                    self._ask(request)
            return
        self._tries = 0
        said = last_line(self._words.decode("utf-8", "replace"))
        self._face = self._next_face = None
        if self._sheet is not None:
            self._sheet = self._next_sheet = None
            self.sheet_failed.emit(_sentence(said))
        self.cancel()
        for request in owed[-1:]:
            self.failed.emit(request.run.name, _sentence(said))

    def _needed(self, project: Address, run: Run, ids: np.ndarray | None) -> np.ndarray | None:
        try:
            return self._fresh.needed(project, run, ids)
        except UserError as error:
            self.failed.emit(run.name, str(error))
            return None


def _sentence(said: str) -> str:
    more = f" Its last message: {said}" if said else ""
    return f"The prediction process ended twice without an answer; try again, or run `fkp doctor`.{more}"
