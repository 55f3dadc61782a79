"use strict";
// The list of what runs: its part of the page is fetched again and put in place.
const live = document.getElementById("live");
if (live) {
  const again = async () => {
    if (!document.hidden && !(document.getSelection() + "")) {
      try {
        const answer = await fetch(live.dataset.fragment, { cache: "no-store" });
        if (answer.ok) live.innerHTML = await answer.text();
      } catch { /* the server may come back */ }
    }
    setTimeout(again, Number(live.dataset.every));
  };
  setTimeout(again, Number(live.dataset.every));
}
// A run's report: loaded again when there is something new to say.
const state = document.getElementById("state");
if (state) {
  const frame = document.getElementById("report");
  let busy = false;
  frame.addEventListener("load", () => { busy = false; });
  const again = async () => {
    let on = true;
    try {
      const answer = await fetch(state.dataset.version, { cache: "no-store" });
      if (answer.ok) {
        const now = await answer.json();
        on = now.active;
        state.textContent = now.state;
        if (now.version !== state.dataset.shown && !busy && !document.hidden) {
          busy = true;
          state.dataset.shown = now.version;
          frame.src = state.dataset.report + "?v=" + encodeURIComponent(now.version);
        }
      }
    } catch { /* the server may come back */ }
    setTimeout(again, on ? 3000 : 15000);
  };
  setTimeout(again, 3000);
}
