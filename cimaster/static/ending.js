// Holds that end soon: the tab's title counts down, and visitors who switch that on get a notification.
'use strict';

const SWITCH = 'cimaster-notify', NOTIFIED = 'cimaster-notified';  // in localStorage, so that one tab of several notifies
const title = document.querySelector('title');
const bell = document.getElementById('bell');

function endings() {
  return [...document.querySelectorAll('[data-ending]')].map(banner => {
    const ends = banner.querySelector('time').dateTime;
    return {cluster: banner.dataset.ending, ends, left: Date.parse(ends) - Date.now() - page.offset};
  });
}

function notifies() {
  return 'Notification' in window && Notification.permission === 'granted' && localStorage.getItem(SWITCH) === 'on';
}

function notify(holds) {
  const known = JSON.parse(localStorage.getItem(NOTIFIED) ?? '[]').filter(({ends}) => Date.parse(ends) > Date.now());
  const isKnown = hold => known.some(({cluster, ends}) => cluster === hold.cluster && ends === hold.ends);
  const added = holds.filter(hold => !isKnown(hold));
  if (!added.length) return;
  localStorage.setItem(NOTIFIED, JSON.stringify([...known, ...added]));
  for (const {cluster, left} of added) {
    try {
      new Notification(`${cluster} ends in ${roughly(left)}`, {tag: cluster, body: 'Open CIMaster to extend your hold.'});
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;  // some mobile browsers show notifications of service workers only
    }
  }
}

function showEndings() {
  const holds = endings().filter(hold => hold.left > 0);
  const [first] = holds;
  const shown = first ? `(${roughly(first.left)}) ${first.cluster} · ${title.dataset.page}` : title.dataset.page;
  if (document.title !== shown) document.title = shown;
  bell.hidden = !first || !('Notification' in window) || Notification.permission === 'denied';
  bell.setAttribute('aria-pressed', notifies());
  if (notifies()) notify(holds);
}

bell.addEventListener('click', async () => {
  const on = !notifies() && await Notification.requestPermission() === 'granted';
  localStorage.setItem(SWITCH, on ? 'on' : 'off');
  showEndings();
});

document.addEventListener('htmx:after:swap', showEndings);
showEndings();
setInterval(showEndings, 1000);
