"""The video part of `fkp predict`: one row per face and frame, and optionally frames saved to a project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from training.commands.shared.output import Report, note, say
from training.commands.shared.predict_all import check_keypoints
from training.errors import UserError
from training.storage.project.project import Project
from training.storage.runs.run import Run
from training.video.kept_frames import is_saved, knows, save_frame
from training.video.points_csv import video_table
from training.video.source import Frame, Video
from training.video.tracking import Face, FaceTracker

if TYPE_CHECKING:
    from training.learning.inference.predictor import Predictor


def predict_video(
    path: Path,
    predictor: Predictor,
    out: Path,
    report: Report,
    *,
    project: Path | None,
    every: int,
    run: Run,
    escape_formulas: bool = False,
) -> None:
    """Write the points of every frame of a video; save the faces of every n-th frame to the project, if given."""
    with ExitStack() as stack:
        video = stack.enter_context(Video(path))
        keep = stack.enter_context(Project.open(project)) if project else None
        if keep is not None:
            check_keypoints(predictor, keep)
            if not knows(keep, run):
                note(f"{run} is not a run of {keep.path}: faces are saved without predictions")
        counts = {"frames": 0, "faces": 0, "saved": 0, "known": 0}
        write = stack.enter_context(video_table(out, predictor.schema, escape_formulas=escape_formulas))
        for frame, faces in followed(video, predictor):
            write(frame, faces)
            if keep is not None and frame.number % every == 0:
                known = is_saved(keep, frame, video=path.name)
                counts["known"] += known
                counts["saved"] += 0 if known else len(save_frame(keep, frame, faces, video=path.name, run=run))
            counts["frames"] += 1
            counts["faces"] += len(faces)
            report(min(1.0, counts["frames"] / max(video.count, 1)), "")
        if not counts["faces"]:
            raise UserError(
                f"No face was detected in the {counts['frames']:,} frames of {path}, so {out} was not written."
            )
        if video.lacking:
            note(f"{path} is damaged: {video.lacking:,} frames at its end could not be read")
    say(f"{counts['faces']:,} faces in {counts['frames']:,} frames: {out}")
    if project:
        say(f"{counts['saved']:,} faces saved to {project}")
    if counts["known"]:
        note(f"{counts['known']:,} frames were in {project} already and stay as they are")


def followed(video: Video, predictor: Predictor) -> Iterator[tuple[Frame, list[Face]]]:
    tracker = FaceTracker(predictor.predict, side=predictor.info.config.network.input_size)
    for frame in video.frames():
        yield frame, tracker.follow(frame.image)
