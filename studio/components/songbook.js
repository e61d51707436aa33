// The songbook: songs as piano rolls, played with a moving cursor. See songbook.py for its value.
// Given by the page: element, props, trigger, watch.

const LANE = 84, LOWEST_SPAN = 12, DRAG_MIN = 6;
const place = element.querySelector(".place"), soFar = element.querySelector(".so-far");
const known = new Map();          // url -> promise of a song
let opened = null, stage = null, listed = "";

const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
};

const change = (values, event = "input") => {
  props.value = { ...props.value, ...values };
  trigger(event);
  show();                                            // `watch` speaks of changes by the server alone
};

const fetched = (url) => {
  if (!known.has(url)) known.set(url, fetch(url).then((answer) => answer.json()));
  return known.get(url);
};

const besides = (url, suffix, from = ".json") => url.slice(0, -from.length) + suffix;
const stemName = (track) => track.toLowerCase().replaceAll(" ", "-").replaceAll("/", "-");
const NOTES = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
const called = (pitch) => NOTES[pitch % 12] + (Math.floor(pitch / 12) - 1);

// ---- drawing --------------------------------------------------------------------------------

function rows(track) {
  const pitches = track.notes.map((note) => note[2]);
  if (track.drums) {
    const used = [...new Set(pitches)].sort((a, b) => a - b);
    return { row: (pitch) => used.indexOf(pitch), count: Math.max(used.length, 1) };
  }
  const low = Math.min(...pitches), high = Math.max(...pitches);
  const count = Math.max(high - low + 3, LOWEST_SPAN), rest = Math.floor((count - (high - low + 1)) / 2);
  return { row: (pitch) => pitch - low + rest, count };
}

function paint(canvas, track, song, height, grid) {
  const width = canvas.clientWidth || 200, ratio = window.devicePixelRatio || 1;
  canvas.width = width * ratio; canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const beats = song.bars * song.beats, across = width / beats, ink = getComputedStyle(canvas).color;
  if (grid) {
    pen.fillStyle = track.colour;
    pen.globalAlpha = 0.13;
    for (const bar of track.composed) pen.fillRect(bar * song.beats * across, 0, song.beats * across, height);
    pen.strokeStyle = ink;
    for (let beat = 0; beat <= beats; beat++) {
      const isBar = beat % song.beats === 0;
      if (!isBar && across < 7) continue;
      pen.globalAlpha = isBar ? 0.22 : 0.07;
      pen.beginPath(); pen.moveTo(beat * across, 0); pen.lineTo(beat * across, height); pen.stroke();
    }
  }
  if (track.notes.length) {
    const { row, count } = rows(track), tall = height / count;
    pen.fillStyle = track.colour;
    for (const [start, length, pitch, velocity] of track.notes) {
      pen.globalAlpha = 0.45 + 0.55 * velocity / 127;
      const wide = Math.max(length * across - 0.6, track.drums ? 3 : 1.6), high = Math.max(tall - 0.5, 1.5);
      pen.beginPath();
      pen.roundRect(start * across, height - (row(pitch) + 1) * tall, wide, high, 1);
      pen.fill();
    }
  }
  pen.globalAlpha = 1;
}

// ---- playing --------------------------------------------------------------------------------

// The audio element plays the mix and is the clock. Where tracks are silent it is muted, and the
// others play beside it, sample by sample, from files of their own.
class Mixer {
  constructor(audio, url, tracks) {
    Object.assign(this, { audio, url, tracks, sounds: new Map(), sources: [], all: true });
    audio.addEventListener("play", () => this.start());
    for (const event of ["pause", "seeking", "ended"]) audio.addEventListener(event, () => this.stop());
    audio.addEventListener("seeked", () => audio.paused || this.start());
    audio.addEventListener("volumechange", () => this.gains());
  }
  async hear(audible) {
    this.audible = audible;
    this.all = audible.length === this.tracks.length;
    this.audio.muted = !this.all;
    if (this.all) return this.stop();
    this.context ??= new AudioContext({ sampleRate: 44100 });
    await Promise.all(this.tracks.map((name) => this.load(name)));
    if (!this.audio.paused && !this.sources.length) this.start();
    this.gains();
  }
  async load(name) {
    if (this.sounds.has(name)) return;
    const file = await fetch(besides(this.url, `-stems/${stemName(name)}.flac`));
    this.sounds.set(name, file.ok ? await this.context.decodeAudioData(await file.arrayBuffer()) : null);
  }
  start() {
    this.stop();
    if (this.all || !this.context) return;
    this.context.resume();
    for (const name of this.tracks) {
      const sound = this.sounds.get(name);
      if (!sound || this.audio.currentTime >= sound.duration) continue;
      const source = new AudioBufferSourceNode(this.context, { buffer: sound });
      const gain = new GainNode(this.context);
      source.connect(gain).connect(this.context.destination);
      source.start(0, this.audio.currentTime);
      this.sources.push({ name, source, gain });
    }
    this.gains();
  }
  gains() {
    for (const { name, gain } of this.sources) {
      gain.gain.value = this.audible.includes(name) ? this.audio.volume : 0;
    }
  }
  stop() {
    for (const { source } of this.sources) source.stop();
    this.sources = [];
  }
  close() { this.stop(); this.audio.pause(); this.context?.close(); }
}

