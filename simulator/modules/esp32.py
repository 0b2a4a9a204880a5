"""`esp32` as the port has it: flash partitions with NOR semantics, and non-volatile storage."""

import json

import _link
from protocol import EXT0, EXT1, GPIO, POWER_CUT, WAKE_ON
from protocol import NVS as _NVS

_BLOCK = 4096
_flash = None  # the flash image, open for reading and writing
_table = ()  # rows of (type, subtype, offset, size, label, encrypted)
_nvs = {}  # namespace to {key: int, or hex text of a blob}


class Partition:
    """Erased bytes are 0xff; programming only clears bits; an operation that a power cut hits is half done."""

    BOOT, RUNNING = 0, 1
    TYPE_APP, TYPE_DATA = 0, 1

    def __init__(self, id):
        for row in _table:
            if row[4] == id:
                self._row = row
                return
        raise OSError(-261)  # ESP_ERR_NOT_FOUND

    @staticmethod
    def find(type=TYPE_APP, subtype=0xFF, label=None):
        return [Partition(row[4]) for row in _table
                if row[0] == type and subtype in (0xFF, row[1]) and label in (None, row[4])]

    def info(self):
        return self._row

    def readblocks(self, block_num, buf, offset=0):
        _flash.seek(self._row[2] + block_num * _BLOCK + offset)
        _flash.readinto(buf)

    def writeblocks(self, block, buf, offset=None):
        """Program `buf`; without `offset` the blocks are erased first, as the port does."""
        if offset is None:
            for i in range((len(buf) + _BLOCK - 1) // _BLOCK):
                self.ioctl(6, block + i)
        address = self._address(block, offset or 0, len(buf))
        _flash.seek(address)
        old = _flash.read(len(buf))
        new = (int.from_bytes(old, "little") & int.from_bytes(buf, "little")).to_bytes(len(buf), "little")
        if _cut():
            half = len(buf) // 2  # one half programmed, and of one more byte half the bits
            _put(address, new[:half] + bytes(((new[half] | 0x0F) & old[half],)))
            _link.call(POWER_CUT)
        _put(address, new)

    def ioctl(self, op, arg=0):
        if op == 4:
            return self._row[3] // _BLOCK
        if op == 5:
            return _BLOCK
        if op == 6:
            address = self._address(arg, 0, _BLOCK)
            if _cut():
                _put(address, b"\xff" * (_BLOCK // 2))
                _link.call(POWER_CUT)
            _put(address, b"\xff" * _BLOCK)
            if self._row[4] == "nvs":  # what is kept there has no bytes here, but goes with them
                for namespace in list(_nvs):
                    _keep(namespace, {})
        return 0

    def _address(self, block, offset, length):
        start = block * _BLOCK + offset
        if start < 0 or start + length > self._row[3]:
            raise OSError(-260)  # ESP_ERR_INVALID_SIZE
        return self._row[2] + start


class NVS:
    def __init__(self, namespace):
        if len(namespace) > 15:
            raise OSError(-4355)  # ESP_ERR_NVS_INVALID_NAME
        self._namespace = namespace
        self._staged = dict(_nvs.get(namespace, {}))

    def set_i32(self, key, value):
        self._staged[key] = value

    def get_i32(self, key):
        return self._get(key, int)

    def set_blob(self, key, value):
        self._staged[key] = bytes(value).hex()

    def get_blob(self, key, buffer):
        blob = bytes.fromhex(self._get(key, str))
        if len(blob) > len(buffer):
            raise OSError(-4364)  # ESP_ERR_NVS_INVALID_LENGTH
        buffer[:len(blob)] = blob
        return len(blob)

    def erase_key(self, key):
        self._get(key, (int, str))
        del self._staged[key]

    def commit(self):
        _keep(self._namespace, dict(self._staged))

    def _get(self, key, kind):
        if not isinstance(self._staged.get(key), kind):
            raise OSError(-4354)  # ESP_ERR_NVS_NOT_FOUND
        return self._staged[key]


WAKEUP_ALL_LOW, WAKEUP_ANY_HIGH = False, True
_RTC_PINS = 21  # the last GPIO that the RTC can watch in a sleep
_wakes = {}  # source to (level, pins), as the host knows it


def wake_on_ext0(pin=None, level=WAKEUP_ANY_HIGH):
    _wake_on(EXT0, () if pin is None else (pin,), level, _RTC_PINS)


def wake_on_ext1(pins=None, level=WAKEUP_ANY_HIGH):
    _wake_on(EXT1, pins or (), level, _RTC_PINS)


def wake_on_gpio(pins=None, level=WAKEUP_ANY_HIGH):
    """Light sleep only."""
    _wake_on(GPIO, pins or (), level, 48)


def _wake_on(source, pins, level, last):
    numbers = [pin if isinstance(pin, int) else pin._id for pin in pins]
    if any(not 0 <= number <= last for number in numbers):
        raise ValueError("invalid pin")
    if _wakes.get(source) != (level, numbers):
        _wakes[source] = (level, numbers)
        _link.post(WAKE_ON, source, bool(level), bytes(numbers))


def _keep(namespace, values):
    _nvs[namespace] = values
    _link.call(_NVS, 0, 0, json.dumps([namespace, values]).encode())


def idf_heap_info(capabilities):
    if capabilities == _MALLOC_CAP_SPIRAM:
        return [(_psram_bytes, 0, 0, 0)] if _psram_bytes else []
    return [(262144, 131072, 98304, 65536)]


HEAP_DATA, HEAP_EXEC = 4, 1
_MALLOC_CAP_SPIRAM = 1024  # ESP-IDF, esp_heap_caps.h
_psram_bytes = 0


def mcu_temperature():
    return 30


def _cut():
    _link.cut_in -= 1
    return _link.cut_in == 0


def _put(address, data):
    _flash.seek(address)
    _flash.write(data)
