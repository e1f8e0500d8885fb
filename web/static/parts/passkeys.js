// @ts-check
import { Refusal } from './wire.js';

const NUMBERED = /^[\d.]+$|:/;

/** Whether this browser, at this address, can use passkeys: they belong to a name, not to a number. */
export function usable() {
  return isSecureContext && !NUMBERED.test(location.hostname) && typeof globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON === 'function';
}

/** Has a device make a passkey. @returns what the server takes. Throws Refusal `unused` when nobody did. */
export async function make(options) {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return answered(() => navigator.credentials.create({ publicKey }));
}

/** Has a device use a passkey; as above. */
export async function use(options) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return answered(() => navigator.credentials.get({ publicKey }));
}

/** Browsers do not say why nothing came: the doctor may have closed it, or has no passkey here. */
async function answered(ask) {
  try {
    return /** @type {any} */ (await ask()).toJSON();
  } catch (problem) {
    console.warn('lounge: no passkey', problem.name);
    throw new Refusal('unused');
  }
}