// ---- the open song --------------------------------------------------------------------------

class Stage {
  constructor(entry, song) {
    Object.assign(this, { entry, song, muted: new Set(), solo: new Set() });
    this.tracks = song.tracks.filter((track) => track.notes.length);
    this.names = this.tracks.map((track) => track.name);
    this.audio = make("audio", { controls: true, preload: "metadata", src: besides(entry.url, ".wav") });
    this.mixer = new Mixer(this.audio, entry.url, this.names);
    this.cursor = make("div", { class: "cursor" });
    this.chosen = make("div", { class: "chosen" });
    this.tip = make("div", { class: "tip", hidden: true });
    this.ruler = this.ruled();
    this.lanes = this.tracks.map((track) => this.lane(track));
    this.roll = make("div", { class: "roll", tabindex: "0", role: "slider", "aria-label": "Position in the song",
      "aria-valuemin": "1", "aria-valuemax": String(song.bars), "aria-valuenow": "1",
      "aria-valuetext": "bar 1", onkeydown: (event) => this.key(event) },
      this.ruler, ...this.lanes.map((lane) => lane.canvas), this.chosen, this.cursor, this.tip);
    this.node = make("section", { class: "stage", "aria-label": `The song ${song.name}` },
      this.head(), make("div", { class: "desk" },
        make("div", { class: "strips" }, make("div", { class: "corner" }), ...this.lanes.map((lane) => lane.strip)),
        make("div", { class: "scroller" }, this.roll)));
    this.resizer = new ResizeObserver(() => this.paint());
    this.resizer.observe(this.roll);
    this.moving = () => { this.move(); if (!this.audio.paused) requestAnimationFrame(this.moving); };
    this.audio.addEventListener("play", this.moving);
    for (const event of ["seeked", "timeupdate"]) this.audio.addEventListener(event, () => this.move());
    this.pointing();
  }
  head() {
    const { song, entry } = this, url = entry.url;
    const facts = [`${song.tempo} bpm`, `${song.bars} bars`, song.form && `form ${song.form}`, entry.detail];
    const file = (label, href) => make("a", { href, download: true }, label);
    return make("header", {},
      make("div", { class: "title" }, make("h2", {}, song.name), make("p", {}, facts.filter(Boolean).join(" · "))),
      this.audio,
      make("p", { class: "files" }, "Download ", file(".mid", besides(url, ".mid")), file(".wav", besides(url, ".wav")),
        file(".flac", besides(url, ".flac")), file("stems", `zip?of=${encodeURIComponent(besides(entry.id, "-stems", ".mid"))}`)));
  }
  ruled() {
    const each = this.song.bars > 24 ? 4 : this.song.bars > 12 ? 2 : 1;
    const bars = [...Array(this.song.bars).keys()];
    return make("div", { class: "ruler", title: "Drag over bars to choose them, to have them filled anew" },
      ...bars.map((bar) => make("span", {}, bar % each ? "" : String(bar + 1))));
  }
  lane(track) {
    const canvas = make("canvas", { class: "lane", role: "img",
      "aria-label": `${track.name}: ${track.notes.length} notes` });
    const button = (text, label, flip) => {
      const node = make("button", { type: "button", "aria-pressed": "false", "aria-label": `${label} ${track.name}`,
        title: `${label} ${track.name}`, onclick: () => { flip(); this.refresh(); } }, text);
      return node;
    };
    const flip = (set) => () => (set.has(track.name) ? set.delete(track.name) : set.add(track.name));
    const mute = button("M", "Mute", flip(this.muted)), solo = button("S", "Solo", flip(this.solo));
    const lock = button("Lock", "Lock", () => {
      const name = track.name.toLowerCase(), now = props.value.locked ?? [];
      change({ locked: now.includes(name) ? now.filter((one) => one !== name) : [...now, name] });
    });
    lock.classList.add("lock");
    const dot = make("i", { style: `background:${track.colour}` });
    const strip = make("div", { class: "strip" }, make("b", {}, dot, track.name), make("span", {}, mute, solo, lock));
    return { track, canvas, strip, mute, solo, lock };
  }
  refresh() {
    const locked = props.value.locked ?? [];
    const audible = this.names.filter((name) => (this.solo.size ? this.solo.has(name) : !this.muted.has(name)));
    for (const { track, canvas, strip, mute, solo, lock } of this.lanes) {
      mute.setAttribute("aria-pressed", this.muted.has(track.name));
      solo.setAttribute("aria-pressed", this.solo.has(track.name));
      const isLocked = locked.includes(track.name.toLowerCase());
      lock.setAttribute("aria-pressed", isLocked);
      lock.textContent = isLocked ? "Locked" : "Lock";
      canvas.classList.toggle("silent", !audible.includes(track.name));
      strip.classList.toggle("locked", isLocked);
      canvas.classList.toggle("locked", isLocked);
    }
    this.node.dataset.audible = audible.join(",");
    this.showBars();
    if (audible.join() !== this.heard) { this.heard = audible.join(); this.mixer.hear(audible); }
  }
  paint() {
    for (const { track, canvas } of this.lanes) paint(canvas, track, this.song, LANE, true);
    this.move(); this.showBars();
  }
  showBars() {
    const found = /^(\d+)(?:-(\d+))?$/.exec(props.value.bars ?? "");
    this.chosen.hidden = !found;
    if (!found) return;
    const first = Number(found[1]), last = Number(found[2] ?? found[1]), share = 100 / this.song.bars;
    this.chosen.style.left = `${(first - 1) * share}%`;
    this.chosen.style.width = `${(last - first + 1) * share}%`;
  }
  barAt(seconds) {                                   // bars from the beginning, with their fraction
    const at = this.song.seconds, last = at.length - 1;
    let bar = 0;
    while (bar < last - 1 && at[bar + 1] <= seconds) bar++;
    return Math.min(bar + (seconds - at[bar]) / (at[bar + 1] - at[bar]), last);
  }
  secondsAt(bars) {
    const at = this.song.seconds, bar = Math.max(0, Math.min(Math.floor(bars), at.length - 2));
    return at[bar] + (bars - bar) * (at[bar + 1] - at[bar]);
  }
  move() {
    const bars = this.barAt(this.audio.currentTime), number = Math.min(Math.floor(bars) + 1, this.song.bars);
    this.cursor.style.left = `${(100 * bars) / this.song.bars}%`;
    this.roll.setAttribute("aria-valuenow", number);
    this.roll.setAttribute("aria-valuetext", `bar ${number} of ${this.song.bars}`);
  }
  seek(bars) { this.audio.currentTime = this.secondsAt(Math.max(0, Math.min(bars, this.song.bars - 0.001))); this.move(); }
  key(event) {
    const bar = Math.floor(this.barAt(this.audio.currentTime) + 1e-6);
    const keys = { ArrowLeft: bar - 1, ArrowRight: bar + 1, Home: 0, End: this.song.bars - 1 };
    if (event.key === " ") this.audio.paused ? this.audio.play() : this.audio.pause();
    else if (event.key in keys) this.seek(keys[event.key]);
    else return;
    event.preventDefault();
  }
  pointing() {
    let from = null;
    const at = (event) => {
      const box = this.roll.getBoundingClientRect();
      return Math.max(0, Math.min((event.clientX - box.left) / box.width, 0.9999)) * this.song.bars;
    };
    const bars = (a, b) => {
      const [first, last] = [Math.floor(Math.min(a, b)) + 1, Math.floor(Math.max(a, b)) + 1];
      return first === last ? String(first) : `${first}-${last}`;
    };
    this.roll.addEventListener("pointerdown", (event) => {
      from = { x: event.clientX, bar: at(event), dragged: false };
      if (event.pointerType !== "touch") this.roll.setPointerCapture(event.pointerId);
    });
    this.roll.addEventListener("pointermove", (event) => {
      this.hover(event);
      if (!from) return;
      from.dragged ||= Math.abs(event.clientX - from.x) > DRAG_MIN;
      if (from.dragged) { props.value.bars = bars(from.bar, at(event)); this.showBars(); }
    });
    this.roll.addEventListener("pointerup", (event) => {
      if (!from) return;
      if (from.dragged) change({ bars: bars(from.bar, at(event)) });
      else if (props.value.bars) { change({ bars: "" }); this.seek(at(event)); }
      else this.seek(at(event));
      from = null;
    });
    this.roll.addEventListener("pointercancel", () => { from = null; });
    this.roll.addEventListener("pointerleave", () => { this.tip.hidden = true; });
  }
  hover(event) {
    const lane = this.lanes.find(({ canvas }) => canvas === event.target);
    const box = lane?.canvas.getBoundingClientRect();
    const beat = box && ((event.clientX - box.left) / box.width) * this.song.bars * this.song.beats;
    const level = lane && lane.track.notes.length && rows(lane.track);
    const row = level && Math.floor(((box.bottom - event.clientY) / box.height) * level.count);
    const note = level && lane.track.notes.find(([start, length, pitch]) =>
      start <= beat && beat < start + Math.max(length, 0.12) && level.row(pitch) === row);
    this.tip.hidden = !note;
    if (!note) return;
    const name = lane.track.drums ? (lane.track.drums[note[2]] ?? note[2]) : called(note[2]);
    this.tip.textContent = `${name} · bar ${Math.floor(note[0] / this.song.beats) + 1} · loudness ${note[3]}`;
    const whole = this.roll.getBoundingClientRect();
    this.tip.style.left = `${Math.min(event.clientX - whole.left + 12, whole.width - 170)}px`;
    this.tip.style.top = `${event.clientY - whole.top + 14}px`;
  }
  close() { this.resizer.disconnect(); this.mixer.close(); this.node.remove(); }
}

