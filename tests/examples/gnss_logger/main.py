"""Keeps a position a minute in positions.csv, and says after each boot how many it has."""

import asyncio

from machine import UART


def degrees(text, hemisphere):
    """[d]ddmm.mmmm as degrees, negative in the south and west."""
    minutes = text.index(".") - 2
    value = int(text[:minutes]) + float(text[minutes:]) / 60
    return -value if hemisphere in "SW" else value


def kept():
    try:
        with open("positions.csv") as file:
            return sum(1 for _ in file)
    except OSError:
        return 0


async def main():
    print("kept", kept())
    reader = asyncio.StreamReader(UART(1, 9600, tx=38, rx=39, rxbuf=1024))
    while True:
        fields = (await reader.readline()).decode().split(",")
        if fields[0] == "$GNRMC" and fields[2] == "A" and fields[1][4:6] == "00":
            row = f"{fields[1][:4]},{degrees(*fields[3:5]):.5f},{degrees(*fields[5:7]):.5f}"
            with open("positions.csv", "a") as file:
                file.write(row + "\n")
            print(row)


asyncio.run(main())
