/**
 * propgauge forms: gives lead forms what the server needs to tie a lead to its visit.
 *
 *   <script defer src="https://ORIGIN/form.js" data-site="KEY"></script>
 *
 * data-endpoint            path or address of the lead endpoint, taken against the address of
 *                          this script (default /api/lead)
 * data-consent="required"  leaves out who the visitor is until they consented
 * data-dnt                 respects Do Not Track
 *
 * A form is taken when its action is the lead endpoint or when it carries data-pg-lead; any
 * other form is left as it is. A form with data-pg-lead keeps its action; only where it has
 * none it is given the lead endpoint and the method post. Taken forms get hidden fields,
 * brought up to date at every click and submit and whenever their data are read; how a form
 * is submitted stays the site's own affair, unless it asks for more:
 *
 * data-pg-ajax      on the form: what the site does not prevent is posted without leaving the
 *                   page, and tried again by itself where the network or the server fails
 * data-pg-redirect  on the form: where to go after success (or a field named _redirect)
 * data-pg-success, data-pg-error
 *                   on an element in the form or beside it: where to tell the visitor how it
 *                   went; on the form: what to tell where that element is empty
 *
 * The form tells the page by the events propgauge:lead and propgauge:error, with lead_id and
 * status (0 where there was no answer) in their detail. Typeform embeds get the visitor id as a
 * hidden field of theirs; once one is sent, the document hears of propgauge:conversion, whose
 * detail has the ids that a browser's pixel may share with the server's events. Works without
 * tracker.js, with what an earlier page left in storage.
 */
