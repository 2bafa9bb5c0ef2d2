// What a page can do with JavaScript and does without it: look at itself again when something came,
// and copy a secret. The gateway makes all markup; nothing here does.
"use strict";

const state = document.querySelector("[data-live-state]");
const page = document.querySelector("main");

// On a narrow screen the sections stand in a row that is longer than the screen.
document.querySelector(".nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// Takes the parts marked data-live out of the page as it is now, each into the place of its old self.
// One in which somebody works is left alone.
async function refresh() {
  // That nobody asked for it keeps a page that is left open from keeping its session.
  const headers = { accept: "text/html", "hookgate-unattended": "?1" };
  const answer = await fetch(location.href, { headers });
  if (!answer.ok || answer.redirected) {
    throw new Error(`the page answered ${answer.status}`);
  }
  const now = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = part.id && now.getElementById(part.id);
    const isUsed = part.contains(document.activeElement) || part.querySelector("details[open]");
    if (other && !isUsed) {
      part.replaceWith(document.adoptNode(other));
      offerCopies(other);
    }
  }
}

// Says whether what is shown is what is so now.
function show(text, isLive) {
  state.hidden = false;
  state.textContent = text;
  state.classList.toggle("off", !isLive);
}

// Looks again at most once in a second, and not while nobody sees the page. What comes during a look
// may have come too late for it: then it looks once more.
let waits = false;
let isOld = false;
function soon(pause) {
  isOld = true;
  if (waits || document.hidden) {
    return;
  }
  waits = true;
  setTimeout(async () => {
    isOld = false;
    try {
      await refresh();
      show("Live", true);
    } catch {
      show("Not live", false);
    }
    waits = false;
    if (isOld) {
      soon(1000);
    }
  }, pause);
}

// The stream says that something came; the page says what. A browser has six connections to a
// gateway without TLS, and each stream takes one: so only a page that somebody sees has one.
const stream = "EventSource" in window ? page?.dataset.stream : undefined;
let events;
function listen() {
  if (!stream || events || document.hidden) {
    return;
  }
  events = new EventSource(stream);
  events.addEventListener("open", () => show("Live", true));
  events.addEventListener("error", () => show("Not live", false));
  for (const name of ["event", "delivery", "gap"]) {
    events.addEventListener(name, () => soon(1000));
  }
}
listen();

const every = Number(page?.dataset.refresh);
if (every > 0) {
  show("Live", true);
  setInterval(() => soon(0), every * 1000);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    events?.close();
    events = undefined;
  } else if (stream || every > 0) {
    listen();
    soon(0);
  }
});

// Shows the buttons that copy a field, where the browser lets a page copy.
function offerCopies(part) {
  for (const button of part.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
  }
}
offerCopies(document);

// For the whole page: a button may be in a part that has come since.
document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  const field = button && document.getElementById(button.dataset.copy);
  if (field) {
    await navigator.clipboard.writeText(field.value ?? field.textContent);
    button.textContent = "Copied";
  }
});
