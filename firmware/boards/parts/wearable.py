"""What the services ask of a board, made of its parts; a board file gives the parts, and None for what it lacks."""

import machine

from boards.parts.chip import Chip
from boards.parts.wifi import uplink

if False:  # for mypy alone
    from boards.parts.button import Button
    from boards.parts.cell import Cell
    from boards.parts.sy6970 import Sy6970
    from boards.parts.ublox import Ublox
    from boards.parts.usb import Usb


class Wearable(Chip):
    """display: shows 240x240 pictures; lamp: stands in for it; lens: a camera with a light of its own; gnss: a UART;
    standby: lets the receiver rest(for_ms) and wake(); usb: is_plugged(); cell: gives its millivolts(); button: press()
    and is_down()."""

    uplink = staticmethod(uplink)
    display = lamp = lens = gnss = None
    button: "Button | None" = None
    standby: "Ublox | None" = None
    usb: "Usb | Sy6970 | None" = None
    cell: "Cell | Sy6970"

    def unfit(self) -> str:
        """Why the board can do no check-in, or "": nobody is photographed unasked, unwilling or unaware."""
        if self.display is None and self.lamp is None:
            return "no screen or lamp to ask with"
        if self.button is None:
            return "no button to agree with"
        if self.lens is None:
            return "no camera with a light"
        return ""

    def battery_mv(self) -> int:
        return self.cell.millivolts()

    def is_on_usb(self) -> bool:
        """A board that cannot tell never sleeps: its console would be deaf to whoever plugs in."""
        return self.usb is None or self.usb.is_plugged()

    def sleep(self, for_ms: int):
        """Light sleep until then, a press or USB. RAM and pins stay, UARTs are deaf; Wi-Fi and camera must be off."""
        button = self.button
        was_down = button is not None and button.arm()
        machine.lightsleep(for_ms)
        if button:
            button.rejoin(self.woke_by_press() and not was_down)

    def sleep_deeply(self, for_ms: int):
        """Power down until then or a press: the watch boots, with `reset_cause()` "deep sleep"."""
        if self.display:
            self.display.off()
        if self.standby:
            self.standby.rest(0)
        if self.button:
            self.button.arm()
        machine.deepsleep(for_ms)
