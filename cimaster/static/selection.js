// Ticked rows: the bar says how many there are, and ticks survive polls, sorting and filtering.
// A row that disappears leaves the selection: an action must not reach what the page does not show.
'use strict';

const MOST_SELECTED = 200;  // clusters that the service accepts in one request
const selection = {
  names: new Set(),  // of the ticked rows
  lost: [],          // names whose rows have disappeared since the visitor last ticked a row
};

function tickBoxes() {
  return [...document.querySelectorAll('#clusters input[name=selected]')];
}

function lostWords() {
  const {lost} = selection;
  const names = lost.length > 3 ? `${lost.length} clusters` : lost.join(', ');
  return `${names} ${lost.length > 1 ? 'are' : 'is'} no longer shown, and no longer selected`;
}

function showSelection() {
  const {names, lost} = selection;
  const all = document.getElementById('tick-all'), count = document.getElementById('selection-count');
  if (!count) return;
  if (all) {
    all.checked = names.size > 0 && names.size === tickBoxes().length;
    all.indeterminate = names.size > 0 && !all.checked;
  }
  const parts = names.size ? [`${names.size} selected`] : [];
  if (names.size > MOST_SELECTED) parts.push(`at most ${MOST_SELECTED} can be changed at a time`);
  if (lost.length) parts.push(lostWords());
  setText(count, parts.join('; '));
}

function selectClusters(names) {
  selection.names = new Set(names);
  selection.lost = [];
  for (const box of tickBoxes()) box.checked = selection.names.has(box.value);
  showSelection();
}

// After a swap the page has other rows, and rows that were drawn anew have no tick.
function restoreTicks() {
  const boxes = tickBoxes(), shown = new Set(boxes.map(box => box.value));
  const names = [...selection.names];
  selection.lost.push(...names.filter(name => !shown.has(name)));
  selection.names = new Set(names.filter(name => shown.has(name)));
  for (const box of boxes) box.checked = selection.names.has(box.value);
  showSelection();
}

document.addEventListener('change', event => {
  if (event.target.id === 'tick-all') selectClusters(event.target.checked ? tickBoxes().map(box => box.value) : []);
  if (event.target.name === 'selected') selectClusters(tickBoxes().filter(box => box.checked).map(box => box.value));
});

// The bar disappears with the last tick, so the focus moves from it to the first of the rows.
function clearSelection() {
  const {activeElement} = document;
  if (activeElement.closest('#selection')) {
    rememberRow(tickBoxes().find(box => selection.names.has(box.value)));
    activeElement.blur();
  }
  selectClusters([]);
  refocus();
}

document.addEventListener('reset', event => {
  if (event.target.id === 'selection') setTimeout(clearSelection);  // the browser unticks after this event
});

document.addEventListener('keydown', event => {
  const hasAny = selection.names.size || selection.lost.length;
  if (event.key !== 'Escape' || !hasAny || dialog.open || document.querySelector(':popover-open')) return;
  if (event.target.matches('input:not([type=checkbox]), select')) return;
  clearSelection();
});

document.addEventListener('htmx:after:swap', restoreTicks);

// After an action, those that failed stay ticked. (Its form is looked at before the report replaces it.)
document.addEventListener('htmx:after:request', event => {
  const {ctx} = event.detail;
  const isDone = ctx.request.method === 'POST' && ctx.response?.status < 300;
  ctx.endsSelection = isDone && ctx.sourceElement.querySelector('input[name=item]') !== null;
  if (ctx.endsSelection) rememberRow(tickBoxes().find(box => box.checked));  // the bar, which has the focus, disappears
});

document.addEventListener('htmx:finally:request', event => {
  if (!event.detail.ctx.endsSelection) return;
  selectClusters([...document.querySelectorAll('#dialog [data-failed]')].map(failed => failed.dataset.failed));
});

selectClusters(tickBoxes().filter(box => box.checked).map(box => box.value));
