"use strict";
// The live page: asks for the state several times a second, draws it, and sends what its visitor does.

const POLL_MS = 200, HIDDEN_MS = 2000, SLIDER_MS = 150, LIST_ROWS = 300, OUTPUT_LIMIT = 60000;
const OUTCOMES = ["matched", "not matched", "missed", "unable"];
const STEPS = { light: 0.05, distance: 0.05, yaw: 1, pitch: 1, roll: 1, blur: 0.1 };
const USUAL = { light: 1, distance: 1, yaw: 0, pitch: 0, roll: 0, blur: 0 };
const UNITS = { light: "×", distance: "×", yaw: "°", pitch: "°", roll: "°", blur: " px" };
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

let setup = null;
let output = "";
const seen = { events: [], records: [], track: [], console: 0 };
const shownVersions = {};

function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) {
    const inner = name === "text" ? made : made.appendChild(document.createElementNS(SVG, "title"));
    inner.textContent = text;
  }
  return made;
}

function clockOf(atS) {
  return new Date((setup.start_s + setup.offset_s + atS) * 1000).toISOString().slice(11, 19);
}

function momentOf(atS) {
  return (setup.hours > 48 ? `d${1 + Math.floor(atS / 86400)} ` : "") + clockOf(atS);
}

// what the visitor does

let saidProblem = "";
let commandsSent = 0, underWay = 0;

async function send(command) {
  commandsSent += 1;
  underWay += 1;
  try {
    const answer = await fetch("command", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(command) });
    saidProblem = answer.ok ? "" : (await answer.json()).error;
  } catch {
    saidProblem = "The simulator does not answer.";
  }
  underWay -= 1;
  showProblem("");
  for (let n = 0; n < 2; n += 1) await poll().catch(() => {}); // one that is on its way may be too old
  return saidProblem === "";
}

function showProblem(ofDay) {
  const text = saidProblem || ofDay;
  if ($("problem").textContent !== text) $("problem").textContent = text;
}

function showScene() {
  const values = Object.fromEntries(Object.keys(USUAL).map((name) => [name, Number($(`set-${name}`).value)]));
  return send({ do: "show", source: $("source").value, value: $("value").value.trim(), ...values });
}

let sliding = 0;

function slide(name) {
  tell(name);
  clearTimeout(sliding);
  sliding = setTimeout(showScene, SLIDER_MS);
}

function tell(name) {
  const text = Number($(`set-${name}`).value) + UNITS[name];
  $(`${name}-value`).textContent = text;
  $(`set-${name}`).setAttribute("aria-valuetext", text);
}

function sourceChanged() {
  const kind = $("source").value;
  $("value").disabled = kind === "nobody" || kind === "dark";
  if (kind === "webcam" && !/^\d+$/.test($("value").value)) $("value").value = "0";
  if (kind === "person" && !/^\d+$/.test($("value").value)) $("value").value = "1";
}

function listen() {
  for (const radio of document.getElementsByName("speed")) {
    radio.addEventListener("change", () => send({ do: "time", speed: radio.value }));
  }
  $("step").addEventListener("click", () => send({ do: "time", speed: "step" }));
  $("slows").addEventListener("change", () => send({ do: "slow", on: $("slows").checked }));
  $("scene").addEventListener("submit", (event) => { event.preventDefault(); showScene(); });
  $("source").addEventListener("change", () => {
    sourceChanged();
    if ($("source").value !== "path") showScene();
  });
  $("straight").addEventListener("click", () => {
    for (const [name, value] of Object.entries(USUAL)) { $(`set-${name}`).value = value; tell(name); }
    showScene();
  });
  $("type").addEventListener("submit", async (event) => {
    event.preventDefault();
    const entry = $("entry");
    if (await send({ do: "type", line: entry.value })) entry.value = "";
  });
  for (const box of document.querySelectorAll("[data-switch]")) {
    box.addEventListener("change", () => send({ do: "switch", name: box.id, on: box.checked }));
  }
  $("sky").addEventListener("change", () => send({ do: "sky", kind: $("sky").value || null }));
  $("fault").addEventListener("change", () => send({ do: "break", fault: $("fault").value || null }));
  for (const button of document.querySelectorAll("[data-power]")) {
    button.addEventListener("click", () => send({ do: "power", how: button.dataset.power }));
  }
}

// what stays the same for the day

function build(state) {
  $("name").textContent = setup.name;
  document.title = `Muster live: ${setup.name}`;
  for (const name of setup.buttons) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name === setup.buttons[0] ? `Press (${name})` : name;
    button.addEventListener("click", () => send({ do: "press", button: name }));
    $("buttons").append(button);
  }
  for (const [name, [low, high]] of Object.entries(setup.ranges)) {
    const label = document.createElement("label");
    const slider = Object.assign(document.createElement("input"), {
      type: "range", id: `set-${name}`, min: low, max: high, step: STEPS[name], value: state.shown[name] });
    const value = Object.assign(document.createElement("output"), { id: `${name}-value` });
    slider.addEventListener("input", () => slide(name));
    label.append(name[0].toUpperCase() + name.slice(1), slider, value);
    $("sliders").append(label);
    tell(name);
  }
  $("source").value = state.shown.source;
  $("value").value = state.shown.value;
  sourceChanged();
}

