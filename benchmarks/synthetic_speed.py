"""Speed of synthetic faces; the aim is 2,000 in under a minute on one core.

usage: python benchmarks/synthetic_speed.py [COUNT]
"""

from __future__ import annotations

import statistics
import sys
import time

import cv2
import numpy as np

from training.synthetic.faces import Model, make_faces, random_person, random_scene


def main() -> None:
    """Print the wall time of COUNT faces, and medians of their parts in CPU time."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    cv2.setNumThreads(1)
    began = time.perf_counter()
    make_faces(count)
    print(f"{count} faces in {time.perf_counter() - began:.1f} s on one core")
    people, images, sorts = [], [], []
    numbers = np.random.default_rng(0).random(100_000)
    for i in range(40):
        start = time.process_time()
        model = Model(random_person(1, i))
        people.append(time.process_time() - start)
        start = time.process_time()
        model.draw(random_scene(1, i))
        images.append(time.process_time() - start)
        start = time.process_time()
        np.sort(numbers)
        sorts.append(time.process_time() - start)
    ms = {"one person": people, "one image": images, "100,000 numbers sorted (reference)": sorts}
    print("medians: " + ", ".join(f"{name} {statistics.median(took) * 1000:.1f} ms" for name, took in ms.items()))


if __name__ == "__main__":
    main()
