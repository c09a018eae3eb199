"""300-W `.pts` files with their images, in folders train, val and test."""

from __future__ import annotations

import shutil
import uuid
from collections import defaultdict
from pathlib import Path, PurePosixPath

import numpy as np

from training.errors import UserError
from training.faces.labels.samples import Split
from training.files.replacing import replace, sweep_parts
from training.files.sentences import reading, writing
from training.progress import Progress
from training.sources.exchange.values import Values, in_chunks, safe_names
from training.sources.exchange.write_csv import write_png
from training.sources.formats.image_files import folder_split
from training.sources.formats.image_folder import PERSONS
from training.sources.formats.pts.schema_file import write_keypoints
from training.sources.formats.pts.text import ORIGIN, text_of_cells


def write_pts(values: Values, out: Path, progress: Progress) -> tuple[int, list[str]]:
    """A new folder: each labelled sample's image, its `.pts`, persons.csv where there are groups, and keypoints.json.

    Files are copied as they are, also where the sample is cut out of one; pixels become PNG. A missing point is `nan
    nan`.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: it is not empty; give a new or empty folder.")
    sweep_parts(out)
    part = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}.part")
    with writing(out):
        try:
            part.mkdir()
            count, holes = _Folder(values, part).write(progress)
            replace(part, out)
        except UserError as error:
            shutil.rmtree(part, ignore_errors=True)
            raise UserError(
                str(error).replace(str(part), str(out))
            ) from error  # the user does not know the temporary folder
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    notes = [f"{holes:,} faces have missing points, which are written as nan nan."] if holes else []
    without = len(values.project.kept_ids()) - count
    return count, notes + ([f"{without:,} faces without any point were left out."] if without else [])


class _Folder:
    def __init__(self, values: Values, folder: Path) -> None:
        self.values, self.folder = values, folder
        project = values.project
        self.groups = project.groups()
        names, index = project.names(), project.index()
        kept = index.ids[index.kept].tolist()
        wanted = [_in_split(names[i - 1], Split(int(index.splits[i - 1]))) for i in kept]
        self.names = dict(zip(kept, safe_names(wanted), strict=True))

    def write(self, progress: Progress) -> tuple[int, int]:
        """(faces written, faces with missing points)."""
        import pandas as pd

        ids = self.values.project.kept_ids()
        count = holes = 0
        persons: dict[PurePosixPath, list[tuple[str, str]]] = defaultdict(list)
        for some in in_chunks(ids):
            progress(int(some[0] - 1) / int(ids[-1]), f"Writing {self.names[int(some[0])]}")
            found = zip(some.tolist(), self.values.points(some), self.values.cells(some, origin=ORIGIN), strict=True)
            for sample, points, cells in found:
                if np.isnan(points).all():
                    continue
                image = self._image(sample)
                (self.folder / image).with_suffix(".pts").write_text(text_of_cells(cells), encoding="ascii")
                count, holes = count + 1, holes + bool(np.isnan(points).any())
                if self.groups[sample - 1]:
                    persons[image.parent].append((image.name, self.groups[sample - 1]))
        for folder, rows in persons.items():
            table = pd.DataFrame(rows, columns=["image", "person"])
            table.to_csv(self.folder / folder / PERSONS, index=False, lineterminator="\n")
        write_keypoints(self.folder, self.values.project.schema)
        return count, holes

    def _image(self, sample: int) -> PurePosixPath:
        name = PurePosixPath(self.names[sample])
        path = self.values.project.sample(sample).path
        name = name.with_suffix(path.suffix if path is not None else ".png")
        target = self.folder / name
        if path is None:
            write_png(target, self.values.project.image(sample))
            return name
        target.parent.mkdir(parents=True, exist_ok=True)
        with reading(path):
            data = path.read_bytes()
        target.write_bytes(data)
        return name


def _in_split(name: str, split: Split) -> str:
    parts = [part for part in name.replace("\\", "/").split("/")[:-1] if part not in ("", ".", "..")]
    return name if folder_split(parts[::-1]) == split else f"{split.word}/{name}"
