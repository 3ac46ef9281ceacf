/**
 * propgauge tracker: what a visitor does on a page, sent as cumulative beacons.
 *
 *   <script defer src="https://ORIGIN/tracker.js" data-site="KEY"></script>
 *
 * data-endpoint     path or address of the beacon endpoint, taken against the address of
 *                   this script (default /api/track)
 * data-scroll-root  CSS selector of the element that scrolls where the document does not;
 *                   without it, an element that carries this attribute itself
 *
 * propgauge("state")   the page view's beacon with its totals so far, or undefined while
 *                      nothing is tracked; each call takes a sequence number
 * propgauge("reason")  why no page view may start now, or a falsy value
 */
(() => {
  "use strict";

  /**
   * What every beacon of a page view carries beside its totals.
   * @typedef {object} View
   * @property {number} v
   * @property {string | undefined} site
   * @property {string} visitor_id
   * @property {string} session_id
   * @property {string} page_view_id
   * @property {boolean} automation
   */

  /**
   * What is said once, with the view.
   * @typedef {object} Details
   * @property {string} url
   * @property {string} referrer
   * @property {string} [title]
   * @property {string} screen
   * @property {string} language
   * @property {string} timezone
   * @property {string} fingerprint
   */

  // --- config ---------------------------------------------------------------

  // The minifier shortens local names only.
  const { document, location, navigator } = window;
  const script = /** @type {HTMLScriptElement | null} */ (document.currentScript);
  const page = /** @type {Window & {propgauge?: Function & {v?: number}}} */ (window);
  // A second copy of the script would count everything twice.
  if (!script || page.propgauge?.v) return;

  const { site, endpoint = "/api/track", scrollRoot = "[data-scroll-root]" } = script.dataset;
  const SESSION_MS = 30 * 60e3;
  const TICK_MS = 1e3;
  /** A longer gap between two looks at the clock is sleep, not reading. */
  const GAP_MS = 3e3;
  /** Engaged time; after the last, one each minute. */
  const CHECKPOINTS_MS = [15e3, 45e3, 120e3];
  const MINUTE_MS = 60e3;
  /** A single-page site sets its title after its address; a redirect passes within it. */
  const SETTLE_MS = 300;

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

  /** @type {Record<string, string>} stands in where storage is blocked */
  const memory = {};

  /** @param {string} key */
  const read = (key) => safely(() => localStorage.getItem(key))() || memory[key] || "";

  /** @param {string} key @param {string} value */
  const write = (key, value) => {
    memory[key] = value;
    safely(() => localStorage.setItem(key, value))();
    return value;
  };

  /** Time first, so that the server's indexes grow at one end; then 96 random bits. */
  const newId = () =>
    [Date.now(), ...crypto.getRandomValues(new Uint32Array(3))]
      .map((part) => part.toString(36))
      .join("");

  const visitorId = () => {
    const id = read("_pg_vid");
    return /^[\w.-]+$/.test(id) ? id : write("_pg_vid", newId());
  };

  /** @returns {[string, number]} session id, time of its last activity (wall clock, ms) */
  const storedSession = () => {
    const [id, activeAt] = read("_pg_sid").split(":");
    return [id, +activeAt || 0];
  };

  const sessionId = () => {
    const [id, activeAt] = storedSession();
    return Date.now() - activeAt < SESSION_MS ? id : newId();
  };

  /** @param {string} name */
  const cookie = (name) =>
    safely(() => document.cookie.split(name + "=")[1]?.split(";")[0])();

  /**
   * Short and not secret: of traits that outlive a browser update and a turned device.
   * @param {unknown[]} traits
   */
  const hash = (traits) => {
    let sum = 5381;
    for (const char of String(traits)) sum = ((sum * 33) ^ char.charCodeAt(0)) >>> 0;
    return sum.toString(36);
  };

  // --- filters --------------------------------------------------------------

  const visible = () => document.visibilityState == "visible";

  /** Each returns why no page view may start now, or a falsy value. */
  const filters = [
    () => !/^http/.test(location.protocol) && "not-http",
    () => /** @type {any} */ (document).prerendering && "prerender",
    () => !visible() && "hidden",
    () => /** @type {any} */ (navigator).globalPrivacyControl && "gpc",
    () => read("_pg_ignore") && "ignored",
  ];

  const refusal = () => filters.reduce((reason, filter) => reason || filter(), "");

  // --- collect --------------------------------------------------------------

  /** @type {View | undefined} the present page view */
  let view;
  /** @type {Details} */
  let details;
  let seq = 0;
  let began = 0;
  /** Visible and focused, in ms. */
  let duration = 0;
  let percent = 0;
  let scrollable = false;
  let clicks = 0;
  let stored = false;
  let sent = "";
  let checkpoint = 0;
  let bottom = 0;
  let scrolled = false;
  // After a fragment, a reload or the back button the browser scrolls by itself.
  let ownScroll =
    !location.hash &&
    safely(() => /** @type {any} */ (performance.getEntriesByType("navigation")[0]).type)() ==
      "navigate";

  let path = location.pathname;
  let referrer = document.referrer;
  let activeAt = 0;
  let clockedAt = 0;
  let clickedAt = 0;
  let engaged = false;

  const idle = () => Date.now() - activeAt > SESSION_MS;

  /** Adds the time since the last look if it was engaged, and looks again. */
  const clock = () => {
    const now = performance.now();
    if (engaged) duration += Math.min(now - clockedAt, GAP_MS);
    clockedAt = now;
    engaged = visible() && document.hasFocus() && !idle();
  };

  const scroller = () =>
    safely(() => document.querySelector(scrollRoot))() ||
    document.scrollingElement ||
    document.documentElement;

  /** Depth is kept in pixels against the present height: images that load late lower it. */
  const measure = () => {
    if (!view) return;
    const root = scroller();
    const { scrollTop, scrollHeight, clientHeight } = root;
    // innerHeight has what a collapsed mobile toolbar uncovers.
    const height = root == document.scrollingElement ? innerHeight : clientHeight;
    if (scrolled) bottom = Math.max(bottom, scrollTop + height);
    scrollable = scrollHeight > height + 1;
    percent = scrollable ? Math.min(100, Math.round((100 * bottom) / scrollHeight)) : 0;
    // Half a surrogate pair, cut here or made by the site, is not JSON to the server.
    details.title = document.title.slice(0, 300).replace(/[\ud800-\udfff]/gu, "");
  };

  const look = () => {
    clock();
    measure();
  };

  /** @param {boolean} engage @param {number} number */
  const beacon = (engage, number) => ({
    ...view,
    seq: number,
    duration_ms: Math.round(duration),
    scroll_percent: percent,
    scrollable,
    clicks,
    fbp: cookie("_fbp"),
    fbc: cookie("_fbc"),
    ...(engage
      ? { type: "engage", age_ms: 0 }
      : { type: "view", age_ms: Math.max(0, Date.now() - began), ...details }),
  });

  const state = () => {
    look();
    return view && beacon(stored, seq++);
  };

  // --- send -----------------------------------------------------------------

  /**
   * @param {object} body
   * @param {(acknowledged: boolean) => void} answered not called where no answer can be read
   */
  const post = (body, answered) => {
    const url = new URL(endpoint, script.src || location.href).href;
    const text = JSON.stringify(body);
    // Without keepalive a request dies with its page.
    if ("keepalive" in Request.prototype)
      fetch(url, { method: "POST", body: text, keepalive: true, credentials: "omit" }).then(
        (response) => answered(response.ok),
        () => answered(false),
      );
    else navigator.sendBeacon(url, text);
  };

  const keepSession = () => {
    // An older time must not win: another tab may have gone on.
    if (view && activeAt > storedSession()[1]) write("_pg_sid", view.session_id + ":" + activeAt);
  };

  /** Sends the totals if they changed, with the view until that is acknowledged. */
  const flush = () => {
    const current = view;
    if (!current) return;
    keepSession();
    // In whole seconds: the moments of leaving come together, milliseconds apart.
    const totals = String([Math.floor(duration / 1e3), percent, scrollable, clicks]);
    if (totals == sent) return;
    sent = totals;
    const first = beacon(false, 0);
    const number = seq++;
    const next = beacon(true, number);
    post(!number ? first : stored ? next : [first, next], (acknowledged) => {
      if (view != current) return;
      if (acknowledged) stored = true;
      else sent = "";
    });
  };

  const send = () => {
    look();
    flush();
  };

  /** Starts a page view, unless a filter refuses it. */
  const begin = () => {
    activeAt = began = Date.now();
    clock();
    view = undefined;
    if (refusal()) return;
    const { width, height, colorDepth } = screen;
    const { language, languages, platform, hardwareConcurrency } = navigator;
    const timezone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    seq = duration = clicks = bottom = 0;
    stored = scrolled = false;
    sent = "";
    checkpoint = CHECKPOINTS_MS[0];
    view = {
      v: 1,
      site,
      visitor_id: visitorId(),
      session_id: sessionId(),
      page_view_id: newId(),
      automation: !!navigator.webdriver,
    };
    details = {
      url: location.href.slice(0, 2000),
      referrer: referrer.slice(0, 2000),
      screen: width + "x" + height,
      language,
      timezone,
      fingerprint: hash([
        [width, height].sort(),
        colorDepth,
        timezone,
        languages,
        platform,
        hardwareConcurrency,
      ]),
    };
    keepSession();
  };

  /** The visitor is here: goes on with the view, or starts one when it is over. */
  const revive = () => {
    if (!view || idle()) {
      send();
      begin();
      send();
    }
    activeAt = Date.now();
    clock();
  };

  // --- hooks ----------------------------------------------------------------

  const shownOrHidden = () => (visible() ? revive() : send());

  /** @param {Event} event */
  const left = (event) => {
    send();
    // Coming back from the back/forward cache is a new view.
    if (/** @type {PageTransitionEvent} */ (event).persisted) view = undefined;
  };

  /** @param {Event} event */
  const input = ({ isTrusted, type }) => {
    if (!view || !isTrusted) return;
    if (idle()) revive();
    activeAt = Date.now();
    if (type != "pointermove") ownScroll = true;
  };

  const scroll = () => {
    // A single-page site goes to the top by itself.
    if (!ownScroll || scroller().scrollTop <= 0) return;
    scrolled = true;
    measure();
  };

  /** @param {Event} event */
  const click = (event) => {
    const { isTrusted, timeStamp, detail } = /** @type {MouseEvent} */ (event);
    // detail is 0 for keys; a label's click comes again from its control, at the same time.
    if (isTrusted && detail && timeStamp != clickedAt) clicks++;
    clickedAt = timeStamp;
  };

  const navigated = () => {
    if (path == location.pathname) return;
    path = location.pathname;
    clock();
    // Not measured: the document may show the next page already. A view that was not sent
    // yet was a redirect on the way to this one.
    if (seq) flush();
    if (view) referrer = details.url;
    ownScroll = false;
    begin();
    setTimeout(safely(send), SETTLE_MS);
  };

  const tick = () => {
    look();
    if (duration < checkpoint) return;
    checkpoint = CHECKPOINTS_MS.find((due) => due > duration) || checkpoint + MINUTE_MS;
    if (Date.now() - activeAt < MINUTE_MS) flush();
  };

  /**
   * @param {Document | Window} source the document hears of every event before the page can
   *   stop it, the window of its own only
   * @param {string} types
   * @param {(event: Event) => void} handler
   */
  const on = (source, types, handler) => {
    for (const type of types.split(" "))
      source.addEventListener(type, safely(handler), {
        capture: source == document,
        passive: true,
      });
  };

  /** @param {"pushState" | "replaceState"} name */
  const wrap = (name) => {
    const original = history[name];
    history[name] = function (...args) {
      original.apply(this, args);
      safely(navigated)();
    };
  };

  // --- start ----------------------------------------------------------------

  /** @type {Record<string, (() => unknown) | null>} */
  const commands = { __proto__: null, state, reason: refusal };

  page.propgauge = Object.assign(
    safely((/** @type {string} */ command) => commands[command]?.()),
    { v: 1 },
  );

  safely(() => {
    on(document, "visibilitychange prerenderingchange", shownOrHidden);
    on(window, "focus pageshow", shownOrHidden);
    on(window, "blur", send);
    on(document, "submit", send);
    on(window, "pagehide", left);
    on(document, "pointerdown pointermove keydown wheel", input);
    on(document, "scroll", scroll);
    on(document, "click", click);
    on(window, "popstate", navigated);
    wrap("pushState");
    wrap("replaceState");
    setInterval(safely(tick), TICK_MS);
    begin();
    send();
  })();
})();
