// What htmx does not do by itself: counting times down, saying when updates stop, and the dialog.
// Everything works without this file too. It keeps no state in elements that are polled: a swap would undo it.
'use strict';

const page = {
  offset: Date.parse(document.documentElement.dataset.now) - Date.now(),  // our clock may be wrong; the server's counts
  updated: performance.now(),
  changed: -Infinity,  // when the answer to the last click came
  answered: -Infinity, // when the service last answered
  failed: -Infinity,   // when a click last got no answer
};
const STALE = 8000;

// --- times ---------------------------------------------------------------------------------------------------------

function roughly(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const days = Math.floor(seconds / 86400), hours = Math.floor(seconds % 86400 / 3600);
  const minutes = Math.floor(seconds % 3600 / 60);
  if (days) return hours ? `${days} d ${hours} h` : `${days} d`;
  if (hours) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  return minutes ? `${minutes} min` : `${seconds} s`;
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function tell() {
  const now = Date.now() + page.offset;
  for (const element of document.querySelectorAll('time[data-since]')) {
    const gone = now - Date.parse(element.dateTime);
    say(element, gone < 60000 ? 'just now' : `${roughly(gone)} ago`);
  }
  for (const element of document.querySelectorAll('time[data-left]')) {
    const left = Date.parse(element.dateTime) - now;
    const nearness = left < 600000 ? 'left left-late' : left < 1800000 ? 'left left-soon' : 'left left-far';
    say(element, left > 0 ? roughly(left) : 'ending');
    if (element.className !== nearness) element.className = nearness;
  }
  for (const element of document.querySelectorAll('time[data-soon]')) {
    const left = Date.parse(element.dateTime) - now;
    say(element, left > 0 ? roughly(left) : 'a moment');
  }
  for (const element of document.querySelectorAll('time[data-lasting]')) {
    say(element, roughly(now - Date.parse(element.dateTime)));
  }
}

// --- updates -------------------------------------------------------------------------------------------------------

const polled = ctx => ctx.sourceElement.hasAttribute('data-live');

function watch() {
  const silent = performance.now() - page.updated;
  const strip = document.getElementById('stale');
  if (!document.querySelector('[data-live]') || document.hidden) return;
  strip.hidden = silent < STALE;
  if (!strip.hidden) say(document.getElementById('stale-age'), roughly(silent));
}

document.addEventListener('htmx:config:request', event => {
  const ctx = event.detail.ctx;
  if (polled(ctx) && document.hidden && ctx.sourceEvent?.type === 'every') event.preventDefault();
  if (ctx.sourceElement.id === 'filter') {
    for (const [name, text] of [...ctx.request.body]) if (!text) ctx.request.body.delete(name);
  }
});

document.addEventListener('htmx:before:request', event => {
  const ctx = event.detail.ctx;
  ctx.begun = performance.now();
});

// A poll that was asked before a click was answered may show the time before it.
document.addEventListener('htmx:before:response', event => {
  const ctx = event.detail.ctx;
  const date = Date.parse(ctx.response.headers.get('Date'));
  if (date && Math.abs(date - Date.now() - page.offset) > 2000) page.offset = date - Date.now();
  if (ctx.request.method === 'GET' && ctx.begun < page.changed) event.preventDefault();
});

document.addEventListener('htmx:after:request', event => {
  const {ctx} = event.detail;
  if (ctx.request.method === 'POST') page.changed = performance.now();
  if (ctx.response.headers.has('CIMaster-Code') || ctx.response.status < 400) page.answered = performance.now();
  if (polled(ctx) && ctx.response.status < 400) {
    page.updated = performance.now();
    watch();
  }
});

document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  page.updated = performance.now();
  for (const element of document.querySelectorAll('[data-live]')) htmx.trigger(element, 'every');
});

// --- dialog --------------------------------------------------------------------------------------------------------

const dialog = document.getElementById('dialog');

document.addEventListener('htmx:after:swap', event => {
  tell();
  const {ctx} = event.detail;
  if (ctx.target?.id === 'dialog-content' && !dialog.open && ctx.request.method === 'GET') {
    dialog.showModal();
    (dialog.querySelector('[autofocus]') ?? dialog.querySelector('input:not([type=hidden]), select'))?.focus();
  }
  if (ctx.response?.status >= 400 && dialog.open) {
    dialog.querySelector('[aria-invalid], #form-send')?.focus();
  }
});

document.addEventListener('htmx:finally:request', event => {
  const {ctx} = event.detail;
  if (ctx.request.method === 'POST' && ctx.response?.status < 300 && dialog.contains(ctx.sourceElement)) dialog.close();
});

dialog.addEventListener('click', event => {
  if (event.target === dialog || event.target.closest('#dialog-close')) dialog.close();
  if (event.target.closest('[data-close]')) {
    event.preventDefault();
    dialog.close();
  }
});

// --- clicks without an answer --------------------------------------------------------------------------------------

// The network failed, or a proxy spoke for a service that restarts: its page must not stand where ours belongs.
function unanswered(ctx) {
  const asked = ctx.sourceElement.closest('form, a');
  if (!asked || polled(ctx)) return;
  page.failed = performance.now();
  const told = document.getElementById('unanswered').content.cloneNode(true);
  told.querySelector(`[data-after=${ctx.request.method === 'POST' ? 'get' : 'post'}]`).remove();
  document.getElementById('form-alert')?.remove();
  if (dialog.contains(asked)) {
    told.querySelector('[data-dismiss]').remove();
    document.getElementById('form-title').after(told);
  } else {
    document.getElementById('alerts').replaceChildren(told);
  }
}

document.addEventListener('htmx:error', event => {
  const {ctx} = event.detail;
  if (ctx && !ctx.response) unanswered(ctx);
});

document.addEventListener('htmx:before:response', event => {
  const {ctx} = event.detail;
  if (ctx.response.status < 500 || ctx.response.headers.has('CIMaster-Code')) return;
  event.preventDefault();
  unanswered(ctx);
});

tell();
setInterval(() => {
  tell();
  watch();
}, 1000);
