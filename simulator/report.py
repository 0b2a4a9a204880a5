"""The day as one HTML file that needs no network: timeline, map, screens, frames, scores, verified records."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

COLOURS = {"matched": "#2e9e5b", "not matched": "#d98a00", "missed": "#7a7f8a", "unable": "#3b7dd8"}
WIDTH = 1000

STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:1040px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:0} h2{font-size:1.1rem;margin-top:2.2rem;border-bottom:1px solid #8884}
table{border-collapse:collapse;width:100%;font-size:13px} th,td{text-align:left;padding:3px 8px}
tr{border-bottom:1px solid #8883} td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
svg{width:100%;height:auto;background:#8881;border-radius:8px} .grid{display:flex;flex-wrap:wrap;gap:10px}
figure{margin:0;font-size:11px;color:#888} figure img{display:block;border-radius:8px} .muted{color:#888}
.pill{color:#fff;border-radius:9px;padding:1px 8px;font-size:12px;white-space:nowrap} summary{cursor:pointer}
.pair{display:flex;gap:24px;align-items:flex-start}
"""


def write(path: Path, summary: dict[str, Any], tracks: dict[str, list[tuple[float, float]]],
          screens: list[tuple[str, Path]], frames: list[tuple[str, np.ndarray]], records: list[dict[str, Any]]) -> None:
    """Write the report.

    `tracks`: "true" and "recorded" to (lat, lon) in degrees; `screens`: (time, PNG file); `frames`: (time, RGB
    picture); `records`: decoded, with time, type, segment and whether each was verified.
    """
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Muster: {_e(summary['scenario'])}</title>",
        f"<style>{STYLE}</style><h1>{_e(summary['scenario'])}</h1><p class=muted>{_e(summary['start'])}, "
        f"{summary['hours']:g} h, seed {summary['seed']}; lived in {summary['wall_s']} s, "
        f"{summary['realtime_ratio']:,} times real time</p>",
        _section("The day", _figures(summary)), _section("Timeline", _timeline(summary)),
        _section("Power", _power(summary["power"])),
        _section("Check-ins", _checkins(summary["prompts"])), _section("Track", _map(tracks, summary)),
        _section("What the camera saw", _pictures((time, _jpeg(rgb)) for time, rgb in frames)),
        _section("What the wearer saw", _pictures((time, _data("png", file.read_bytes())) for time, file in screens)),
        _section("Records", _records(records, summary)), "</html>"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts))


def write_index(path: Path, rows: Iterable[tuple[str, str, list[str]]]) -> None:
    """A table of scenarios: (name, address of the report or "", result, expectations, outcomes and complaints)."""
    head = "".join(f"<th>{name}" for name in ("Scenario", "Result", "Met", "Outcomes", "Why"))
    body = "".join("<tr><td>" + (f'<a href="{_e(address)}">{_e(name)}</a>' if address else _e(name))
                   + "".join(f"<td>{_e(cell)}" for cell in cells) for name, address, cells in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<!doctype html><html lang=en><meta charset=utf-8><title>Muster: scenarios</title><style>{STYLE}"
                    f"</style><h1>Scenarios</h1><table><tr>{head}</tr>{body}</table></html>\n")


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body}</section>"


def _figures(summary: dict[str, Any]) -> str:
    rows = [("Prompts", ", ".join(f"{count} {name}" for name, count in summary["outcomes"].items() if count)),
            ("Fixes kept", f"{summary['fixes']} of {summary['gnss_seconds']:,} seconds; error against the true route "
             f"{summary['track_error_m']['p50']} m median, {summary['track_error_m']['p95']} m p95"),
            ("Records", f"{summary['records']} in {summary['segments']} segments, {summary['bytes']:,} bytes"),
            ("Verified", f"{summary['verified_segments']} of {summary['segments']} segments by an independent COSE "
             f"library; {summary['decrypted']} of {summary['records']} records decrypted"),
            ("Written and received", f"{summary['written']} written, {summary['records']} received, "
             f"{summary['duplicates']} twice"),
            ("Boots", ", ".join(f"{row['time']} ({row['cause']})" for row in summary["boots"]))]
    return "<table>" + "".join(f"<tr><th>{name}<td>{_e(value)}" for name, value in rows) + "</table>"


