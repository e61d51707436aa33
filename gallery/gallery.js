// Songs as piano rolls, with a cursor that follows the sound. A click, or an arrow key, moves it.
"use strict";

const COLOURS = ["#c2603f", "#3f6fa3", "#4f8a5b", "#8a5ba6", "#b08a2e", "#3f9a9a", "#a6496f", "#6b7280"];
const NAMED = ["drums", "piano", "guitar", "bass", "strings"];

// The colour of a track: the same for a name on the whole page.
function colourOf(name, number) {
  const named = NAMED.findIndex((one) => name.toLowerCase().includes(one));
  return COLOURS[named < 0 ? (NAMED.length + number) % COLOURS.length : named];
}

// The rows of the roll: pitches from low to high, below them one row for each drum that is struck.
function rowsOf(song) {
  const isDrum = (note) => song.drums.includes(note[4]);
  const drums = [...new Set(song.notes.filter(isDrum).map((note) => note[2]))].sort((a, b) => a - b);
  const pitches = song.notes.filter((note) => !isDrum(note)).map((note) => note[2]);
  const low = pitches.reduce((a, b) => Math.min(a, b), 127), high = pitches.reduce((a, b) => Math.max(a, b), 0);
  const gap = drums.length && pitches.length ? 1 : 0;
  return {
    count: drums.length + gap + Math.max(high - low + 1, 0) || 1,
    row: (note) => (isDrum(note) ? drums.indexOf(note[2]) : drums.length + gap + note[2] - low),
  };
}

function paint(canvas, song, seconds, hidden) {
  const width = canvas.clientWidth, height = canvas.clientHeight, ratio = window.devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d"), { count, row } = rowsOf(song), tall = height / count;
  pen.scale(ratio, ratio);
  let drawn = 0;
  for (const note of song.notes) {
    const [start, length, , velocity, track] = note;
    if (hidden.has(track)) continue;
    pen.fillStyle = colourOf(song.tracks[track], track);
    pen.globalAlpha = 0.4 + 0.6 * velocity / 127;
    const wide = Math.max(length / seconds * width - 0.5, 1.5);
    pen.fillRect(start / seconds * width, height - (row(note) + 1) * tall, wide, Math.max(tall - 0.5, 1.5));
    drawn += 1;
  }
  canvas.dataset.notes = drawn;
}

function show(article) {
  const song = JSON.parse(article.querySelector("script").textContent);
  const audio = article.querySelector("audio"), roll = article.querySelector(".roll");
  const canvas = roll.querySelector("canvas"), cursor = roll.querySelector(".cursor"), hidden = new Set();
  const end = song.notes.reduce((most, note) => Math.max(most, note[0] + note[1]), 1);
  const seconds = () => Math.max(end, audio && Number.isFinite(audio.duration) ? audio.duration : 0);
  const draw = () => paint(canvas, song, seconds(), hidden);
  song.tracks.forEach((name, number) => {
    const button = document.createElement("button");
    button.textContent = name;
    button.style.setProperty("--own", colourOf(name, number));
    button.setAttribute("aria-pressed", "true");
    button.title = `Show or hide ${name} in the picture`;
    button.addEventListener("click", () => {
      hidden.delete(number) || hidden.add(number);
      button.setAttribute("aria-pressed", String(!hidden.has(number)));
      draw();
    });
    article.querySelector(".tracks").append(button);
  });
  new ResizeObserver(draw).observe(canvas);
  draw();
  cursor.hidden = !audio;
  if (!audio) return;
  const follow = () => {
    cursor.style.transform = `translateX(${audio.currentTime / seconds() * roll.clientWidth}px)`;
    if (!audio.paused) requestAnimationFrame(follow);
  };
  const move = (time) => { audio.currentTime = Math.min(Math.max(time, 0), audio.duration || 0); };
  for (const event of ["play", "seeked", "timeupdate"]) audio.addEventListener(event, follow);
  audio.addEventListener("loadedmetadata", () => { draw(); follow(); });
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
  });
  roll.addEventListener("click", (event) => {
    move((event.clientX - roll.getBoundingClientRect().left) / roll.clientWidth * seconds());
  });
  roll.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -2, ArrowRight: 2 };
    if (event.key in steps) move(audio.currentTime + steps[event.key]);
    else if (event.key === " ") audio.paused ? audio.play() : audio.pause();
    else return;
    event.preventDefault();
  });
}

document.querySelectorAll(".song").forEach(show);
