// New songs, composed by the page itself: a generator as a graph of ONNX, which onnxruntime-web runs.
// What a seed gives is noise, one of the model's forms, and a tempo. The graph makes cells of them.
"use strict";

const RATE = 44100;
const TICKS = 480;
const composerParts = {};
globalThis.composerParts = composerParts;

// Uniform numbers in [0, 1) that depend on the seed alone (mulberry32).
function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// What the model is given for a seed: samples of N(0, 1) by Box and Muller, a form, and a tempo.
function given(seed, facts) {
  const uniform = chance(seed), pick = (list) => list[Math.floor(uniform() * list.length)];
  const form = pick(facts.forms), tempo = pick(facts.tempi);
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { form, tempo, noise: Float32Array.from({ length: facts.noise }, normal) };
}

// Notes [start, length, pitch, velocity, track] in steps, of x [1 track state bar step pitch].
function notesOf(x, dims, facts) {
  const [, tracks, states, bars, steps, pitches] = dims, notes = [], length = bars * steps;
  const at = (track, state, step, pitch) => x[((track * states + state) * length + step) * pitches + pitch];
  for (let track = 0; track < tracks; track += 1) {
    for (let pitch = 0; pitch < pitches; pitch += 1) {
      let before = false;
      for (let step = 0; step < length; step += 1) {
        const onset = at(track, 1, step, pitch) > 0.5, sounding = onset || at(track, 0, step, pitch) > 0.5;
        if (onset || (sounding && !before)) {
          const velocity = Math.round(at(track, 2, step, pitch) * 127) || 100;
          notes.push([step, 1, pitch + facts.lowest, velocity, track]);
        } else if (sounding) notes.at(-1)[1] += 1;
        before = sounding;
      }
    }
  }
  return notes.sort((a, b) => a[0] - b[0] || a[4] - b[4] || a[2] - b[2]);
}

function load(path) {
  return new Promise((done, failed) => {
    const script = document.createElement("script");
    Object.assign(script, { src: path, onload: done, onerror: () => failed(new Error(`${path} is missing`)) });
    document.head.append(script);
  });
}

// A page from the disk may not fetch files, but may run scripts: parts are text in them.
async function unpacked(name) {
  await load(`composer/${name}.js`);
  const packed = Uint8Array.from(atob(composerParts[name]), (letter) => letter.charCodeAt(0));
  delete composerParts[name];
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function started() {
  await load("composer/ort.wasm.min.js");
  const loader = new Blob([await unpacked("loader")], { type: "text/javascript" });
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = (await unpacked("wasm")).buffer;
  ort.env.wasm.wasmPaths = { mjs: URL.createObjectURL(loader) };
  return ort.InferenceSession.create(await unpacked("model"), { executionProviders: ["wasm"] });
}

async function compose(seed, facts, session) {
  const { form, tempo, noise } = given(seed, facts);
  const shape = [1, form.length, form[0].length, form[0][0].length];
  const forms = BigInt64Array.from(form.flat(2), BigInt);
  const inputs = {
    noise: new ort.Tensor("float32", noise, [1, noise.length]),
    form: new ort.Tensor("int64", forms, shape),
  };
  const { x } = await session.run(inputs);
  return { tempo, notes: notesOf(x.data, x.dims, facts) };
}

// The sound of a note: two oscillators that fall off, or for a drum noise and a falling tone.
function play(audio, [start, length, pitch, velocity, track], facts, step, hiss) {
  const gain = audio.createGain(), from = start * step, isDrum = facts.drums.includes(track);
  const until = from + (isDrum ? 0.25 : length * step + 0.12), loud = (velocity / 127) ** 2;
  gain.connect(audio.destination);
  gain.gain.setValueAtTime(0, from);
  gain.gain.linearRampToValueAtTime((isDrum ? 0.4 : 0.16) * loud, from + 0.004);
  gain.gain.setTargetAtTime(0, isDrum ? from + 0.01 : from + length * step, isDrum ? 0.05 : 0.03);
  const sources = [];
  if (isDrum && pitch > 36) {
    const noise = audio.createBufferSource(), filter = audio.createBiquadFilter();
    noise.buffer = hiss;
    Object.assign(filter, { type: pitch >= 42 ? "highpass" : "bandpass" });
    filter.frequency.value = pitch >= 42 ? 7000 : 1800;
    noise.connect(filter).connect(gain);
    sources.push(noise);
  } else {
    for (const detune of isDrum ? [0] : [-4, 4]) {
      const tone = audio.createOscillator(), hertz = isDrum ? 120 : 440 * 2 ** ((pitch - 69) / 12);
      tone.type = ["triangle", "sine", "triangle", "square", "sawtooth"][track % 5];
      tone.frequency.setValueAtTime(hertz, from);
      if (isDrum) tone.frequency.exponentialRampToValueAtTime(45, from + 0.1);
      tone.detune.value = detune;
      tone.connect(gain);
      sources.push(tone);
    }
  }
  for (const source of sources) {
    source.start(from);
    source.stop(until);
  }
}

async function sound(song, facts) {
  const step = 60 / song.tempo / facts.steps, last = Math.max(...song.notes.map((note) => note[0] + note[1]), 1);
  const audio = new OfflineAudioContext(1, Math.ceil((last * step + 0.5) * RATE), RATE);
  const hiss = audio.createBuffer(1, RATE / 2, RATE), uniform = chance(1);
  hiss.getChannelData(0).forEach((_, n, all) => { all[n] = 2 * uniform() - 1; });
  for (const note of song.notes) play(audio, note, facts, step, hiss);
  return wavOf((await audio.startRendering()).getChannelData(0));
}

// 16 bits at 44.1 kHz, as loud as can be.
function wavOf(samples) {
  const most = samples.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-6), size = 2 * samples.length;
  const view = new DataView(new ArrayBuffer(44 + size));
  const text = (at, letters) => [...letters].forEach((one, n) => view.setUint8(at + n, one.charCodeAt(0)));
  text(0, "RIFF"); text(8, "WAVEfmt "); text(36, "data");
  const numbers = [[4, 36 + size], [16, 16], [24, RATE], [28, 2 * RATE], [40, size]];
  for (const [at, value] of numbers) view.setUint32(at, value, true);
  for (const [at, value] of [[20, 1], [22, 1], [32, 2], [34, 16]]) view.setUint16(at, value, true);
  samples.forEach((one, n) => view.setInt16(44 + 2 * n, one / most * 32000, true));
  return new Blob([view], { type: "audio/wav" });
}

