// A place to drop files and folders. Its value is {batch, files}; see uploads.py.
// Given by the page: element, props, trigger, watch.

const AT_ONCE = 4;
const zone = element.querySelector(".drop");
zone.innerHTML = `
  <p><b>Drop files, a folder or a zip here</b></p>
  <p>MIDI files for songs; films with captions for clips</p>
  <p><label>Choose files <input type="file" multiple></label>
     <label>Choose a folder <input type="file" webkitdirectory></label></p>
  <p class="received" role="status" aria-live="polite"></p>`;
const said = zone.querySelector(".received");

const hex = () => [...crypto.getRandomValues(new Uint8Array(8))].map((n) => n.toString(16).padStart(2, "0")).join("");

// All files of what was dropped, each with its path: [[path, File]].
async function within(entry, path = "") {
  if (entry.isFile) return [[path + entry.name, await new Promise((yes, no) => entry.file(yes, no))]];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await new Promise((yes, no) => reader.readEntries(yes, no));
    if (!some.length) return found;
    for (const one of some) found.push(...(await within(one, `${path}${entry.name}/`)));
  }
}

async function send(files) {
  if (!files.length) return;
  const batch = hex(), refused = [], waiting = [...files];
  let received = 0;
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [path, file] = next;
      const address = `upload/${batch}/${path.split("/").map(encodeURIComponent).join("/")}`;
      const answer = await fetch(address, { method: "PUT", body: file }).catch(() => null);
      if (answer?.ok) received += 1;
      else refused.push(answer ? await answer.text() : `${path} could not be sent`);
      said.textContent = `${received} of ${files.length} received`;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const more = refused.length > 3 ? ` and ${refused.length - 3} more` : "";
  said.textContent = `${received} received` + (refused.length ? `; not taken: ${refused.slice(0, 3).join("; ")}${more}` : "");
  props.value = { batch, files: received };
  trigger("input");
}

for (const input of zone.querySelectorAll("input")) {
  input.addEventListener("change", () =>
    send([...input.files].map((file) => [file.webkitRelativePath || file.name, file])));
}
zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
zone.addEventListener("dragleave", () => zone.classList.remove("over"));
zone.addEventListener("drop", async (event) => {
  event.preventDefault();
  zone.classList.remove("over");
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  send((await Promise.all(entries.map((entry) => within(entry)))).flat());
});
