// What htmx does not do: countdowns, a warning when updates stop, and the dialog.
// All pages work without this file too. It keeps no state in polled elements, because a swap would reset it.
'use strict';

const page = {
  offset: Date.parse(document.documentElement.dataset.now) - Date.now(),  // to the server's clock: the browser's may be wrong
  lastUpdate: performance.now(),
  lastChange: -Infinity,   // when the last POST was answered
  lastAnswer: -Infinity,   // when the service last answered
  lastFailure: -Infinity,  // when a click or a form last got no answer
  lastOpening: null,       // the last request for a form in the dialog
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

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function updateTimes() {
  const now = Date.now() + page.offset;
  for (const element of document.querySelectorAll('time[data-since]')) {
    const gone = now - Date.parse(element.dateTime);
    setText(element, gone < 60000 ? 'just now' : `${roughly(gone).match(/^\d+ \S+/)[0]} ago`);
  }
  for (const element of document.querySelectorAll('time[data-left]')) {
    const left = Date.parse(element.dateTime) - now;
    const nearness = left < 600000 ? 'time-left time-left-late' : left < 1800000 ? 'time-left time-left-soon' : 'time-left time-left-far';
    setText(element, left > 0 ? roughly(left) : 'a moment');
    if (element.className !== nearness) element.className = nearness;
  }
  for (const element of document.querySelectorAll('time[data-soon]')) {
    const left = Date.parse(element.dateTime) - now;
    setText(element, left > 0 ? roughly(left) : 'a moment');
  }
  for (const element of document.querySelectorAll('time[data-lasting]')) {
    setText(element, roughly(now - Date.parse(element.dateTime)));
  }
}

// --- updates -------------------------------------------------------------------------------------------------------

const isPoll = ctx => !ctx.sourceElement.closest('a, button, form');

function showStale() {
  const silent = performance.now() - page.lastUpdate;
  const banner = document.getElementById('stale');
  const isSignedOut = document.querySelector('#signed-out:not([hidden])');
  if (isSignedOut) banner.hidden = true;
  if (!document.querySelector('[data-live]') || document.hidden || isSignedOut) return;
  banner.hidden = silent < STALE;
  if (!banner.hidden) setText(document.getElementById('stale-age'), roughly(silent));
}

// A poll has a stub in place of each row that the page shows already. The answer to a poll that started before the last
// click was answered may show the state before that click, even if it was being received meanwhile: it is dropped before
// hx-ptag.min.js, which is loaded later, notes its tag.
htmx.registerExtension('polls', {
  htmx_before_morph_node: (row, {newNode}) => newNode.dataset?.same === undefined,
  htmx_after_request: (_, {ctx}) => !(isPoll(ctx) && ctx.request.method === 'GET' && ctx.startedAt < page.lastChange),
});

document.addEventListener('htmx:config:request', event => {
  const ctx = event.detail.ctx;
  const isForNotifications = ctx.sourceElement.id === 'ending';
  if (isPoll(ctx) && document.hidden && ctx.sourceEvent?.type === 'every' && !isForNotifications) event.preventDefault();
  if (ctx.sourceElement.id === 'filter') {
    const {body} = ctx.request, filled = [...body].filter(([, text]) => text);
    for (const name of [...body.keys()]) body.delete(name);
    for (const [name, text] of filled) body.append(name, text);
  }
});

document.addEventListener('htmx:before:request', event => {
  const ctx = event.detail.ctx;
  ctx.startedAt = performance.now();
});

document.addEventListener('htmx:before:response', event => {
  const ctx = event.detail.ctx;
  const date = Date.parse(ctx.response.headers.get('Date'));
  if (date && Math.abs(date - Date.now() - page.offset) > 2000) page.offset = date - Date.now();
});

document.addEventListener('htmx:after:request', event => {
  const {ctx} = event.detail;
  if (ctx.request.method === 'POST') page.lastChange = performance.now();
  if (ctx.response.headers.has('CIMaster-Code') || ctx.response.status < 400) page.lastAnswer = performance.now();
  if (isPoll(ctx) && ctx.response.status < 400) {
    page.lastUpdate = performance.now();
    showStale();
  }
});

document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  page.lastUpdate = performance.now();
  for (const element of document.querySelectorAll('[data-live]')) htmx.trigger(element, 'every');
});

