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

  // What htmx has put in place tells by itself what it holds.
  document.addEventListener("htmx:after:swap", () => {
    const filled = document.querySelector("main [data-said]");
    if (filled instanceof HTMLElement && filled.dataset.said) say(filled.dataset.said);
  });

  // === settings ===

  // === sites ===

  // === overview ===

  // === visitors ===
})();
