import { initAll } from './vendor/govuk/govuk-frontend.min.js';
import { initAll as initMoj } from './vendor/moj/moj-frontend.min.js';

initAll();
initMoj();

// Shortly before the session ends its owner is asked whether to stay. Without scripts a page without a form goes to a page that asks.
const dialog = document.getElementById('time-nearly-over');
const body = document.body;
if (dialog && dialog.showModal && body.dataset.leave) {
  const warnBefore = 120000;
  let end;
  let timer;
  const arm = (seconds) => {
    end = Date.now() + seconds * 1000 + warnBefore;
    const over = end + 5000; // the service says first that it is
    timer = setInterval(() => {
      if (Date.now() >= over) {
        clearInterval(timer);
        if (!document.querySelector('main form')) window.location.assign('/sign-in?why=idle&next=' + encodeURIComponent(body.dataset.from));
      } else if (Date.now() >= end - warnBefore && !dialog.open && body.dataset.from !== '/time-nearly-over') {
        dialog.showModal();
      }
    }, 1000);
  };
  const stay = async () => {
    const answer = await fetch('/stay', { method: 'POST', headers: { Accept: 'text/plain' }, redirect: 'manual' });
    dialog.close();
    clearInterval(timer);
    if (answer.status === 204) arm(Number(body.dataset.whole));
    else if (!document.querySelector('main form')) window.location.reload();
  };
  document.getElementById('time-stay').addEventListener('click', stay);
  dialog.addEventListener('cancel', (event) => { event.preventDefault(); stay(); });
  arm(Number(body.dataset.leave));
}
