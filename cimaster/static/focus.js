// Where the focused button goes with a swap, the focus goes to the name in that row, or in a neighbour's: never to a
// button that acts. (The id of a button names its row and its verb, so that a swap makes no button into another one.)
// And what is pressed twice in a hurry acts once.
'use strict';

const AGAIN = 1000, NEAR = 8;  // milliseconds; pixels within which a second click is the same one
const worked = {
  on: [],             // the ids of the row that is worked on and of its neighbours, should it go
  acted: -Infinity,   // when something was last done, or answered
  place: [0, 0],      // of the last click
};
const ROW = 'tr[id], li[id], #cluster';

function remember(element) {
  const row = element?.closest(ROW);
  if (!row) return false;
  worked.on = [row, row.nextElementSibling, row.previousElementSibling].map(near => near?.id);
  return true;
}

function refocus() {
  if (dialog.open || (document.activeElement && document.activeElement !== document.body)) return;
  const row = worked.on.map(id => id && document.getElementById(id)).find(row => row);
  const name = row?.querySelector('[data-name]') ?? document.querySelector('h1[data-name]');
  (name ?? document.getElementById('main')).focus();
}

document.addEventListener('htmx:before:request', event => {
  const {ctx} = event.detail;
  if (!polled(ctx)) remember(ctx.sourceElement);
});

document.addEventListener('htmx:before:response', event => {
  const {ctx} = event.detail;
  const near = document.activeElement !== document.body && remember(document.activeElement);
  ctx.refocuses = near || !polled(ctx);
});

document.addEventListener('htmx:after:request', event => {
  if (event.detail.ctx.request.method === 'POST') worked.acted = performance.now();
});

document.addEventListener('htmx:finally:request', event => {
  const {ctx} = event.detail;
  if (ctx.refocuses ?? !polled(ctx)) refocus();
});

dialog.addEventListener('close', () => setTimeout(refocus));

// By keyboard a second press meets whatever has the focus by then, by mouse whatever has moved to that place.
document.addEventListener('click', event => {
  const [x, y] = worked.place, byKeyboard = event.detail === 0;
  const control = event.target.closest('a, button');
  worked.place = [event.clientX, event.clientY];
  if (!control?.closest(ROW)) return;
  const same = byKeyboard || Math.hypot(event.clientX - x, event.clientY - y) < NEAR;
  if (same && performance.now() - worked.acted < AGAIN) {
    event.preventDefault();
    event.stopImmediatePropagation();
  } else if (control.form?.method === 'post') {
    worked.acted = performance.now();
  }
}, true);