// ---- the shelf of songs ---------------------------------------------------------------------

const shelf = make("ul", { class: "shelf", "aria-label": "Songs so far" });
const empty = make("p", { class: "empty" }, "No song yet. Choose what you like and press Make songs.");
const gone = make("p", { class: "empty", role: "status", hidden: true },
  "This song can no longer be read: its files were changed or moved. Choose another one.");
place.append(empty, gone);
soFar.append(make("h2", { class: "shelf-title" }, "Songs so far"), shelf);

const seen = new IntersectionObserver((found) => {
  for (const one of found) {
    if (!one.isIntersecting) continue;
    seen.unobserve(one.target);
    fetched(one.target.dataset.url).then((song) => {
      one.target.dataset.drawn = "";
      const canvas = one.target;
      song.tracks.filter((track) => track.notes.length && !track.drums)
        .forEach((track, number, all) => {
          const aside = make("canvas", { style: `width:${canvas.clientWidth}px` });
          canvas.parentNode.append(aside);
          paint(aside, track, song, 44, false);
          if (!number) { canvas.width = aside.width; canvas.height = aside.height; }
          canvas.getContext("2d").drawImage(aside, 0, 0);
          aside.remove();
        });
    }, () => {});
  }
});

function card(entry) {
  const canvas = make("canvas", { "data-url": entry.url, "aria-hidden": "true" });
  const button = make("button", { type: "button", class: "card", onclick: () =>
    change({ open: entry.id, locked: [], bars: "" }) },
    canvas, make("b", {}, entry.name), make("small", {}, entry.detail));
  const item = make("li", { draggable: "true", "data-id": entry.id, title: "Drag one song onto another to interpolate" }, button);
  item.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/plain", entry.id));
  item.addEventListener("dragover", (event) => { event.preventDefault(); item.classList.add("over"); });
  item.addEventListener("dragleave", () => item.classList.remove("over"));
  item.addEventListener("drop", (event) => {
    event.preventDefault();
    item.classList.remove("over");
    const other = event.dataTransfer.getData("text/plain");
    if (other && other !== entry.id) change({ pair: [other, entry.id] }, "submit");
  });
  seen.observe(canvas);
  return item;
}