// A MIDI file of type 1: the tempo, then the tracks with their names and programs.
function midiOf(song, facts) {
  const bytes = (value, count) => Array.from({ length: count }, (_, n) => (value >>> (8 * (count - 1 - n))) & 255);
  const quantity = (value) => (value < 128 ? [value] : [...quantity(value >>> 7).map((one) => one | 128), value & 127]);
  const chunk = (events) => [...new TextEncoder().encode("MTrk"), ...bytes(events.length + 4, 4), ...events, 0, 255, 47, 0];
  const step = TICKS / facts.steps, named = (name) => {
    const letters = new TextEncoder().encode(name);
    return [0, 255, 3, ...quantity(letters.length), ...letters];
  };
  const tracks = facts.tracks.map((name, track) => {
    const channel = facts.drums.includes(track) ? 9 : track % 9;
    const events = song.notes.filter((note) => note[4] === track).flatMap(([start, length, pitch, velocity]) => [
      [start * step, [0x90 | channel, pitch, velocity]], [(start + length) * step, [0x80 | channel, pitch, 0]],
    ]).sort((a, b) => a[0] - b[0] || a[1][0] - b[1][0]);
    let tick = 0;
    const timed = events.flatMap(([at, message]) => {
      const wait = quantity(at - tick);
      tick = at;
      return [...wait, ...message];
    });
    return chunk([...named(name), 0, 0xc0 | channel, facts.programs[track], ...timed]);
  });
  const tempo = chunk([0, 255, 81, 3, ...bytes(Math.round(6e7 / song.tempo), 3)]);
  const head = [...new TextEncoder().encode("MThd"), ...bytes(6, 4), ...bytes(1, 2), ...bytes(tracks.length + 1, 2), ...bytes(TICKS, 2)];
  return new Blob([Uint8Array.from([...head, ...tempo, ...tracks.flat()])], { type: "audio/midi" });
}

// A song as those of the page: player, roll, links.
async function article(song, facts, name) {
  const step = 60 / song.tempo / facts.steps, made = document.createElement("article");
  const notes = song.notes.map(([start, length, ...rest]) => [start * step, length * step, ...rest]);
  const [wav, midi] = [await sound(song, facts), midiOf(song, facts)].map((blob) => URL.createObjectURL(blob));
  made.className = "song";
  made.innerHTML = `<h3>${name}</h3><audio controls src="${wav}"></audio>
    <div class="roll" tabindex="0"><canvas role="img" aria-label="Piano roll of ${name}"></canvas>
    <div class="cursor"></div></div><p class="tracks"></p><p class="files">
    <a href="${midi}" download="${name}.mid">mid</a> <a href="${wav}" download="${name}.wav">wav</a></p>`;
  const data = Object.assign(document.createElement("script"), { type: "application/json" });
  data.textContent = JSON.stringify({ tracks: facts.tracks, drums: facts.drums, notes });
  made.append(data);
  return made;
}

{
  const section = document.querySelector(".composer"), facts = JSON.parse(section.querySelector("script").textContent);
  const form = section.querySelector("form"), status = section.querySelector("output");
  let session;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button"), seed = Number(form.seed.value);
    button.disabled = true;
    try {
      status.textContent = session ? "composing ..." : "loading the model, once ...";
      session ??= await started();
      const song = await compose(seed, facts, session), made = await article(song, facts, `new song ${seed}`);
      form.after(made);
      show(made);
      status.textContent = "";
      form.seed.value = seed + 1;
    } catch (error) {
      status.textContent = `This browser cannot compose: ${error.message}`;
    }
    button.disabled = false;
  });
}
