"use strict";
/* What moves on the pages of the jobs: times in the viewer's zone, countdowns, and what runs.
   Without it the pages are the same, and stand still; there is a link to reload them. */
(() => {
  const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const MINUTES = {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
    timeZoneName: "short",
  };
  const local = (options) => new Intl.DateTimeFormat("sv-SE", options); // as in 2026-03-02 04:17
  const toMinutes = local(MINUTES);
  const toSeconds = local({ ...MINUTES, second: "2-digit" });
  const root = document.querySelector("[data-live-url]");
  const offset = root ? Date.parse(root.dataset.liveNow) - Date.now() : 0;
  let timer = null;

  /* The two largest units, as the server spells them. */
  const spelt = (seconds) => {
    let rest = Math.max(Math.round(seconds), 0);
    const parts = UNITS.map(([size, unit]) => {
      const count = Math.floor(rest / size);
      rest -= count * size;
      return [count, unit];
    });
    const first = parts.findIndex(([count]) => count > 0);
    const shown = first < 0 ? [[0, "s"]] : parts.slice(first, first + 2);
    return shown.filter(([count], place) => count || !place).map((part) => part.join(" ")).join(" ");
  };

  const localise = () => {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.title = time.textContent;
      const form = /:\d\d:\d\d/.test(time.title) ? toSeconds : toMinutes;
      time.textContent = form.format(at);
    }
  };

  const countDown = () => {
    for (const each of document.querySelectorAll("[data-countdown]")) {
      const left = (Date.parse(each.dataset.countdown) - Date.now() - offset) / 1000;
      const text = left > 0 ? `in ${spelt(left)}` : "now";
      if (each.textContent !== text) each.textContent = text;
    }
  };

  const show = (found) => {
    for (const each of document.querySelectorAll("[data-live]")) {
      const text = found.texts[each.dataset.live];
      if (text !== undefined && each.textContent !== text) each.textContent = text;
    }
    for (const each of document.querySelectorAll("[data-live-value]")) {
      const value = found.values[each.dataset.liveValue];
      if (value === null) each.removeAttribute("value");
      else if (value !== undefined) each.value = value;
    }
  };

  const works = (well) => {
    root.querySelector("[data-live-failed]").hidden = well;
    root.querySelector("[data-live-reload]").hidden = well;
  };

  const ask = async () => {
    clearTimeout(timer);
    timer = null;
    if (document.hidden) return;
    let every = Number(root.dataset.liveEvery) || 30;
    try {
      const headers = { Accept: "application/json" };
      const answer = await fetch(root.dataset.liveUrl, { headers, cache: "no-store", redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      const found = await answer.json();
      if (found.stamp !== root.dataset.liveStamp) {
        window.location.reload();
        return;
      }
      every = found.every;
      show(found);
      works(true);
    } catch {
      works(false);
      every = 30;
    }
    if (timer === null) timer = setTimeout(ask, every * 1000);
  };

  localise();
  countDown();
  setInterval(countDown, 1000);
  if (!root) return;
  works(true);
  timer = setTimeout(ask, (Number(root.dataset.liveEvery) || 30) * 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) ask();
  });
})();
