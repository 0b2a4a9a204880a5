"""`network` as the port has it: a Wi-Fi station whose link the host decides."""

import _link
from protocol import WIFI, WIFI_ACTIVE, WIFI_CONNECT, WIFI_DISCONNECT, WIFI_STATUS

STA_IF, AP_IF = 0, 1
STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 1000, 1001, 1010
STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD, STAT_BEACON_TIMEOUT = 201, 202, 200


class WLAN:
    IF_STA, IF_AP = STA_IF, AP_IF
    PM_NONE, PM_PERFORMANCE, PM_POWERSAVE = 0, 1, 2

    def __init__(self, interface=STA_IF):
        if interface != STA_IF:
            raise ValueError("only the station interface is emulated")
        self._active = False

    def active(self, is_active=None):
        if is_active is not None:
            self._active = bool(is_active)
            _link.call(WIFI, WIFI_ACTIVE, self._active)
        return self._active

    def connect(self, ssid=None, key=None, *, bssid=None):
        if not self._active:
            raise OSError("Wifi Internal Error")
        _link.call(WIFI, WIFI_CONNECT, 0, (ssid or "").encode())

    def disconnect(self):
        _link.call(WIFI, WIFI_DISCONNECT)

    def status(self, param=None):
        code = _link.call(WIFI, WIFI_STATUS)[0]
        return -60 if param == "rssi" else code

    def isconnected(self):
        return self._active and self.status() == STAT_GOT_IP

    def config(self, *names, **settings):
        return None

    def ifconfig(self, addresses=None):
        return None if addresses else ("192.0.2.10", "255.255.255.0", "192.0.2.1", "192.0.2.1")


def hostname(name=None):
    return name or "mpy-esp32s3"


def country(code=None):
    return code or "XX"
