"""The emulated camera: its bytes, its bad habits, and what may be in front of it."""

import errno

import cv2
import numpy as np
import pytest

from simulator.devices.camera import (
    DARK,
    KEPT_FRAMES,
    Camera,
    CameraError,
    FrameSize,
    PixelFormat,
    Scene,
    SceneError,
    rgb565,
    rgb565_to_rgb,
)
from simulator.people import Light, Pose

SETTLED = 4  # frames after init


def frame(camera: Camera, now_us: int = 0) -> np.ndarray:
    camera.capture(now_us)
    return camera.frames[-1][1]


def opened(scene: Scene | None = None, seed: int = 1, size: int = FrameSize.R240X240, settle: bool = True) -> Camera:
    camera = Camera(seed)
    camera.show(scene)
    camera.init(PixelFormat.RGB565, size)
    for _ in range(SETTLED if settle else 0):
        camera.capture(0)
    return camera


@pytest.fixture
def photograph(tmp_path):
    """Left half red, right half blue."""
    picture = np.zeros((200, 200, 3), np.uint8)
    picture[:, :100], picture[:, 100:] = (0, 0, 255), (255, 0, 0)
    path = tmp_path / "photograph.png"
    cv2.imwrite(str(path), picture)
    return path


@pytest.mark.parametrize(
    ("colour", "data"),
    [
        ((255, 255, 255), b"\xff\xff"),
        ((255, 0, 0), b"\xf8\x00"),
        ((0, 255, 0), b"\x07\xe0"),
        ((0, 0, 255), b"\x00\x1f"),
        ((8, 4, 8), b"\x08\x21"),
        ((0x12, 0x34, 0x56), b"\x11\xaa"),
    ],
)
def test_rgb565_has_the_high_byte_first(colour, data):
    assert rgb565(np.array([[colour]], np.uint8)) == data


def test_rgb565_round_trip_keeps_the_bits_it_has():
    every = np.arange(65536, dtype=">u2").tobytes()
    assert rgb565(rgb565_to_rgb(every, 256, 256)) == every


@pytest.mark.parametrize(
    ("size", "width", "height"),
    [
        (FrameSize.R96X96, 96, 96),
        (FrameSize.QQVGA, 160, 120),
        (FrameSize.HQVGA, 240, 176),
        (FrameSize.R240X240, 240, 240),
        (FrameSize.QVGA, 320, 240),
        (FrameSize.CIF, 400, 296),
        (FrameSize.VGA, 640, 480),
    ],
)
def test_a_frame_has_its_sizes_bytes(size, width, height):
    camera = Camera(1)
    camera.show(Scene(4))
    camera.init(PixelFormat.RGB565, size)
    assert len(camera.capture(0)) == 2 * width * height
    camera.init(PixelFormat.GRAYSCALE, size)
    assert len(camera.capture(0)) == width * height


def test_rgb565_bytes_are_the_kept_frame():
    camera = opened(Scene(4))
    data = camera.capture(55)
    now_us, rgb = camera.frames[-1]
    assert now_us == 55
    assert data == rgb565(rgb)


def test_jpeg_decodes_to_about_the_kept_frame():
    camera = Camera(1)
    camera.show(Scene(4))
    camera.init(PixelFormat.JPEG, FrameSize.QVGA)
    data = camera.capture(0)
    assert data[:2] == b"\xff\xd8"
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(shown.astype(int) - camera.frames[-1][1]).mean() < 4


def test_the_same_seed_scene_and_times_give_the_same_bytes():
    scene = Scene(11, Pose(5, 3, -8), Light(0.5), blur=0.7, motion=4, motion_angle=30)
    first, again = ([opened(scene, seed=9).capture(t) for t in (10, 20)] for _ in range(2))
    assert first == again
    assert first[0] != first[1]
    assert first[0] != opened(scene, seed=10).capture(10)


def test_the_first_frames_after_each_init_are_dark_and_greenish():
    camera = opened(Scene(11), settle=False)
    for _ in range(2):
        camera.init(PixelFormat.RGB565, FrameSize.R240X240)
        frames = [frame(camera).mean((0, 1)) for _ in range(SETTLED + 2)]
        light = [f.sum() for f in frames]
        assert light[0] < light[1] < light[2] < light[3] < light[4]
        assert light[0] < 0.45 * light[4]
        assert frames[0][1] / frames[0][0] > 1.3 * frames[4][1] / frames[4][0]
        assert light[4] == pytest.approx(light[5], rel=0.01)


def test_capture_before_init_is_enoent():
    with pytest.raises(CameraError) as error:
        Camera(1).capture(0)
    assert error.value.errno == errno.ENOENT