def _timeline(summary: dict[str, Any]) -> str:
    hours, top = summary["hours"], 26

    def x(at_s: float) -> float:
        return 90 + (WIDTH - 100) * at_s / 3600 / hours

    def bar(row: int, period: dict[str, Any], colour: str, words: str) -> str:
        left, right = x(max(0, period["from_s"])), x(min(hours * 3600, period["to_s"]))
        return (f'<rect x="{left:.1f}" y="{top + row * 28}" width="{max(1, right - left):.1f}" height="18" '
                f'fill="{colour}" rx="3"><title>{_e(words)}</title></rect>')

    lines = []
    for row, name in enumerate(("prompts", "GNSS", "network", "uploads", "boots")):
        lines.append(f'<text x="4" y="{top + row * 28 + 14}" font-size="12" fill="currentColor">{name}</text>')
    for hour in range(0, math.ceil(hours) + 1, max(1, round(hours / 12))):
        lines.append(f'<line x1="{x(hour * 3600):.1f}" x2="{x(hour * 3600):.1f}" y1="20" y2="166" stroke="#8884"/>'
                     f'<text x="{x(hour * 3600):.1f}" y="14" font-size="11" fill="#888" text-anchor="middle">{hour}'
                     "</text>")
    lines += [bar(1, period, "#c0504d" if period["kind"] != "canyon" else "#e2b36b", period["kind"])
              for period in summary["sky"]]
    lines += [bar(2, period, "#c0504d", period["kind"]) for period in summary["network"]]
    for prompt in summary["prompts"]:
        words = f"{prompt['due']} {prompt['outcome']}"
        lines.append(bar(0, {"from_s": prompt["due_s"], "to_s": prompt["due_s"] + 900},
                         COLOURS[prompt["outcome"]], words))
    for row, times in ((3, summary["upload_times_s"]), (4, [boot["at_s"] for boot in summary["boots"]])):
        lines += [f'<circle cx="{x(at_s):.1f}" cy="{top + row * 28 + 9}" r="4" fill="#3b7dd8"/>' for at_s in times]
    return f'<svg viewBox="0 0 {WIDTH} 172" role="img" aria-label="timeline of the day">{"".join(lines)}</svg>'


def _power(power: dict[str, Any]) -> str:
    life_h = power["life_h_500mah"]
    told = "always on USB" if life_h is None else f"a full cell of 500 mAh lasts {life_h:g} h at this rate"
    tables = "".join(
        f"<table><tr><th>{title}<th class=n>mAh<th class=n>%</tr>" + "".join(
            f"<tr><td>{_e(name)}<td class=n>{mah:.2f}<td class=n>{100 * mah / max(power['mah'], 1e-9):.1f}"
            for name, mah in power[key].items()) + "</table>"
        for title, key in (("Part", "by_part"), ("Service", "by_service")))
    return (f"<p>{power['mah']:g} mAh; {told}; the cell ends at {power['level']:.0%}.</p>{_hours(power['by_hour'])}"
            f"<div class=pair>{tables}</div>")


def _hours(by_hour: list[float]) -> str:
    """A bar an hour."""
    most, step = max([*by_hour, 1e-9]), (WIDTH - 100) / max(1, len(by_hour))
    bars = "".join(
        f'<rect x="{90 + n * step:.1f}" y="{90 - 80 * mah / most:.1f}" width="{max(0.5, step - 1):.1f}" '
        f'height="{80 * mah / most:.1f}" fill="#3b7dd8"><title>hour {n}: {mah:g} mAh</title></rect>'
        for n, mah in enumerate(by_hour))
    return (f'<svg viewBox="0 0 {WIDTH} 96" role="img" aria-label="mAh by hour">'
            f'<text x="4" y="20" font-size="12" fill="currentColor">{most:.1f} mAh/h</text>{bars}</svg>')


