// @ts-check
const TIMES = { now: 3, today: 1 };
const TONES = [880, 660];
const TONE_S = 0.18;
const APART_S = 0.9;
let sound = null;

/** A page addressed to her is heard: *now* three times, *today* once, *routine* not. Nothing else here makes a sound. */
export async function chime(urgency) {
  const times = TIMES[urgency] ?? 0;
  if (!times || !window.AudioContext) return;
  try {
    sound ??= new AudioContext();
    // A browser lets a page be heard only after it was touched once.
    if (sound.state === 'suspended') await Promise.race([sound.resume(), new Promise((rest) => setTimeout(rest, 1000))]);
    if (sound.state !== 'running') return;
    for (let n = 0; n < times; n += 1) TONES.forEach((tone, at) => play(tone, sound.currentTime + n * APART_S + at * TONE_S));
  } catch (problem) {
    console.warn('lounge: no sound', problem);
  }
}

function play(tone, at) {
  const source = new OscillatorNode(sound, { frequency: tone });
  const volume = new GainNode(sound, { gain: 0 });
  source.connect(volume).connect(sound.destination);
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(0.25, at + 0.02);
  volume.gain.linearRampToValueAtTime(0, at + TONE_S);
  source.start(at);
  source.stop(at + TONE_S);
}
