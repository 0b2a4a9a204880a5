"""Alignment and the frame's geometry."""

import augment
import crops
import cv2
import locate
import numpy as np
import pytest
import scenes
from data import TEMPLATE112


def test_similarity_is_recovered():
    warp = augment.similarity(17, 1.4, (5, -3), (40, 50))
    moved = TEMPLATE112 @ warp[:, :2].T + warp[:, 2]
    assert augment.fit_similarity(TEMPLATE112, moved) == pytest.approx(warp)


def test_alignment_puts_the_left_eye_on_the_template():
    frame = np.zeros((240, 240, 3), np.uint8)
    landmarks = TEMPLATE112 * 1.7 + (10, 5)
    cv2.circle(frame, tuple(int(round(v)) for v in landmarks[0]), 5, (255, 255, 255), -1)
    aligned = augment.align64(frame, landmarks).astype(float)[..., 0]
    y, x = np.mgrid[:64, :64]
    centre = (x * aligned).sum() / aligned.sum(), (y * aligned).sum() / aligned.sum()
    assert centre == pytest.approx((TEMPLATE112[0] - augment.CORNER) * 64 / augment.SHOWN, abs=0.3)


def test_rgb565_keeps_black_and_white_and_drops_low_bits():
    picture = np.array([[[0, 0, 0], [255, 255, 255], [7, 3, 7], [8, 4, 8]]], np.uint8)
    assert augment.rgb565(picture).tolist() == [[[0, 0, 0], [255, 255, 255], [0, 0, 0], [8, 4, 8]]]


def test_grid_answer_decodes_to_the_faces_it_was_made_from():
    """Two faces; the cells about each mean the same face and must not count."""
    faces = [TEMPLATE112 * 0.4 + (5, 2), TEMPLATE112 * 0.6 + (50, 45)]
    face, target = scenes.grid_target(faces)
    assert (face == 1).sum() == 2 and (face == -1).sum() >= 6
    grid = np.concatenate([np.where(face == 0, -1, 1 + face / 2)[..., None], target], -1)
    quantised = np.clip(np.round(grid / 0.03), -128, 127).astype(np.int8)
    found = locate.candidates(quantised, 0.03, 0, 0)
    assert [score for score, _ in found] == [50, 50]
    for (_, axis), landmarks in zip(found, faces, strict=True):
        assert axis == pytest.approx(crops.ends(landmarks), abs=0.03 * scenes.CELL)


def test_pixel_centres_of_the_miniature():
    frame = np.zeros((240, 320), np.uint8)
    frame[30:32, 100:102] = 255
    small, cell, left, top = locate.shrink(frame)
    assert small[15, 30] == 255 and small.sum() == 255
    assert (cell, left, top) == (2, 40, 0)


def test_a_crop_has_the_landmarks_where_its_matrix_puts_them():
    """An eye of a face twice as large as the crop's, turned by 20 degrees."""
    warp = augment.similarity(20, 2.0, (90, 70), (31.5, 31.5))
    eye = warp @ [*crops.TEMPLATE[0], 1]
    frame = np.zeros((240, 240), np.uint8)
    cv2.circle(frame, tuple(round(v) for v in eye), 5, 255, -1)
    turned = crops.TEMPLATE @ warp[:, :2].T + warp[:, 2]
    seen = locate.crop(frame, crops.upright(turned)).astype(float)
    y, x = np.mgrid[:64, :64]
    centre = (x * seen).sum() / seen.sum(), (y * seen).sum() / seen.sum()
    assert centre == pytest.approx(crops.TEMPLATE[0], abs=0.3)


def test_faces_are_placed_inside_the_frame_and_apart():
    rng, landmarks = np.random.default_rng(3), TEMPLATE112.astype(np.float64)
    for _ in range(50):
        warp, first = scenes.place(rng, landmarks, 240)
        assert landmarks @ warp[:, :2].T + warp[:, 2] == pytest.approx(first)
        assert first.min() > 0 and first.max() < 239
        assert 0.25 < augment.size_of(first) / 60 < 1.4
        found = scenes.place(rng, landmarks, 240, [first])
        if found:
            both = augment.size_of(first), augment.size_of(found[1])
            assert np.hypot(*(first.mean(0) - found[1].mean(0))) > 0.9 * sum(both)


def test_a_turned_face_keeps_its_size():
    turned = (TEMPLATE112 - 56) * [0.3, 1] + 56
    assert augment.size_of(turned) == pytest.approx(augment.size_of(TEMPLATE112), rel=0.01)
