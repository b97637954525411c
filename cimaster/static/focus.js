// When a swap removes the focused button, the focus moves to the name in its row or in a neighbouring row, never to
// another button. (A button's id contains its row and its action, so a swap never turns one button into another.)
// A second activation within a second is ignored.
'use strict';

const REPEAT_MS = 1000, REPEAT_PX = 8;  // a second click this soon and this near is a repeat of the first
const lastAction = {
  rows: [],           // the ids of the row of the last action and of its neighbours, in case it is removed
  at: -Infinity,      // when a form was last sent or answered
  place: [0, 0],      // where the last click was
};
const ROW = 'tr[id], li[id], #cluster';

function rememberRow(element) {
  const row = element?.closest(ROW);
  if (!row) return false;
  lastAction.rows = [row, row.nextElementSibling, row.previousElementSibling].map(near => near?.id);
  return true;
}

function refocus() {
  if (dialog.open || (document.activeElement && document.activeElement !== document.body)) return;
  const row = lastAction.rows.map(id => id && document.getElementById(id)).find(row => row);
  const name = row?.querySelector('[data-name]') ?? document.querySelector('h1[data-name]');
  (name ?? document.getElementById('main')).focus();
}

document.addEventListener('htmx:before:request', event => {
  const {ctx} = event.detail;
  if (!isPoll(ctx)) rememberRow(ctx.sourceElement);
});

document.addEventListener('htmx:before:response', event => {
  const {ctx} = event.detail;
  const near = document.activeElement !== document.body && rememberRow(document.activeElement);
  ctx.refocuses = near || !isPoll(ctx);
});

// A dialog that closes between the two gives the focus back to a button that this swap may remove.
document.addEventListener('htmx:before:swap', event => {
  if (document.activeElement !== document.body && rememberRow(document.activeElement)) event.detail.ctx.refocuses = true;
});

document.addEventListener('htmx:after:request', event => {
  if (event.detail.ctx.request.method === 'POST') lastAction.at = performance.now();
});

document.addEventListener('htmx:finally:request', event => {
  const {ctx} = event.detail;
  if (ctx.refocuses ?? !isPoll(ctx)) refocus();
});

dialog.addEventListener('close', () => setTimeout(refocus));

// A second key press would hit the element that has the focus by then; a second click, the one that moved under it.
document.addEventListener('click', event => {
  const [x, y] = lastAction.place, byKeyboard = event.detail === 0;
  const control = event.target.closest('a, button');
  lastAction.place = [event.clientX, event.clientY];
  if (!control?.closest(`${ROW}, .conflict`)) return;
  const same = byKeyboard || Math.hypot(event.clientX - x, event.clientY - y) < REPEAT_PX;
  if (same && performance.now() - lastAction.at < REPEAT_MS) {
    event.preventDefault();
    event.stopImmediatePropagation();
  } else if (control.form?.method === 'post') {
    lastAction.at = performance.now();
  }
}, true);
