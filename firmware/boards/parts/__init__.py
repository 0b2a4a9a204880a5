"""Parts that boards share: the chip itself, display, camera, Wi-Fi."""
