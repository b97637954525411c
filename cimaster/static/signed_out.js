// With verified names: what an open page does when its session has ended, or when another person has signed in meanwhile.
// A page whose session has ended polls rarely, and goes on when the same person has signed in again in another tab.
'use strict';

const PAUSE = 15000;  // milliseconds between polls while the visitor is signed out
const session = {visitor: document.documentElement.dataset.visitor, isOver: false, nextPoll: 0};

function signInLink(link) {
  const address = new URL(link.getAttribute('href'), location.href);
  address.searchParams.set('back', location.pathname + location.search);
  link.href = address.pathname + address.search;
}

function showSignedOut(isOver) {
  session.isOver = isOver;
  const banner = document.getElementById('signed-out');
  if (isOver) signInLink(banner.querySelector('a'));
  banner.hidden = !isOver;
}

function showInForm() {
  const message = document.getElementById('signed-out-in-form').content.cloneNode(true);
  signInLink(message.querySelector('a'));
  document.getElementById('form-alert')?.remove();
  document.getElementById('form-title').after(message);
}

function pollNow() {
  session.nextPoll = 0;
  const live = document.querySelector('[data-live]') ?? document.getElementById('ending');
  if (session.isOver && !document.hidden && live) htmx.trigger(live, 'every');
}

document.addEventListener('htmx:config:request', event => {
  const {ctx} = event.detail;
  if (session.visitor) ctx.request.headers['CIMaster-Visitor'] = session.visitor;
  if (!session.isOver || !isPoll(ctx) || event.defaultPrevented) return;
  if (performance.now() < session.nextPoll) event.preventDefault();
  else session.nextPoll = performance.now() + PAUSE;
});

document.addEventListener('htmx:before:response', event => {
  const {ctx} = event.detail;
  if (!session.visitor) return;
  if (ctx.response.status === 401) {
    event.preventDefault();
    if (!session.isOver) session.nextPoll = performance.now() + PAUSE;
    showSignedOut(true);
    if (dialog.open && dialog.contains(ctx.sourceElement)) showInForm();
  } else if (session.isOver && ctx.response.status < 400) {
    showSignedOut(false);
    document.getElementById('form-alert')?.remove();
    for (const element of document.querySelectorAll('[data-live]')) htmx.trigger(element, 'every');
  }
});

document.addEventListener('visibilitychange', pollNow);
addEventListener('focus', pollNow);

// The browser shows a page that it kept, when the visitor goes back: perhaps another person's.
addEventListener('pageshow', event => {
  if (event.persisted) location.reload();
});
