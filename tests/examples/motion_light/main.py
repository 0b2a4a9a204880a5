"""Lights the lamp while what the camera sees changes, and says so on the console."""

import time

from camera import Camera, FrameSize, PixelFormat
from machine import Pin

STEP = 31  # one pixel of so many is looked at
CHANGED = 12  # grey levels, on average

lamp = Pin(3, Pin.OUT, value=0)
camera = Camera(data_pins=[11, 9, 8, 10, 12, 18, 17, 16], pclk_pin=13, vsync_pin=6, href_pin=7, sda_pin=4, scl_pin=5,
                xclk_pin=15, pixel_format=PixelFormat.GRAYSCALE, frame_size=FrameSize.R96X96)


def look():
    """A few pixels of the next frame; None where the driver has none."""
    frame = camera.capture()
    return None if frame is None else bytes(frame[i] for i in range(0, len(frame), STEP))


for _ in range(5):  # the exposure settles
    before = look()
while True:
    time.sleep(1)
    now = look()
    if now is None:
        print("no frame")
        continue
    moved = sum(abs(before[i] - now[i]) for i in range(len(now))) > CHANGED * len(now)
    if moved != lamp.value():
        lamp.value(moved)
        print("moved" if moved else "still")
    before = now
