"use strict";
// The two things that HTML does not do by itself: following a client, and copying a text. All text is text.

const live = document.getElementById("live");
if (live) {
  const state = document.getElementById("state");
  const stop = document.getElementById("stop");
  const most = 500;
  const source = new EventSource(live.dataset.follow);
  const over = (text) => {
    source.close();
    state.textContent = text;
    stop.hidden = true;
  };
  const show = (line) => {
    const item = document.createElement("li");
    const time = document.createElement("time");
    const at = new Date(line.at * 1000);
    time.dateTime = at.toISOString();
    time.textContent = at.toLocaleTimeString();
    item.append(time, " ", line.text);
    live.append(item);
    if (live.childElementCount > most) live.firstElementChild.remove();
  };
  source.addEventListener("open", () => {
    state.textContent = "listening";
    stop.hidden = false;
  });
  source.addEventListener("line", (event) => show(JSON.parse(event.data)));
  source.addEventListener("end", (event) => over(JSON.parse(event.data).text));
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) over("can't be followed now; too many do, or the daemon is silent");
    else state.textContent = "the connection is lost; trying again";
  });
  stop.addEventListener("click", () => over("stopped"));
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy);
    const told = document.getElementById("copied");
    try {
      await navigator.clipboard.writeText(text.value);
      told.textContent = "copied";
    } catch {
      text.focus();
      text.select();
      told.textContent = "selected; copy it with Ctrl-C";
    }
  });
}
