/**
 * propgauge forms: gives lead forms what the server needs to tie a lead to its visit.
 *
 *   <script defer src="https://ORIGIN/form.js" data-site="KEY"></script>
 *
 * data-endpoint  path or address of the lead endpoint, taken against the address of this
 *                script (default /api/lead)
 *
 * A form is taken when its action is the lead endpoint or when it carries data-pg-lead; any
 * other form is left as it is. A form with data-pg-lead keeps its action; only where it has
 * none it is given the lead endpoint and the method post. Taken forms get hidden fields,
 * brought up to date at every click and submit and whenever their data are read; how a form
 * is submitted stays the site's own affair. Typeform embeds get the visitor id as a hidden
 * field of theirs. Works without tracker.js, with what an earlier page left in storage.
 */
(() => {
  "use strict";

  /**
   * What is remembered of a form.
   * @typedef {object} Entry
   * @property {number} seen performance.now() when it first was
   * @property {string} [content] what the visitor had filled in when it was last looked at
   * @property {string} id of the submission of that content
   * @property {number} repairs
   */

  /** @typedef {HTMLInputElement & {selectedOptions?: Iterable<HTMLOptionElement>}} Control */

  // --- config ---------------------------------------------------------------

  // The minifier shortens local names only.
  const { document, location } = window;
  const script = /** @type {HTMLScriptElement | null} */ (document.currentScript);
  const page = /** @type {Window & {propgauge?: Function, propgaugeForm?: boolean}} */ (window);
  // Two copies would give one submission two ids.
  if (!script || page.propgaugeForm) return;
  page.propgaugeForm = true;

  const { site, endpoint = "/api/lead" } = script.dataset;
  const SESSION_MS = 30 * 60e3;
  /** Marks the fields this script added, in copies of a form too. */
  const MARK = "data-pg-field";
  /** Where a site's own script removes the fields again, an endless fight would hang it. */
  const MAX_REPAIRS = 20;
  /** Controls whose value may differ though the visitor changed nothing. */
  const UNSTEADY = /^__|captcha|turnstile|token|csrf|nonce|stamp|^timeToSubmit$/i;
  const BUTTON = /^(submit|button|reset|image)$/;
  const EMBEDS =
    ":is([data-tf-live],[data-tf-widget],[data-tf-popup],[data-tf-slider],[data-tf-sidetab]," +
    '[data-tf-popover]):not([data-tf-hidden*="visitor_id="])';
  /** CSSOM, since a content security policy may forbid the attribute; clipped, not moved
   * aside, since a right-to-left page would scroll there. */
  const UNSEEN =
    "position:absolute;clip-path:inset(50%);width:1px;height:1px;min-width:0;min-height:0;margin:0;" +
    "padding:0;border:0;opacity:0;pointer-events:none";

  /**
   * The handler, made unable to throw into the host page.
   * @template {unknown[]} A
   * @template R
   * @param {(...args: A) => R} handler
   * @returns {(...args: A) => R | undefined}
   */
  const safely = (handler) => (...args) => {
    try {
      return handler(...args);
    } catch {
      return undefined;
    }
  };

  // --- identity -------------------------------------------------------------

  /** @param {string} key */
  const read = (key) => safely(() => localStorage.getItem(key))() || "";

  const newId = () =>
    [Date.now(), ...crypto.getRandomValues(new Uint32Array(3))]
      .map((part) => part.toString(36))
      .join("");

  // --- filters --------------------------------------------------------------

  /** Why what an earlier page stored may not be used, or a falsy value. */
  const refusal = () =>
    (/** @type {any} */ (navigator).globalPrivacyControl === true && "gpc") ||
    (read("_pg_ignore") && "ignored");

  /** @param {string} url @param {string} base */
  const address = (url, base) => new URL(url, base).href.split(/[?#]/)[0];

  const target = () => address(endpoint, script.src || location.href);

  // By attribute: a control named "action" hides the property.
  /** @param {HTMLFormElement} form */
  const takes = (form) => {
    const action = form.getAttribute("action");
    return (
      form.hasAttribute("data-pg-lead") ||
      (action && address(action, document.baseURI) == target())
    );
  };

  // --- collect --------------------------------------------------------------

  /** @returns {{visitor?: string, session?: string, state?: string}} */
  const visit = () => {
    const beacon = safely(() => page.propgauge?.("state"))();
    if (beacon) {
      const { visitor_id: visitor, session_id: session } = beacon;
      return { visitor, session, state: JSON.stringify(beacon) };
    }
    if (refusal()) return {};
    const [session, activeAt] = read("_pg_sid").split(":");
    return {
      visitor: read("_pg_vid"),
      session: Date.now() - +activeAt < SESSION_MS ? session : "",
    };
  };

  /** @type {WeakMap<HTMLFormElement, Entry>} */
  const entries = new WeakMap();

  /** @param {HTMLFormElement} form */
  const entryOf = (form) => {
    const entry = entries.get(form) || { seen: performance.now(), id: "", repairs: 0 };
    entries.set(form, entry);
    return entry;
  };

  /** @param {HTMLFormElement} form */
  const controlsOf = (form) => /** @type {Control[]} */ (Array.from(form.elements));

  /** @param {HTMLFormElement} form */
  const contentOf = (form) =>
    JSON.stringify(
      controlsOf(form)
        .filter(
          (control) =>
            !control.hasAttribute(MARK) &&
            !UNSTEADY.test(control.name) &&
            !BUTTON.test(control.type),
        )
        .map((control) => [
          control.name,
          control.value,
          control.checked,
          [...(control.selectedOptions || [])].map((option) => option.value),
        ]),
    );

  // --- fill -----------------------------------------------------------------

  /**
   * @param {HTMLFormElement} form
   * @param {string} name
   * @param {string} type
   */
  const add = (form, name, type) => {
    const input = document.createElement("input");
    input.type = type;
    input.name = name;
    input.setAttribute(MARK, "");
    form.append(input);
    return input;
  };

  /**
   * Brings the fields of a lead form up to date.
   * @param {HTMLFormElement} form
   * @returns {[string, string][]} the fields set
   */
  const refresh = (form) => {
    if (!takes(form)) return [];
    if (!form.getAttribute("action")) {
      form.setAttribute("action", target());
      form.setAttribute("method", "post");
    }
    const entry = entryOf(form);
    const content = contentOf(form);
    if (content != entry.content) entry.id = newId();
    entry.content = content;

    /** @param {string} name */
    const find = (name) =>
      controlsOf(form).find((control) => String(control.name).toLowerCase() == name.toLowerCase());
    if (!find("honeypot")) {
      const honeypot = add(form, "honeypot", "text");
      honeypot.tabIndex = -1;
      honeypot.autocomplete = "off";
      honeypot.setAttribute("aria-hidden", "true");
      honeypot.style.cssText = UNSEEN.replace(/;|$/g, "!important;");
    }
    const { visitor, session, state } = visit();
    return Object.entries({
      __visitor_id: visitor || "",
      __session_id: session || "",
      __site: site || "",
      __submission_id: entry.id,
      __pg_state: state || "",
      timeToSubmit: String(Math.round(performance.now() - entry.seen)),
      page_url: location.href,
    }).filter(([name, value]) => {
      const control = find(name);
      const ours = control?.hasAttribute(MARK);
      if (!value) {
        if (ours) control?.remove();
        return false;
      }
      if (control && !ours && name[0] != "_") return false;
      (control || add(form, name, "hidden")).value = value;
      return true;
    });
  };

  const fillEmbeds = () => {
    const embeds = document.querySelectorAll(EMBEDS);
    const visitor = embeds[0] && visit().visitor;
    if (!visitor) return;
    for (const embed of embeds) {
      const others = embed.getAttribute("data-tf-hidden");
      embed.setAttribute("data-tf-hidden", (others ? others + "," : "") + "visitor_id=" + visitor);
    }
  };

  // --- hooks ----------------------------------------------------------------

  let loaded = document.readyState == "complete";

  /** @param {(form: HTMLFormElement) => unknown} act */
  const each = (act) => {
    document.querySelectorAll("form").forEach(safely(act));
    fillEmbeds();
  };

  const scan = () =>
    each((form) => {
      const entry = entryOf(form);
      // Until the page has loaded, a framework may still compare it with its own picture.
      if (!loaded || form.querySelector("[" + MARK + "]") || !takes(form)) return;
      if (entry.repairs++ < MAX_REPAIRS) refresh(form);
    });

  /**
   * Handlers are called before the page's own, which may stop the event.
   * @param {Document | Window} source
   * @param {string} types
   * @param {(event: any) => void} handler
   */
  const on = (source, types, handler) => {
    for (const type of types.split(" "))
      source.addEventListener(type, safely(handler), { capture: true, passive: true });
  };

  // --- start ----------------------------------------------------------------

  safely(() => {
    on(document, "submit", ({ target: form }) => refresh(form));
    on(document, "formdata", ({ target: form, formData }) => {
      for (const [name, value] of refresh(form)) formData.set(name, value);
    });
    // Sites that read the fields in a click handler see no submit.
    on(document, "focusin click", () => each(refresh));
    on(window, "pageshow", ({ persisted }) => {
      if (persisted)
        each((form) => {
          delete entryOf(form).content;
          refresh(form);
        });
    });
    on(window, "load", () => {
      loaded = true;
      scan();
    });
    new MutationObserver(safely(scan)).observe(document, {
      childList: true,
      subtree: true,
      attributeFilter: ["action", "data-pg-lead"],
    });
    scan();
  })();
})();
