"""The table of samples: search by name and number, and where the images' files are."""

from __future__ import annotations

from pathlib import Path

from training.storage.project.project import Project
from training.storage.project.tables.samples import faceless_ids, files_of_samples, find_samples


def test_samples_are_found_by_part_of_a_name_and_by_number_first(project_path: Path) -> None:
    with Project.open(project_path) as project:
        names = project.names()
        assert find_samples(project.database, names[4], most=5)[0] == (5, names[4])
        found = find_samples(project.database, "3", most=100)
        assert found[0] == (3, names[2]), "the number first"
        assert [name for _, name in found[1:]] == [n for n in names if "3" in n and n != names[2]]
        assert len(find_samples(project.database, "", most=7)) == 7
        for wild in ("%", "_", "\\"):
            assert (
                find_samples(project.database, wild, most=9)
                == [(i + 1, n) for i, n in enumerate(names) if wild in n][:9]
            )


def test_pixels_of_the_project_have_no_file(project_path: Path) -> None:
    with Project.open(project_path) as project:
        files = sorted(files_of_samples(project.database))
        assert [file.name for file in files] == project.names()
        assert {(file.folders, file.crop, file.faceless) for file in files} == {((), None, False)}
        assert not len(faceless_ids(project.database))
