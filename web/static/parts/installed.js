// @ts-check
import { Api } from './api.js';

const WORKER = '/worker.js';
/** The only address of a script that is made by a script: one policy, and it knows no other. */
const address = globalThis.trustedTypes?.createPolicy('worker', { createScriptURL: () => WORKER }).createScriptURL('') ?? WORKER;

/**
 * Installs the service worker, and has it keep roles, numbers and her own rotas. `go` goes to a path that a pressed
 * notification names; `signal` ends it all: who signs out takes the worker away, and what still asks by it would fail.
 * @returns the registration; null where the browser has no workers
 */
export async function install({ go, signal }) {
  const { serviceWorker } = navigator;
  const made = await serviceWorker?.register(address, { updateViaCache: 'none' }).catch(() => null);
  if (!made) return null;
  serviceWorker.addEventListener('message', ({ data }) => data?.go && go(data.go));
  const ready = await serviceWorker.ready;
  if (!serviceWorker.controller) await new Promise((resolve) => serviceWorker.addEventListener('controllerchange', resolve, { once: true }));
  await keep(new Api((path, request) => fetch(path, { ...request, signal }))).catch(() => {});
  return ready;
}

/** What is asked for passes the worker, which keeps it; the worker learns from the first answer whose browser this is. */
async function keep(doors) {
  await doors.get('/api/session');
  const { roles } = await doors.get('/api/roles');
  for (const { id, mine } of roles) if (mine) await doors.get(`/api/roles/${encodeURIComponent(id)}`);
}
