"""What the embedder is trained on: whole batches of views, against OpenCV's and libjpeg's of single pictures."""

import augment
import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import views  # noqa: E402

COUNT = 20


@pytest.fixture
def pictures():
    """Smooth ones with edges in them, uint8 [COUNT, 112, 112, 3]."""
    rng = np.random.default_rng(4)
    found = [cv2.resize(rng.integers(0, 256, (7, 7, 3), np.uint8), (112, 112)) for _ in range(COUNT)]
    for picture in found:
        centre = tuple(int(v) for v in rng.integers(30, 80, 2))
        cv2.ellipse(picture, centre, (22, 13), 30, 0, 360, rng.integers(0, 256, 3).tolist(), -1, cv2.LINE_AA)
    return np.stack(found)


@pytest.fixture
def faces(pictures):
    return views.floats(torch.from_numpy(pictures).to(views.DEVICE))


def each(x):
    return x.permute(0, 2, 3, 1).cpu().numpy()


def constant(value):
    return torch.full((COUNT, 1, 1, 1), float(value), device=views.DEVICE)


def test_plain_views_are_those_of_evaluation(pictures, faces):
    wanted = np.float32([augment.plain_view(picture) for picture in pictures])
    off = np.abs(each(views.plain(faces)) - wanted)
    assert off.max() <= 2 and off.mean() < 0.2


@pytest.mark.parametrize("deviation", [0.3, 0.6, 1.1])
def test_blur_is_opencvs(pictures, faces, deviation):
    wanted = np.stack([cv2.GaussianBlur(picture.astype(np.float32), (0, 0), deviation) for picture in pictures])
    inside = slice(None), slice(5, -5), slice(5, -5)
    np.testing.assert_allclose(each(views.blurred(faces, constant(deviation)))[inside], wanted[inside], atol=0.5)


def test_rgb565_is_that_of_the_camera(pictures, faces):
    np.testing.assert_array_equal(each(views.rgb565(faces)), augment.rgb565(pictures))


@pytest.mark.parametrize("quality", [35, 60, 89])
def test_jpeg_errs_as_libjpeg_does(faces, quality):
    small = views.plain(faces)
    given, found = each(small), each(views.jpeg(small, constant(quality)))
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    coded = [cv2.imencode(".jpg", picture.astype(np.uint8)[..., ::-1], options)[1] for picture in given]
    wanted = np.float32([cv2.imdecode(picture, cv2.IMREAD_COLOR)[..., ::-1] for picture in coded])
    errors = (found - given).ravel(), (wanted - given).ravel()
    assert np.abs(found - wanted).mean() < 0.4 * np.abs(errors[1]).mean()
    assert np.corrcoef(*errors)[0, 1] > 0.9


def test_places_are_read_between_pixels_and_beyond_the_edge():
    ramp = torch.arange(112, device=views.DEVICE).expand(1, 1, 112, 112).float()
    across = torch.tensor([[[0.0, 3.25, 110.5, 115.0, -4.0]]], device=views.DEVICE)
    found = views.sampled(ramp, across, torch.full_like(across, 40.2))
    np.testing.assert_allclose(found.cpu().numpy().ravel(), [0, 3.25, 110.5, 111, 0], atol=1e-3)


def test_a_misaligned_face_is_near_where_it_was():
    """The centre of a bright disc, over many faces: on average where an aligned one has it, and spread by pixels."""
    face = np.zeros((112, 112, 3), np.uint8)
    cv2.circle(face, (56, 72), 6, (255, 255, 255), -1, cv2.LINE_AA)
    faces = views.floats(torch.from_numpy(face)[None].to(views.DEVICE)).expand(400, -1, -1, -1)
    found = each(views.misaligned(views.Dice(6), faces))[..., 0]
    y, x = np.mgrid[:64, :64]
    centres = np.stack([(found * axis).sum((1, 2)) / found.sum((1, 2)) for axis in (x, y)], -1)
    aligned = (np.array(views.CENTRE) - augment.CORNER) * (64 / augment.SHOWN)
    np.testing.assert_allclose(centres.mean(0), aligned, atol=0.4)
    assert (0.8 < centres.std(0)).all() and (centres.std(0) < 2.2).all()


def test_light_has_a_gain_a_cast_a_contrast_and_a_side():
    """Of a card of two greys: how often and how far what the camera sees of it differs."""
    card = torch.full((2000, 3, 112, 112), 80.0, device=views.DEVICE)
    card[:, :, 40:72, 40:72] = 160
    found = each(views.light(views.Dice(8), card))
    edge = found[:, [0, 0, -1, -1], [0, -1, 0, -1]]  # corners
    middle = found[:, 52:60, 52:60].mean((1, 2))
    level, contrast = edge.mean((1, 2)), middle.mean(1) / edge.mean((1, 2))
    assert 0.2 < np.log(level / 80).std() < 0.5 and (level < 40).mean() == pytest.approx(0.1, abs=0.04)
    assert np.median(contrast) == pytest.approx(2, abs=0.1) and 0.05 < np.log(contrast).std() < 0.2
    assert (np.ptp(middle, 1) > 1e-2).mean() == pytest.approx(0.6, abs=0.05)
    assert (np.ptp(edge.mean(2) / level[:, None], 1) > 1e-3).mean() == pytest.approx(0.4, abs=0.05)


def test_glasses_are_drawn_about_the_eyes_and_nowhere_else(faces):
    off = (views.with_glasses(views.Dice(5), faces) - faces).abs().amax(1).cpu().numpy()
    assert (off[:, 35:70, 20:92].max((1, 2)) > 20).all()
    off[:, 34:72, 18:94] = 0
    assert off.max() == 0


def test_two_of_five_are_as_they_are_and_a_seed_says_the_rest(faces):
    found = views.seen(views.Dice(1, 2), faces)
    is_plain = (found == views.to_input(views.plain(faces))).flatten(1).all(1).cpu().numpy()
    np.testing.assert_array_equal(is_plain, np.arange(COUNT) % 5 < 2)
    assert found.shape == (COUNT, 3, 64, 64) and found.min() >= -1 and found.max() <= 127 / 128
    assert torch.equal(found, views.seen(views.Dice(1, 2), faces))
    assert not torch.equal(found, views.seen(views.Dice(1, 3), faces))
