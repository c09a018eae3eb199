"""How long synthetic faces take: the aim is 2,000 in under a minute on one core.

usage: python benchmarks/synthetic_speed.py [COUNT]
"""

from __future__ import annotations

import statistics
import sys
import time

import cv2

from training.data.synthetic import Model, make_faces, random_person, random_scene


def main() -> None:
    """Print the wall time of COUNT faces, and medians of their parts in CPU time."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    cv2.setNumThreads(1)
    began = time.perf_counter()
    make_faces(count)
    print(f"{count} faces in {time.perf_counter() - began:.1f} s on one core")
    people, pictures = [], []
    for i in range(40):
        start = time.process_time()
        model = Model(random_person(1, i))
        people.append(time.process_time() - start)
        start = time.process_time()
        model.draw(random_scene(1, i))
        pictures.append(time.process_time() - start)
    print(
        f"median: a person {statistics.median(people) * 1000:.1f} ms, a picture {statistics.median(pictures) * 1000:.1f} ms"
    )


if __name__ == "__main__":
    main()
