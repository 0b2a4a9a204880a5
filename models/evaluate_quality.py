"""The quality gate on good and on poor frames, as the watch's own code on the VM judges them."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from augment import fit_similarity, similarity, size_of
from crops import EYES, TEMPLATE
from data import REPOSITORY
from evaluate_finder import held_out_people, in_colour
from locate import FRAME
from scenes import GUIDED, backdrop, one_of, paste

if str(REPOSITORY) not in sys.path:
    sys.path.insert(0, str(REPOSITORY))
from simulator.devices.camera import Camera, FrameSize, PixelFormat, Scene, rgb565  # noqa: E402
from simulator.people import Light, Pose  # noqa: E402
from tools import vm  # noqa: E402

SEED = 23
FRAMES = 40  # of each kind
FIRST_SEED = 3000  # of the drawn people
BURNT = 0.2  # share of the frame's middle that is white in every channel, from which a face counts as over-exposed
FLAWS = {0: "good", 3: "no face", 4: "too dark", 13: "too bright", 14: "blurred", 15: "too far", 16: "too near",
         17: "turned away", 18: "several faces"}  # fmt: skip
# What the watch may say of a poor frame: where the face can hardly be seen, that there is none is as true.
SAID = {"good": {0}, "dark": {3, 4}, "bright": {3, 13}, "out of focus": {3, 14}, "moved": {3, 14}, "far": {3, 15},
        "turned away": {3, 17}, "two faces": {18}, "nobody": {3}}  # fmt: skip

SCRIPT = """
import os, sys
sys.path.append({firmware!r})
os.chdir({root!r})
from muster.networks import Networks
recogniser = Networks().load()
with open({frames!r}, "rb") as file:
    while True:
        frame = file.read(2 * {side} * {side})
        if not frame:
            break
        print(recogniser.look(frame, {side}, {side})[1].flaw)
"""


def judge(frames):
    """The flaw of each RGB frame [240, 240, 3]: FLAWS' numbers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames"
        path.write_bytes(b"".join(rgb565(frame) for frame in frames))
        script = SCRIPT.format(
            firmware=str(REPOSITORY / "firmware"), root=str(REPOSITORY), frames=str(path), side=FRAME
        )
        command = [vm.find(64), "-X", "heapsize=64M", "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    return [int(line) for line in done.stdout.split()]


def yaw_of(landmarks):
    """The gate's yaw, in eye distances: how far the nose is from the middle of eyes and mouth, across the face."""
    placed = landmarks @ fit_similarity(landmarks, TEMPLATE)[:, :2].T
    return float(placed[2, 0] - placed[[0, 1, 3, 4], 0].mean()) / EYES


def shown(rng, faces, frame, size, middle):
    """The frame with one of the faces put in, its size in parts of the guided one, its middle in pixels."""
    picture, landmarks = one_of(rng, faces)
    centre = landmarks.mean(0)
    warp = similarity(rng.normal(0, 5), GUIDED * FRAME * size / size_of(landmarks), middle - centre, centre)
    return paste(rng, picture, warp, landmarks @ warp[:, :2].T + warp[:, 2], frame)


def photographs(rng, kind, straight, turned):
    """One frame of held-out pictures of a kind of SAID."""
    frame = backdrop(rng, straight, FRAME)
    middle = np.clip(rng.normal(FRAME / 2, 12, 2), 95, 145)
    size = rng.uniform(0.25, 0.36) if kind == "far" else rng.uniform(0.8, 1.15)
    if kind == "two faces":
        size = rng.uniform(0.5, 0.75)
        frame = shown(rng, straight, frame, size, np.array([65 + rng.normal(0, 5), rng.uniform(90, 150)]))
        middle = np.array([175 + rng.normal(0, 5), rng.uniform(90, 150)])
    if kind != "nobody":
        frame = shown(rng, turned if kind == "turned away" else straight, frame, size, middle)
    gain = {"dark": rng.uniform(0.01, 0.05), "bright": rng.uniform(4, 8)}.get(kind, rng.uniform(0.6, 1.3))
    if kind == "out of focus":
        frame = cv2.GaussianBlur(frame, (0, 0), rng.uniform(5, 9))
    if kind == "moved":
        length = int(rng.integers(22, 34))
        frame = cv2.blur(frame, (length, 1) if rng.random() < 0.5 else (1, length))
    frame = np.clip(frame, 0, 255) * gain + rng.normal(0, 2, frame.shape)
    return in_colour(np.clip(frame, 0, 255).astype(np.uint8))


def scene(rng, kind, seed):
    """A scene of a drawn person of a kind of SAID."""
    if kind == "nobody":
        return Scene(None)
    level = {"dark": rng.uniform(0.001, 0.006), "bright": rng.uniform(15, 16)}.get(kind, rng.uniform(0.6, 1.5))
    yaw = rng.choice((-1, 1)) * rng.uniform(50, 80) if kind == "turned away" else rng.uniform(-12, 12)
    return Scene(
        seed,
        pose=Pose(yaw, rng.uniform(-10, 10), rng.uniform(-8, 8)),
        light=Light(level, rng.uniform(-45, 45), rng.uniform(10, 60), rng.uniform(-0.4, 0.4)),
        distance=rng.uniform(2.7, 3.5) if kind == "far" else rng.uniform(0.9, 1.2),
        blur=rng.uniform(5, 9) if kind == "out of focus" else 0,
        motion=rng.uniform(22, 34) if kind == "moved" else 0,
        motion_angle=rng.uniform(0, 180),
        company=seed + 1000 if kind == "two faces" else None,
    )


def by_camera(view, seed):
    """What the simulator's camera gives of a scene, exposure settled."""
    camera = Camera(seed)
    camera.show(view)
    camera.init(PixelFormat.RGB565, FrameSize.R240X240)
    for n in range(5):
        camera.capture(1_000_000 + 66_000 * n)
    return camera.frames[-1][1]


def burnt(frame):
    """Share of the middle of a frame, where the face is, at 250 and above in every channel."""
    return float((frame[70:170, 80:160].min(-1) >= 250).mean())


def drawn_people(rng, kind):
    """FRAMES frames of a kind of SAID; where the camera copes with bright light there is nothing to refuse."""
    frames, seed = [], FIRST_SEED
    while len(frames) < FRAMES:
        frame = by_camera(scene(rng, kind, seed), seed)
        if kind != "bright" or burnt(frame) > BURNT:
            frames.append(frame)
        seed += 1
    return frames


def evaluate():
    """{source: {kind: {"passed", "said", "flaws": {flaw: share}}}}: frames let through, and rightly spoken of."""
    rng, people = np.random.default_rng(SEED), held_out_people()
    yaw = np.array([abs(yaw_of(landmarks)) for landmarks in people[1]])
    straight, turned = (tuple(part[chosen] for part in people) for chosen in (yaw < 0.2, yaw > 0.4))
    frames = {
        "photographs": {k: [photographs(rng, k, straight, turned) for _ in range(FRAMES)] for k in SAID},
        "drawn people": {k: drawn_people(rng, k) for k in SAID},
    }
    found = {}
    for source, kinds in frames.items():
        found[source] = {}
        for kind, seen in kinds.items():
            flaws = np.array(judge(seen))
            found[source][kind] = {
                "passed": float((flaws == 0).mean()),
                "said": float(np.isin(flaws, list(SAID[kind])).mean()),
                "flaws": {name: float((flaws == flaw).mean()) for flaw, name in FLAWS.items() if (flaws == flaw).any()},
            }
    return found


if __name__ == "__main__":
    print(json.dumps(evaluate(), indent=1))
