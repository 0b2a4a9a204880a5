"""`esp` as the port has it: the size of the flash chip."""

_flash_bytes = 0


def flash_size():
    return _flash_bytes