// the map

const project = (() => {
  let place = null;
  return (point) => {
    if (!place) {
      const lats = setup.route.map((p) => p[0]), lons = setup.route.map((p) => p[1]);
      const [south, north] = [Math.min(...lats), Math.max(...lats)];
      const [west, east] = [Math.min(...lons), Math.max(...lons)];
      const squeeze = Math.cos((south + north) / 2 * Math.PI / 180);
      const degrees = Math.max((north - south) / 212, (east - west) * squeeze / 360, 2e-6); // a pixel's
      place = { lat: (south + north) / 2, lon: (west + east) / 2, squeeze, degrees };
    }
    return [200 + (point[1] - place.lon) * place.squeeze / place.degrees,
      125 - (point[0] - place.lat) / place.degrees, place.degrees * 111195];
  };
})();

const path = (points) => points.map((point) => project(point).slice(0, 2).map((n) => n.toFixed(1)).join(",")).join(" ");

function drawMap(state) {
  const passed = setup.route.slice(0, Math.floor(state.at_s / 3600 / setup.hours * (setup.route.length - 1)) + 1);
  const metres = project(state.place)[2];
  const bar = 10 ** Math.floor(Math.log10(metres * 130));
  const [x, y] = project(state.place);
  const dots = seen.track.map((fix) => {
    const [cx, cy] = project(fix);
    return shape("circle", { cx: cx.toFixed(1), cy: cy.toFixed(1), r: 2.4, class: "dot" });
  });
  $("chart").replaceChildren(
    shape("polyline", { points: path(setup.route), class: "true" }),
    shape("polyline", { points: path([...passed, state.place]), class: "true passed" }),
    shape("polyline", { points: path(seen.track), class: "kept" }), ...dots,
    shape("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: 6, class: "here" }),
    shape("line", { x1: 14, x2: 14 + bar / metres, y1: 238, y2: 238, class: "bar" }),
    shape("text", { x: 14, y: 233 }, bar < 1000 ? `${bar} m` : `${bar / 1000} km`));
  $("place").textContent = `Blue: the true track, at ${state.place[0].toFixed(4)}, ${state.place[1].toFixed(4)}. ` +
    `Red: ${seen.track.length} fixes received.`;
}

// the timeline

function drawDay(state) {
  const left = 64, width = 940 - left - 18;
  const x = (atS) => left + width * Math.max(0, Math.min(1, atS / 3600 / setup.hours));
  const label = (hour) => setup.hours > 48 ? `day ${1 + Math.floor(hour / 24)}` : clockOf(hour * 3600).slice(0, 5);
  const step = setup.hours > 48 ? 24 * Math.ceil(setup.hours / 24 / 12) : Math.max(1, Math.round(setup.hours / 12));
  const rows = ["check-ins", "screen", "GNSS", "network", "uploads"];
  const parts = rows.map((name, row) => shape("text", { x: 0, y: 28 + row * 17 }, name));
  for (let hour = 0; hour <= setup.hours; hour += step) {
    parts.push(shape("line", { x1: x(hour * 3600), x2: x(hour * 3600), y1: 16, y2: 103, class: "grid" }),
      shape("text", { x: x(hour * 3600), y: 11, "text-anchor": "middle" }, label(hour)));
  }
  const box = (row, from, to, kind, text) => parts.push(shape("rect", {
    x: x(from), y: 18 + row * 17, width: Math.max(2, x(to) - x(from)), height: 12, rx: 2, class: kind }, text));
  const spot = (row, atS, kind, text) => parts.push(shape("circle", { cx: x(atS), cy: 24 + row * 17, r: 4, class: kind }, text));
  for (const [from, to, kind] of setup.sky) box(2, from, to, kind === "canyon" ? "poor" : "bad", kind);
  for (const [from, to, kind] of setup.network) box(3, from, to, "bad", kind);
  for (const record of seen.records) {
    if (record.outcome) {
      box(0, record.due_s, record.due_s + 900, record.outcome.replace(" ", "-"), `${clockOf(record.due_s)} ${record.outcome}`);
    }
  }
  for (const event of seen.events) {
    const text = `${clockOf(event.at_s)} ${event.text}`;
    if (event.kind === "screen") spot(1, event.at_s, "screen", text);
    if (event.kind === "upload") spot(4, event.at_s, "mark", text);
    if (event.kind === "boot") parts.push(shape("line", {
      x1: x(event.at_s), x2: x(event.at_s), y1: 16, y2: 103, class: "bar" }, text));
  }
  parts.push(shape("line", { x1: x(state.at_s), x2: x(state.at_s), y1: 14, y2: 105, class: "now" }, "now"));
  $("line").replaceChildren(...parts);
}

// what changes

function list(id, rows) {
  const body = $(id);
  for (const [atS, text, title] of rows) {
    const line = document.createElement("tr");
    for (const part of [atS === null ? "?" : momentOf(atS), text]) {
      line.append(Object.assign(document.createElement("td"), { textContent: part }));
    }
    line.lastChild.title = title;
    body.prepend(line);
  }
  while (body.rows.length > LIST_ROWS) body.lastChild.remove();
}

function printOut(text) {
  if (!text) return;
  for (const character of text.replaceAll("\b \b", "\x7f").replaceAll("\r", "")) {
    output = character === "\x7f" ? output.slice(0, -1) : output + character;
  }
  output = output.slice(-OUTPUT_LIMIT);
  const box = $("output"), isAtEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 20;
  box.textContent = output;
  if (isAtEnd) box.scrollTop = box.scrollHeight;
}

function picture(id, source, version) {
  if (version && shownVersions[id] !== version) {
    shownVersions[id] = version;
    $(id).src = `${source}?${version}`;
    $(id).hidden = false;
  }
}

function say(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function once(name, key, draw) {
  const text = JSON.stringify(key);
  if (shownVersions[name] !== text) {
    shownVersions[name] = text;
    draw();
  }
}

function set(control, value) {
  if (document.activeElement !== control || control.type !== "select-one") {
    if (control.type === "checkbox" || control.type === "radio") control.checked = value; else control.value = value;
  }
}

function show(state) {
  say("date", new Date((setup.start_s + setup.offset_s + state.at_s) * 1000).toISOString().slice(0, 10));
  say("clock", clockOf(state.at_s));
  for (const radio of document.getElementsByName("speed")) set(radio, radio.value === state.speed);
  say("pace", state.over ? "the day is over" : state.speed === "step" ? "to the next event" : state.speed === "pause"
    ? "paused" : `${state.pace >= 10 ? Math.round(state.pace).toLocaleString("en") : state.pace} × real time`);
  set($("slows"), state.slows);
  showProblem(state.problem);
  picture("screen", "screen.png", state.screen);
  picture("preview", "preview.jpg", state.preview);
  picture("frame", "frame.jpg", state.frame);
  $("no-frame").hidden = state.frame > 0;
  if (state.frame_s !== null) say("frame-at", `last frame taken, ${clockOf(state.frame_s)}`);
  say("words", state.words || (state.lit ? "A picture without words." : "The screen is dark."));
  $("light").classList.toggle("on", state.light);
  say("camera", state.light ? "open, its light is on" : "closed, its light is off");
  $("battery").value = state.battery_v;
  say("volts", `${state.battery_v.toFixed(2)} V`);
  say("network", `${state.switches["network-down"] ? "down" : state.switches["network-hangs"] ? "hangs" : "up"}, ${(state.sent / 1000).toFixed(1)} kB sent`);
  for (const [name, isOn] of Object.entries(state.switches)) set($(name), isOn);
  set($("sky"), state.sky || "");
  set($("fault"), state.camera_fault || "");
  printOut(state.console);
  list("events", state.events.map((event) => [event.at_s, event.text, event.kind]));
  list("records", state.records.map((record) => [record.at_s, record.outcome
    ? `check-in: ${record.outcome}${record.score === null ? "" : `, score ${record.score}`}` : `${record.type}: ${record.text}`, record.text]));
  const counts = [seen.events.length, seen.records.length, seen.track.length];
  once("map", [state.place, ...counts], () => drawMap(state));
  once("day", [Math.round(state.at_s / setup.hours / 4), ...counts], () => drawDay(state));
}

let polling = null;

function poll() {
  polling = polling || ask().finally(() => { polling = null; });
  return polling;
}

async function ask() {
  const counts = new URLSearchParams({ events: seen.events.length, records: seen.records.length,
    track: seen.track.length, console: seen.console });
  const before = commandsSent;
  const answer = await fetch(`state?${counts}`);
  const state = await answer.json();
  if (underWay || before !== commandsSent) return; // it may be older than what the visitor has just done
  if (!answer.ok) throw new Error(state.error);
  if (!setup) {
    setup = await (await fetch("setup")).json();
    build(state);
  }
  for (const name of ["events", "records", "track"]) seen[name].push(...state[name]);
  seen.console = state.console_at;
  show(state);
}

async function live() {
  try {
    await poll();
    if (saidProblem === "The simulator has ended.") saidProblem = "";
  } catch {
    saidProblem = "The simulator has ended.";
    showProblem("");
  }
  setTimeout(live, document.hidden ? HIDDEN_MS : POLL_MS);
}

listen();
live();
