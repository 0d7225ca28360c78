// What the tests ask a page about itself. These functions stand before each expression that is evaluated; the page sees nothing of them.

const shown = (el) => {
  const r = el.getBoundingClientRect();
  return el.checkVisibility({ visibilityProperty: true }) && r.width > 0 && r.height > 0;
};
// What is only for assistive technology.
const hiddenByStyle = (el) => el.closest('.govuk-visually-hidden, .govuk-visually-hidden-focusable, .govuk-skip-link, [hidden], title') !== null;

const nameOf = (el) => {
  if (!el || el === document.body) return '';
  const labels = el.labels ? [...el.labels].map((l) => l.textContent).join(' ') : '';
  return (el.getAttribute('aria-label') || labels || el.textContent || el.title || '').replace(/\s+/g, ' ').trim().slice(0, 80);
};
const what = (el) => '<' + el.tagName.toLowerCase() + (el.id ? ' id=' + el.id : '') + (typeof el.className === 'string' && el.className ? ' class="' + el.className + '"' : '') + '> ' + nameOf(el);

// Why it is not seen that something has the focus; '' when it is.
const unseen = (el) => {
  if (!shown(el)) return 'it is not shown';
  const r = el.getBoundingClientRect();
  if (r.bottom <= 0 || r.right <= 0 || r.top >= innerHeight || r.left >= innerWidth) return 'it is outside of the screen';
  const styles = [getComputedStyle(el)];
  for (const l of el.labels || []) styles.push(getComputedStyle(l), getComputedStyle(l, '::before'));
  const clear = (c) => c === 'transparent' || /^rgba\(.*, 0\)$/.test(c);
  const marked = styles.some((s) => (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 && !clear(s.outlineColor)) || s.boxShadow !== 'none');
  return marked || el.tagName === 'IFRAME' ? '' : 'neither an outline nor a shadow marks it';
};

// Where the focus is, as a method of what is looked for.
const focused = function () {
  const el = document.activeElement;
  const out = { Here: el === this, Group: false, Back: false, Frame: el.tagName === 'IFRAME', Stays: window.lastFocused === el && el !== document.body, Hidden: '', What: what(el) };
  window.lastFocused = el;
  if (el === document.body || el === document.documentElement) return out;
  out.Hidden = unseen(el);
  out.Group = el.type === 'radio' && this.type === 'radio' && el.name === this.name && el.form === this.form && el !== this;
  out.Back = (el.compareDocumentPosition(this) & Node.DOCUMENT_POSITION_PRECEDING) !== 0;
  return out;
};

// What does not fit on the screen: that makes it scroll sideways, reaches over its edge, or is cut off by what it is in.
const misfits = () => {
  const out = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) out.push('the page is ' + root.scrollWidth + ' wide on a screen of ' + root.clientWidth);
  const region = (el) => { // it is scrolled by itself, and the keyboard gets there
    for (let e = el; e && e !== document.body; e = e.parentElement) {
      if (/auto|scroll/.test(getComputedStyle(e).overflowX) && e.scrollWidth > e.clientWidth && (e.tabIndex >= 0 || e.matches('input, textarea, select'))) return true;
    }
    return false;
  };
  const range = document.createRange();
  const clips = (o) => o === 'hidden' || o === 'clip';
  for (const el of document.body.querySelectorAll('*')) {
    if (!shown(el) || hiddenByStyle(el) || region(el)) continue;
    const written = [...el.childNodes].filter((n) => n.nodeType === Node.TEXT_NODE && n.data.trim() !== '');
    if (written.length > 0) {
      range.setStartBefore(written[0]);
      range.setEndAfter(written.length === el.childNodes.length ? written[written.length - 1] : written[0]);
    }
    const r = (written.length > 0 ? range : el).getBoundingClientRect();
    const x = r.left + scrollX;
    if (x + r.width > root.clientWidth + 1 || x < -1) out.push(what(el) + ' reaches from ' + Math.round(x) + ' to ' + Math.round(x + r.width) + ' of ' + root.clientWidth);
    if (written.length === 0 || el.closest('svg')) continue;
    for (let e = el; e && e !== document.body; e = e.parentElement) {
      const s = getComputedStyle(e);
      const o = e.getBoundingClientRect();
      if ((clips(s.overflowX) && (r.right > o.right + 1 || r.left < o.left - 1)) || (clips(s.overflowY) && (r.bottom > o.bottom + 1 || r.top < o.top - 1))) out.push(what(e) + ' cuts off ' + what(el));
    }
  }
  for (const group of document.querySelectorAll('.govuk-button-group')) { // below each other they are as wide as the screen
    const wide = [...group.querySelectorAll('.govuk-button')].filter(shown).map((b) => Math.round(b.getBoundingClientRect().width));
    if (root.clientWidth < 640 && Math.max(...wide) - Math.min(...wide) > 1) out.push('the buttons of a group are ' + wide.join(', ') + ' wide');
  }
  return out.slice(0, 8);
};

const astray = () => [...document.querySelectorAll('a[href^="#"]')].filter((a) => !document.getElementById(a.getAttribute('href').slice(1))).map((a) => what(a) + ' leads to nothing on the page');

const spoil = () => {
  const fields = [...document.querySelectorAll('main form input[name$="-day"], main form input[inputmode="numeric"]')];
  for (const f of fields) f.value = '45';
  return fields.length > 0;
};

const sendForm = (path, pairs) => {
  const form = document.createElement('form');
  form.method = 'post';
  form.action = path;
  for (let i = 0; pairs && i < pairs.length; i += 2) {
    const field = document.createElement('input');
    field.type = 'hidden';
    field.name = pairs[i];
    field.value = pairs[i + 1];
    form.append(field);
  }
  document.body.append(form);
  form.submit();
};
