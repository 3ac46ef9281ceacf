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
    if (!source) return;
    void copy(source).then((did) => {
      const word = button.textContent, told = did ? "Copied" : "Select and copy it by hand";
      if (word === told) return;
      button.textContent = told;
      say(told);
      setTimeout(() => { button.textContent = word; }, 1500);
    });
  });

  /** Browsers lend the clipboard to https and localhost only; elsewhere the selection is copied. */
  const copy = async (/** @type {HTMLElement} */ source) => {
    try {
      await navigator.clipboard.writeText(source instanceof HTMLInputElement ? source.value : source.textContent ?? "");
      return true;
    } catch {
      if (source instanceof HTMLInputElement) source.select();
      else getSelection()?.selectAllChildren(source);
      return document.execCommand("copy");
    }
  };

  // What a form asks for is done once, however often its button is pressed before the answer.
  const SENT_MS = 3_000;
  /** @type {WeakMap<HTMLFormElement, number>} */
  const sent = new WeakMap();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement)) return;
    const question = form.dataset.confirm;
    const isAgain = event.timeStamp - (sent.get(form) ?? -Infinity) < SENT_MS;
    if (isAgain || (question && !confirm(question))) event.preventDefault();
    const button = event.submitter instanceof HTMLButtonElement ? event.submitter : null;
    const isPost = (button?.formMethod || form.method) === "post";
    if (isPost && !event.defaultPrevented) sent.set(form, event.timeStamp);
  });
  addEventListener("pageshow", () => { for (const form of document.forms) sent.delete(form); });

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

  // The next page is read from its top.
  let isTurning = false;
  document.addEventListener("htmx:before:swap", (event) => {
    const source = event instanceof CustomEvent ? event.detail.ctx?.sourceElement : null;
    isTurning = source instanceof Element && source.closest(".pager") !== null;
  });
  document.addEventListener("htmx:after:swap", () => {
    const first = isTurning ? document.querySelector("#inbox .lead-link") : null;
    if (first instanceof HTMLElement) first.focus({ preventScroll: true });
    if (isTurning) scrollTo({ top: 0, behavior: "instant" });
    isTurning = false;
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

  // Back from a lead, one stands where one left the list.

  const LEFT_AT = "propgauge left at";
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("#inbox .lead-link") : null;
    if (link instanceof HTMLAnchorElement) sessionStorage.setItem(LEFT_AT, link.pathname);
  });
  if (document.getElementById("inbox")) {
    const left = sessionStorage.getItem(LEFT_AT);
    sessionStorage.removeItem(LEFT_AT);
    const came = performance.getEntriesByType("navigation")[0];
    const isBack = came instanceof PerformanceNavigationTiming && came.type !== "navigate";
    const isFromLead = document.referrer.startsWith(location.origin + left);
    const links = [...document.querySelectorAll("#inbox .lead-link")];
    const link = left && (isBack || isFromLead) && links.find((one) => one instanceof HTMLAnchorElement && one.pathname === left);
    if (link instanceof HTMLElement) link.focus();
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

  if (keysOn instanceof HTMLInputElement) {
    keysOn.checked = localStorage.getItem(KEYS_OFF) === null;
    keysOn.addEventListener("change", () => {
      if (keysOn.checked) localStorage.removeItem(KEYS_OFF);
      else localStorage.setItem(KEYS_OFF, "1");
    });
  }
  if (help instanceof HTMLDialogElement && keysOn instanceof HTMLInputElement) {
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

  // What htmx has put in place tells by itself what it holds.
  document.addEventListener("htmx:after:swap", () => {
    const filled = document.querySelector("main [data-said]");
    if (filled instanceof HTMLElement && filled.dataset.said) say(filled.dataset.said);
  });

  // === settings ===

  document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  /** The number beside a slider, and the other way round. @param {HTMLInputElement} slider */
  const numberOf = (slider) => {
    const field = document.getElementById(slider.dataset.pair ?? "");
    return field instanceof HTMLInputElement ? field : null;
  };

  const sliders = () => [...document.querySelectorAll("input[data-pair]")].filter((one) => one instanceof HTMLInputElement);
  for (const slider of sliders()) slider.hidden = false;

  /** What is wrong with a threshold, "" for nothing. @param {HTMLFormElement} form @param {HTMLInputElement} field */
  const faultOf = (form, field) => {
    const value = field.valueAsNumber;
    if (!(value >= 0 && value <= 1)) return "must be a number from 0 to 1";
    const [, grade, kind] = /^([ab])_rotator_(\w+)$/.exec(field.name) ?? [];
    if (!grade) return "";
    const below = grade === "a" ? "b" : "c";
    const other = form.elements.namedItem(`${below}_rotator_${kind}`);
    const asks = other instanceof HTMLInputElement ? other.valueAsNumber : NaN;
    return value < asks ? `is lower than the ${asks} of ${below.toUpperCase()}` : "";
  };

  /** @param {HTMLFormElement} form */
  const checkThresholds = (form) => {
    for (const field of form.querySelectorAll("input[type=number]")) {
      const told = document.getElementById("e-" + field.getAttribute("name"));
      if (!(field instanceof HTMLInputElement) || !told) continue;
      const fault = faultOf(form, field);
      if (told.textContent !== fault) told.textContent = fault;
      told.hidden = !fault;
      if (fault) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
  };

  document.addEventListener("input", (event) => {
    const field = event.target;
    if (!(field instanceof HTMLInputElement)) return;
    const form = field.closest("form[data-thresholds]");
    if (!(form instanceof HTMLFormElement)) return;
    const number = numberOf(field);
    if (number) number.value = field.value;
    else for (const slider of sliders()) if (numberOf(slider) === field) slider.value = field.value;
    checkThresholds(form);
  });

  document.addEventListener("htmx:after:swap", () => {
    const summary = document.getElementById("preview")?.dataset.summary;
    if (summary) say(summary);
  });

  // === sites ===

  // Each step that a site's verification reaches is told; what is swapped in is not heard by itself.
  const verification = document.getElementById("steps")?.parentElement;
  if (verification) {
    const steps = () => document.getElementById("steps")?.dataset.steps;
    let reached = steps();
    new MutationObserver(() => {
      if (steps() === reached) return;
      reached = steps();
      say(document.getElementById("result")?.textContent ?? "");
    }).observe(verification, { childList: true, subtree: true, attributeFilter: ["data-steps"] });
  }

  // === overview ===

  /**
   * What the server tells of the chart: `before` is null where nothing is compared.
   * @typedef {{ title: string, unit: "count" | "share" | "points" | "seconds", labels: string[],
   *   now: (number | null)[], before: (number | null)[] | null, running: boolean }} ChartData
   */

  /** @param {string} unit @param {number} value */
  const chartValue = (unit, value) => {
    if (unit === "share") return `${(value * 100).toFixed(1)} %`;
    if (unit !== "seconds") return value.toLocaleString("en", { maximumFractionDigits: 1 });
    const hours = value / 3600;
    return hours >= 48 ? `${Math.round(hours / 24)} d` : hours >= 2 ? `${Math.round(hours)} h` : `${Math.round(value / 60)} min`;
  };

  /** @param {string} name */
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /** The lines of the chart: the last step of a running stretch is a dotted one of its own. @param {ChartData} data */
  const chartLines = (data) => {
    const last = data.now.reduce((/** @type {number} */ found, value, place) => (value === null ? found : place), -1);
    const ended = data.running && last > 0 ? data.now.map((value, place) => (place === last ? null : value)) : data.now;
    const running = data.now.map((value, place) => (place >= last - 1 && last > 0 ? value : null));
    return { ended, running: data.running ? running : data.now.map(() => null), before: data.before ?? data.now.map(() => null) };
  };

  /** A bubble beside the pointer: the step, and both values. @param {ChartData} data */
  const chartBubble = (data) => {
    const bubble = document.createElement("div");
    bubble.className = "bubble";
    bubble.hidden = true;
    /** @param {number | null | undefined} value */
    const shown = (value) => (value === null || value === undefined ? "—" : chartValue(data.unit, value));
    return {
      hooks: {
        /** @param {any} plot */
        init: (plot) => plot.over.append(bubble),
        /** @param {any} plot */
        setCursor: (plot) => {
          const { idx, left } = plot.cursor;
          bubble.hidden = idx === null || idx === undefined || left < 0;
          if (bubble.hidden) return;
          const before = data.before ? `, before ${shown(data.before[idx])}` : "";
          bubble.textContent = `${data.labels[idx]}: ${shown(data.now[idx])}${before}`;
          const room = plot.over.clientWidth - bubble.offsetWidth;
          bubble.style.left = `${Math.max(0, Math.min(room, left + 12))}px`;
          bubble.style.top = "4px";
        },
      },
    };
  };

  /** @type {any} */
  let plot = null;

  const drawChart = () => {
    const box = document.getElementById("chart");
    const source = document.getElementById("chart-data");
    const UPlot = /** @type {any} */ (window).uPlot;
    if (!box || !source || !UPlot) return;
    /** @type {ChartData} */
    const data = JSON.parse(source.textContent ?? "");
    const lines = chartLines(data);
    const [ink, faint, grid] = [colour("--series-1"), colour("--faint"), colour("--line")];
    const axis = { stroke: colour("--soft"), grid: { stroke: grid, width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const few = data.labels.length <= 3;
    plot?.destroy();
    box.replaceChildren();
    plot = new UPlot({
      width: box.clientWidth, height: box.clientHeight, padding: [12, 44, 0, 0],
      scales: { x: { time: false, range: few ? [-0.5, data.labels.length - 0.5] : undefined }, y: { range: (/** @type {any} */ _plot, /** @type {number} */ _low, /** @type {number} */ high) => [0, high > 0 ? high * 1.08 : 1] } },
      legend: { show: false }, cursor: { y: false, drag: { x: false, y: false } }, plugins: [chartBubble(data)],
      axes: [
        { ...axis, grid: { show: false }, size: 30, space: 90, incrs: [1, 2, 3, 4, 7, 14, 28], values: (/** @type {any} */ _plot, /** @type {number[]} */ places) => places.map((place) => data.labels[place] ?? "") },
        { ...axis, size: 62, incrs: data.unit === "count" ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 5e4, 1e5, 1e6, 1e7] : data.unit === "seconds" ? [60, 300, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800] : undefined, values: (/** @type {any} */ _plot, /** @type {number[]} */ values) => values.map((value) => chartValue(data.unit, value)) },
      ],
      series: [
        {},
        { stroke: faint, width: 1.5, dash: [6, 5], points: { show: few } },
        { stroke: ink, width: 2.5, fill: `color-mix(in srgb, ${ink} 10%, transparent)`, points: { show: few } },
        { stroke: ink, width: 2.5, dash: [2, 5], points: { show: false } },
      ],
    }, [data.labels.map((_label, place) => place), lines.before, lines.ended, lines.running], box);
  };

  /** Countries by their names. */
  const nameCountries = () => {
    const names = new Intl.DisplayNames(["en"], { type: "region" });
    for (const one of document.querySelectorAll("[data-country]")) {
      const code = one.getAttribute("data-country") ?? "";
      if (/^[A-Z]{2}$/.test(code)) one.textContent = names.of(code) ?? code;
    }
  };

  const showOverview = () => {
    if (!document.getElementById("overview")) return;
    drawChart();
    nameCountries();
  };

  const overviewHelp = document.getElementById("overview-help");
  const overviewKeys = document.getElementById("overview-keys");
  if (overviewHelp instanceof HTMLDialogElement && overviewKeys) {
    overviewKeys.hidden = false;
    overviewKeys.addEventListener("click", () => overviewHelp.showModal());
    document.addEventListener("keydown", (event) => {
      const target = event.target instanceof Element ? event.target : null;
      if (event.ctrlKey || event.metaKey || event.altKey || overviewHelp.open) return;
      const ownDays = document.querySelector("#own-days > summary");
      if (event.key === "Escape" && target?.closest("#own-days") && ownDays instanceof HTMLElement) ownDays.focus();
      if (target?.closest("input, select, textarea")) return;
      if (keysOn instanceof HTMLInputElement && !keysOn.checked) return;
      if (event.key === "?") overviewHelp.showModal();
      else if (event.key === "c" && ownDays instanceof HTMLElement) { ownDays.click(); ownDays.focus(); }
      else {
        const link = document.querySelector(`#overview a[data-key="${CSS.escape(event.key)}"]`);
        if (link instanceof HTMLElement) link.click();
      }
    });
    let tableStood = false;
    const chartTable = () => document.getElementById("chart-table");
    document.addEventListener("htmx:before:swap", () => { tableStood = chartTable()?.hasAttribute("open") ?? false; });
    document.addEventListener("htmx:after:swap", () => {
      chartTable()?.toggleAttribute("open", tableStood);
      showOverview();
      say("The overview shows what you chose");
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawChart);
    let drawing = 0;
    addEventListener("resize", () => { cancelAnimationFrame(drawing); drawing = requestAnimationFrame(drawChart); });
    showOverview();
  }

  // === visitors ===

  const pause = document.getElementById("pause");
  if (pause) {
    let paused = false;
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
      say(paused ? "The list stands still" : "The list moves again");
    });
    document.addEventListener("htmx:before:request", (event) => {
      const asks = event.target instanceof Element && event.target.id === "presence";
      if (asks && (paused || document.hidden)) event.preventDefault();
    });
    document.addEventListener("htmx:after:swap", nameCountries);
  }
  if (!document.getElementById("overview")) nameCountries();
})();
