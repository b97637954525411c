// Keyboard shortcuts: "/" searches and "?" lists the keys; in a table, j and k move, x, h, e and r act on the row,
// and b goes to the actions for the ticked rows.
// A key presses the button that the row has for it, so it asks and refuses as that button does.
'use strict';

const KEYS_SWITCH = 'cimaster-keys';  // in localStorage: 'off' if the visitor turned the keys off
const TABLES = '#clusters', TABLE_ROW = 'tr.row';
const TYPING = 'input:not([type=checkbox], [type=radio]), select, textarea';
const ACTIONS = {
  h: {label: 'Hold', verbs: ['hold', 'holdwhenfree']},
  e: {label: 'Extend', verbs: ['extend']},
  r: {label: 'Release', verbs: ['release']},
};
const keys = {on: true, enters: false, help: document.getElementById('keys-help'), note: document.getElementById('keys-note')};

// --- the switch ----------------------------------------------------------------------------------------------------

// A browser that blocks cookies blocks this storage too: the switch then holds for this page only.
function readSwitch() {
  try {
    keys.on = localStorage.getItem(KEYS_SWITCH) !== 'off';
  } catch {}
}

function setSwitch(on) {
  keys.on = on;
  try {
    localStorage.setItem(KEYS_SWITCH, on ? 'on' : 'off');
  } catch {}
}

function showHelp() {
  document.getElementById('dialog-content').replaceChildren(keys.help.content.cloneNode(true));
  const box = document.getElementById('keys-switch');
  box.checked = keys.on;
  box.addEventListener('change', () => setSwitch(box.checked));
  dialog.showModal();
}

// --- rows ----------------------------------------------------------------------------------------------------------

const nameIn = row => row.querySelector('[data-name]');

function move(table, from, step) {
  const rows = [...table.querySelectorAll(TABLE_ROW)];
  const next = from ? rows[rows.indexOf(from) + step] : rows[0];
  if (!next) return;
  document.querySelector(':popover-open')?.hidePopover();
  nameIn(next).focus();
}

function tell(sentence) {
  const note = keys.note.content.cloneNode(true);
  note.querySelector('span').textContent = sentence;
  document.getElementById('toasts').replaceChildren(note);
}

// The row has no button for the key.
function whyMissing(key, row) {
  const name = nameIn(row).textContent, state = row.dataset.state;
  if (key === 'h' && row.matches('.row-mine')) return `You hold ${name} already. Press e to extend your hold.`;
  if (key === 'h') return `This row has no button to hold ${name}. Open its page for all actions.`;
  const verb = ACTIONS[key].label.toLowerCase();
  if (state === 'held') return `Someone else holds ${name}. Only the holder can ${verb} the hold.`;
  return `${name} is ${state}, so there is no hold to ${verb}.`;
}

function whyDisabled(key, button) {
  const reason = document.getElementById(button.getAttribute('aria-describedby')) ?? button.querySelector('.sub');
  return `${ACTIONS[key].label} is not possible: ${reason.textContent}`;
}

function act(key, row) {
  const button = ACTIONS[key].verbs.map(verb => row.querySelector(`[data-verb=${verb}]`)).find(found => found);
  if (!button) tell(whyMissing(key, row));
  else if (button.getAttribute('aria-disabled')) tell(whyDisabled(key, button));
  else button.click();
}

// --- keys ----------------------------------------------------------------------------------------------------------

function search() {
  const field = document.querySelector('form[role=search] input:not([type=hidden])');
  field?.focus();
  field?.select();
}

// What was typed last may not have been searched for yet: then the first row is that of the answer.
function enterTable(field) {
  keys.enters = field.value !== (new URLSearchParams(location.search).get('q') ?? '');
  if (keys.enters) field.blur();  // which sends the search now
  else move(document.querySelector(TABLES), null, 1);
}

document.addEventListener('htmx:finally:request', event => {
  const {ctx} = event.detail;
  if (!keys.enters || ctx.sourceElement.id !== 'filter' || ctx.text === undefined) return;  // an earlier search was aborted
  keys.enters = false;
  if (ctx.response.status < 400) move(document.querySelector(TABLES), null, 1);
});

document.addEventListener('focusin', event => {
  if (event.target.id !== 'main') keys.enters = false;
});

const pageKeys = {
  '/': search,
  '?': showHelp,
};
const rowKeys = {
  x: row => row.querySelector('input[type=checkbox]')?.click(),
  b: () => document.querySelector('#selection button')?.focus(),
  h: row => act('h', row),
  e: row => act('e', row),
  r: row => act('r', row),
};
const steps = {j: 1, k: -1};

function carryOut(event) {
  const {key} = event, table = event.target.closest(TABLES), row = event.target.closest(TABLE_ROW);
  if (Object.hasOwn(pageKeys, key)) pageKeys[key]();
  else if (table && Object.hasOwn(steps, key)) move(table, row, steps[key]);
  else if (table && row && Object.hasOwn(rowKeys, key) && !event.repeat) rowKeys[key](row);
  else return;
  event.preventDefault();
}

document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || dialog.open) return;
  if (event.key === 'ArrowDown' && event.target.matches('[role=search] [type=search]')) {
    event.preventDefault();
    enterTable(event.target);
    return;
  }
  readSwitch();
  if (keys.on && !event.target.matches(TYPING)) carryOut(event);
});

const opener = document.getElementById('keys-open');
opener.hidden = false;
opener.addEventListener('click', () => {
  readSwitch();
  showHelp();
});
