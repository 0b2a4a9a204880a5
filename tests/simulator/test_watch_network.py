"""The simulated network, seen from firmware: real sockets, an access point that goes, packets that are lost."""

import socket
import threading

import pytest

CLIENT = """
import asyncio, network, time
async def main():
    w = network.WLAN(network.STA_IF)
    w.active(True)
    w.connect("home", "key")
    while not w.isconnected():
        if w.status() == network.STAT_NO_AP_FOUND:
            print("no network", time.ticks_ms()); await asyncio.sleep(5); w.connect("home", "key")
        await asyncio.sleep_ms(100)
    for n in range(2):
        try:
            r, s = await asyncio.open_connection("receiver.example", 8443)
            s.write(b"x" * 1000); await s.drain()
            print(n, len(await asyncio.wait_for(r.readexactly(1000), 30)))
        except (OSError, EOFError, asyncio.TimeoutError) as e:
            print(n, type(e).__name__, time.ticks_ms() // 1000)
        await asyncio.sleep(10)
    await asyncio.sleep(3600)
asyncio.run(main())
"""


@pytest.fixture
def echo():
    """A real TCP server that gives back what it gets."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=lambda c=client: [c.sendall(data) for data in iter(lambda: c.recv(4096), b"")],
                             daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def test_real_sockets_reach_the_server_through_the_emulated_network(boot, echo):
    watch = boot(CLIENT, server=echo)
    watch.run(until_s=40)
    assert watch.printed() == ["0 1000", "1 1000"]


def test_a_dropped_connection_is_an_error_and_the_next_one_works(boot, echo):
    watch = boot(CLIENT, server=echo)
    watch.network.cut_after = 700
    watch.run(until_s=40)
    assert watch.printed() == ["0 EOFError", "1 1000"] or watch.printed()[0].startswith("0 ")
    assert watch.printed()[1] == "1 1000"


def test_without_an_access_point_the_station_says_so_until_it_is_back(boot, echo):
    watch = boot(CLIENT, server=echo)
    watch.network.down()
    watch.run(until_s=3)
    watch.network.up()
    watch.run(until_s=60)
    assert watch.printed() == ["no network 0", "0 1000", "1 1000"]


def test_a_hanging_network_makes_timeouts_fire_in_virtual_time(boot, echo):
    watch = boot(CLIENT.replace("s.write(", "await asyncio.sleep(5); s.write("), server=echo)
    watch.run(until_s=4)
    watch.set_hang(True)
    watch.run(until_s=60)
    lines = watch.printed()
    assert lines[0].startswith("0 TimeoutError 3")
    assert lines[1].startswith("1 OSError 4")  # names cannot be looked up either
