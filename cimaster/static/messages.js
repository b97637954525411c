// Removes messages that are no longer needed: a success message after some seconds, "did not answer" once the service
// answers again, and a message about a cluster as soon as the page shows a newer state of that cluster.
'use strict';

const SECONDS_SHOWN = 8, SECONDS_WITH_UNDO = 10;  // not counted while a message has the pointer or the focus
const ages = new WeakMap();
const confirmed = new WeakSet();  // messages whose state the page has shown already

function removeExpired() {
  if (document.hidden) return;
  for (const message of document.querySelectorAll('.toast, [data-unanswered]')) {
    if (message.matches(':hover, :focus-within')) continue;
    ages.set(message, (ages.get(message) ?? 0) + 1);
    const over = message.matches('.toast') || page.lastAnswer > page.lastFailure;
    const seconds = message.querySelector('form') ? SECONDS_WITH_UNDO : SECONDS_SHOWN;
    if (ages.get(message) >= seconds && over) message.remove();
  }
}

// A refusal may arrive before the row that shows its cause, so it goes only after a row that matched it has changed.
function removeOutdated() {
  for (const message of document.querySelectorAll('[data-about]')) {
    const shown = document.querySelector(`[data-shows="${CSS.escape(message.dataset.about)}"]`);
    if (!shown) continue;
    if (shown.dataset.rev === message.dataset.rev) confirmed.add(message);
    else if (confirmed.has(message) || message.matches('.toast')) message.remove();
  }
}

document.addEventListener('htmx:finally:request', removeOutdated);
document.addEventListener('click', event => {
  if (!event.target.closest('[data-dismiss]')) return;
  event.target.closest('.toast, .alert').remove();
  refocus();
});

removeOutdated();
setInterval(removeExpired, 1000);
