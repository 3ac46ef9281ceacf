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

  // === lead page ===

  // === settings ===

  // === sites ===

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