def _checkins(prompts: list[dict[str, Any]]) -> str:
    head = "".join(f"<th{c}>{n}" for n, c in (("Due", ""), ("Answered", ""), ("Outcome", ""), ("Why", ""), (
        "Tries", " class=n"), ("Score", " class=n"), ("Threshold", " class=n"), ("A person looks", "")))
    rows = []
    for prompt in prompts:
        pill = f'<span class=pill style="background:{COLOURS[prompt["outcome"]]}">{prompt["outcome"]}</span>'
        score = "" if prompt["score"] is None else f"{prompt['score']:.3f}"
        rows.append(f"<tr><td>{prompt['due']}<td>{prompt['answered'] or ''}<td>{pill}<td>{_e(prompt['reason'])}"
                    f"<td class=n>{prompt['tries']}<td class=n>{score}<td class=n>{prompt['threshold']:.3f}"
                    f"<td>{'yes' if prompt['manual_check'] else ''}")
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _map(tracks: dict[str, list[tuple[float, float]]], summary: dict[str, Any]) -> str:
    points = [point for track in tracks.values() for point in track]
    if not points:
        return "<p>No positions.</p>"
    south, north = min(p[0] for p in points), max(p[0] for p in points)
    west, east = min(p[1] for p in points), max(p[1] for p in points)
    squeeze = math.cos(math.radians((south + north) / 2))
    span = max(north - south, (east - west) * squeeze, 1e-4) * 1.1
    height = 560

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return (WIDTH / 2 + (point[1] - (west + east) / 2) * squeeze / span * height,
                height / 2 - (point[0] - (south + north) / 2) / span * height)

    def path(track: list[tuple[float, float]]) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, track))

    bar_m = 10 ** math.floor(math.log10(span * 111_320 / 3))
    bar = bar_m / 111_320 / span * height
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="#d5433c"/>' for x, y in map(
        place, tracks["recorded"]))
    return (f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="map of the true and the recorded track">'
            f'<polyline points="{path(tracks["true"])}" fill="none" stroke="#3b7dd8" stroke-width="5" opacity=".45"/>'
            f'<polyline points="{path(tracks["recorded"])}" fill="none" stroke="#d5433c" stroke-width="1.2"/>{dots}'
            f'<line x1="20" x2="{20 + bar:.1f}" y1="{height - 20}" y2="{height - 20}" stroke="currentColor"/>'
            f'<text x="20" y="{height - 26}" font-size="12" fill="currentColor">{bar_m:g} m</text></svg>'
            f'<p class=muted>Blue: where the watch was. Red: what it kept, {summary["fixes"]} fixes. '
            + " ".join(f"No fix {row['from']} to {row['to']}: {_e(row['reason'])}." for row in summary["no_fix"])
            + "</p>")


def _pictures(pictures: Iterable[tuple[str, str]]) -> str:
    return '<div class=grid>' + "".join(
        f'<figure><img src="{source}" width=150 height=150 alt="at {time}">{time}</figure>' for time, source in pictures
    ) + "</div>"


def _records(records: list[dict[str, Any]], summary: dict[str, Any]) -> str:
    head = "<tr><th>Time<th>Type<th class=n>Segment<th class=n>Frame<th>Verified<th>Content</tr>"
    rows = [f"<tr><td>{_e(record['time'])}<td>{_e(record['type'])}<td class=n>{record['segment']}"
            f"<td class=n>{record['frame']}<td>{'yes' if record['verified'] else 'NO'}<td>{_e(record['content'])}"
            for record in records]
    return (f"<details open><summary>{len(records)} records; signature, chain and decryption checked for each"
            f"</summary><table>{head}{''.join(rows)}</table></details>")


def _jpeg(rgb: np.ndarray) -> str:
    return _data("jpeg", cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())


def _data(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _e(value: Any) -> str:
    return html.escape(str(value))
