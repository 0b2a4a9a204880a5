"""Alignment and the frame's geometry."""

import augment
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
    assert centre == pytest.approx(TEMPLATE112[0] * 64 / 112, abs=0.3)


def test_rgb565_keeps_black_and_white_and_drops_low_bits():
    picture = np.array([[[0, 0, 0], [255, 255, 255], [7, 3, 7], [8, 4, 8]]], np.uint8)
    assert augment.rgb565(picture).tolist() == [[[0, 0, 0], [255, 255, 255], [0, 0, 0], [8, 4, 8]]]


def test_grid_answer_decodes_to_the_landmarks_it_was_made_from():
    landmarks = TEMPLATE112 * 0.4 + (12, 20)
    face, offsets = scenes.grid_target(landmarks)
    assert (face == 1).sum() == 1 and (face == -1).sum() == 8
    grid = np.concatenate([face[..., None], offsets], -1)
    quantised = np.clip(np.round(grid / 0.05), -128, 127).astype(np.int8)
    score, found = locate.decode(quantised, 0.05, 0)
    assert score == 20
    assert found == pytest.approx(landmarks, abs=0.05 / 2 * scenes.CELL + 1e-4)


def test_pixel_centres_of_the_small_frame():
    frame = np.zeros((240, 240, 3), np.uint8)
    frame[30:33, 60:63] = 255
    small = locate.shrink(frame)
    assert small[10, 20] == 255 and small.sum() == 255
    assert locate.to_frame(np.float32([20, 10])).tolist() == [61, 31]
