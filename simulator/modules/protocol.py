"""Messages between the VM and the host, the one file that both sides import.

Each message is a header `<BBHIQ` (kind, unit, flags, payload length, virtual time in µs) and a payload. The VM posts
(no answer) or calls (one answer, of the same kind). WAIT is answered by the events that fell due, then by WAIT itself,
whose flags say what woke the chip that slept.
"""

HEADER = "<BBHIQ"
HEADER_BYTES = 16

# posts, VM to host
PIN, PWM, SPI, UART_TX, CONSOLE_TX, UART_PINS, SPI_PINS, BITSTREAM = 1, 2, 3, 4, 5, 6, 7, 8
FREQ, WAKE_ON = 9, 10
# calls, VM to host
HELLO, WAIT, ADC, CAMERA_INIT, CAMERA_CAPTURE, CAMERA_DEINIT = 16, 17, 19, 20, 21, 22
WIFI, RESOLVE, NVS, RTC_SET, EXIT, POWER_CUT, I2C = 23, 24, 25, 26, 27, 28, 29
# events, host to VM, inside the answer of WAIT
UART_RX, PIN_LEVEL, CONSOLE_RX, STALLED, FLASH_CUT = 48, 49, 50, 51, 52

# units of WAIT: how the chip waits
AWAKE, ASLEEP = 0, 1
# units of WAKE_ON, and flags of WAIT's answer: what wakes it, as ESP-IDF numbers them (esp_sleep_wakeup_cause_t)
EXT0, EXT1, TIMER, GPIO = 2, 3, 4, 7
# flags of EXIT
RESET, SOFT_RESET, DEEP_SLEEP, STOPPED = 0, 1, 2, 3
# units of WIFI: its calls
WIFI_ACTIVE, WIFI_CONNECT, WIFI_STATUS, WIFI_DISCONNECT = 0, 1, 2, 3

FOREVER_US = 1 << 62
