"""Stands in for `python -m training live`: a few gray frames with one face, and answers."""

import json
import sys


def say(message: dict, data: bytes = b"") -> None:
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n" + data)
    sys.stdout.buffer.flush()


model, source = sys.argv[1:]
if source == "9":
    say({"event": "failed", "text": "There is no camera 9."})
    sys.exit()
say(
    {
        "event": "opened",
        "name": "v",
        "width": 8,
        "height": 6,
        "rate": 25,
        "count": 3,
        "camera": False,
        "edges": [[0, 1]],
    }
)
face = {"number": 1, "box": [1, 1, 4, 4], "points": [[2, 2], [4, 2], [3, 4]], "confidences": [0.9, 0.9, 0.2]}


def play(frames: range) -> None:
    for number in frames:
        about = {"number": number, "seconds": number / 25, "width": 8, "height": 6, "scale": 1.0, "speed": 24.8}
        say({"event": "frame", **about, "faces": [face], "bytes": 192}, b"\x80" * 192)


play(range(3))
for line in sys.stdin:
    message = json.loads(line)
    if message["cmd"] == "quit":
        break
    if message["cmd"] == "save":
        say({"event": "saved", "faces": 1})
    elif message["cmd"] == "record":
        say({"event": "problem", "text": f"{message['path']}: the folder does not exist."})
    elif message["cmd"] == "pause":  # stands in for the time a disk takes
        say({"event": "recording"})
        say({"event": "lost", "text": "The disk is full."})
    elif message["cmd"] == "seek":
        play(range(message["number"], message["number"] + 1))
        say({"event": "sought"})
    elif message["cmd"] == "again":
        play(range(1))
    elif message["cmd"] == "resume":
        say({"event": "ended", "lacking": 40})