@pytest.mark.parametrize(
    ("pixel_format", "size", "code"),
    [
        (PixelFormat.YUV422, FrameSize.QVGA, errno.EOPNOTSUPP),
        (PixelFormat.RGB888, FrameSize.QVGA, errno.EOPNOTSUPP),
        (99, FrameSize.QVGA, errno.EOPNOTSUPP),
        (PixelFormat.RGB565, 11, errno.EINVAL),
        (PixelFormat.RGB565, -1, errno.EINVAL),
    ],
)
def test_init_refuses_what_the_driver_refuses(pixel_format, size, code):
    with pytest.raises(CameraError) as error:
        Camera(1).init(pixel_format, size)
    assert error.value.errno == code


def test_a_sensor_not_found_fails_init_and_leaves_it_closed_until_it_is_back():
    camera = opened()
    camera.fault = "not-found"
    with pytest.raises(CameraError) as error:
        camera.init(PixelFormat.RGB565, FrameSize.QVGA)
    assert error.value.errno == errno.ENODEV
    with pytest.raises(CameraError):
        camera.capture(0)
    camera.fault = None
    camera.init(PixelFormat.RGB565, FrameSize.QVGA)
    assert len(camera.capture(0)) == 2 * 320 * 240


def test_a_driver_without_frames_gives_none_and_keeps_none():
    camera = opened()
    camera.fault, kept = "none-frames", len(camera.frames)
    assert camera.capture(1) is None
    assert len(camera.frames) == kept
    camera.fault = None
    assert camera.capture(2) is not None


def test_a_stuck_sensor_repeats_its_frame_whatever_is_shown():
    camera = opened(Scene(11))
    before = camera.capture(1)
    camera.fault = "stuck"
    camera.show(Scene(12))
    assert [camera.capture(t) for t in (2, 3)] == [before, before]
    camera.fault = None
    assert camera.capture(4) != before


def test_kept_frames_are_bounded_to_the_newest():
    camera = opened(size=FrameSize.R96X96)
    for t in range(KEPT_FRAMES + 3):
        camera.capture(t)
    assert [now for now, _ in camera.frames] == list(range(3, KEPT_FRAMES + 3))


def test_noise_is_of_the_size_asked_for_and_grows_in_poor_light():
    def spread(scene: Scene) -> float:
        camera = opened(scene)
        return float(np.std(frame(camera, 1).astype(int) - frame(camera, 2)))

    assert spread(Scene(11, noise=0)) == 0
    assert spread(Scene(11, noise=2)) == pytest.approx(2 * spread(Scene(11)), rel=0.1)
    assert spread(Scene(11, Pose(), Light(0.2))) > 1.2 * spread(Scene(11))


def test_automatic_exposure_makes_up_for_half_of_the_missing_light():
    """A quarter of the light, half of it in the picture: through the display's gamma, 0.71 of the values."""
    good, poor = (frame(opened(Scene(None, light=Light(level), noise=0))).mean() for level in (1.0, 0.25))
    assert poor / good == pytest.approx(0.5**0.5, abs=0.01)


def test_blur_and_motion_take_away_detail():
    def detail(scene: Scene) -> float:
        return float(cv2.Laplacian(frame(opened(scene)), cv2.CV_32F).std())

    sharp = detail(Scene(11, noise=0))
    assert detail(Scene(11, noise=0, blur=2)) < 0.3 * sharp
    assert detail(Scene(11, noise=0, motion=9)) < 0.7 * sharp


def test_motion_smears_along_its_angle_only(photograph):
    """The edge between the photograph's halves is upright: streaks along it leave it sharp."""
    edges = [
        np.ptp(frame(opened(Scene(photograph, noise=0, motion=20, motion_angle=a)))[120, 116:124, 0]) for a in (0, 90)
    ]
    assert edges[0] < 0.5 * 255
    assert edges[1] == 255


def test_a_photograph_fills_the_frame_with_its_own_colours(photograph):
    rgb = frame(opened(Scene(photograph, noise=0)))
    assert rgb[5, 5].tolist() == rgb[234, 110].tolist() == [255, 0, 0]
    assert rgb[5, 234].tolist() == rgb[234, 130].tolist() == [0, 0, 255]


def test_a_photograph_rolls_clockwise_shrinks_with_distance_and_moves_with_offset(photograph):
    rolled = frame(opened(Scene(photograph, Pose(roll=90), noise=0)))
    assert rolled[60, 120].tolist() == [255, 0, 0] and rolled[180, 120].tolist() == [0, 0, 255]
    far = frame(opened(Scene(photograph, distance=2, noise=0)))
    assert far[120, 70].tolist() == [255, 0, 0] and far[120, 50].tolist() != [255, 0, 0]
    moved = frame(opened(Scene(photograph, offset=(0.25, 0), noise=0)))
    assert moved[120, 170].tolist() == [255, 0, 0] and moved[120, 190].tolist() == [0, 0, 255]


