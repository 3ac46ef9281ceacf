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

  // === overview ===

  // === visitors ===
})();
