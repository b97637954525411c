// Messages end: a word of success after some seconds, "did not answer" once the service answers again, and each message
// about a cluster as soon as the page shows another state of it.
'use strict';

const LASTS = 8;             // seconds for which a message is not pointed at and has no focus
const ages = new WeakMap();
const agreed = new WeakSet();  // messages that the page has shown to be true

function age() {
  if (document.hidden) return;
  for (const message of document.querySelectorAll('.toast, [data-unanswered]')) {
    if (message.matches(':hover, :focus-within')) continue;
    ages.set(message, (ages.get(message) ?? 0) + 1);
    const over = message.matches('.toast') || page.answered > page.failed;
    if (ages.get(message) >= LASTS && over) message.remove();
  }
}

// A refusal may come before the row that shows why; what comes after the row agreed with it is news.
function contradict() {
  for (const message of document.querySelectorAll('[data-about]')) {
    const shown = document.querySelector(`[data-shows="${CSS.escape(message.dataset.about)}"]`);
    if (!shown) continue;
    if (shown.dataset.rev === message.dataset.rev) agreed.add(message);
    else if (agreed.has(message) || message.matches('.toast')) message.remove();
  }
}

document.addEventListener('htmx:finally:request', contradict);
document.addEventListener('click', event => {
  if (!event.target.closest('[data-dismiss]')) return;
  event.target.closest('.toast, .alert').remove();
  refocus();
});

contradict();
setInterval(age, 1000);
