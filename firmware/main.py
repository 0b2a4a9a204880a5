"""Starts the watch when the chip has booted."""

# From the leaves up: each import inside an import compiles on top of the other's stack, and the chip's is 16 KB.
for name in ("vision.flatbuffer", "vision.scales", "vision.tensor", "vision.operator", "vision.activations",
             "vision.convolution", "vision.registry", "vision.vector", "vision.tflite", "vision.face", "vision.quality",
             "cose.p256", "cose.cose", "segments", "prompts", "track"):
    __import__("muster." + name)

from muster import app  # noqa: E402

app.run()
