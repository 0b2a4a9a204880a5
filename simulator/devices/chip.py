"""The chip and the MicroPython image on it, as the firmware and tools find them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Chip:
    """`machine` and `build` as in sys.implementation; `has_camera`, `has_romfs`: the image is built with them."""

    machine: str = "Generic ESP32S3 module with Octal-SPIRAM with ESP32S3"
    build: str = "ESP32_GENERIC_S3-SPIRAM_OCT"
    has_camera: bool = True
    psram_bytes: int = 8 << 20
    flash_bytes: int = 8 << 20
    has_romfs: bool = False

    def greeting(self) -> dict:
        """What the VM is told at boot."""
        return {"machine": self.machine, "build": self.build, "camera": self.has_camera,
                "psram_bytes": self.psram_bytes, "flash_bytes": self.flash_bytes, "romfs": self.has_romfs}
