// The dashboard's own script: what HTML and htmx cannot do. Pages work without it.
"use strict";
(() => {
  // --- time zone: the server writes times in the one that the browser keeps ---

  /** @param {string} name */
  const cookie = (name) => {
    const found = document.cookie.split("; ").find((pair) => pair.startsWith(name + "="));
    return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
  };

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && cookie("zone") !== zone) {
    document.cookie = `zone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;
    if (document.querySelector("time") && cookie("zone") === zone) location.reload();
  }

  /** Tells people who listen what changed on the page. @param {string} text */
  const say = (text) => {
    const live = document.getElementById("live");
    if (live) live.textContent = text;
  };

  // --- buttons that do one thing ---

  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    const button = target?.closest("[data-copy]");
    if (!(button instanceof HTMLElement)) return;
    const source = document.getElementById(button.dataset.copy ?? "");
    const text = source instanceof HTMLInputElement ? source.value : source?.textContent ?? "";
    void navigator.clipboard.writeText(text).then(() => {
      const word = button.textContent;
      button.textContent = "Copied";
      say("Copied");
      setTimeout(() => { button.textContent = word; }, 1500);
    });
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement)) return;
    const question = form.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });

  // --- menus close when one looks elsewhere ---

  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.dropdown[open]")) {
      if (event.target instanceof Node && !menu.contains(event.target)) menu.removeAttribute("open");
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.dropdown[open]")) menu.removeAttribute("open");
  });

  // The menu stands open where there is room for it.
  const wide = matchMedia("(min-width: 64rem)");
  const arrange = () => document.getElementById("menu")?.toggleAttribute("open", wide.matches);
  wide.addEventListener("change", arrange);
  arrange();

  // === inbox ===

  // The clock of the first contact: words as the server writes them, by the server's time.

  /** @param {number} seconds */
  const spell = (seconds) => {
    const whole = Math.floor(seconds);
    const minutes = Math.floor(whole / 60), hours = Math.floor(minutes / 60);
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return whole % 60 && minutes < 10 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
    if (whole < 48 * 3600) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
    return `${Math.floor(whole / 86400)} d`;
  };

  /** @type {{page: Element | null, said: string, ahead: number}} */
  const server = { page: null, said: "", ahead: 0 };

  const tick = () => {
    const page = document.getElementById("inbox");
    if (!page) return;
    if (page.dataset.now !== server.said || page !== server.page) {
      server.page = page;
      server.said = page.dataset.now ?? "";
      server.ahead = Date.parse(server.said) - Date.now();
    }
    if (document.hidden) return;
    const now = Date.now() + server.ahead;
    for (const clock of page.querySelectorAll(".clock[data-since]")) {
      if (!(clock instanceof HTMLElement)) continue;
      const due = Date.parse(clock.dataset.due ?? ""), since = Date.parse(clock.dataset.since ?? "");
      const left = (due - now) / 1000;
      const text = isNaN(due) ? `waiting ${spell(Math.max(0, (now - since) / 1000))}`
        : left > 0 ? `${spell(left)} left` : `overdue by ${spell(-left)}`;
      if (clock.textContent !== text) clock.textContent = text;
      clock.classList.toggle("overdue", left <= 0);
    }
  };
  setInterval(tick, 1000);
  tick();

  // Panels close when one looks elsewhere; Escape gives the focus back.

  document.addEventListener("click", (event) => {
    for (const panel of document.querySelectorAll("details.pop[open]")) {
      if (event.target instanceof Node && !panel.contains(event.target)) panel.removeAttribute("open");
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const panel of document.querySelectorAll("details.pop[open]")) {
      panel.removeAttribute("open");
      panel.querySelector("summary")?.focus();
    }
  });

  document.addEventListener("htmx:after:swap", () => {
    tick();
    const number = document.getElementById("number");
    if (number) say(number.textContent ?? "");
  });

  document.addEventListener("htmx:error", () => { say("That did not work. Please try again."); });

  // New leads, told by the server; asked for every few seconds where the stream does not come.

  const ASK_MS = 10_000;
  const news = document.getElementById("news");
  const fresh = { count: 0, after: news?.dataset.after ?? "0", asking: 0 };

  /** @typedef {{name: string, action: string, link: string}} Urgent */
  /** @param {{count: number, newest: number, very_hot: Urgent[]}} told */
  const tell = (told) => {
    const link = news?.querySelector("a");
    if (!link || !told.count) return;
    fresh.count += told.count;
    fresh.after = String(told.newest);
    link.textContent = `${fresh.count} new ${fresh.count === 1 ? "lead" : "leads"}: show`;
    link.hidden = false;
    document.title = document.title.replace(/^(\(\d+\) )?/, `(${fresh.count}) `);
    say(`${fresh.count} new ${fresh.count === 1 ? "lead" : "leads"}`);
    told.very_hot.forEach(notify);
  };

  /** @param {Urgent} lead */
  const notify = (lead) => {
    if (!("Notification" in window) || Notification.permission !== "granted") return;
    const shown = new Notification(`Very Hot lead: ${lead.name}`, { body: lead.action, tag: lead.link });
    shown.addEventListener("click", () => {
      window.focus();
      location.assign(lead.link);
    });
  };

  const ask = async () => {
    try {
      const answer = await fetch(`${news?.dataset.url}?after=${fresh.after}`, { headers: { accept: "application/json" } });
      if (answer.ok && !answer.redirected) tell(await answer.json());
    } catch { /* The network is away; the next time may find it. */ }
  };

  const beginAsking = () => { fresh.asking ||= window.setInterval(ask, ASK_MS); };
  const endAsking = () => {
    clearInterval(fresh.asking);
    fresh.asking = 0;
  };

  if (news) {
    news.addEventListener("leads", (event) => {
      if (event instanceof CustomEvent) tell(JSON.parse(event.detail.data));
    });
    for (const name of ["htmx:sse:error", "htmx:sse:close", "htmx:response:error", "htmx:error"]) {
      news.addEventListener(name, beginAsking);
    }
    news.addEventListener("htmx:sse:after:connection", endAsking);
    // htmx looks for work in a timer of its own, at times before its extension is loaded. This timer
    // comes after both.
    setTimeout(() => {
      const htmx = /** @type {{htmx?: {process: (one: Element) => void}}} */ (window).htmx;
      news.setAttribute("hx-sse:connect", `${news.dataset.url}?after=${fresh.after}`);
      if (htmx) htmx.process(news);
      else beginAsking();
    });
  }

  const allow = document.getElementById("notify");
  if (allow && "Notification" in window) {
    allow.hidden = Notification.permission !== "default";
    allow.addEventListener("click", async () => {
      allow.hidden = await Notification.requestPermission() !== "default";
      say(Notification.permission === "granted" ? "You will be notified" : "Notifications stay off");
    });
  }

  // Keys: j and k walk, the rest opens something. They can be turned off (WCAG 2.1.4).

  const KEYS_OFF = "propgauge keys off";
  const help = document.getElementById("keys");
  const keysOn = document.getElementById("keys-on");

  /** @param {number} step */
  const walk = (step) => {
    const links = [...document.querySelectorAll("#inbox .lead-link")];
    const active = document.activeElement;
    const row = active?.closest("tr");
    const at = row ? links.findIndex((link) => row.contains(link)) : -1;
    const next = links[Math.min(links.length - 1, Math.max(0, at < 0 ? 0 : at + step))];
    if (next instanceof HTMLElement) next.focus();
  };

  /** @param {string} id */
  const open = (id) => {
    const panel = document.getElementById(id);
    panel?.setAttribute("open", "");
    const first = panel?.querySelector(".panel input:not([type=hidden])");
    if (first instanceof HTMLElement) first.focus();
  };

  /** @type {Record<string, () => void>} */
  const keys = {
    j: () => walk(1),
    k: () => walk(-1),
    "/": () => document.getElementById("q")?.focus(),
    f: () => open("panel"),
    s: () => open("save"),
    n: () => {
      const link = news?.querySelector("a");
      if (link && !link.hidden) link.click();
    },
    "?": () => { if (help instanceof HTMLDialogElement) help.showModal(); },
  };

  if (help instanceof HTMLDialogElement && keysOn instanceof HTMLInputElement) {
    keysOn.checked = localStorage.getItem(KEYS_OFF) === null;
    keysOn.addEventListener("change", () => {
      if (keysOn.checked) localStorage.removeItem(KEYS_OFF);
      else localStorage.setItem(KEYS_OFF, "1");
    });
    for (const button of document.querySelectorAll("[data-dialog=keys]")) {
      button.removeAttribute("hidden");
      button.addEventListener("click", () => help.showModal());
    }
    document.addEventListener("keydown", (event) => {
      const target = event.target instanceof Element ? event.target : null;
      const isTyping = target?.closest("input:not([type=checkbox]), select, textarea, [contenteditable]");
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey || help.open || !keysOn.checked) return;
      const act = keys[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
  }

  // === lead page ===

  // === settings ===

  // === sites ===

  // === overview ===

  // === visitors ===
})();
