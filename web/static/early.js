// Before the first paint: the theme and the size of text that were chosen on this device.
(() => {
  try {
    const look = JSON.parse(localStorage.getItem('lounge.look')) ?? {};
    if (look.theme) document.documentElement.dataset.theme = look.theme;
    if (look.size) document.documentElement.dataset.size = look.size;
  } catch {
    // A browser that keeps nothing shows what the system asks for.
  }
})();
