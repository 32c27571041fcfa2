// What pages can do without a script they do without it; this makes them move.
"use strict";

// Filters apply when a choice is made; the text field waits for Enter, and the button is for those without a script.
for (const form of document.querySelectorAll("form[data-filters]")) {
  form.addEventListener("change", (event) => {
    if (event.target.type !== "search") form.requestSubmit();
  });
  form.addEventListener("submit", () => {
    for (const field of form.elements) if (field.name && field.value === "") field.disabled = true;
  });
}
// coming Back shows the form as it was left, with the empty fields switched off
window.addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("form[data-filters] :disabled")) field.disabled = false;
});

// The menu is a column on wide screens; on small ones a drop-down, closed by Escape or a click beside it.
const menu = document.querySelector("details.menu");
if (menu) {
  const wide = matchMedia("(min-width: 60rem)");
  const fit = () => { menu.open = wide.matches; };
  wide.addEventListener("change", fit);
  fit();
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.open && !wide.matches) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  document.addEventListener("click", (event) => {
    if (!wide.matches && menu.open && !menu.contains(event.target)) menu.open = false;
  });
}

// Times in the reader's own zone, beside UTC.
for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.getTime())) time.title = `${time.title}\n${at.toLocaleString()} here`;
}

// Scans in progress. A browser keeps six connections to a server, so a page follows three, and a hidden one none.
const FOLLOWED = 3;
const LINES = 8;
const LOGGED = ["started", "site_started", "site_scanned", "site_failed", "site_stopped", "stop_requested", "processing", "matched", "finished"];
const STAGES = { reach: "finding the way", discover: "looking for hosts", sweep: "looking for open ports", identify: "asking what answers" };
const places = [...document.querySelectorAll("[data-live]")].slice(0, FOLLOWED);
const streams = new Map();

function follow(place) {
  const page = place.closest("section");
  const stream = new EventSource(place.dataset.live);
  const said = place.querySelector("[data-said]");
  const log = page.querySelector("[data-log]");
  if (log) log.replaceChildren();
  stream.addEventListener("progress", (event) => {
    const now = JSON.parse(event.data);
    if (now.site_id !== null) {
      if (now.stage) said.textContent = `${(STAGES[now.stage] || now.stage).replace(/^./, (c) => c.toUpperCase())}, ${now.hosts_done} of ${now.hosts_total} hosts done.`;
      return;
    }
    place.querySelector("progress").value = now.percent;
    place.querySelector("[data-percent]").textContent = `${Math.round(now.percent)} %`;
    const hosts = page.querySelector("[data-hosts]");
    if (hosts) hosts.textContent = now.hosts_total;
    const sites = page.querySelector("[data-sites]");
    if (sites) sites.textContent = `${now.sites_done} of ${now.sites_total}`;
    if (now.state === "processing") said.textContent = "All sites have ended; the report is being made.";
  });
  for (const name of LOGGED) {
    stream.addEventListener(name, (event) => {
      const line = JSON.parse(event.data);
      if (!log) return;
      const item = document.createElement("li");
      const time = document.createElement("time");
      time.dateTime = line.at;
      time.textContent = new Date(line.at).toLocaleTimeString();
      item.append(time, ` ${line.message}`);
      log.prepend(item);
      while (log.children.length > LINES) log.lastElementChild.remove();
    });
  }
  stream.addEventListener("end", () => {
    stream.close();
    location.reload();
  });
  streams.set(place, stream);
}

function turn() {
  if (document.hidden) {
    for (const stream of streams.values()) stream.close();
    streams.clear();
  } else {
    for (const place of places) if (!streams.has(place)) follow(place);
  }
}

if (places.length) {
  document.addEventListener("visibilitychange", turn);
  window.addEventListener("pagehide", () => streams.forEach((stream) => stream.close()));
  turn();
}
