// @ts-check
import { Refusal, refusalOf } from './wire.js';

/**
 * Puts a file's bytes to an address. `progressed(part)` hears how much has gone, 0 to 1.
 * @returns {Promise<void>} throws a Refusal
 */
export function upload(path, file, progressed) {
  return new Promise((resolve, reject) => {
    // Not fetch: that one tells no progress of what goes out.
    const request = new XMLHttpRequest();
    request.open('PUT', path);
    request.setRequestHeader('Content-Type', file.type || 'application/octet-stream');
    request.upload.addEventListener('progress', ({ loaded, total }) => progressed(total ? loaded / total : 0));
    request.addEventListener('load', () => (request.status < 300 ? resolve() : reject(refused(request))));
    request.addEventListener('error', () => reject(new Refusal('lost')));
    request.send(file);
  });
}

function refused({ status, responseText }) {
  try {
    return refusalOf({ ...JSON.parse(responseText).error, ...(status === 401 && { code: 'signed_out' }) });
  } catch {
    return refusalOf({});
  }
}
