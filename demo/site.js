// @ts-check
// The demo site's behaviour: menu, floor-plan tabs, lightbox, residence preselection.
// Without it every page still works: plans stand below each other, pictures open as files.
(() => {
  'use strict';

  /** Closes the phone menu once one of its links is followed. */
  function closeMenuOnFollow() {
    const nav = document.getElementById('site-nav');
    nav?.addEventListener('click', (event) => {
      if (event.target instanceof HTMLAnchorElement && nav.matches(':popover-open')) nav.hidePopover();
    });
  }

  /**
   * Turns a list of anchors and the sections they point at into ARIA tabs.
   * @param {HTMLElement} root
   */
  function tabs(root) {
    const list = root.querySelector('.tab-list');
    if (!list) return;
    const links = [...list.querySelectorAll('a')];
    const panels = links.map((link) => document.getElementById(link.hash.slice(1)));

    /** @param {number} chosen @param {boolean} [focus] */
    function show(chosen, focus) {
      links.forEach((link, i) => {
        link.setAttribute('aria-selected', String(i === chosen));
        link.tabIndex = i === chosen ? 0 : -1;
        const panel = panels[i];
        if (panel) panel.hidden = i !== chosen;
      });
      if (focus) links[chosen]?.focus();
    }

    list.setAttribute('role', 'tablist');
    for (const item of list.children) item.setAttribute('role', 'presentation');
    links.forEach((link, i) => {
      link.setAttribute('role', 'tab');
      link.setAttribute('aria-controls', link.hash.slice(1));
      panels[i]?.setAttribute('role', 'tabpanel');
      link.addEventListener('click', (event) => {
        event.preventDefault();
        show(i);
      });
      link.addEventListener('keydown', (event) => {
        const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: links.length - 1 }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        show((to + links.length) % links.length, true);
      });
    });
    root.classList.add('ready');
    show(Math.max(0, links.findIndex((link) => link.hash === location.hash)));
  }

  /** Opens gallery pictures and floor plans in one dialog, with arrows through each gallery. */
  function lightbox() {
    const links = /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll('[data-gallery] a, a[data-zoom]'));
    if (!links.length) return;
    const dialog = document.createElement('dialog');
    dialog.className = 'lightbox';
    dialog.setAttribute('aria-label', 'Picture');
    const image = document.createElement('img');
    const caption = document.createElement('p');
    caption.setAttribute('aria-live', 'polite');
    /** @type {HTMLAnchorElement[]} */
    let set = [];
    let at = 0;

    /** @param {number} to */
    function go(to) {
      at = (to + set.length) % set.length;
      const link = set[at];
      const thumb = link?.querySelector('img');
      if (!link || !thumb) return;
      image.src = link.href;
      image.alt = thumb.alt;
      image.setAttribute('width', thumb.getAttribute('width') ?? '');
      image.setAttribute('height', thumb.getAttribute('height') ?? '');
      caption.replaceChildren(...(link.querySelector('.caption')?.cloneNode(true).childNodes ?? []));
    }

    /** @param {string} name @param {string} label @param {() => void} act */
    function button(name, label, act) {
      const element = document.createElement('button');
      element.type = 'button';
      element.className = name;
      element.setAttribute('aria-label', label);
      element.addEventListener('click', act);
      return element;
    }

    const previous = button('previous', 'Previous picture', () => go(at - 1));
    const next = button('next', 'Next picture', () => go(at + 1));
    dialog.append(image, caption, previous, next, button('close', 'Close', () => dialog.close()));
    dialog.addEventListener('click', (event) => {
      if (event.target === dialog) dialog.close();
    });
    dialog.addEventListener('keydown', (event) => {
      if (set.length < 2) return;
      if (event.key === 'ArrowRight') go(at + 1);
      if (event.key === 'ArrowLeft') go(at - 1);
    });
    document.body.append(dialog);

    for (const link of links) {
      link.addEventListener('click', (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        set = link.closest('[data-gallery]') ? [...links].filter((other) => other.closest('[data-gallery]')) : [link];
        previous.hidden = next.hidden = set.length < 2;
        go(set.indexOf(link));
        dialog.showModal();
      });
    }
  }

  /** Fills the form's residence from the link that led to it, or from `?residence=`. */
  function preselectResidence() {
    const select = document.getElementById('residence');
    if (!(select instanceof HTMLSelectElement)) return;
    /** @param {string | null | undefined} name */
    const choose = (name) => {
      if ([...select.options].some((option) => option.value === name)) select.value = name ?? '';
    };
    choose(new URLSearchParams(location.search).get('residence'));
    for (const link of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('a[data-residence]'))) {
      link.addEventListener('click', () => choose(link.dataset['residence']));
    }
  }

  closeMenuOnFollow();
  for (const root of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-tabs]'))) tabs(root);
  lightbox();
  preselectResidence();
})();
