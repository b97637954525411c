// Buttons that copy a name or a command line. Without script, the text can be selected.
'use strict';

async function copied(button) {
  const text = button.dataset.copy;
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;  // the browser or the person does not permit it
    }
  }
  const field = document.createElement('textarea');  // browsers offer the clipboard to https and localhost only
  field.value = text;
  button.after(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  button.focus();
  return done;
}

function announce(button, text) {
  const nearby = button.closest('.commands')?.querySelector('[data-copied]');
  if (nearby) {
    nearby.textContent = text;
    return;
  }
  const message = document.createElement('p');
  message.className = 'toast';
  message.textContent = text;
  document.getElementById('toasts').replaceChildren(message);
}

document.addEventListener('click', async event => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  const done = await copied(button);
  announce(button, done ? `Copied: ${button.dataset.copy}` : 'The browser does not permit copying: select the text');
  button.closest('[popover]')?.hidePopover();
});