function list(songs) {
  const ids = songs.map((entry) => entry.id).join("\n");
  if (ids === listed) return;
  listed = ids;
  const items = new Map([...shelf.children].map((item) => [item.dataset.id, item]));
  shelf.replaceChildren(...songs.map((entry) => items.get(entry.id) ?? card(entry)));
}

async function show() {
  const value = props.value ?? {}, songs = value.songs ?? [];
  list(songs);
  empty.hidden = songs.length > 0;
  shelf.previousElementSibling.hidden = !songs.length;
  for (const item of shelf.children) {
    item.firstChild.setAttribute("aria-current", String(item.dataset.id === value.open));
  }
  const isThere = (id) => songs.some((one) => one.id === id);
  if (songs.length && !isThere(value.open)) {        // what is open stays so, else the newest is opened
    const id = isThere(opened) ? opened : songs[0].id;
    props.value = { ...value, open: id };
    return show();
  }
  if (value.open !== opened) {
    const id = (opened = value.open), entry = songs.find((one) => one.id === id);
    const song = entry && (await fetched(entry.url).catch(() => known.delete(entry.url) && null));
    if (opened !== id) return;                       // another was opened meanwhile
    stage?.close();
    stage = song ? new Stage(entry, song) : null;
    gone.hidden = !entry || Boolean(song);
    if (stage) { place.append(stage.node); stage.paint(); }
  }
  stage?.refresh();
}

watch("value", show);
show();
