// Ticked rows: the bar says how many there are, and ticks survive polls, sorting and filtering.
// A row that disappears leaves the selection: an action must not reach what the page does not show.
'use strict';

const MOST = 200;           // clusters that the service accepts in one request
let selected = new Set();   // the names of the ticked rows
let left = [];              // the names that left the selection since the visitor last ticked a row

const ticks = () => [...document.querySelectorAll('#clusters input[name=selected]')];
const describeLeft = () => left.length > 3 ? `${left.length} clusters are` : `${left.join(', ')} ${left.length > 1 ? 'are' : 'is'}`;

function showSelection() {
  const boxes = ticks(), all = document.getElementById('tick-all'), count = document.getElementById('selection-count');
  if (!count) return;
  if (all) {
    all.checked = boxes.length > 0 && selected.size === boxes.length;
    all.indeterminate = selected.size > 0 && !all.checked;
  }
  const parts = selected.size ? [`${selected.size} selected`] : [];
  if (selected.size > MOST) parts.push(`at most ${MOST} can be changed at a time`);
  if (left.length) parts.push(`${describeLeft()} no longer shown, and no longer selected`);
  setText(count, parts.join('; '));
}

function readTicks() {
  const boxes = ticks();
  if (boxes.length) selected = new Set(boxes.filter(box => box.checked).map(box => box.value));
  showSelection();
}

// After a swap the page has other rows, and rows that were drawn anew have no tick.
function restoreTicks() {
  const boxes = ticks(), shown = new Set(boxes.map(box => box.value));
  const gone = [...selected].filter(name => !shown.has(name));
  selected = new Set([...selected].filter(name => shown.has(name)));
  left = [...left, ...gone];
  for (const box of boxes) box.checked = selected.has(box.value);
  showSelection();
}

function select(names) {
  selected = new Set(names);
  left = [];
  for (const box of ticks()) box.checked = selected.has(box.value);
  showSelection();
}

document.addEventListener('change', event => {
  if (event.target.id === 'tick-all') select(event.target.checked ? ticks().map(box => box.value) : []);
  if (event.target.name !== 'selected') return;
  left = [];
  readTicks();
});

document.addEventListener('reset', event => {
  if (event.target.id === 'selection') setTimeout(() => select([]));  // the browser unticks the boxes after this event
});

document.addEventListener('keydown', event => {
  if (event.key !== 'Escape' || !selected.size || dialog.open || document.querySelector(':popover-open')) return;
  if (event.target.matches('input:not([type=checkbox]), select')) return;
  select([]);
});

document.addEventListener('htmx:after:swap', restoreTicks);

// After an action, those that failed stay ticked. (Its form is looked at before the report replaces it.)
document.addEventListener('htmx:after:request', event => {
  const {ctx} = event.detail;
  const isDone = ctx.request.method === 'POST' && ctx.response?.status < 300;
  ctx.endsSelection = isDone && ctx.sourceElement.querySelector('input[name=item]') !== null;
});

document.addEventListener('htmx:finally:request', event => {
  if (!event.detail.ctx.endsSelection) return;
  select([...document.querySelectorAll('#dialog [data-failed]')].map(failed => failed.dataset.failed));
});

readTicks();