(() => {
  /**
   * What is remembered of a form.
   * @typedef {object} Entry
   * @property {number} seen performance.now() when it first was
   * @property {string} [content] what the visitor had filled in when it was last looked at
   * @property {string} [id] of the submission of that content
   * @property {number} repairs
   * @property {boolean} [busy] while it is being sent
   * @property {(() => void)[]} undo takes back what shows how the last try went, newest first
   */

  /**
   * A list where it has options.
   * @typedef {HTMLInputElement & ArrayLike<HTMLOptionElement>} Control
   */

  // --- config ---------------------------------------------------------------

  // The minifier shortens local names only.
  const { document, location } = window;
  const script = /** @type {HTMLScriptElement | null} */ (document.currentScript);
  const page = /** @type {any} */ (window);
  /** The element that holds our fields, and the property that holds what is ours elsewhere. */
  const OURS = "propgauge-form";
  // Two copies would give one submission two ids.
  if (!script || page[OURS]) return;
  page[OURS] = true;

  const { site, endpoint = "/api/lead", consent: gate, dnt } = script.dataset;
  const SESSION_MS = 30 * 60e3;
  const SETTLE_MS = 1e3;
  /** Where a site's own script removes the fields again, an endless fight would hang it. */
  const MAX_REPAIRS = 20;
  /** Controls whose value may differ though the visitor changed nothing. */
  const UNSTEADY = /^__|captcha|turnstile|token|csrf|nonce|stamp|^timeToSubmit$/i;
  const BUTTON = /submit|button|reset|image/;
  const EMBEDS =
    ":is([data-tf-live],[data-tf-widget],[data-tf-popup],[data-tf-slider],[data-tf-sidetab]," +
    '[data-tf-popover]):not([data-tf-hidden*="visitor_id="])';
  /** After the first and the second try; the third is the last. */
  const PAUSES_MS = [1e3, 3e3, 0];
  /** A server that asks for more is not kept waiting for: the visitor is told. */
  const LONGEST_PAUSE_MS = 10e3;

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

  /** Time first, so that the server's indexes grow at one end. */
  const newId = () => Date.now() + "-" + Math.random();

  /** @param {string[]} words a command of the tracker; a stub that only queues for it has no v */
  const ask = (...words) => page.propgauge?.v && safely(page.propgauge)(...words);

  /**
   * Whether the visitor consented, undefined until they were asked.
   * @returns {boolean | undefined}
   */
  const consent = () => ask("consent") ?? { 0: false, 1: true }[read("_pg_consent")];

  // --- filters --------------------------------------------------------------

  /** Whether nothing may tell who the visitor is. */
  const refused = () =>
    /** @type {any} */ (navigator).globalPrivacyControl ||
    (dnt != null && navigator.doNotTrack == "1") ||
    read("_pg_ignore") ||
    !(consent() ?? gate != "required");

  /** @param {string} url @param {string} base */
  const address = (url, base) => new URL(url, base).href.split(/[?#]/)[0];

  const target = () => address(endpoint, script.src || document.baseURI);

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

  /** @returns {(string | false | undefined)[]} visitor id, session id, the page view's totals */
  const visit = () => {
    if (refused()) return [];
    const state = ask("state");
    if (state) return [state.visitor_id, state.session_id, JSON.stringify(state)];
    const [session, activeAt] = read("_pg_sid").split(":");
    return [read("_pg_vid"), Date.now() - +activeAt < SESSION_MS && session];
  };

  /**
   * @param {any} form
   * @returns {Entry}
   */
  const entryOf = (form) =>
    (form[OURS] = form[OURS] || { seen: performance.now(), repairs: 0, undo: [] });

  /** @param {HTMLFormElement} form */
  const controlsOf = (form) => /** @type {Control[]} */ ([...form.elements]);

  /**
   * Whatever the case of its name.
   * @param {HTMLFormElement} form
   * @param {string} name
   */
  const find = (form, name) =>
    controlsOf(form).find((control) => String(control.name).toLowerCase() == name.toLowerCase());

  /** @param {HTMLFormElement} form */
  const contentOf = (form) =>
    JSON.stringify(
      controlsOf(form)
        .filter(
          (control) =>
            !control.closest(OURS) &&
            !UNSTEADY.test(control.name) &&
            !BUTTON.test(control.type),
        )
        .map((control) => [
          control.name,
          control.value,
          control.checked,
          Array.from(control, ({ selected }) => selected),
        ]),
    );

  // --- fill -----------------------------------------------------------------

  /**
   * The one element that holds our fields, of a name that no rule or script of a site counts.
   * It stands before the last control, mostly a button, or the row that this begins: so first
   * and last children remain what they are, and the steps of a form stay side by side.
   * @param {HTMLFormElement} form
   */
  const makeBox = (form) => {
    const box = document.createElement(OURS);
    // Not display: none, by which programs know a honeypot; by CSSOM, since a content security
    // policy may forbid the attribute.
    box.style.cssText = "position:fixed;visibility:hidden";
    const last = controlsOf(form).filter((control) => form.contains(control)).pop();
    /** @type {Element | null | undefined} */
    let place = last?.closest("label") || last;
    while (place?.matches("form *>:first-child")) place = place.parentElement;
    if (place) place.before(box);
    else form.append(box);
    return box;
  };

  /**
   * @param {HTMLFormElement} form
   * @param {string} name
   * @param {string} tag
   */
  const add = (form, name, tag) => {
    const control = /** @type {Control} */ (document.createElement(tag));
    control.setAttribute("type", "hidden");
    control.name = name;
    (form.querySelector(OURS) || makeBox(form)).append(control);
    return control;
  };

  /**
   * Brings the fields of a lead form up to date.
   * @param {HTMLFormElement} form
   * @returns {[string, string | false | undefined][]} the fields set; without a value, those
   *   taken away
   */
  const refresh = (form) => {
    if (!takes(form)) return [];
    if (!form.getAttribute("action")) {
      form.setAttribute("action", target());
      form.setAttribute("method", "post");
    }
    const entry = entryOf(form);
    const content = contentOf(form);
    // The dashboard looks whether the site is set up.
    if (!entry.id && /propgauge_verify=/.test(location.href)) ask("event", OURS);
    if (content != entry.content) entry.id = newId();
    entry.content = content;

    // No input: a step may ask that none of its inputs is empty.
    if (!find(form, "honeypot")) add(form, "honeypot", "textarea");
    const [visitor, session, state] = visit();
    return Object.entries({
      __visitor_id: visitor,
      __session_id: session,
      __pg_state: state,
      __submission_id: entry.id,
      __site: site,
      __consent: consent()?.toString(),
      timeToSubmit: (performance.now() - entry.seen).toFixed(),
      page_url: location.href,
    }).filter(([name, value]) => {
      const control = find(form, name);
      const ours = control?.closest(OURS);
      if (control && !ours && !/^__(?!consent)/.test(name)) return false;
      if (value) (control || add(form, name, "input")).value = value;
      else if (ours) control?.remove();
      // A site's own field may still hold what was put there before the visitor refused.
      else if (control && /_id|state/.test(name) && refused()) control.value = "";
      else return false;
      return true;
    });
  };

  const fillEmbeds = () => {
    /** @type {NodeListOf<HTMLElement>} */
    const embeds = document.querySelectorAll(EMBEDS);
    for (const { dataset } of embeds) {
      const [visitor] = visit();
      const others = dataset.tfHidden;
      if (visitor) dataset.tfHidden = (others ? others + "," : "") + "visitor_id=" + visitor;
    }
  };

  // --- tell -----------------------------------------------------------------

  /**
   * Sets an attribute until the next try.
   * @param {HTMLFormElement} form
   * @param {Element} element
   * @param {string} name
   * @param {string} value
   */
  const mark = (form, element, name, value) => {
    const before = element.getAttribute(name);
    entryOf(form).undo.unshift(() =>
      before ? element.setAttribute(name, before) : element.removeAttribute(name),
    );
    element.setAttribute(name, value);
  };

  /** @param {HTMLFormElement} form */
  const clear = (form) => {
    for (const undo of entryOf(form).undo.splice(0)) undo();
  };

  /**
   * The element for a message: in the form, beside it, or a new one.
   * @param {HTMLFormElement} form
   * @param {string} marked selector
   * @returns {HTMLElement}
   */
  const placeOf = (form, marked) =>
    form.querySelector(marked) ||
    form.parentElement?.querySelector(":scope>" + marked + ":not(form)") ||
    form.appendChild(document.createElement("div"));

  /**
   * Shows and announces a message until the next try.
   * @param {HTMLFormElement} form
   * @param {string} name of the attribute of its place
   * @param {string} role
   * @param {string} text where the site gives none
   */
  const tell = (form, name, role, text) => {
    const message = placeOf(form, "[" + name + "]");
    const own = message.textContent?.trim();
    if (!own) message.textContent = form.getAttribute(name) || text;
    message.toggleAttribute(name, true);
    message.setAttribute("role", role);
    message.hidden = false;
    message.tabIndex = -1;
    entryOf(form).undo.unshift(() => {
      if (!own) message.textContent = "";
      message.hidden = true;
    });
    return message;
  };

  /**
   * @param {HTMLFormElement} form
   * @param {any} problem
   */
  const failed = (form, problem) => {
    const text = problem?.detail || "Not sent. Please try again.";
    const message = tell(form, "data-pg-error", "alert", text);
    message.id = message.id || newId();
    /** @type {Control[]} */
    const blamed = (problem?.errors || [])
      .map((/** @type {{field: string}} */ { field }) => find(form, field))
      .filter((/** @type {Control} */ control) => control);
    for (const control of blamed) {
      const hint = control.getAttribute("aria-describedby") || "";
      mark(form, control, "aria-invalid", "true");
      mark(form, control, "aria-describedby", hint + " " + message.id);
    }
    blamed[0]?.focus();
  };

  /**
   * @param {HTMLFormElement} form
   * @param {FormData} body
   */
  const succeeded = (form, body) => {
    /** @type {any} */
    const redirect = form.getAttribute("data-pg-redirect") || body.get("_redirect");
    if (redirect && /^http/.test(/** @type {any} */ (safely(address)(redirect, document.baseURI))))
      return (location.href = redirect);
    tell(form, "data-pg-success", "status", "Thank you!").focus();
    // The last, since a control named reset hides it.
    form.reset();
  };

  // --- send -----------------------------------------------------------------

  /**
   * Posts until the answer is one that trying again would not change; the submission id makes
   * all tries one lead.
   * @param {string} url
   * @param {FormData} body
   * @returns {Promise<any>} the response, of status 0 where there was none
   */
  const post = async (url, body) => {
    for (const pause of PAUSES_MS) {
      /** @type {any} */
      const response = await fetch(url, {
        method: "post",
        body,
        headers: { Accept: "application/json" },
      }).catch(Response.error);
      const status = response.status;
      const wait = 1e3 * response.headers.get("Retry-After") || pause;
      if (!pause || wait > LONGEST_PAUSE_MS || (status && status < 500 && status != 429))
        return response;
      await new Promise((resume) => setTimeout(resume, wait));
    }
  };

  /**
   * @param {HTMLFormElement} form
   * @param {FormData} body
   */
  const send = async (form, body) => {
    clear(form);
    entryOf(form).busy = true;
    mark(form, form, "aria-busy", "true");
    // Not disabled, which would drop the focus.
    for (const control of controlsOf(form))
      if (control.type == "submit") mark(form, control, "aria-disabled", "true");
    const response = await post(/** @type {string} */ (form.getAttribute("action")), body);
    const told = await response.json().catch(() => {});
    entryOf(form).busy = false;
    clear(form);
    form.dispatchEvent(
      new CustomEvent("propgauge:" + (response.ok ? "lead" : "error"), {
        bubbles: true,
        detail: { status: response.status, lead_id: told?.lead_id },
      }),
    );
    if (response.ok) succeeded(form, body);
    else failed(form, told);
  };

  // --- hooks ----------------------------------------------------------------

  /** @param {(form: HTMLFormElement) => unknown} act */
  const each = (act) => {
    [...document.forms].forEach(safely(act));
    fillEmbeds();
  };

  let settled = document.readyState == "complete";

  const scan = safely(() =>
    each((form) => {
      const entry = entryOf(form);
      if (!settled || form.querySelector(OURS) || !takes(form)) return;
      if (entry.repairs++ < MAX_REPAIRS) refresh(form);
    }),
  );

  /**
   * Sends a form that asks for it, once the site's own handlers left that to the browser.
   * What fails before preventDefault leaves it to the browser too.
   */
  const submitted = safely((/** @type {any} */ event) => {
    const form = event.target;
    if (event.defaultPrevented || !form.hasAttribute("data-pg-ajax") || !takes(form)) return;
    const body = new FormData(form, event.submitter);
    event.preventDefault();
    if (!entryOf(form).busy) send(form, body).catch(() => {});
  });

  /**
   * Handlers are called before the page's own, which may stop the event, and after the
   * tracker's, whose totals they take.
   * @param {string} type
   * @param {(event: any) => void} handler
   */
  const on = (type, handler) => document.addEventListener(type, safely(handler), true);

  const touched = () => {
    each(refresh);
    // It may have been the visitor's consent.
    setTimeout(scan);
  };

  // --- start ----------------------------------------------------------------

  on("submit", ({ target: form }) => {
    refresh(form);
    // Anew, to be the last who is asked.
    removeEventListener("submit", submitted);
    addEventListener("submit", submitted);
  });
  on("formdata", ({ target: form, formData }) => {
    for (const [name, value] of refresh(form))
      if (value) formData.set(name, value);
      else formData.delete(name);
  });
  // Sites that read the fields in a click handler see no submit.
  on("click", touched);
  on("focusin", touched);
  // What Typeform's embed says to the page around it.
  addEventListener(
    "message",
    safely(({ data: { type, formId, responseId } }) => {
      if (type != "form-submit") return;
      const id = ":" + formId + ":" + responseId;
      const detail = { Lead: "lead" + id, SubmitApplication: "submitapplication" + id };
      document.dispatchEvent(new CustomEvent("propgauge:conversion", { detail }));
    }),
  );
  addEventListener(
    "pageshow",
    safely(({ persisted }) => {
      if (persisted) each((form) => delete entryOf(form).content);
    }),
  );
  // Until then a framework may still compare the page with its own picture.
  addEventListener("load", () =>
    setTimeout(() => {
      settled = true;
      scan();
    }, SETTLE_MS),
  );
  new MutationObserver(scan).observe(document, {
    childList: true,
    subtree: true,
    attributeFilter: ["action", "data-pg-lead"],
  });
  scan();
})();