def test_a_turned_photographs_near_side_is_the_taller(photograph):
    """yaw > 0 turns it to the image's right: its left edge comes nearer."""
    rgb = frame(opened(Scene(photograph, Pose(yaw=40), distance=1.6, noise=0)))
    red, blue = (((rgb == colour).all(2)).sum(0).max() for colour in ((255, 0, 0), (0, 0, 255)))
    assert red > blue > 0


def test_a_folders_photographs_take_turns_by_name_one_a_showing(tmp_path):
    for name, colour in (("b.png", (0, 255, 0)), ("a.png", (0, 0, 255))):
        cv2.imwrite(str(tmp_path / name), np.full((10, 10, 3), colour, np.uint8))
    (tmp_path / "notes.txt").write_text("not a photograph")
    camera = opened()
    shown = []
    for _ in range(3):
        camera.show(Scene(tmp_path, noise=0))
        shown.append(frame(camera)[9, 9].tolist())
    assert shown == [[255, 0, 0], [0, 255, 0], [255, 0, 0]]


def test_a_video_runs_by_virtual_time_and_starts_again(tmp_path):
    path = tmp_path / "film.avi"
    film = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 64))
    if not film.isOpened():
        pytest.skip("this OpenCV cannot write a video")
    for grey in (0, 80, 160, 240):
        film.write(np.full((64, 64, 3), grey, np.uint8))
    film.release()
    camera = opened(size=FrameSize.R96X96)
    camera.show(Scene(path, noise=0))
    greys = [round(frame(camera, 5_000_000 + t).mean() / 80) for t in (0, 100_000, 250_000, 300_000, 400_000, 100_000)]
    assert greys == [0, 1, 2, 3, 0, 1]


def test_who_looks_over_a_shoulder_is_drawn_beside_it_each_as_their_own():
    alone, one, other = (frame(opened(Scene(1, company=seed))).astype(int) for seed in (None, 2, 3))
    differs = np.abs(one - other).max(axis=2) > 40  # beyond the sensor's noise
    assert differs[:, 60:120].mean() < 0.05  # the face in front
    assert differs[:, 160:].mean() > 0.5
    assert (np.abs(one - alone).max(axis=2) > 40)[:, 60:120].mean() > 0.1  # it makes room


def test_nobody_is_an_empty_room_and_dark_is_black():
    room = frame(opened(None))
    assert np.array_equal(room, frame(opened(Scene(None))))
    assert room.mean() > 40
    assert frame(opened(Scene(DARK))).mean() < 3


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Scene(1, distance=0), "distance"),
        (lambda: Scene(1, blur=-1), "blur"),
        (lambda: Scene(1, noise=99), "noise"),
        (lambda: Scene(1, light=Light(level=-1)), "light.level"),
        (lambda: Scene(1, light=Light(level=float("nan"))), "light.level"),
        (lambda: Scene(1, Pose(yaw=120)), "pose"),
        (lambda: Scene(1, offset=(3, 0)), "offset"),
    ],
)
def test_a_look_out_of_range_names_its_field(make, field):
    with pytest.raises(SceneError, match=f"^scene: {field}: must be from "):
        make()


def test_wrong_sources_are_one_line_with_file_field_and_reason(tmp_path):
    empty, text, film = tmp_path / "empty", tmp_path / "text.jpg", tmp_path / "film.mp4"
    empty.mkdir()
    text.write_text("no picture")
    film.write_bytes(b"no film")
    missing = tmp_path / "missing.png"
    for source, message in (
        (missing, f"{missing}: source: no such file or folder"),
        (empty, f"{empty}: source: no photographs in this folder"),
        (text, f"{text}: source: not a picture that OpenCV can read"),
        (film, f"{film}: source: not a video that OpenCV can read"),
        (-1, "scene: source: a person's seed is a whole number, 0 or more, not -1"),
        ("webcam:x", "webcam:x: source: the webcam's number must follow the colon"),
    ):
        with pytest.raises(SceneError) as error:
            Camera(1).show(Scene(source))
        assert str(error.value) == message


def test_a_scene_that_cannot_be_shown_leaves_the_one_before(tmp_path):
    camera = opened(Scene(DARK))
    with pytest.raises(SceneError):
        camera.show(Scene(tmp_path / "missing.png"))
    assert frame(camera).mean() < 3
