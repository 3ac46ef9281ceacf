// @ts-check
// The live page of what the demo webhook received. It asks ../deliveries.json once a second.
// Leads are hostile input: every value reaches the page as text, never as markup.
(() => {
  'use strict';

  /** @typedef {{received_at: string, headers: Record<string, unknown>, body: Record<string, unknown>}} Delivery */
  /** @typedef {{webhook_url: string, mode: 'demo' | 'external', deliveries: Delivery[]}} Feed */

  const POLL_MS = 1000;
  const TIMEOUT_MS = 5000;
  const FACTORS = [
    { name: 'duration', cap: 35, show: readingTime },
    { name: 'scroll_depth', cap: 30, show: (/** @type {number} */ n) => `${Math.round(n)} %` },
    { name: 'clicks', cap: 20, show: (/** @type {number} */ n) => plural(n, 'click') },
    { name: 'return_visits', cap: 15, show: (/** @type {number} */ n) => plural(n, 'return') },
  ];
  const MATCHES = new Map([
    ['visitor_id', 'Matched by visitor id'],
    ['ip', 'Matched by IP address'],
  ]);

  const root = /** @type {HTMLElement} */ (document.getElementById('deliveries'));
  const cards = /** @type {HTMLElement} */ (document.getElementById('cards'));
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById('card'));
  const clock = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
  /** @type {Map<string, HTMLElement>} */
  const shown = new Map();
  let first = true;

  // ---- values -------------------------------------------------------------

  /** @param {unknown} value @returns {string} */
  function text(value) {
    if (value === null || value === undefined) return '';
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }

  /** @param {unknown} value @returns {number} a finite number, 0 for anything else */
  function number(value) {
    const n = Number(value);
    return Number.isFinite(n) ? n : 0;
  }

  /** @param {number} n @param {string} noun */
  function plural(n, noun) {
    return `${n} ${noun}${n === 1 ? '' : 's'}`;
  }

  /** @param {number} seconds */
  function readingTime(seconds) {
    const s = Math.round(seconds);
    if (s < 60) return `${s} s`;
    return s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  }

  /** @param {Record<string, unknown>} body */
  function personOf(body) {
    return text(body['name']) || `${text(body['first_name'])} ${text(body['last_name'])}`.trim() || 'No name given';
  }

  /** @param {Record<string, unknown>} body */
  function phoneOf(body) {
    const given = text(body['phone']);
    const e164 = text(body['phone_e164']);
    return e164 && e164 !== given ? `${given} (${e164})` : given;
  }

  /** @param {unknown} label @returns {string} the label as the style sheet knows it: "Very Hot" is "very-hot" */
  function slug(label) {
    return text(label).toLowerCase().replace(/[^a-z]+/g, '-');
  }

  // ---- one card -----------------------------------------------------------

  /**
   * @template {Element} T
   * @param {ParentNode} parent @param {string} selector @param {new () => T} type
   * @returns {T}
   */
  function part(parent, selector, type) {
    const found = parent.querySelector(selector);
    if (!(found instanceof type)) throw new Error(`the card has no ${selector}`);
    return found;
  }

  /** @param {Element} card @param {string} name @param {string} value */
  function put(card, name, value) {
    part(card, `[data-text="${name}"]`, HTMLElement).textContent = value;
  }

  /** @param {HTMLElement} card @param {Record<string, unknown>} body */
  function fillEngagement(card, body) {
    const available = body['engagement_available'] === true;
    const section = part(card, '.engagement', HTMLElement);
    card.classList.toggle('untracked', !available);
    put(card, 'score', available ? text(body['engagement_score']) : '—');
    part(section, '.of', HTMLElement).textContent = available ? 'of 100' : 'no tracked visit';
    put(card, 'label', available ? text(body['engagement_label']) : '');
    put(card, 'action', available ? text(body['recommended_action']) : '');
    if (!available) return;

    part(section, '.label', HTMLElement).dataset['level'] = slug(body['engagement_label']);
    part(section, '.score-meter', HTMLMeterElement).value = number(body['engagement_score']);
    for (const { name, cap, show } of FACTORS) {
      const row = part(section, `[data-factor="${name}"]`, HTMLElement);
      const points = number(body[`engagement_${name}_points`]);
      part(row, '.value', HTMLElement).textContent = show(number(body[`engagement_${name}_value`]));
      part(row, '.points', HTMLElement).textContent = `${points} / ${cap}`;
      part(row, 'meter', HTMLMeterElement).value = points;
    }
    const visit = [plural(number(body['pages_visited']), 'page'), MATCHES.get(text(body['match_kind'])), number(body['vpn_suspected']) ? 'VPN suspected' : ''];
    put(card, 'visit', visit.filter(Boolean).join(' · '));
  }

  /** @param {HTMLElement} card @param {Record<string, unknown>} body */
  function fillContact(card, body) {
    const list = part(card, '.contact', HTMLElement);
    const rows = [
      ['Email', text(body['email'])],
      ['Phone', phoneOf(body)],
      ['Project', text(body['project'])],
      ['Residence', text(body['residence'])],
      ['Budget', text(body['budget'])],
      ['Message', text(body['message'])],
      ['Page', text(body['page_url'])],
      ['Referrer', text(body['referrer'])],
      ['Country', text(body['country'])],
    ];
    for (const [name, value] of rows) {
      if (!name || !value) continue;
      const term = document.createElement('dt');
      const detail = document.createElement('dd');
      term.textContent = name;
      detail.textContent = value;
      list.append(term, detail);
    }
  }

  /** @param {HTMLElement} card @param {Record<string, unknown>} body */
  function fillSuspicion(card, body) {
    const section = part(card, '.suspicion', HTMLElement);
    put(card, 'suspicion', text(body['suspicion_score']));
    put(card, 'suspicion-label', text(body['suspicion_label']));
    part(section, '.label', HTMLElement).dataset['level'] = slug(body['suspicion_label']);
    part(section, '.score-meter', HTMLMeterElement).value = number(body['suspicion_score']);
    const given = body['suspicion_reasons'];
    const reasons = Array.isArray(given) && given.length ? given.map(text) : ['Nothing suspicious found'];
    const items = reasons.map((reason) => {
      const item = document.createElement('li');
      item.textContent = reason;
      return item;
    });
    part(section, '.reasons', HTMLElement).append(...items);
  }

  /** @param {Delivery} delivery @returns {HTMLElement} */
  function cardOf({ received_at, headers, body }) {
    const card = part(/** @type {DocumentFragment} */ (template.content.cloneNode(true)), '.card', HTMLElement);
    card.dataset['leadId'] = text(body['lead_id']);
    put(card, 'name', personOf(body));
    put(card, 'origin', [text(body['lead_source']), text(body['channel'])].filter(Boolean).join(' · '));
    const time = part(card, 'time', HTMLTimeElement);
    const at = new Date(received_at);
    time.dateTime = time.title = text(received_at);
    time.textContent = Number.isNaN(at.getTime()) ? text(received_at) : clock.format(at);
    fillEngagement(card, body);
    fillContact(card, body);
    fillSuspicion(card, body);
    part(card, 'pre', HTMLElement).textContent = JSON.stringify({ headers, body }, null, 2);
    return card;
  }

  // ---- the list -----------------------------------------------------------

  /** @param {Delivery} delivery */
  function keyOf({ received_at, headers }) {
    return `${text(headers['webhook-id'])} ${received_at}`;
  }

  /** @param {Record<string, unknown>} body */
  function summary(body) {
    const score = body['engagement_available'] === true
      ? `${text(body['engagement_label'])}, ${text(body['engagement_score'])} of 100`
      : 'no tracked visit';
    return `New lead: ${personOf(body)}, ${score}`;
  }

  /** @param {Delivery[]} deliveries newest first */
  function render(deliveries) {
    const keys = new Set(deliveries.map(keyOf));
    for (const [key, card] of shown) {
      if (keys.has(key)) continue;
      card.remove();
      shown.delete(key);
    }
    /** @type {string[]} */
    const news = [];
    for (const delivery of [...deliveries].reverse()) {
      const key = keyOf(delivery);
      if (shown.has(key)) continue;
      const card = cardOf(delivery);
      card.classList.toggle('fresh', !first);
      cards.prepend(card);
      shown.set(key, card);
      news.push(summary(delivery.body));
    }
    if (news.length && !first) say('arrivals', news.join('. '));
    first = false;
  }

  /** @param {string} id @param {string} message */
  function say(id, message) {
    const element = document.getElementById(id);
    if (element && element.textContent !== message) element.textContent = message;
  }

  /** @param {Feed} feed */
  function showFeed({ webhook_url, mode, deliveries }) {
    const list = mode === 'external' ? [] : deliveries;
    say('webhook-url', text(webhook_url));
    say('external-url', text(webhook_url));
    render(list);
    root.dataset['state'] = mode === 'external' ? 'external' : list.length ? 'live' : 'empty';
    say('connection', mode === 'external' ? 'Delivering elsewhere' : list.length ? `Live, ${plural(list.length, 'delivery').replace('ys', 'ies')}` : 'Live, waiting');
  }

  async function poll() {
    try {
      const response = await fetch('../deliveries.json', { cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (!response.ok) throw new Error(`answered ${response.status}`);
      showFeed(/** @type {Feed} */ (await response.json()));
    } catch (error) {
      root.dataset['state'] = 'gone';
      const why = error instanceof Error && error.message.startsWith('answered') ? `The server ${error.message}` : 'No connection';
      say('connection', `${why}, trying again`);
    }
    setTimeout(poll, POLL_MS);
  }

  poll();
})();
