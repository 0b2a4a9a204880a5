"""What the services ask of a board, made of its parts; a board file gives the parts, and None for what it lacks."""

from boards.parts.chip import Chip

if False:  # for mypy alone
    from boards.parts.cell import Cell
    from boards.parts.sy6970 import Sy6970
from boards.parts.wifi import uplink


class Wearable(Chip):
    """display: shows 240x240 pictures; lamp: stands in for it; lens: a camera with a light of its own; gnss: a UART;
    cell: gives its millivolts(); button: press() and is_down()."""

    uplink = staticmethod(uplink)
    display = lamp = lens = gnss = button = None
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