// --- dialog --------------------------------------------------------------------------------------------------------

const dialog = document.getElementById('dialog');
const opensDialog = ctx => ctx.request.method === 'GET' && ctx.target?.id === 'dialog-content';

document.addEventListener('htmx:before:request', event => {
  if (opensDialog(event.detail.ctx)) page.lastOpening = event.detail.ctx;
});

// A late answer must not replace the form that the visitor is filling in, nor the one that they chose last.
document.addEventListener('htmx:before:response', event => {
  const {ctx} = event.detail;
  const isLate = ctx !== page.lastOpening || (dialog.open && !dialog.contains(ctx.sourceElement));
  if (opensDialog(ctx) && isLate) event.preventDefault();
});

// The visitor has closed the form that was sent, and perhaps opened another one: its refusal is shown above the page.
document.addEventListener('htmx:after:request', event => {
  const {ctx} = event.detail;
  const isOfForm = ctx.request.method === 'POST' && ctx.target?.id === 'dialog-content';
  if (!isOfForm || ctx.response.status < 400 || (dialog.open && dialog.contains(ctx.sourceElement))) return;
  ctx.target = document.getElementById('alerts');
  ctx.select = '.alert';
});

document.addEventListener('htmx:after:swap', event => {
  updateTimes();
  const {ctx} = event.detail;
  const isToBeRead = ctx.request.method === 'GET' || dialog.querySelector('[data-report]');
  if (ctx.target?.id === 'dialog-content' && !dialog.open && isToBeRead) {
    dialog.showModal();
    (dialog.querySelector('[autofocus]') ?? dialog.querySelector('input:not([type=hidden], [type=radio]:not(:checked)), select'))?.focus();
  }
  if (ctx.response?.status >= 400 && dialog.open) {
    dialog.querySelector('[aria-invalid], #form-title[autofocus], #form-send')?.focus();
  }
  dialog.querySelector('[data-report] [data-close]')?.focus();
});

document.addEventListener('htmx:finally:request', event => {
  const {ctx} = event.detail;
  const isSent = ctx.request.method === 'POST' && ctx.response?.status < 300 && dialog.contains(ctx.sourceElement);
  if (isSent && !dialog.querySelector('[data-report]')) dialog.close();
});

dialog.addEventListener('click', event => {
  if (event.target === dialog || event.target.closest('#dialog-close')) dialog.close();
  if (event.target.closest('[data-close]')) {
    event.preventDefault();
    dialog.close();
  }
});

// --- requests without an answer --------------------------------------------------------------------------------------

// The network failed, or a proxy answered for a service that is restarting: a proxy's error page must not be swapped in.
function showUnanswered(ctx) {
  const origin = ctx.sourceElement.closest('form, a');
  if (!origin || isPoll(ctx)) return;
  page.lastFailure = performance.now();
  const message = document.getElementById('unanswered').content.cloneNode(true);
  message.querySelector(`[data-after=${ctx.request.method === 'POST' ? 'get' : 'post'}]`).remove();
  document.getElementById('form-alert')?.remove();
  if (dialog.contains(origin)) {
    message.querySelector('[data-dismiss]').remove();
    document.getElementById('form-title').after(message);
  } else {
    document.getElementById('alerts').replaceChildren(message);
  }
}

document.addEventListener('htmx:error', event => {
  const {ctx} = event.detail;
  if (ctx && ctx.text === undefined) showUnanswered(ctx);
});

document.addEventListener('htmx:before:response', event => {
  const {ctx} = event.detail;
  if (ctx.response.status < 400 || ctx.response.headers.has('CIMaster-Code')) return;
  event.preventDefault();
  showUnanswered(ctx);
});

updateTimes();
setInterval(() => {
  updateTimes();
  showStale();
}, 1000);
