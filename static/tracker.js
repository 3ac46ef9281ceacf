/**
 * propgauge tracker: what a visitor does on a page, sent as cumulative beacons.
 *
 *   <script defer src="https://ORIGIN/tracker.js" data-site="KEY"></script>
 *
 * data-endpoint     path or address of the beacon endpoint, taken against the address of
 *                   this script (default /api/track)
 * data-scroll-root  CSS selector of the element that scrolls where the document does not;
 *                   without it, an element that carries this attribute itself
 * data-consent      "required": nothing is sent or stored before the visitor's consent
 * data-dnt          heeds Do Not Track; Global Privacy Control always counts
 *
 * propgauge("consent", true | false)  keeps what the visitor decided, for later pages too;
 *                      without a value: the decision, or undefined while there is none
 * propgauge("event", name, props)     something of the site's own happened; name of 1 to 64
 *                      characters, props an object of up to 20 plain values
 * propgauge("state")   the page view's beacon with its totals so far, or undefined while
 *                      nothing is tracked; each call takes a sequence number
 * propgauge("reason")  why no page view may start now, or a falsy value
 *
 * Before the script has loaded, calls may be queued:
 *   window.propgauge = window.propgauge ||
 *     function () { (propgauge.q = propgauge.q || []).push(arguments) }
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
   * A beacon as the outbox keeps it, with more fields than these.
   * @typedef {object} Kept
   * @property {number} at time of what it tells (wall clock, ms); sent as an age
   * @property {string} type
   * @property {string} [page_view_id]
   * @property {string} [event_id]
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
  const page =
    /** @type {Window & {propgauge?: Function & {v?: number, q?: Iterable<[string]>}}} */ (window);
  // A second copy of the script would count everything twice.
  if (!script || page.propgauge?.v) return;

  const {
    site,
    endpoint = "/api/track",
    scrollRoot = "[data-scroll-root]",
    consent: gate,
    dnt,
  } = script.dataset;
  const SESSION_MS = 30 * 60e3;
  const MINUTE_MS = 60e3;
  const OUTBOX = "_pg_outbox";
  /** As many as the server takes at once. */
  const OUTBOX_ITEMS = 20;
  /** All requests in flight that may outlive their page have 64 KiB together. */
  const OUTBOX_BYTES = 40e3;
  const DAY_MS = 864e5;

  /**
   * The handler, made unable to throw into the host page.
   * @template {unknown[]} A
   * @template R
   * @param {(...args: A) => R} handler
   * @returns {(...args: A) => R | undefined}
   */
  const safely =
    (handler) =>
    /** @returns {any} */
    (...args) => {
      try {
        return handler(...args);
      } catch {}
    };

  // --- identity -------------------------------------------------------------

  /** @type {Record<string, string>} what storage does not take */
  const memory = {};

  /** @param {string} key */
  const read = (key) => memory[key] ?? safely(() => localStorage[key])() ?? "";

  /** @param {string} key @param {string} value nothing for an empty one */
  const write = (key, value) => {
    memory[key] = value;
    safely(() => {
      if (value) localStorage[key] = value;
      else delete localStorage[key];
      delete memory[key];
    })();
    return value;
  };

  /** Time first, so that the server's indexes grow at one end; then 96 random bits. */
  const newId = () =>
    [Date.now(), ...crypto.getRandomValues(new Uint32Array(3))]
      .map((part) => part.toString(36))
      .join("");

  /** @returns {string[]} session id, time of its last activity (wall clock, ms) */
  const session = () => read("_pg_sid").split(":");

  /** @param {string} name */
  const cookie = (name) =>
    safely(() => document.cookie.split(name + "=")[1]?.split(";")[0])();

  /**
   * Short and not secret: of traits that outlive a browser update and a turned device.
   * @param {unknown[]} traits
   */
  const hash = (traits) => {
    let sum = 0;
    for (const char of String(traits)) sum = (sum * 33) ^ char.charCodeAt(0);
    return sum.toString(36);
  };

  // --- filters --------------------------------------------------------------

  /** @returns {boolean | undefined} what the visitor decided, if anything */
  const consent = () => [false, true][/** @type {any} */ (read("_pg_consent"))];

  /** Why this visitor is not to be tracked, or a falsy value. */
  const forbidden = () =>
    (!/^http/.test(location.protocol) && "not-http") ||
    (/** @type {any} */ (navigator).globalPrivacyControl && "gpc") ||
    (dnt != null && navigator.doNotTrack == "1" && "dnt") ||
    (read("_pg_ignore") && "ignored") ||
    (!(consent() ?? gate != "required") && "consent");

  /** Why no page view may start now, or a falsy value. */
  const refusal = () =>
    forbidden() ||
    (/** @type {any} */ (document).prerendering && "prerender") ||
    (document.hidden && "hidden");

  // --- collect --------------------------------------------------------------

  /** @type {View | undefined} the present page view */
  let view;
  /** @type {Details} */
  let details = /** @type {any} */ ({});
  let seq = 0;
  let began = 0;
  /** Visible and focused, in ms. */
  let duration = 0;
  let percent = 0;
  let scrollable = false;
  let clicks = 0;
  let stored = false;
  let sent = "";
  /** Engaged time at which to send without another occasion: after 15, 45, 120, 180 … s. */
  let checkpoint = 0;
  /** @type {number[]} */
  let steps;
  let bottom = 0;
  // After a fragment, a reload or the back button the browser scrolls by itself.
  let ownScroll = !location.hash && !performance.navigation?.type;
  let path = location.pathname;
  let referrer = document.referrer;
  let activeAt = 0;
  let clockedAt = 0;
  let clickedAt = 0;
  let engaged = false;
  /** @type {object[]} own events whose view was not sent yet */
  const waiting = [];

  const idle = () => Date.now() - activeAt > SESSION_MS;

  /**
   * Adds the time since the last look if it was engaged, and looks again. Ends the view of
   * who must not be tracked any more, be it that another tab was told so.
   */
  const clock = () => {
    if (forbidden()) {
      view = undefined;
      waiting.length = 0;
    }
    const now = performance.now();
    // A longer gap between two looks is sleep, not reading.
    if (engaged) duration += Math.min(now - clockedAt, 3e3);
    clockedAt = now;
    engaged = !document.hidden && document.hasFocus() && !idle();
  };

  const scroller = () =>
    safely(() => document.querySelector(scrollRoot))() ||
    document.scrollingElement ||
    document.documentElement;

  /**
   * Depth is kept in pixels against the present height: images that load late lower it.
   * @param {Event} [scrolled]
   */
  const measure = (scrolled) => {
    const root = scroller();
    const { scrollTop, scrollHeight, clientHeight } = root;
    // innerHeight has what a collapsed mobile toolbar uncovers.
    const height = root == document.scrollingElement ? innerHeight : clientHeight;
    // A single-page site goes to the top by itself.
    if (scrolled && ownScroll && scrollTop > 0) bottom = Math.max(bottom, scrollTop + height);
    scrollable = scrollHeight > height + 1;
    percent = scrollable ? Math.min(100, Math.round((100 * bottom) / scrollHeight)) : 0;
    // Half a surrogate pair, cut here or made by the site, is not JSON to the server.
    details.title = document.title.slice(0, 300).replace(/[\ud800-\udfff]/gu, "");
  };

  const look = () => {
    clock();
    measure();
  };

  /** @param {object} body @returns {Kept} */
  const beacon = (body) =>
    /** @type {any} */ ({ at: Date.now(), ...view, consent: consent(), ...body });

  /** @param {boolean} engage @param {number} number */
  const totals = (engage, number) =>
    beacon({
      seq: number,
      duration_ms: duration | 0,
      scroll_percent: percent,
      scrollable,
      clicks,
      fbp: cookie("_fbp"),
      fbc: cookie("_fbc"),
      ...(engage ? { type: "engage" } : { type: "view", at: began, ...details }),
    });

  /** @param {Kept} kept */
  const aged = ({ at, ...rest }) => ({ ...rest, age_ms: Date.now() - at });

  // --- send -----------------------------------------------------------------

  /**
   * As it is: old libraries give arrays and texts a toJSON of their own.
   * @param {unknown} body
   */
  const json = (body) =>
    JSON.stringify(
      body,
      /** @this {any} @param {string} key */ function (key) {
        return this[key];
      },
    );

  /**
   * Later totals of a page view take the place of earlier ones.
   * @param {Kept} kept
   */
  const place = ({ event_id, type, page_view_id }) => type + page_view_id + event_id;

  /**
   * Takes beacons out of the outbox, unless later ones took their place, and puts others in.
   * @param {Kept[]} out
   * @param {Kept[]} into
   */
  const exchange = (out, into) => {
    /** @param {Kept} old */
    const stays = (old) =>
      Date.now() - old.at < DAY_MS &&
      !out.some((one) => place(one) == place(old) && one.at >= old.at);
    /** @type {Kept[]} */
    const kept = safely(() => JSON.parse(read(OUTBOX)).filter(stays))() || [];
    kept.push(...into);
    while (kept.length > OUTBOX_ITEMS || new Blob([json(kept)]).size > OUTBOX_BYTES) kept.shift();
    write(OUTBOX, kept[0] ? json(kept) : "");
    return kept;
  };

  /**
   * Sends a beacon, after the view while that is not acknowledged, and keeps them until they
   * are answered: the answer to what is sent on leaving is never read.
   * @param {Kept | 0} one
   * @param {boolean} [everything] that is kept, too
   */
  const transmit = (one, everything) => {
    const current = view;
    const events = waiting.splice(0, OUTBOX_ITEMS - 2).map(beacon);
    const fresh = /** @type {Kept[]} */ (
      [!stored && totals(false, 0), ...events, one].filter((kept) => kept)
    );
    const kept = exchange(fresh, fresh);
    const items = everything ? kept : fresh;
    const bodies = items.map(aged);
    const answered = safely((/** @type {{status?: any}} */ { status = 0 }) => {
      const again = /^(0|408|42[59]|5)/.test(status);
      if (view == current) {
        if (again) sent = "";
        else stored = status < 300;
      }
      if (!again) exchange(items, []);
    });
    // Without keepalive a request dies with its page.
    fetch(new URL(endpoint, script.src || /** @type {any} */ (location)), {
      method: "POST",
      body: json(bodies[1] ? bodies : bodies[0]),
      keepalive: true,
      credentials: "omit",
    }).then(answered, answered);
  };

  /** Sends the totals if they changed, with the view until that is acknowledged. */
  const flush = () => {
    if (!view) return;
    // An older time must not win: another tab may have gone on.
    if (!(+session()[1] >= activeAt)) write("_pg_sid", view.session_id + ":" + activeAt);
    // In whole seconds: the moments of leaving come together, milliseconds apart.
    const news = String([(duration / 1e3) | 0, percent, clicks]);
    if (news == sent) return;
    sent = news;
    const number = seq++;
    transmit(number && totals(true, number), !number);
  };

  const send = () => {
    look();
    flush();
  };

  /** Starts a page view, unless a filter refuses it. */
  const begin = () => {
    activeAt = began = Date.now();
    view = undefined;
    if (refusal()) return;
    const { width, height } = screen;
    const timezone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const [id, at] = session();
    seq = duration = clicks = bottom = 0;
    stored = false;
    sent = "";
    checkpoint = 15e3;
    steps = [30e3, 75e3];
    view = {
      v: 1,
      site,
      visitor_id: /^[\w.-]{1,128}$/.exec(read("_pg_vid"))?.[0] || write("_pg_vid", newId()),
      session_id: Date.now() - +at < SESSION_MS ? id : newId(),
      page_view_id: newId(),
      automation: !!navigator.webdriver,
    };
    details = {
      url: location.href.slice(0, 2000),
      referrer: referrer.slice(0, 2000),
      screen: width + "x" + height,
      language: navigator.language,
      timezone,
      fingerprint: hash([
        [width, height].sort(),
        screen.colorDepth,
        timezone,
        navigator.languages,
        navigator.platform,
        navigator.hardwareConcurrency,
      ]),
    };
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

  const shownOrHidden = () => (document.hidden ? send() : revive());

  /** @param {MouseEvent} event */
  const input = ({ isTrusted, type, timeStamp, detail }) => {
    if (!view || !isTrusted) return;
    if (idle()) revive();
    activeAt = Date.now();
    if (type != "pointermove") ownScroll = true;
    if (type != "click") return;
    // detail is 0 for keys; a label's click comes again from its control, at the same time.
    if (detail && timeStamp != clickedAt) clicks++;
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
    // The title comes after the address, and a redirect passes.
    setTimeout(safely(send), 300);
  };

  const tick = () => {
    look();
    if (duration < checkpoint) return;
    checkpoint += steps.shift() || MINUTE_MS;
    if (Date.now() - activeAt < MINUTE_MS) flush();
  };

  /**
   * @param {Document | Window} source the document hears of every event before the page can
   *   stop it, the window of its own only
   * @param {string} types
   * @param {(event: any) => void} handler
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

  // --- commands -------------------------------------------------------------

  /** @type {Record<string, Function | null>} */
  const commands = {
    __proto__: null,
    reason: refusal,

    state() {
      look();
      return view && aged(totals(stored, seq++));
    },

    /** @param {boolean} [given] */
    consent(given) {
      if (typeof given == "boolean" && given != consent()) {
        look();
        write("_pg_consent", given ? "1" : "0");
        // The server hears of it, before all is forgotten.
        sent = "";
        flush();
        if (!given) for (const key of ["_pg_vid", "_pg_sid", OUTBOX]) write(key, "");
        shownOrHidden();
      }
      return consent();
    },

    /** @param {string} name @param {object} [props] */
    event(name, props) {
      clock();
      if (typeof name != "string" || !name || name.length > 64 || forbidden()) return;
      waiting.push({
        type: "event",
        event_id: newId(),
        name,
        props: props?.constructor == Object ? props : undefined,
      });
      // A view that was not sent yet takes it along.
      if (view && seq) transmit(0);
    },
  };

  // --- start ----------------------------------------------------------------

  safely(() => {
    const queue = page.propgauge?.q || [];
    const run = safely((/** @type {string} */ command, ...args) => commands[command]?.(...args));
    page.propgauge = Object.assign(run, { v: 1 });

    on(document, "visibilitychange prerenderingchange", shownOrHidden);
    on(window, "focus pageshow", shownOrHidden);
    on(window, "blur", send);
    on(document, "submit", send);
    on(window, "pagehide", () => {
      send();
      // Coming back from the back/forward cache is a new view.
      view = undefined;
    });
    on(document, "pointerdown pointermove keydown wheel click", input);
    on(document, "scroll", measure);
    on(window, "popstate", navigated);
    on(window, "online", () => {
      look();
      if (view) transmit(totals(true, seq++), true);
    });
    setInterval(safely(tick), 1e3);
    safely(() => {
      for (const call of queue) run(...call);
    })();
    shownOrHidden();
    wrap("pushState");
    wrap("replaceState");
  })();
})();
